//! What differs from the declaration, with a statement that mends it.

use habitat_migrate::provision::{ErrorKind, Finding, FindingKind};
use habitat_migrate::testing::Server;

use super::{cluster, connect, provision};
use crate::support::own_server;

const SHOP: &str = "\
[databases.shop]
owner = \"shop_owner\"
[roles.shop_owner]
[roles.shop_app]
login = true
connection_limit = 5
valid_until = \"2030-01-01 00:00:00+00\"
settings = { search_path = [\"shop\"] }
[schemas.shop]
owner = \"shop_owner\"
objects_owner = \"shop_owner\"
[[revokes]]
from = \"PUBLIC\"
in = \"shop\"
functions = [\"EXECUTE\"]
created_by = \"shop_owner\"
[[grants]]
to = \"shop_app\"
database = [\"CONNECT\"]
in = \"shop\"
schema = [\"USAGE\"]
tables = [\"SELECT\", \"INSERT\"]
created_by = \"shop_owner\"
[[grants]]
to = \"shop_app\"
in = \"shop\"
tables = [\"UPDATE\"]
only = \"items\"
columns = [\"title\"]
[[row_security]]
in = \"shop\"
tables = \"items\"
force = true
";

/// Breaks one thing on a sound server, and gives what the audit says of it.
fn broken(server: &Server, sql: &str) -> Vec<Finding> {
    let cluster = cluster(server, None);
    let provision = provision(SHOP, "test");
    connect(server, "shop", None).batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let findings = provision.audit(&cluster).unwrap();
    assert!(!findings.is_empty(), "nothing was found of {sql}");
    for finding in &findings {
        let suggestion = finding.suggestion().unwrap_or_else(|| panic!("no statement for {finding}"));
        let database = finding.database().unwrap_or("postgres");
        let mended = connect(server, database, None).batch_execute(suggestion);
        mended.unwrap_or_else(|error| panic!("{suggestion}: {error:?}"));
    }
    let left = provision.audit(&cluster).unwrap();
    assert!(left.is_empty(), "what is suggested mends it: {sql}: {left:#?}");
    findings
}

#[test]
fn r52_each_difference_is_found_and_mended_by_what_is_suggested() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let provision = provision(SHOP, "test");
    provision.apply(&cluster).unwrap();
    connect(&server, "shop", None)
        .batch_execute(
            "SET ROLE shop_owner; CREATE TABLE shop.items (id int, title text);
             CREATE FUNCTION shop.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'; RESET ROLE; CREATE ROLE stranger",
        )
        .unwrap();
    provision.apply(&cluster).unwrap();
    assert!(provision.audit(&cluster).unwrap().is_empty());

    use FindingKind::*;
    let cases = [
        (
            "ALTER TABLE shop.items OWNER TO stranger",
            WrongOwner,
            "table shop.items belongs to stranger and not to shop_owner",
        ),
        ("ALTER SCHEMA shop OWNER TO stranger", WrongOwner, "schema shop belongs to stranger"),
        ("ALTER DATABASE shop OWNER TO stranger", WrongOwner, "database shop belongs to stranger"),
        ("REVOKE INSERT ON shop.items FROM shop_app", MissingGrant, "shop_app lacks INSERT on shop.items"),
        ("REVOKE USAGE ON SCHEMA shop FROM shop_app", MissingGrant, "shop_app lacks USAGE on schema shop"),
        (
            "REVOKE CONNECT ON DATABASE shop FROM shop_app",
            MissingGrant,
            "shop_app lacks CONNECT on database shop",
        ),
        (
            "REVOKE UPDATE (title) ON shop.items FROM shop_app",
            MissingGrant,
            "shop_app lacks UPDATE on shop.items (title)",
        ),
        (
            "GRANT DELETE ON shop.items TO shop_app",
            SurplusGrant,
            "shop_app has DELETE on shop.items, and nobody declared it",
        ),
        ("GRANT UPDATE (id) ON shop.items TO PUBLIC", SurplusGrant, "PUBLIC has UPDATE on shop.items (id)"),
        ("GRANT CREATE ON SCHEMA shop TO stranger", SurplusGrant, "stranger has CREATE on schema shop"),
        ("GRANT CREATE ON DATABASE shop TO stranger", SurplusGrant, "stranger has CREATE on database shop"),
        (
            "GRANT EXECUTE ON FUNCTION shop.f(int) TO PUBLIC",
            SurplusGrant,
            "PUBLIC is not to have EXECUTE on shop.f(integer)",
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA shop REVOKE SELECT ON TABLES FROM shop_app",
            DefaultPrivilege,
            "shop_app lacks SELECT on tables that shop_owner creates in schema shop",
        ),
        (
            "ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
            DefaultPrivilege,
            "PUBLIC is not to have EXECUTE on functions that shop_owner creates",
        ),
        (
            "ALTER TABLE shop.items DISABLE ROW LEVEL SECURITY",
            RowSecurity,
            "row-level security of table shop.items is not enabled",
        ),
        (
            "ALTER TABLE shop.items NO FORCE ROW LEVEL SECURITY",
            RowSecurity,
            "row-level security of table shop.items is not forced",
        ),
        ("ALTER ROLE shop_app SUPERUSER", RoleAttribute, "role shop_app is SUPERUSER"),
        ("ALTER ROLE shop_app BYPASSRLS CREATEDB", RoleAttribute, "is CREATEDB, is BYPASSRLS"),
        (
            "ALTER ROLE shop_app NOLOGIN CONNECTION LIMIT 7",
            RoleAttribute,
            "is NOLOGIN, has CONNECTION LIMIT 7",
        ),
        ("ALTER ROLE shop_app VALID UNTIL 'infinity'", RoleAttribute, "has VALID UNTIL infinity"),
        ("ALTER ROLE shop_app RESET search_path", Setting, "begin without search_path"),
        ("ALTER ROLE shop_app SET work_mem = '8MB'", Setting, "work_mem = 8MB, and nobody declared it"),
        ("GRANT pg_read_all_data TO shop_app", SurplusMembership, "shop_app is a member of pg_read_all_data"),
        ("COMMENT ON DATABASE shop IS NULL", Environment, "not recorded as test"),
    ];
    for (sql, kind, words) in cases {
        let findings = broken(&server, sql);
        let told =
            findings.iter().any(|finding| finding.kind() == kind && finding.to_string().contains(words));
        assert!(told, "{sql}: {findings:#?}");
        if kind == Environment {
            assert_eq!(findings.len(), 1);
        }
    }
}

#[test]
fn an_empty_server_lacks_everything() {
    let server = own_server();
    let findings = provision(SHOP, "test").audit(&cluster(&server, None)).unwrap();
    for kind in [FindingKind::MissingRole, FindingKind::MissingDatabase, FindingKind::MissingSchema] {
        assert!(findings.iter().any(|finding| finding.kind() == kind), "{kind:?}: {findings:#?}");
    }
}

#[test]
fn what_only_a_new_database_can_have_is_told_and_left() {
    let server = own_server();
    let cluster = cluster(&server, None);
    provision(SHOP, "test").apply(&cluster).unwrap();
    let other = SHOP.replace("[databases.shop]", "[databases.shop]\nencoding = \"LATIN1\"");
    let plan = provision(&other, "test").apply(&cluster).unwrap();
    assert!(plan.is_empty());
    assert_eq!(plan.remains().len(), 1);
    let findings = provision(&other, "test").audit(&cluster).unwrap();
    assert!(findings[0].to_string().contains("LATIN1"), "{findings:#?}");
}

#[test]
fn a_step_that_fails_leaves_nothing_of_its_transaction() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let text = format!("{SHOP}[[grants]]\nto = \"nobody_at_all\"\nin = \"shop\"\nschema = [\"USAGE\"]\n");
    let error = provision(&text, "test").apply(&cluster).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Step, "{error}");
    assert_eq!(error.server().unwrap().code, "42704");
    assert_eq!(error.step().unwrap().sql(), "GRANT USAGE ON SCHEMA \"shop\" TO \"nobody_at_all\"");
    let mut client = connect(&server, "shop", None);
    let there: bool = super::support::value(&mut client, "SELECT to_regnamespace('shop') IS NOT NULL");
    assert!(!there, "the database is there, and what is in it is one transaction");
    assert!(error.done().iter().any(|step| step.sql().starts_with("CREATE DATABASE")));
    provision(SHOP, "test").apply(&cluster).unwrap();
}
