//! One object of each kind, and alterations of each.

/// Makes them, in order.
pub const OBJECTS: &[&str] = &[
    "CREATE SCHEMA shop; CREATE SCHEMA empty",
    "CREATE TYPE shop.mood AS ENUM ('sad', 'ok')",
    "CREATE TYPE shop.address AS (street text, city text)",
    "CREATE TYPE shop.span AS RANGE (subtype = float8)",
    "CREATE DOMAIN shop.email AS text CHECK (VALUE LIKE '%@%')",
    "CREATE COLLATION shop.plain (locale = 'C')",
    "CREATE SEQUENCE shop.numbers",
    "CREATE TABLE shop.members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, name text DEFAULT 'x' NOT NULL,
        born date, age int, twice int GENERATED ALWAYS AS (age * 2) STORED, CONSTRAINT adult CHECK (age > 17))",
    "CREATE TABLE shop.orders (id int PRIMARY KEY, member bigint CONSTRAINT of_member REFERENCES shop.members)",
    "CREATE TABLE shop.events (at date NOT NULL, what text) PARTITION BY RANGE (at)",
    "CREATE TABLE shop.events_2025 PARTITION OF shop.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE INDEX members_email ON shop.members (email)",
    "CREATE VIEW shop.names AS SELECT name FROM shop.members",
    "CREATE MATERIALIZED VIEW shop.totals AS SELECT count(*) AS n FROM shop.members",
    "CREATE FUNCTION shop.next(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + 1'",
    "CREATE PROCEDURE shop.tidy() LANGUAGE sql AS 'SELECT 1'",
    "CREATE AGGREGATE shop.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '0')",
    "CREATE FUNCTION shop.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER touch BEFORE UPDATE ON shop.members FOR EACH ROW EXECUTE FUNCTION shop.touch()",
    "CREATE RULE quiet AS ON DELETE TO shop.orders DO INSTEAD NOTHING",
    "ALTER TABLE shop.members ENABLE ROW LEVEL SECURITY; CREATE POLICY own ON shop.members FOR SELECT USING (name = current_user)",
    "CREATE STATISTICS shop.pairs ON email, name FROM shop.members",
    "CREATE PUBLICATION news FOR TABLE shop.orders",
    "CREATE FUNCTION shop.watch() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
    "CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE AGGREGATE') EXECUTE FUNCTION shop.watch()",
    "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far OPTIONS (host 'x')",
    "CREATE USER MAPPING FOR reader SERVER away OPTIONS (password 'zebra')",
    "CREATE FOREIGN TABLE shop.distant (id int) SERVER away OPTIONS (name 'y')",
    "CREATE OPERATOR shop.=== (LEFTARG = int, RIGHTARG = int, FUNCTION = int4eq)",
    "CREATE FUNCTION shop.to_mood(int) RETURNS shop.mood LANGUAGE sql AS 'SELECT ''ok''::shop.mood'; CREATE CAST (int AS shop.mood) WITH FUNCTION shop.to_mood(int)",
    "CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple); CREATE TEXT SEARCH DICTIONARY shop.lexemes (TEMPLATE = simple)",
    "CREATE OPERATOR FAMILY shop.family USING btree",
    "GRANT SELECT ON shop.members TO reader; ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO reader",
    "COMMENT ON COLUMN shop.members.email IS 'How to reach them'",
];

/// From which version on, what is altered, and how the difference begins; it has no more lines than that.
pub const ALTERATIONS: &[(u32, &str, &str)] = &[
    // Databases and schemas.
    (14, "COMMENT ON SCHEMA shop IS 'goods'", "schema shop: comment none -> goods"),
    (14, "ALTER SCHEMA shop OWNER TO other", "schema shop: owner postgres -> other"),
    (
        14,
        "GRANT USAGE ON SCHEMA shop TO reader",
        "schema shop: unexpected grant to reader (privileges: USAGE)",
    ),
    (14, "DROP SCHEMA empty", "missing schema empty"),
    (14, "CREATE SCHEMA another", "unexpected schema another"),
    (
        14,
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET work_mem = ''8MB''', current_database()); END $$",
        "database: setting work_mem none -> 8MB",
    ),
    // Tables.
    (14, "CREATE TABLE shop.extra (id int)", "unexpected table shop.extra"),
    (
        14,
        "ALTER TABLE shop.orders RENAME TO purchases",
        "publication news: missing table shop.orders (published: yes)\npublication news: unexpected table shop.purchases (published: yes)\nmissing table shop.orders\nunexpected table shop.purchases",
    ),
    (14, "COMMENT ON TABLE shop.orders IS 'x'", "table shop.orders: comment none -> x"),
    (14, "ALTER TABLE shop.orders SET (fillfactor = 70)", "table shop.orders: options none -> fillfactor=70"),
    (14, "ALTER TABLE shop.events_2025 SET UNLOGGED", "table shop.events_2025: persistence none -> unlogged"),
    (
        14,
        "ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY",
        "table shop.orders: row security none -> enabled",
    ),
    (
        14,
        "ALTER TABLE shop.members FORCE ROW LEVEL SECURITY",
        "table shop.members: row security for its owner none -> forced",
    ),
    (14, "ALTER TABLE shop.orders REPLICA IDENTITY FULL", "table shop.orders: replica identity none -> full"),
    (
        14,
        "ALTER TABLE shop.members CLUSTER ON members_email",
        "table shop.members: clustered on none -> shop.members_email",
    ),
    (
        14,
        "ALTER TABLE shop.events DETACH PARTITION shop.events_2025",
        "table shop.events_2025: inherits shop.events -> none\ntable shop.events_2025: partition FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') -> none\ntable shop.events_2025: column at: inherited yes -> none\ntable shop.events_2025: column what: inherited yes -> none",
    ),
    (
        14,
        "REVOKE SELECT ON shop.members FROM reader",
        "table shop.members: missing grant to reader (privileges: SELECT)",
    ),
    (
        14,
        "GRANT SELECT ON shop.members TO reader WITH GRANT OPTION",
        "table shop.members: grant to reader: privileges SELECT -> SELECT with grant option",
    ),
    (
        14,
        "GRANT UPDATE (email) ON shop.members TO reader",
        "table shop.members: grant to reader: privileges on column email none -> UPDATE",
    ),
    // Columns.
    (14, "ALTER TABLE shop.orders ADD note text", "table shop.orders: unexpected column note (type: text)"),
    (
        14,
        "ALTER TABLE shop.members ALTER born TYPE timestamp",
        "table shop.members: column born: type date -> timestamp without time zone",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER name DROP NOT NULL",
        "table shop.members: column name: not null yes -> none",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER name SET DEFAULT 'y'",
        "table shop.members: column name: default 'x'::text -> 'y'::text",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER name DROP DEFAULT",
        "table shop.members: column name: default 'x'::text -> none",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER id SET GENERATED BY DEFAULT",
        "table shop.members: column id: identity always -> by default",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER twice DROP EXPRESSION",
        "table shop.members: column twice: generated stored (age * 2) -> none",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER born TYPE text COLLATE \"C\"",
        "table shop.members: column born: collation none -> pg_catalog.\"C\"\ntable shop.members: column born: type date -> text",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER email SET STORAGE EXTERNAL",
        "table shop.members: column email: storage none -> external",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER email SET COMPRESSION pglz",
        "table shop.members: column email: compression none -> pglz",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER email SET STATISTICS 7",
        "table shop.members: column email: statistics target none -> 7",
    ),
    (
        14,
        "ALTER TABLE shop.members ALTER email SET (n_distinct = 5)",
        "table shop.members: column email: options none -> n_distinct=5",
    ),
    (
        14,
        "COMMENT ON COLUMN shop.members.email IS NULL",
        "table shop.members: column email: comment How to reach them -> none",
    ),
    (
        14,
        "ALTER TYPE shop.address DROP ATTRIBUTE street; ALTER TYPE shop.address ADD ATTRIBUTE street text",
        "type shop.address: order of columns street, city -> city, street",
    ),
    // Constraints and indexes.
    (
        14,
        "ALTER TABLE shop.members DROP CONSTRAINT adult",
        "table shop.members: missing constraint adult (CHECK ((age > 17)))",
    ),
    (
        14,
        "ALTER TABLE shop.orders ALTER CONSTRAINT of_member DEFERRABLE",
        "table shop.orders: constraint of_member: definition FOREIGN KEY (member) REFERENCES shop.members(id) -> FOREIGN KEY (member) REFERENCES shop.members(id) DEFERRABLE",
    ),
    (
        14,
        "COMMENT ON CONSTRAINT adult ON shop.members IS 'x'",
        "table shop.members: constraint adult: comment none -> x",
    ),
    (
        14,
        "DROP INDEX shop.members_email",
        "table shop.members: missing index members_email (CREATE INDEX members_email ON shop.members USING btree (email))",
    ),
    (
        14,
        "CREATE INDEX more ON shop.orders (member)",
        "table shop.orders: unexpected index more (CREATE INDEX more ON shop.orders USING btree (member))",
    ),
    (
        14,
        "COMMENT ON INDEX shop.members_email IS 'x'",
        "table shop.members: index members_email: comment none -> x",
    ),
    (14, "CREATE UNIQUE INDEX one ON shop.totals (n)", "materialized view shop.totals: unexpected index one"),
    // Sequences, views, routines.
    (14, "ALTER SEQUENCE shop.numbers INCREMENT 2", "sequence shop.numbers: increment 1 -> 2"),
    (
        14,
        "ALTER SEQUENCE shop.numbers OWNED BY shop.orders.id",
        "sequence shop.numbers: owned by none -> shop.orders.id",
    ),
    (
        14,
        "GRANT USAGE ON SEQUENCE shop.numbers TO reader",
        "sequence shop.numbers: unexpected grant to reader (privileges: USAGE)",
    ),
    (
        14,
        "CREATE OR REPLACE VIEW shop.names AS SELECT name FROM shop.members WHERE true",
        "view shop.names: definition differs\n  -    FROM shop.members;\n  +    FROM shop.members\n  +   WHERE true;",
    ),
    (
        14,
        "ALTER VIEW shop.names SET (security_barrier = true)",
        "view shop.names: options none -> security_barrier=true",
    ),
    (
        14,
        "REFRESH MATERIALIZED VIEW shop.totals WITH NO DATA",
        "materialized view shop.totals: populated yes -> no",
    ),
    (
        14,
        "CREATE OR REPLACE FUNCTION shop.next(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + 2'",
        "function shop.next(n integer): definition differs\n  - AS $function$SELECT n + 1$function$\n  + AS $function$SELECT n + 2$function$",
    ),
    (
        14,
        "REVOKE EXECUTE ON FUNCTION shop.next FROM PUBLIC",
        "function shop.next(n integer): missing grant to PUBLIC (privileges: EXECUTE)",
    ),
    (14, "COMMENT ON PROCEDURE shop.tidy IS 'x'", "procedure shop.tidy(): comment none -> x"),
    (
        14,
        "DROP AGGREGATE shop.total(int); CREATE AGGREGATE shop.total(int) (SFUNC = int4pl, STYPE = int, INITCOND = '1')",
        "aggregate shop.total(integer): initial value 0 -> 1",
    ),
    // What hangs on tables.
    (
        14,
        "ALTER TABLE shop.members DISABLE TRIGGER touch",
        "table shop.members: trigger touch: enabled none -> no",
    ),
    (
        14,
        "DROP TRIGGER touch ON shop.members",
        "table shop.members: missing trigger touch (CREATE TRIGGER touch BEFORE UPDATE",
    ),
    (14, "DROP RULE quiet ON shop.orders", "table shop.orders: missing rule quiet"),
    (
        14,
        "ALTER POLICY own ON shop.members USING (true)",
        "table shop.members: policy own: using (name = CURRENT_USER) -> true",
    ),
    (
        14,
        "ALTER POLICY own ON shop.members TO reader",
        "table shop.members: policy own: roles PUBLIC -> reader",
    ),
    (14, "DROP POLICY own ON shop.members", "table shop.members: missing policy own"),
    // Types.
    (
        14,
        "ALTER TYPE shop.mood ADD VALUE 'glad' BEFORE 'ok'",
        "type shop.mood: labels 'sad', 'ok' -> 'sad', 'glad', 'ok'",
    ),
    (
        14,
        "ALTER TYPE shop.address ALTER ATTRIBUTE city TYPE varchar(9)",
        "type shop.address: column city: type text -> character varying(9)",
    ),
    (
        14,
        "ALTER TYPE shop.address ADD ATTRIBUTE zip text",
        "type shop.address: unexpected column zip (type: text)",
    ),
    (14, "ALTER DOMAIN shop.email SET DEFAULT 'a@b'", "domain shop.email: default none -> 'a@b'::text"),
    (14, "ALTER DOMAIN shop.email SET NOT NULL", "domain shop.email: not null none -> yes"),
    (
        14,
        "ALTER DOMAIN shop.email DROP CONSTRAINT email_check",
        "domain shop.email: missing constraint email_check (CHECK ((VALUE ~~ '%@%'::text)))",
    ),
    (
        14,
        "DROP TYPE shop.span; CREATE TYPE shop.span AS RANGE (subtype = float8, subtype_diff = float8mi)",
        "type shop.span: difference function none -> float8mi",
    ),
    (
        14,
        "REVOKE USAGE ON TYPE shop.mood FROM PUBLIC",
        "type shop.mood: missing grant to PUBLIC (privileges: USAGE)",
    ),
    (14, "COMMENT ON TYPE shop.mood IS 'x'", "type shop.mood: comment none -> x"),
    // The rest.
    (14, "DROP COLLATION shop.plain", "missing collation shop.plain"),
    (14, "ALTER STATISTICS shop.pairs SET STATISTICS 9", "statistics shop.pairs: target none -> 9"),
    (
        14,
        "ALTER PUBLICATION news SET (publish = 'insert')",
        "publication news: operations insert, update, delete, truncate -> insert",
    ),
    (
        14,
        "ALTER PUBLICATION news ADD TABLE shop.members",
        "publication news: unexpected table shop.members (published: yes)",
    ),
    (
        15,
        "ALTER PUBLICATION news SET TABLE shop.orders WHERE (id > 5)",
        "publication news: table shop.orders: where none -> (id > 5)",
    ),
    (
        15,
        "ALTER PUBLICATION news SET TABLE shop.orders (id)",
        "publication news: table shop.orders: columns none -> id",
    ),
    (
        15,
        "ALTER PUBLICATION news ADD TABLES IN SCHEMA shop",
        "publication news: unexpected schema shop (published: yes)",
    ),
    (
        14,
        "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere' PUBLICATION p WITH (connect = false, slot_name = NONE)",
        "unexpected subscription s",
    ),
    (14, "ALTER EVENT TRIGGER watch DISABLE", "event trigger watch: enabled none -> no"),
    (14, "ALTER SERVER away OPTIONS (SET host 'z')", "server away: options host=x -> host=z"),
    (
        14,
        "ALTER FOREIGN DATA WRAPPER far OPTIONS (debug 'true')",
        "foreign data wrapper far: options none -> debug=true",
    ),
    (
        14,
        "DROP USER MAPPING FOR reader SERVER away",
        "server away: missing user mapping of reader (options: password, there: yes)",
    ),
    (
        14,
        "ALTER FOREIGN TABLE shop.distant OPTIONS (SET name 'z')",
        "foreign table shop.distant: foreign options name=y -> name=z",
    ),
    (14, "DROP OPERATOR shop.=== (int, int)", "missing operator shop.===(integer,integer)"),
    (14, "DROP CAST (int AS shop.mood)", "missing cast integer as shop.mood"),
    (
        14,
        "ALTER TEXT SEARCH CONFIGURATION shop.words DROP MAPPING FOR asciiword",
        "text search configuration shop.words: mapping",
    ),
    (14, "DROP TEXT SEARCH DICTIONARY shop.lexemes", "missing text search dictionary shop.lexemes"),
    (14, "DROP OPERATOR FAMILY shop.family USING btree", "missing operator family shop.family"),
    (
        14,
        "ALTER DEFAULT PRIVILEGES IN SCHEMA shop REVOKE SELECT ON TABLES FROM reader",
        "missing default privileges of postgres in schema shop",
    ),
];
