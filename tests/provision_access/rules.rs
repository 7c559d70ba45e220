//! The audit's rules: each finds its fault, and what it suggests makes the fault go.

use std::collections::BTreeSet;

use habitat_migrate::provision::{Repair, RuleFinding, Rules, audit_rules};
use habitat_migrate::testing::Server;
use postgres::Client;

use crate::support::value;

/// A server of its own, since roles are everybody's.
fn server() -> Server {
    Server::start().expect("a server")
}

fn audit(client: &mut Client, rules: &Rules) -> Vec<RuleFinding> {
    audit_rules(client, rules).unwrap_or_else(|error| panic!("{error:?}"))
}

/// `code object` of each finding.
fn names(findings: &[RuleFinding]) -> BTreeSet<String> {
    findings.iter().map(|finding| format!("{} {}", finding.code(), finding.object())).collect()
}

/// A schema with an owner, a protected table with policies, and a role that may use it: nothing to find.
const SOUND: &str = r#"
CREATE ROLE "the owner"; CREATE ROLE "App" LOGIN; CREATE ROLE other LOGIN;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA "Data" AUTHORIZATION "the owner";
GRANT CREATE ON DATABASE postgres TO "the owner";
SET ROLE "the owner";
GRANT USAGE ON SCHEMA "Data" TO "App";
CREATE TABLE "Data"."Members" (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
ALTER TABLE "Data"."Members" ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON "Data"."Members" TO "App" USING (name = current_setting('app.name', true));
GRANT SELECT, INSERT, UPDATE, DELETE ON "Data"."Members" TO "App";
CREATE FUNCTION "Data".safe(n int, t text[]) RETURNS int LANGUAGE sql SECURITY DEFINER
  SET search_path = pg_catalog, "Data", pg_temp AS 'SELECT n';
CREATE FUNCTION "Data".bare() RETURNS int LANGUAGE sql SECURITY DEFINER SET search_path = '' AS 'SELECT 1';
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA "Data" FROM PUBLIC;
CREATE MATERIALIZED VIEW "Data".filled AS SELECT 1 AS one;
RESET ROLE;
"#;

fn rules() -> Rules {
    let rules = Rules::new().schema("Data").schema("public").protected_schema("Data");
    rules.application_role("App").owner("the owner").isolated().primary_keys()
}

fn sound() -> (Server, Client) {
    let server = server();
    let mut client = server.config().connect(postgres::NoTls).expect("a client");
    client.batch_execute(SOUND).expect("a sound database");
    client.batch_execute("REVOKE CONNECT ON DATABASE postgres FROM PUBLIC").expect("isolated");
    (server, client)
}

#[test]
fn a_sound_database_has_no_findings() {
    let (_server, mut client) = sound();
    assert_eq!(audit(&mut client, &rules()), []);
    assert_eq!(audit(&mut client, &Rules::new()), []);
}

/// A fault, the finding that it must give, and for those that a person decides on, the decision.
const FAULTS: [(&str, &str, &str); 39] = [
    ("ALTER ROLE \"App\" SUPERUSER", "role-superuser \"App\"", ""),
    ("ALTER ROLE \"App\" BYPASSRLS", "role-bypassrls \"App\"", ""),
    ("ALTER ROLE \"App\" CREATEROLE", "role-createrole \"App\"", ""),
    ("ALTER ROLE \"App\" CREATEDB", "role-createdb \"App\"", ""),
    ("ALTER ROLE \"App\" REPLICATION", "role-replication \"App\"", ""),
    ("GRANT \"the owner\" TO \"App\"", "role-member \"App\"", ""),
    ("GRANT pg_execute_server_program TO \"App\"", "role-member \"App\"", ""),
    ("GRANT \"the owner\" TO other; GRANT other TO \"App\"", "role-member \"App\"", "REVOKE other FROM \"App\""),
    ("ALTER ROLE \"App\" RENAME TO app2", "role-missing \"App\"", "ALTER ROLE app2 RENAME TO \"App\""),
    ("CREATE TABLE public.t (id serial PRIMARY KEY); ALTER TABLE public.t OWNER TO \"App\"", "owner-application public.t", ""),
    ("CREATE SCHEMA AUTHORIZATION \"App\"; ALTER SCHEMA \"App\" RENAME TO \"Data2\"; ALTER SCHEMA \"Data\" RENAME TO x; ALTER SCHEMA \"Data2\" RENAME TO \"Data\"", "owner-application \"Data\"", ""),
    ("CREATE TABLE public.\"T\" (id int PRIMARY KEY)", "owner-superuser public.\"T\"", ""),
    ("CREATE VIEW public.v AS SELECT 1", "owner-superuser public.v", ""),
    ("CREATE MATERIALIZED VIEW public.v AS SELECT 1", "owner-superuser public.v", ""),
    ("CREATE SEQUENCE public.s", "owner-superuser public.s", ""),
    ("CREATE TYPE public.mood AS ENUM ('good')", "owner-superuser public.mood", ""),
    ("CREATE TYPE public.pair AS (a int, b int)", "owner-superuser public.pair", ""),
    ("CREATE TYPE public.span AS RANGE (subtype = int)", "owner-superuser public.span", ""),
    ("CREATE DOMAIN public.small AS int", "owner-superuser public.small", ""),
    ("CREATE FUNCTION public.f(text[], \"Data\".\"Members\") RETURNS int LANGUAGE sql AS 'SELECT 1'",
     "owner-superuser public.f(pg_catalog._text, \"Data\".\"Members\")", ""),
    ("CREATE PROCEDURE public.p(int) LANGUAGE sql AS 'SELECT 1'", "owner-superuser public.p(pg_catalog.int4)", ""),
    ("CREATE AGGREGATE public.total(int) (SFUNC = int4pl, STYPE = int)", "owner-superuser public.total(pg_catalog.int4)", ""),
    ("ALTER TABLE \"Data\".\"Members\" DISABLE ROW LEVEL SECURITY", "rls-off \"Data\".\"Members\"", ""),
    ("ALTER TABLE \"Data\".\"Members\" NO FORCE ROW LEVEL SECURITY", "rls-not-forced \"Data\".\"Members\"", ""),
    ("DROP POLICY own ON \"Data\".\"Members\"; CREATE POLICY own ON \"Data\".\"Members\" AS RESTRICTIVE TO \"App\" USING (true);
      CREATE POLICY look ON \"Data\".\"Members\" FOR SELECT TO \"App\" USING (true)",
     "policy-missing \"Data\".\"Members\"", "CREATE POLICY all_of ON \"Data\".\"Members\" USING (false)"),
    ("DROP POLICY own ON \"Data\".\"Members\"; CREATE POLICY own ON \"Data\".\"Members\" TO other USING (true)",
     "policy-missing \"Data\".\"Members\"", "REVOKE ALL ON \"Data\".\"Members\" FROM \"App\""),
    ("ALTER FUNCTION \"Data\".safe RESET search_path", "definer-search-path \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("ALTER FUNCTION \"Data\".safe SET search_path = \"Data\"", "definer-temporary \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("ALTER FUNCTION \"Data\".safe SET search_path = pg_temp, \"Data\"", "definer-temporary \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("ALTER FUNCTION \"Data\".safe SET search_path = \"$user\", \"Data\", pg_temp", "definer-writable-path \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("CREATE SCHEMA free; GRANT CREATE ON SCHEMA free TO PUBLIC; ALTER FUNCTION \"Data\".safe SET search_path = free, pg_temp", "definer-writable-path \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("GRANT CREATE ON SCHEMA \"Data\" TO \"App\"", "definer-writable-path \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("GRANT EXECUTE ON FUNCTION \"Data\".safe TO PUBLIC", "definer-public \"Data\".safe(pg_catalog.int4, pg_catalog._text)", ""),
    ("CREATE MATERIALIZED VIEW \"Data\".\"Later\" AS SELECT 1 WITH NO DATA; ALTER MATERIALIZED VIEW \"Data\".\"Later\" OWNER TO \"the owner\"", "matview-empty \"Data\".\"Later\"", ""),
    ("CREATE MATERIALIZED VIEW \"Data\".copy AS SELECT * FROM \"Data\".\"Members\"; ALTER MATERIALIZED VIEW \"Data\".copy OWNER TO \"the owner\"",
     "matview-over-protected \"Data\".copy", "DROP MATERIALIZED VIEW \"Data\".copy"),
    ("ALTER TABLE \"Data\".\"Members\" ADD CONSTRAINT \"Named\" CHECK (name <> '') NOT VALID", "constraint-not-valid \"Data\".\"Members\".\"Named\"", ""),
    ("CREATE DOMAIN \"Data\".\"Word\" AS text; ALTER DOMAIN \"Data\".\"Word\" OWNER TO \"the owner\"; ALTER DOMAIN \"Data\".\"Word\" ADD CONSTRAINT checked CHECK (VALUE <> '') NOT VALID", "constraint-not-valid \"Data\".\"Word\".checked", ""),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "public-create public", ""),
    ("GRANT CONNECT ON DATABASE postgres TO PUBLIC", "public-connect postgres", ""),
];

#[test]
fn each_rule_finds_its_fault_and_its_suggestion_mends_it() {
    for (fault, expected, decision) in FAULTS {
        // Each in a database that has nothing else; roles cannot be undone by dropping one.
        let (_server, mut client) = shared_sound();
        let before = audit(&mut client, &rules());
        assert_eq!(before, [], "before {fault}");
        client.batch_execute("BEGIN").expect("begun");
        client.batch_execute(fault).unwrap_or_else(|error| panic!("{fault}: {error:?}"));
        let findings = audit(&mut client, &rules());
        assert!(
            names(&findings).contains(expected),
            "{fault} gives {:?}, and not {expected}",
            names(&findings)
        );
        let found: Vec<&RuleFinding> = findings
            .iter()
            .filter(|finding| expected == format!("{} {}", finding.code(), finding.object()))
            .collect();
        for finding in &found {
            assert!(!finding.why().starts_with("it is not as"), "{finding}");
            match finding.repair() {
                Repair::Statement(sql) if decision.is_empty() => {
                    client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
                }
                Repair::Choose(choice) => assert!(!decision.is_empty() && !choice.is_empty(), "{finding}"),
                other => panic!("{fault}: {other:?}"),
            }
        }
        client.batch_execute(decision).unwrap_or_else(|error| panic!("{decision}: {error:?}"));
        let after = names(&audit(&mut client, &rules()));
        assert!(
            !after.contains(expected),
            "{fault} is still found behind {:?}: {after:?}",
            found[0].repair()
        );
        client.batch_execute("ROLLBACK").expect("rolled back");
    }
}

/// One server for all faults: each is rolled back.
fn shared_sound() -> (&'static Server, Client) {
    static SERVER: std::sync::OnceLock<Server> = std::sync::OnceLock::new();
    let server = SERVER.get_or_init(|| sound().0);
    (server, server.config().connect(postgres::NoTls).expect("a client"))
}

#[test]
fn a_view_that_reads_a_protected_table_as_its_owner_is_found_through_other_views() {
    let (server, mut client) = sound();
    client
        .batch_execute(
            "SET ROLE \"the owner\"; CREATE VIEW \"Data\".base AS SELECT * FROM \"Data\".\"Members\";
             CREATE VIEW \"Data\".\"Outer\" AS SELECT * FROM \"Data\".base; CREATE VIEW \"Data\".free AS SELECT 1 AS n; RESET ROLE",
        )
        .expect("views");
    let findings = audit(&mut client, &rules());
    assert_eq!(
        names(&findings).into_iter().collect::<Vec<_>>(),
        ["view-definer \"Data\".\"Outer\"", "view-definer \"Data\".base"]
    );
    for finding in &findings {
        match finding.repair() {
            Repair::Statement(sql) if server.major() >= 15 => client.batch_execute(sql).expect(sql),
            Repair::Choose(choice) => {
                assert!(server.major() < 15 && choice.contains("from PostgreSQL 15 on"), "{choice}")
            }
            other => panic!("{other:?}"),
        }
    }
    if server.major() >= 15 {
        assert_eq!(audit(&mut client, &rules()), []);
    }
}

#[test]
fn an_invalid_index_is_found_and_built_again() {
    let (_server, mut client) = sound();
    client.batch_execute("INSERT INTO \"Data\".\"Members\" (name) VALUES ('a'), ('a')").expect("rows");
    client
        .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY \"Name\" ON \"Data\".\"Members\" (name)")
        .expect_err("not unique");
    client.batch_execute("REINDEX INDEX CONCURRENTLY \"Data\".\"Name\"").expect_err("not unique");
    let findings = audit(&mut client, &rules());
    let found = names(&findings);
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["index-invalid \"Data\".\"Name\"", "index-invalid \"Data\".\"Name_ccnew\""]
    );
    client.batch_execute("DELETE FROM \"Data\".\"Members\"").expect("mended");
    for finding in &findings {
        let Repair::Statement(sql) = finding.repair() else { panic!("{finding}") };
        client.batch_execute(sql).expect(sql);
    }
    assert_eq!(audit(&mut client, &rules()), []);
    assert!(value::<bool>(
        &mut client,
        "SELECT indisvalid FROM pg_index WHERE indexrelid = '\"Data\".\"Name\"'::regclass"
    ));
}

#[test]
fn a_table_without_a_primary_key_is_found_where_that_is_asked_for() {
    let (_server, mut client) = sound();
    client
        .batch_execute("CREATE TABLE public.log (line text); ALTER TABLE public.log OWNER TO \"the owner\"")
        .expect("a table");
    let findings = audit(&mut client, &rules());
    assert_eq!(names(&findings).into_iter().collect::<Vec<_>>(), ["primary-key-missing public.log"]);
    assert!(matches!(findings[0].repair(), Repair::Choose(_)));
    assert_eq!(audit(&mut client, &rules().accept("primary-key-missing", "public.log")), []);
    assert_eq!(audit(&mut client, &Rules::new()), []);
}

#[test]
fn r51_a_table_that_is_not_protected_is_found_unless_it_is_said_to_be_free() {
    let (_server, mut client) = sound();
    client
        .batch_execute(
            "SET ROLE \"the owner\"; CREATE TABLE \"Data\".\"Country\" (id int PRIMARY KEY); RESET ROLE",
        )
        .expect("a table");
    let found = names(&audit(&mut client, &rules()));
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["rls-not-forced \"Data\".\"Country\"", "rls-off \"Data\".\"Country\""]
    );
    assert_eq!(audit(&mut client, &rules().unprotected_table("Data", "Country")), []);
}

#[test]
fn what_an_extension_brings_is_not_held_to_the_rules() {
    let (_server, mut client) = sound();
    client.batch_execute("CREATE EXTENSION pg_trgm SCHEMA public").expect("an extension");
    assert_eq!(audit(&mut client, &rules()), []);
}

#[test]
fn r48_names_of_rules_are_no_sql() {
    let (_server, mut client) = sound();
    let odd = "x'; DROP TABLE \"Data\".\"Members\"; -- \\ {roles} $$";
    let rules = Rules::new()
        .schema(odd)
        .protected_schema(odd)
        .unprotected_table(odd, odd)
        .application_role(odd)
        .owner(odd);
    let findings = audit(&mut client, &rules);
    assert_eq!(findings.iter().map(RuleFinding::code).collect::<Vec<_>>(), ["role-missing"]);
}

#[test]
fn r50_the_cleaning_trackers_own_script_leaves_objects_with_the_superuser_and_the_audit_says_so() {
    let (_server, mut client) = sound();
    client
        .batch_execute(
            "CREATE ROLE app_owner; CREATE SCHEMA app_data AUTHORIZATION app_owner; CREATE TABLE app_data.users (id int PRIMARY KEY);
             CREATE FUNCTION app_data.login(text) RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        )
        .expect("the script");
    let rules = Rules::new().schema("app_data").owner("app_owner");
    let found = names(&audit(&mut client, &rules));
    let function = "app_data.login(pg_catalog.text)";
    for expected in [
        "owner-superuser app_data.users".to_owned(),
        format!("owner-superuser {function}"),
        format!("definer-search-path {function}"),
        format!("definer-public {function}"),
    ] {
        assert!(found.contains(&expected), "{expected}: {found:?}");
    }
    for finding in audit(&mut client, &rules) {
        let Repair::Statement(sql) = finding.repair() else { panic!("{finding}") };
        client.batch_execute(sql).expect(sql);
    }
    assert_eq!(audit(&mut client, &rules), []);
}
