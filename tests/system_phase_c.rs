//! Phase C by its runbook: provisioned, applied by the role that migrates, served by the other; and the runbook's troubleshooting.

mod support;

use std::time::Duration;

use habitat_migrate::backup::{Backups, ErrorKind as BackupError, Restore};
use habitat_migrate::policy::Rollback;
use habitat_migrate::provision::{Cluster, Connection, Database, Declaration, Environment, Kind, Provision};
use habitat_migrate::testing::Server;
use habitat_migrate::{Catalog, ErrorKind, Migrations, Migrator};
use postgres::{Client, NoTls};
use support::{own_server, value};

#[derive(Migrations)]
#[migrations(dir = "migrations/phase-c")]
struct PhaseC;

const DECLARATION: &str = include_str!("../migrations/phase-c/provision.toml");
const DATABASE: &str = "phase_c_staging";
const ADDED: &str = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename IN (
    'api_keys', 'api_key_usage', 'audit_log', 'weight_overrides', 'weight_override_history', 'integration_configs', 'integration_delivery_log')";

fn connect(server: &Server, role: &str, database: &str) -> Client {
    let connected = server.config().user(role).dbname(database).connect(NoTls);
    connected.unwrap_or_else(|error| panic!("{role} to {database}: {error:?}"))
}

fn provision(server: &Server) {
    let provision = Provision::from_toml("provision.toml", DECLARATION, "staging").unwrap().confirm(DATABASE);
    let cluster = Cluster::blocking(|database| server.config().dbname(database).connect(NoTls));
    provision.apply(&cluster).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(provision.audit(&cluster).unwrap().is_empty());
}

/// A server with the base that Phase C begins with, and a connection as the role that migrates.
fn base() -> (Server, Client) {
    let server = own_server();
    provision(&server);
    let mut owner = connect(&server, "phase_c_owner", DATABASE);
    let first = PhaseC::CATALOG.migrations()[0].id().clone();
    migrator().target(first).migrate(&mut owner).unwrap();
    (server, owner)
}

fn migrator() -> Migrator {
    PhaseC::migrator().environment("staging")
}

/// The base of Phase C with one more migration behind it.
fn with(version: &str, script: &str) -> Migrator {
    let more = Catalog::from_scripts("fix", [(format!("{version}.sql"), script.to_owned())]);
    Migrator::new(more.unwrap_or_else(|problems| panic!("{}", problems.render()))).environment("staging")
}

#[test]
fn the_runbook_from_pending_to_the_rollback_of_one() {
    let (server, mut owner) = base();
    let migrator = migrator();
    assert_eq!(migrator.plan(&mut owner).unwrap().pending().len(), 6);
    assert_eq!(value::<i64>(&mut owner, ADDED), 0);
    assert_eq!(migrator.migrate(&mut owner).unwrap().applied().len(), 6);
    provision(&server);
    assert!(migrator.verify(&mut owner).unwrap().is_empty());
    assert_eq!(value::<i64>(&mut owner, ADDED), 7);
    assert!(migrator.status(&mut owner).unwrap().is_current());

    migrator.rollback(&mut owner, Rollback::Steps(1)).unwrap();
    assert_eq!(value::<i64>(&mut owner, ADDED), 5);
    let pending = migrator.plan(&mut owner).unwrap();
    let pending: Vec<&str> = pending.pending().map(|migration| migration.version().as_str()).collect();
    assert_eq!(pending, ["006_add_integration_configs_table"]);
}

#[test]
fn the_role_that_serves_reads_and_writes_rows_and_changes_no_table() {
    let (server, mut owner) = base();
    migrator().migrate(&mut owner).unwrap();
    provision(&server);
    let mut app = connect(&server, "phase_c_app", DATABASE);
    app.batch_execute(
        "INSERT INTO api_keys (company_id, name, key_hash, key_prefix) SELECT id, 'k', 'h', 'p' FROM companies LIMIT 1;
         UPDATE api_keys SET name = 'other'; DELETE FROM api_keys;",
    )
    .unwrap();
    assert_eq!(value::<i64>(&mut app, "SELECT count(*) FROM schema_migrations"), 7);
    for statement in [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "ALTER TABLE users ADD COLUMN x int",
        "DROP TABLE audit_log",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "DELETE FROM schema_migrations",
        "UPDATE schema_migrations SET checksum = 'x'",
        "TRUNCATE users",
    ] {
        let error = app.batch_execute(statement).expect_err(statement);
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{statement}: {error:?}");
    }
}

#[test]
fn duplicates_that_break_a_new_unique_constraint_are_told_by_their_value_and_nothing_is_kept() {
    let (_server, mut owner) = base();
    let script = "CREATE TABLE half_done (id int);\nCREATE UNIQUE INDEX one_name_each ON users (role);";
    let error = with("007_unique", script).migrate(&mut owner).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration, "{error:?}");
    let server = error.server_error().expect("the server's words");
    assert_eq!(server.code, "23505");
    assert!(server.detail.as_deref().is_some_and(|detail| detail.ends_with("is duplicated.")), "{server:?}");
    let told = error.diagnostic().to_string();
    assert!(told.contains("007_unique.sql:2:1") && told.contains("(role)=("), "{told}");
    assert!(told.contains("nothing of it was kept") && told.contains("= next: "), "{told}");
    assert_eq!(value::<Option<String>>(&mut owner, "SELECT to_regclass('half_done')::text"), None);

    // The runbook's way on: find them, mend them, and run it again.
    owner
        .batch_execute(
            "DELETE FROM sessions; DELETE FROM users a USING users b WHERE a.role = b.role AND a.id > b.id",
        )
        .unwrap();
    assert_eq!(with("007_unique", script).migrate(&mut owner).unwrap().applied().len(), 1);
}

#[test]
fn orphaned_rows_are_told_before_a_foreign_key_is_there() {
    let (_server, mut owner) = base();
    owner
        .batch_execute(
            "CREATE TABLE notes (id int, user_id uuid); INSERT INTO notes VALUES (1, gen_random_uuid())",
        )
        .unwrap();
    let script =
        "ALTER TABLE notes ADD CONSTRAINT notes_of_users FOREIGN KEY (user_id) REFERENCES users (id);";
    let error = with("007_notes", script).migrate(&mut owner).unwrap_err();
    let server = error.server_error().expect("the server's words");
    assert_eq!((server.code.as_str(), server.constraint.as_deref()), ("23503", Some("notes_of_users")));
    let told = error.diagnostic().to_string();
    assert!(
        told.contains("is not present in table \"users\"") && told.contains("007_notes.sql:1:1"),
        "{told}"
    );
    owner.batch_execute("DELETE FROM notes WHERE user_id NOT IN (SELECT id FROM users)").unwrap();
    assert_eq!(with("007_notes", script).migrate(&mut owner).unwrap().applied().len(), 1);
}

#[test]
fn a_verify_script_finds_orphans_that_nothing_refuses() {
    let (_server, mut owner) = base();
    owner
        .batch_execute(
            "CREATE TABLE notes (id int, user_id uuid); INSERT INTO notes VALUES (1, gen_random_uuid())",
        )
        .unwrap();
    let scripts = [
        ("007_notes.sql", "COMMENT ON TABLE notes IS 'Notes of users';"),
        (
            "007_notes.verify.sql",
            "SELECT count(*) = 0, count(*) || ' orphaned notes' FROM notes WHERE user_id NOT IN (SELECT id FROM users);",
        ),
    ];
    let catalog =
        Catalog::from_scripts("fix", scripts).unwrap_or_else(|problems| panic!("{}", problems.render()));
    let error = Migrator::new(catalog).environment("staging").migrate(&mut owner).unwrap_err();
    assert!(format!("{error:?}").contains("1 orphaned notes"), "{error:?}");
    assert_eq!(value::<i64>(&mut owner, "SELECT count(*) FROM schema_migrations WHERE context = 'fix'"), 0);
}

#[test]
fn a_blocked_migration_names_who_is_in_the_way_and_goes_through_once_they_are_gone() {
    let (server, mut owner) = base();
    let mut forgotten = server
        .config()
        .user("phase_c_app")
        .dbname(DATABASE)
        .application_name("forgotten report")
        .connect(NoTls)
        .unwrap();
    provision(&server);
    let pid: i32 = value(&mut forgotten, "SELECT pg_backend_pid()");
    forgotten.batch_execute("BEGIN; SELECT count(*) FROM users").unwrap();
    let hasty = migrator().lock_timeout(Duration::from_millis(200)).retry_budget(Duration::from_millis(500));
    let error = hasty.migrate(&mut owner).unwrap_err();
    let blockers = error.blockers();
    assert_eq!(blockers.len(), 1, "{error:?}");
    assert_eq!(blockers[0].relation, "public.users", "{error:?}");
    let told = format!("{error:?}");
    assert!(told.contains(&pid.to_string()) && told.contains("forgotten report"), "{told}");
    assert_eq!(value::<i64>(&mut owner, ADDED), 0);
    // The runbook's way on: end the session that is named, and no other.
    let ended = format!("SELECT pg_terminate_backend({pid})");
    assert!(value::<bool>(&mut connect(&server, "postgres", "postgres"), &ended));
    migrator().migrate(&mut owner).unwrap();
    assert_eq!(value::<i64>(&mut owner, ADDED), 7);
}

#[test]
fn a_backup_from_before_phase_c_brings_its_rows_back() {
    let (server, mut owner) = base();
    let host = server.socket_dir().expect("our own").display().to_string();
    let connection =
        |name: &str| Connection::new(name, host.clone(), name, "phase_c_owner").port(server.port());
    let folder = tempfile::tempdir().unwrap();
    let backup = match Backups::new(folder.path()).create(&mut owner, &connection(DATABASE)) {
        Err(error) if error.kind() == BackupError::NoProgram => return eprintln!("skipped: {error:?}"),
        backup => backup.unwrap_or_else(|error| panic!("{error:?}")),
    };
    let users = "SELECT string_agg(u::text, ' ' ORDER BY id) FROM users u";
    let before: String = value(&mut owner, users);
    migrator().migrate(&mut owner).unwrap();
    let fresh = Database::new("phase_c_again").owner("phase_c_owner");
    let declared = Declaration::new(Environment::new("test", Kind::Test)).with_database(fresh);
    let cluster = Cluster::blocking(|database| server.config().dbname(database).connect(NoTls));
    Provision::new(declared).apply(&cluster).unwrap();
    let mut again = connect(&server, "phase_c_owner", "phase_c_again");
    Restore::of(&backup)
        .run(&mut again, &connection("phase_c_again"))
        .unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value::<String>(&mut again, users), before);
    assert_eq!(value::<i64>(&mut again, "SELECT count(*) FROM schema_migrations"), 1);
}
