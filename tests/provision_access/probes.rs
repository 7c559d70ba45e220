//! Probes: a role is logged in, tries, and is refused for the right reason.

use habitat_migrate::provision::{
    AccessErrorKind, Attempt, Connection, Expectation, Outcome, Password, Probe, ProbeReport, Probes,
    Relation, rotate,
};
use habitat_migrate::testing::{Database, Server};
use postgres::Client;

use crate::support::value;
use crate::{connection, locked};

const TABLES: &str = r#"
CREATE ROLE owner; CREATE ROLE habitat_write LOGIN; CREATE ROLE powerful LOGIN CREATEDB CREATEROLE;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA people AUTHORIZATION owner; CREATE SCHEMA treasury AUTHORIZATION owner;
SET ROLE owner;
CREATE TABLE people.members (id int PRIMARY KEY, name text NOT NULL, twice int GENERATED ALWAYS AS (2) STORED);
CREATE TABLE people."Order" (n int GENERATED ALWAYS AS IDENTITY);
CREATE TABLE treasury.accounts (id int);
INSERT INTO people.members VALUES (1, 'a'), (2, 'b');
ALTER TABLE people.members ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON people.members USING (id = NULLIF(current_setting('app.current_member_id', true), '')::int);
GRANT USAGE ON SCHEMA people TO habitat_write;
GRANT SELECT, INSERT, UPDATE ON people.members TO habitat_write;
GRANT INSERT ON people."Order" TO habitat_write;
RESET ROLE;
"#;

struct House {
    _folder: tempfile::TempDir,
    server: Server,
    database: Database,
    client: Client,
    connections: Vec<Connection>,
}

fn house() -> House {
    let server = locked();
    let database = server.create_database("habitat").expect("a database");
    let mut client = database.connect().expect("a client");
    client.batch_execute(TABLES).expect("tables");
    client.batch_execute(&format!("REVOKE TEMPORARY ON DATABASE \"{0}\" FROM PUBLIC; GRANT ALL ON DATABASE \"{0}\" TO powerful; GRANT USAGE, CREATE ON SCHEMA people TO powerful; GRANT ALL ON people.members TO powerful", database.name())).expect("rights");
    let folder = tempfile::tempdir().expect("a folder");
    let connections = ["habitat_write", "powerful"]
        .map(|role| {
            let password = rotate(&mut client, role, &folder.path().join(role)).expect("a password");
            connection(&server, &database, role, &password)
        })
        .to_vec();
    House { _folder: folder, server, database, client, connections }
}

const EXPECTED: &str = r#"
[[probe]]
role = "habitat_write"
settings = { "app.current_member_id" = "1" }
may = [
  "select people.members", "insert people.members", "update people.members", 'insert people."Order"', "use schema people",
  "see people.members", "see people.members where id = 1 -- its own", "run UPDATE people.members SET name = 'x' WHERE id = 1",
]
must-not = [
  "delete people.members", "select people.\"Order\"", "create table in people", "create table in public", "create temporary table",
  "create database", "create role", "use schema treasury", "select treasury.accounts", "insert treasury.accounts",
  "see people.members where id = 2", "run UPDATE people.members SET name = 'x' WHERE id = 2",
  "run INSERT INTO people.members VALUES (3, 'c')", "run ALTER TABLE people.members DISABLE ROW LEVEL SECURITY",
]

[[probe]]
role = "habitat_write"
settings = { "app.current_member_id" = "" }
must-not = ["see people.members"]

[[probe]]
role = "habitat_write"
must-not = ["see people.members"]
"#;

fn dump(client: &mut Client) -> String {
    value(
        client,
        "SELECT string_agg(x, ' ') FROM (SELECT relname || xmin FROM pg_class UNION ALL SELECT datname FROM pg_database \
        UNION ALL SELECT rolname FROM pg_roles UNION ALL SELECT id || name || xmin FROM people.members ORDER BY 1) all_of(x)",
    )
}

#[test]
fn r51_a_role_may_what_it_should_and_no_more_and_nothing_stays() {
    let mut house = house();
    let before = dump(&mut house.client);
    let probes = Probes::from_toml("probes.toml", EXPECTED).expect("probes");
    let report = probes.run_blocking(&house.connections).expect("a report");
    assert!(report.is_as_expected(), "{report}");
    assert_eq!(report.results().len(), 24);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let same = |report: &ProbeReport| {
        report.results().iter().map(|r| (r.attempt().clone(), r.is_as_expected())).collect::<Vec<_>>()
    };
    assert_eq!(same(&runtime.block_on(probes.run(&house.connections)).expect("a report")), same(&report));
    assert_eq!(dump(&mut house.client), before);
    let text = report.to_string();
    let line = "ok     habitat_write app.current_member_id=1  must not  delete people.members";
    assert!(
        text.contains(line) && text.contains("refused: permission denied for table members (42501)"),
        "{text}"
    );
    assert!(text.ends_with("24 attempts, 0 not as expected"), "{text}");
}

#[test]
fn r51_a_probe_notices_every_right_that_is_too_much() {
    let mut house = house();
    let before = dump(&mut house.client);
    let mut probe = Probe::new("powerful");
    for words in [
        "select people.members",
        "insert people.members",
        "update people.members",
        "delete people.members",
        "use schema people",
        "create table in people",
        "create temporary table",
        "create database",
        "create role",
        "run CREATE TABLE people.x ()",
    ] {
        probe = probe.must_not(words.parse().expect(words));
    }
    let report = Probes::new().with(probe).run_blocking(&house.connections).expect("a report");
    assert_eq!(report.surprises().count(), 10, "{report}");
    assert!(report.results().iter().all(|result| *result.outcome() == Outcome::Allowed), "{report}");
    assert_eq!(dump(&mut house.client), before);
}

#[test]
fn r51_a_policy_that_lets_too_much_through_is_noticed() {
    let mut house = house();
    house.client.batch_execute("ALTER POLICY own ON people.members USING (true)").expect("a policy");
    let probes = Probes::from_toml("probes.toml", EXPECTED).expect("probes");
    let report = probes.run_blocking(&house.connections).expect("a report");
    let surprises: Vec<String> = report.surprises().map(|result| result.attempt().to_string()).collect();
    let expected = [
        "see people.members where id = 2",
        "run UPDATE people.members SET name = 'x' WHERE id = 2",
        "run INSERT INTO people.members VALUES (3, 'c')",
        "see people.members",
        "see people.members",
    ];
    assert_eq!(surprises, expected);
}

#[test]
fn an_attempt_that_fails_for_another_reason_proves_nothing() {
    let house = house();
    let missing = Attempt::Select(Relation::new("people", "nowhere"));
    let both = Probe::new("habitat_write").must_not(missing.clone()).may(missing);
    let both = both
        .must_not(Attempt::Run("SELECT 1 / 0".to_owned()))
        .must_not(Attempt::Run("SELECT 1; COMMIT".to_owned()));
    let both = both.must_not(Attempt::CreateTable { schema: "nowhere".to_owned() });
    let report = Probes::new().with(both).run_blocking(&house.connections).expect("a report");
    assert_eq!(report.surprises().count(), 5, "{report}");
    assert!(report.results().iter().all(|result| matches!(result.outcome(), Outcome::Failed(_))), "{report}");
    assert!(report.to_string().contains("WRONG  habitat_write  must not  select people.nowhere"));
    assert_eq!(report.results()[1].expectation(), Expectation::May);
    assert!(!ProbeReport::default().is_as_expected(), "nothing tried is nothing proved");
}

#[test]
fn r47_a_role_that_cannot_log_in_is_an_error_without_its_password() {
    let house = house();
    let wrong = Password::new("s3cret wrong").expect("a password");
    let connections = [connection(&house.server, &house.database, "habitat_write", &wrong)];
    let probes = Probes::new().with(Probe::new("habitat_write").may(Attempt::CreateRole));
    let error = probes.run_blocking(&connections).expect_err("refused");
    assert_eq!(error.kind(), AccessErrorKind::Connect);
    let source = std::error::Error::source(&error).expect("a source").to_string();
    assert!(!format!("{error} {error:?} {source}").contains("s3cret"));
    let error = Probes::new().with(Probe::new("nobody").may(Attempt::CreateRole)).run_blocking(&connections);
    assert_eq!(error.expect_err("no connection").kind(), AccessErrorKind::Invalid);
}
