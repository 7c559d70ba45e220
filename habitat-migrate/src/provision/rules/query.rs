//! The statements of the audit: each gives `code, object, what, statement, choice`, and says what it found.

/// What all of them start from, behind the `wanted` that the rules make.
pub(super) const COMMON: &str = ",
space AS (
  SELECT n.* FROM pg_catalog.pg_namespace n, wanted w
  WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    AND (w.schemas = '{}' OR n.nspname = ANY (w.schemas || w.protected))
), app AS (
  SELECT r.* FROM pg_catalog.pg_roles r, wanted w WHERE r.rolname = ANY (w.roles)
), relation AS (
  SELECT c.*, s.nspname, pg_catalog.format('%I.%I', s.nspname, c.relname) AS name,
    CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE'
      WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END AS kind
  FROM pg_catalog.pg_class c JOIN space s ON s.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
), routine AS (
  SELECT p.*, s.nspname, pg_catalog.format('%I.%I(%s)', s.nspname, p.proname, (
    SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', tn.nspname, t.typname), ', ' ORDER BY a.n)
    FROM pg_catalog.unnest(p.proargtypes) WITH ORDINALITY a(oid, n)
    JOIN pg_catalog.pg_type t ON t.oid = a.oid JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace)) AS name
  FROM pg_catalog.pg_proc p JOIN space s ON s.oid = p.pronamespace
  WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
), protected AS (
  SELECT r.* FROM relation r, wanted w
  WHERE r.relkind IN ('r', 'p') AND r.nspname = ANY (w.protected) AND NOT EXISTS (
    SELECT FROM ROWS FROM (pg_catalog.unnest(w.free_schemas), pg_catalog.unnest(w.free_tables)) AS free(space, name)
    WHERE free.space = r.nspname AND free.name = r.relname)
), object AS (
  SELECT kind, name, relowner AS owner FROM relation r
  WHERE NOT (relkind = 'S' AND EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')
      AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass))
  UNION ALL SELECT 'ROUTINE', name, proowner FROM routine
  UNION ALL SELECT 'SCHEMA', pg_catalog.format('%I', nspname), nspowner FROM space s
  WHERE nspname <> 'public' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = s.oid AND d.deptype = 'e')
  UNION ALL
  SELECT CASE t.typtype WHEN 'd' THEN 'DOMAIN' ELSE 'TYPE' END, pg_catalog.format('%I.%I', s.nspname, t.typname), t.typowner
  FROM pg_catalog.pg_type t JOIN space s ON s.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
  WHERE (t.typtype IN ('d', 'e', 'r') OR t.typtype = 'c' AND c.relkind = 'c') AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e')
), heir AS (
  SELECT (SELECT r.rolname FROM pg_catalog.pg_roles r
    WHERE r.rolname = w.owner AND NOT r.rolsuper AND r.rolname <> ALL (w.roles)) AS name
  FROM wanted w
)";

/// One for each rule, in the order of the findings.
pub(super) const ALL: &[&str] = &[
    ROLE_MISSING,
    ROLE_ATTRIBUTE,
    ROLE_MEMBER,
    OWNER_APPLICATION,
    OWNER_SUPERUSER,
    RLS_OFF,
    RLS_NOT_FORCED,
    POLICY_MISSING,
    DEFINER_PUBLIC,
    VIEW_DEFINER,
    MATVIEW_EMPTY,
    INDEX_INVALID,
    CONSTRAINT_NOT_VALID,
    PUBLIC_CREATE,
    PUBLIC_CONNECT,
    PRIMARY_KEY_MISSING,
    DEFINER,
    WRITABLE,
];

const ROLE_MISSING: &str = r#"SELECT 'finding' AS "habitat-migrate", 'role-missing', pg_catalog.format('%I', name),
  'is an application role that the server does not have', NULL, 'create the role, or take it out of the rules'
FROM wanted w, pg_catalog.unnest(w.roles) name
WHERE name NOT IN (SELECT rolname FROM app) ORDER BY 3"#;

const ROLE_ATTRIBUTE: &str = r#"SELECT 'finding' AS "habitat-migrate", 'role-' || pg_catalog.lower(a.word), pg_catalog.format('%I', r.rolname),
  'is an application role and ' || a.word, pg_catalog.format('ALTER ROLE %I NO%s', r.rolname, a.word), NULL
FROM app r CROSS JOIN LATERAL (VALUES ('SUPERUSER', r.rolsuper), ('BYPASSRLS', r.rolbypassrls),
  ('CREATEROLE', r.rolcreaterole), ('CREATEDB', r.rolcreatedb), ('REPLICATION', r.rolreplication)) a(word, has)
WHERE a.has ORDER BY 3, 2"#;

const ROLE_MEMBER: &str = r#"SELECT 'finding' AS "habitat-migrate", 'role-member', pg_catalog.format('%I', r.rolname),
  pg_catalog.format('can become %I, which %s', o.rolname, CASE WHEN o.rolsuper THEN 'is a superuser'
    WHEN o.rolbypassrls THEN 'no policy binds' WHEN o.rolcreaterole THEN 'makes roles'
    WHEN o.rolname ~ '^pg_' THEN 'reaches the server''s files' ELSE 'owns objects of the application' END),
  CASE WHEN m.roleid IS NOT NULL THEN pg_catalog.format('REVOKE %I FROM %I', o.rolname, r.rolname) ||
    CASE WHEN pg_catalog.current_setting('server_version_num')::int >= 160000
      THEN pg_catalog.format(' GRANTED BY %I', pg_catalog.pg_get_userbyid(m.grantor)) ELSE '' END END,
  'it is a member by way of other roles: revoke one of those memberships'
FROM app r JOIN pg_catalog.pg_roles o ON o.oid <> r.oid AND pg_catalog.pg_has_role(r.oid, o.oid, 'MEMBER')
LEFT JOIN pg_catalog.pg_auth_members m ON m.roleid = o.oid AND m.member = r.oid
WHERE NOT r.rolsuper AND (o.rolsuper OR o.rolbypassrls OR o.rolcreaterole
  OR o.rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
  OR o.oid IN (SELECT owner FROM object)) ORDER BY 3, 4"#;

const OWNER_APPLICATION: &str = r#"SELECT 'finding' AS "habitat-migrate", 'owner-application', x.name,
  pg_catalog.format('belongs to the application role %I', r.rolname),
  CASE WHEN h.name IS NOT NULL THEN pg_catalog.format('ALTER %s %s OWNER TO %I', x.kind, x.name, h.name) END, 'give it to a role that no program logs in as'
FROM heir h, object x JOIN app r ON r.oid = x.owner ORDER BY 3"#;

const OWNER_SUPERUSER: &str = r#"SELECT 'finding' AS "habitat-migrate", 'owner-superuser', x.name,
  pg_catalog.format('belongs to the superuser %I', r.rolname),
  CASE WHEN h.name IS NOT NULL THEN pg_catalog.format('ALTER %s %s OWNER TO %I', x.kind, x.name, h.name) END, 'give it to a role that is no superuser'
FROM heir h, object x JOIN pg_catalog.pg_roles r ON r.oid = x.owner AND r.rolsuper
WHERE r.oid NOT IN (SELECT oid FROM app) ORDER BY 3"#;

const RLS_OFF: &str = r#"SELECT 'finding' AS "habitat-migrate", 'rls-off', name, 'has no row-level security',
  'ALTER TABLE ' || name || ' ENABLE ROW LEVEL SECURITY', NULL
FROM protected WHERE NOT relrowsecurity ORDER BY 3"#;

const RLS_NOT_FORCED: &str = r#"SELECT 'finding' AS "habitat-migrate", 'rls-not-forced', name, 'does not bind its owner to its policies',
  'ALTER TABLE ' || name || ' FORCE ROW LEVEL SECURITY', NULL
FROM protected WHERE NOT relforcerowsecurity ORDER BY 3"#;

const POLICY_MISSING: &str = r#"SELECT 'finding' AS "habitat-migrate", 'policy-missing', t.name,
  pg_catalog.format('has no policy for %s by %I, which was granted it', c.command, r.rolname), NULL,
  pg_catalog.format('CREATE POLICY … ON %s FOR %s TO %I %s, or REVOKE %s ON %s FROM %I', t.name, c.command, r.rolname,
    CASE c.command WHEN 'INSERT' THEN 'WITH CHECK (…)' WHEN 'UPDATE' THEN 'USING (…) WITH CHECK (…)' ELSE 'USING (…)' END,
    c.command, t.name, r.rolname)
FROM relation t CROSS JOIN wanted w
JOIN pg_catalog.pg_roles r ON NOT r.rolsuper AND NOT r.rolbypassrls
  AND CASE WHEN w.roles = '{}' THEN r.rolcanlogin ELSE r.rolname = ANY (w.roles) END
CROSS JOIN (VALUES (1, 'SELECT', 'r'), (2, 'INSERT', 'a'), (3, 'UPDATE', 'w'), (4, 'DELETE', 'd')) c(n, command, letter)
WHERE t.relkind IN ('r', 'p') AND t.relrowsecurity
  AND (t.relforcerowsecurity OR NOT pg_catalog.pg_has_role(r.oid, t.relowner, 'USAGE'))
  AND CASE WHEN c.command = 'DELETE' THEN pg_catalog.has_table_privilege(r.oid, t.oid, c.command)
    ELSE pg_catalog.has_any_column_privilege(r.oid, t.oid, c.command) END
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_policy p, pg_catalog.unnest(p.polroles) whom
    WHERE p.polrelid = t.oid AND p.polpermissive AND p.polcmd::text IN ('*', c.letter)
      AND CASE WHEN whom = 0 THEN true ELSE pg_catalog.pg_has_role(r.oid, whom, 'USAGE') END)
ORDER BY t.name, r.rolname, c.n"#;

const DEFINER_PUBLIC: &str = r#"SELECT 'finding' AS "habitat-migrate", 'definer-public', name, 'runs with its owner''s rights, and PUBLIC may execute it',
  'REVOKE EXECUTE ON ROUTINE ' || name || ' FROM PUBLIC', NULL
FROM routine WHERE prosecdef AND EXISTS (
  SELECT FROM pg_catalog.aclexplode(COALESCE(proacl, pg_catalog.acldefault('f', proowner))) a
  WHERE a.grantee = 0 AND a.privilege_type = 'EXECUTE') ORDER BY 3"#;

/// A view over a view over a protected table reads it, too.
const VIEW_DEFINER: &str = r#", reads AS (
  SELECT w.ev_class AS view, d.refobjid AS source
  FROM pg_catalog.pg_rewrite w JOIN pg_catalog.pg_depend d
    ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
    AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> w.ev_class
), reach AS (
  SELECT view, source FROM reads UNION SELECT r.view, s.source FROM reach r JOIN reads s ON s.view = r.source
), over AS (
  SELECT v.*, (SELECT pg_catalog.min(p.name) FROM reach r JOIN protected p ON p.oid = r.source WHERE r.view = v.oid) AS table_name
  FROM relation v WHERE v.relkind IN ('v', 'm')
)
SELECT 'finding' AS "habitat-migrate", CASE relkind WHEN 'v' THEN 'view-definer' ELSE 'matview-over-protected' END, name,
  CASE relkind WHEN 'v' THEN 'reads the protected table ' || table_name || ' as its owner'
    ELSE 'keeps rows of the protected table ' || table_name END,
  CASE WHEN relkind = 'v' AND pg_catalog.current_setting('server_version_num')::int >= 150000
    THEN 'ALTER VIEW ' || name || ' SET (security_invoker = true)' END,
  CASE relkind WHEN 'v' THEN 'views have security_invoker from PostgreSQL 15 on: upgrade, drop the view, or grant it to nobody who may not see every row'
    ELSE 'grant it to nobody who may not see every row, or drop it' END
FROM over WHERE table_name IS NOT NULL AND NOT (relkind = 'v' AND COALESCE((
  SELECT o.option_value::boolean FROM pg_catalog.pg_options_to_table(reloptions) o WHERE o.option_name = 'security_invoker'), false))
ORDER BY 3"#;

const MATVIEW_EMPTY: &str = r#"SELECT 'finding' AS "habitat-migrate", 'matview-empty', name, 'was never filled',
  'REFRESH MATERIALIZED VIEW ' || name, NULL
FROM relation WHERE relkind = 'm' AND NOT relispopulated ORDER BY 3"#;

/// An index that is being built right now is invalid, too; that is no finding.
const INDEX_INVALID: &str = r#"SELECT 'finding' AS "habitat-migrate", 'index-invalid', pg_catalog.format('%I.%I', t.nspname, x.relname),
  'is an invalid index of ' || t.name,
  CASE WHEN x.relkind = 'i' THEN CASE WHEN x.relname ~ '_cc(new|old)[0-9]*$' THEN 'DROP' ELSE 'REINDEX' END
    || ' INDEX CONCURRENTLY ' || pg_catalog.format('%I.%I', t.nspname, x.relname) END,
  'an index of a partitioned table is valid when each partition has one that is attached to it: ALTER INDEX … ATTACH PARTITION …'
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN relation t ON t.oid = i.indrelid
WHERE NOT i.indisvalid AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = i.indexrelid) ORDER BY 3"#;

/// From PostgreSQL 18 on a constraint may be one that is not enforced, and never valid.
const CONSTRAINT_NOT_VALID: &str = r#"SELECT 'finding' AS "habitat-migrate", 'constraint-not-valid', pg_catalog.format('%s.%I', on_what, c.conname),
  'is NOT VALID', pg_catalog.format('ALTER %s %s VALIDATE CONSTRAINT %I', o.kind, on_what, c.conname), NULL
FROM pg_catalog.pg_constraint c LEFT JOIN relation t ON t.oid = c.conrelid
LEFT JOIN pg_catalog.pg_type y ON y.oid = c.contypid LEFT JOIN space s ON s.oid = y.typnamespace
CROSS JOIN LATERAL (SELECT CASE WHEN c.contypid = 0 THEN 'TABLE' ELSE 'DOMAIN' END,
  CASE WHEN c.contypid = 0 THEN t.name ELSE pg_catalog.format('%I.%I', s.nspname, y.typname) END) o(kind, on_what)
WHERE NOT c.convalidated AND c.conparentid = 0 AND COALESCE(pg_catalog.to_jsonb(c) ->> 'conenforced', 'true') = 'true'
  AND (t.oid IS NOT NULL OR s.oid IS NOT NULL) ORDER BY 3"#;

const PUBLIC_CREATE: &str = r#"SELECT 'finding' AS "habitat-migrate", 'public-create', pg_catalog.format('%I', nspname), 'is a schema where PUBLIC may create',
  pg_catalog.format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', nspname), NULL
FROM space WHERE EXISTS (
  SELECT FROM pg_catalog.aclexplode(COALESCE(nspacl, pg_catalog.acldefault('n', nspowner))) a
  WHERE a.grantee = 0 AND a.privilege_type = 'CREATE') ORDER BY 3"#;

/// The application's roles must still get in, afterwards.
const PUBLIC_CONNECT: &str = r#"SELECT 'finding' AS "habitat-migrate", 'public-connect', pg_catalog.format('%I', d.datname), 'is a database that PUBLIC may connect to',
  COALESCE((SELECT pg_catalog.format('GRANT CONNECT ON DATABASE %I TO %s; ', d.datname,
    pg_catalog.string_agg(pg_catalog.format('%I', r.rolname), ', ' ORDER BY r.rolname)) FROM app r HAVING pg_catalog.count(*) > 0), '')
    || pg_catalog.format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', d.datname), NULL
FROM pg_catalog.pg_database d, wanted w
WHERE w.isolated AND d.datname = pg_catalog.current_database() AND EXISTS (
  SELECT FROM pg_catalog.aclexplode(COALESCE(d.datacl, pg_catalog.acldefault('d', d.datdba))) a
  WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')"#;

const PRIMARY_KEY_MISSING: &str = r#"SELECT 'finding' AS "habitat-migrate", 'primary-key-missing', t.name, 'has no primary key', NULL,
  'ALTER TABLE ' || t.name || ' ADD PRIMARY KEY (…), with columns that are unique and never null'
FROM relation t, wanted w
WHERE w.primary_keys AND t.relkind IN ('r', 'p') AND NOT t.relispartition AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = t.oid AND i.indisprimary) ORDER BY 3"#;

/// Read by [`path`](super::path).
const DEFINER: &str = r#"SELECT 'definer' AS "habitat-migrate", name, nspname, (
  SELECT pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) FROM pg_catalog.unnest(proconfig) c WHERE pg_catalog.starts_with(c, 'search_path='))
FROM routine WHERE prosecdef ORDER BY 2"#;

const WRITABLE: &str = r#"SELECT 'writable' AS "habitat-migrate", n.nspname,
  CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.format('%I', pg_catalog.pg_get_userbyid(a.grantee)) END
FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(COALESCE(n.nspacl, pg_catalog.acldefault('n', n.nspowner))) a
WHERE a.privilege_type = 'CREATE' AND (a.grantee = 0 OR a.grantee IN (SELECT oid FROM app)) ORDER BY 2, 3"#;
