//! Whoever provisions: the same owners and grants.

use habitat_migrate::provision::ErrorKind;
use habitat_migrate::testing::Server;

use super::{cluster, connect, dump, provision};
use crate::support::own_server;

const GO_LABS: &str = include_str!("../../migrations/go-labs/provision.toml");
const CLEANING: &str = include_str!("../../migrations/cleaning-tracker/provision.toml");

/// A login that may create roles and databases, and is no superuser.
fn administrator(server: &Server, name: &str) {
    let sql = format!("CREATE ROLE {name} LOGIN CREATEROLE CREATEDB");
    connect(server, "postgres", None).batch_execute(&sql).unwrap();
}

/// What a migration that ran as the wrong role has left.
fn stray(server: &Server, database: &str) {
    connect(server, database, None)
        .batch_execute(
            "CREATE TABLE app_data.users (user_id serial PRIMARY KEY, username text);
             CREATE VIEW api.users AS SELECT user_id FROM app_data.users;
             CREATE FUNCTION app_functions.login(p_name text, p_word text) RETURNS int LANGUAGE sql AS 'SELECT 1';
             CREATE TYPE app_data.mood AS ENUM ('good');
             CREATE DOMAIN app_data.short AS text;
             CREATE MATERIALIZED VIEW app_data.counts AS SELECT count(*) FROM app_data.users;
             CREATE SEQUENCE app_data.free;",
        )
        .unwrap();
}

#[test]
fn r50_two_administrators_leave_the_same_owners_and_grants() {
    for (text, environment, database) in
        [(GO_LABS, "tst", "go-labs-tst"), (CLEANING, "test", "cleaning_tracker_test")]
    {
        let [by_superuser, by_another] = [None, Some("administrator")].map(|user| {
            let server = own_server();
            administrator(&server, "administrator");
            let cluster = cluster(&server, user);
            let provision = provision(text, environment);
            let plan = provision.apply(&cluster);
            // Before PostgreSQL 15 the schema public belongs to the superuser that the server began with.
            if let (Err(error), Some(_), ..15) = (&plan, user, server.major()) {
                assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
                assert!(error.to_string().contains("is a superuser, whose rights"), "{error}");
                return None;
            }
            plan.unwrap_or_else(|error| panic!("{user:?}: {error:?}"));
            assert!(provision.plan(&cluster).unwrap().is_empty());
            let findings = provision.audit(&super::cluster(&server, None)).unwrap();
            // What has to differ is listed.
            let expected: &[String] = &match user {
                None => Vec::new(),
                Some(user) => {
                    vec![format!(
                        "{database}: {user} has CONNECT on database {database}, and nobody declared it"
                    )]
                }
            };
            let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
            assert_eq!(told, expected);
            Some(dump(&server, database))
        });
        if let Some(by_another) = by_another {
            assert_eq!(by_superuser, Some(by_another));
        }
    }
}

#[test]
fn r50_an_administrator_keeps_no_rights_that_it_borrowed() {
    let server = own_server();
    administrator(&server, "administrator");
    // Without what belongs to the server's own superuser before PostgreSQL 15.
    let text = CLEANING
        .replace("[extensions.pgcrypto]", "")
        .replace("in = \"public\"\nschema = [\"CREATE\"]", "database = [\"TEMPORARY\"]");
    provision(&text, "test").apply(&cluster(&server, Some("administrator"))).unwrap();
    let usable = "SELECT coalesce(string_agg(r.rolname, ','), '') FROM pg_roles r \
                  WHERE r.rolname LIKE 'app%' AND pg_has_role('administrator', r.oid, 'USAGE')";
    let left: String = super::support::value(&mut connect(&server, "postgres", None), usable);
    assert_eq!(left, "");
}

#[test]
fn r50_what_belongs_to_whoever_ran_the_tool_is_found_and_handed_over() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let provision = provision(CLEANING, "test");
    provision.apply(&cluster).unwrap();
    stray(&server, "cleaning_tracker_test");
    let findings = provision.audit(&cluster).unwrap();
    let wrong: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.kind() == habitat_migrate::provision::FindingKind::WrongOwner)
        .map(|finding| finding.subject())
        .collect();
    let expected = [
        "view api.users",
        "materialized view app_data.counts",
        "sequence app_data.free",
        "table app_data.users",
        "routine app_functions.login(text, text)",
        "type app_data.mood",
        "domain app_data.short",
    ];
    assert_eq!(wrong, expected, "the sequence of a serial column is its table's");
    provision.apply(&cluster).unwrap();
    assert!(provision.audit(&cluster).unwrap().is_empty());
    let mut owner = connect(&server, "cleaning_tracker_test", Some("app_owner"));
    owner.batch_execute("ALTER TABLE app_data.users ADD COLUMN more int").unwrap();
    let mut api = connect(&server, "cleaning_tracker_test", Some("api_user"));
    api.batch_execute("SELECT app_functions.login('a', 'b')").unwrap();
}

#[test]
fn a_second_administrator_finds_nothing_to_do() {
    let server = own_server();
    administrator(&server, "administrator");
    administrator(&server, "administrator_too");
    // Without what belongs to the server's own superuser before PostgreSQL 15.
    let text =
        GO_LABS.replace("in = \"public\"\nschema = [\"CREATE\", \"USAGE\"]", "database = [\"TEMPORARY\"]");
    provision(&text, "dev").apply(&cluster(&server, Some("administrator"))).unwrap();
    let refused = provision(&text, "dev").plan(&cluster(&server, Some("administrator_too"))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(refused.to_string().contains("GRANT CONNECT ON DATABASE \"go-labs-dev\""), "{refused}");
    connect(&server, "postgres", None)
        .batch_execute("GRANT CONNECT ON DATABASE \"go-labs-dev\" TO administrator_too")
        .unwrap();
    assert!(provision(&text, "dev").apply(&cluster(&server, Some("administrator_too"))).unwrap().is_empty());
}

#[test]
fn what_only_a_superuser_may_do_is_refused_before_anything_is_done() {
    let server = own_server();
    administrator(&server, "administrator");
    let text = "[roles.reader]\ndangerously_bypass_row_level_security = true\n[roles.other]\n";
    let error = provision(text, "test").apply(&cluster(&server, Some("administrator"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("only a superuser"), "{error}");
    let count = "SELECT count(*) FROM pg_roles WHERE rolname IN ('reader', 'other')";
    assert_eq!(super::support::value::<i64>(&mut connect(&server, "postgres", None), count), 0);
}
