//! Logins that may do little, and what they are told: R49, R52.

mod support;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Error, ErrorKind, Migrator, Report};
use postgres::{Client, NoTls};
use support::{numbered, own_server, value};

/// A server with an ordinary login, and a database that belongs to somebody else.
fn server_with(login: &str) -> (Server, Database, Client) {
    let server = own_server();
    let database = server.database().unwrap();
    let mut admin = database.connect().unwrap();
    // As PostgreSQL 15 and later have it from the beginning.
    admin
        .batch_execute(&format!("CREATE ROLE \"{login}\" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;"))
        .unwrap();
    (server, database, admin)
}

fn connect(database: &Database, login: &str) -> Client {
    database.config().user(login).connect(NoTls).unwrap()
}

/// The statement that a diagnostic tells to run.
fn grant(error: &Error) -> String {
    assert_eq!(error.kind(), ErrorKind::Tracker, "{error:?}");
    let text = error.diagnostic().to_string();
    let (_, grant) = text.split_once("run:\n").unwrap_or_else(|| panic!("no remedy: {text}"));
    grant.trim().to_owned()
}

/// Migrates with either client.
fn migrate(migrator: &Migrator, database: &Database, login: &str, with: &str) -> Result<Report, Error> {
    if with == "postgres" {
        return migrator.migrate(&mut connect(database, login));
    }
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut config: tokio_postgres::Config = database.url().parse().unwrap();
        config.user(login);
        let (mut client, connection) = config.connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        migrator.migrate(&mut client).await
    })
}

const CLIENTS: [&str; 2] = ["postgres", "tokio-postgres"];

#[test]
fn r49_a_login_that_only_reads_the_tracker_boots() {
    let (_server, database, mut admin) = server_with("app");
    Migrator::new(numbered(2)).schema("ops").migrate(&mut admin).unwrap();
    admin
        .batch_execute("GRANT USAGE ON SCHEMA ops TO app; GRANT SELECT ON ops.schema_migrations TO app;")
        .unwrap();
    let mut client = connect(&database, "app");
    let migrator = Migrator::new(numbered(2)).schema("ops");
    assert_eq!(migrator.migrate(&mut client).unwrap().already_applied(), 2);
    assert_eq!(migrator.history(&mut client).unwrap().records().len(), 2);
    assert_eq!(Migrator::new(numbered(1)).schema("ops").migrate(&mut client).unwrap().newer(), 1);
    for write in [
        "UPDATE ops.schema_migrations SET checksum = ''",
        "DELETE FROM ops.schema_migrations",
        "INSERT INTO ops.schema_migrations_log (event, library) VALUES ('apply', '')",
        "SELECT FROM ops.schema_migrations_log",
    ] {
        let error = client.batch_execute(write).unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("42501"), "{write}: {error:?}");
    }
}

#[test]
fn r49_a_login_that_only_reads_the_tracker_is_told_what_it_lacks_when_something_is_pending() {
    let (_server, database, mut admin) = server_with("app");
    Migrator::new(numbered(2)).schema("ops").migrate(&mut admin).unwrap();
    admin
        .batch_execute("GRANT USAGE ON SCHEMA ops TO app; GRANT SELECT ON ops.schema_migrations TO app;")
        .unwrap();
    for with in CLIENTS {
        let error = migrate(&Migrator::new(numbered(3)).schema("ops"), &database, "app", with).unwrap_err();
        let grant = grant(&error);
        assert!(error.to_string().contains("write the tracker"), "{with}: {error}");
        assert!(error.report().applied().is_empty());
        // Those statements, word for word, are enough for the tracker; then it is the script that lacks something.
        admin.batch_execute(&grant).unwrap_or_else(|error| panic!("{grant}: {error:?}"));
        let error = migrate(&Migrator::new(numbered(3)).schema("ops"), &database, "app", with).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration, "{error:?}");
        assert_eq!(error.server_error().unwrap().code, "42501");
        admin.batch_execute("REVOKE INSERT, UPDATE ON ALL TABLES IN SCHEMA ops FROM app").unwrap();
    }
}

#[test]
fn r49_a_login_that_may_not_read_the_tracker_is_told_so() {
    let (_server, database, mut admin) = server_with("app");
    Migrator::new(numbered(2)).schema("ops").migrate(&mut admin).unwrap();
    let migrator = Migrator::new(numbered(2)).schema("ops");
    for with in CLIENTS {
        let error = migrate(&migrator, &database, "app", with).unwrap_err();
        let grant = grant(&error);
        assert_eq!(
            grant,
            "GRANT USAGE ON SCHEMA \"ops\" TO \"app\"; GRANT SELECT ON \"ops\".schema_migrations TO \"app\";"
        );
        admin.batch_execute(&grant).unwrap();
        assert!(migrate(&migrator, &database, "app", with).unwrap().is_unchanged(), "{with}");
        admin
            .batch_execute("REVOKE ALL ON SCHEMA ops FROM app; REVOKE ALL ON ops.schema_migrations FROM app;")
            .unwrap();
    }
}

#[test]
fn r52_public_refuses_create_and_the_error_has_the_grant_that_helps() {
    // A name that must be quoted, so that what is printed can be run as it is.
    let login = "shop-app \"blue\"";
    for with in CLIENTS {
        let server = own_server();
        let database = server.database().unwrap();
        let mut admin = database.connect().unwrap();
        let quoted = login.replace('"', "\"\"");
        let create = format!("CREATE ROLE \"{quoted}\" LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC;");
        admin.batch_execute(&create).unwrap();
        let migrator = Migrator::new(numbered(2));
        let error = migrate(&migrator, &database, login, with).unwrap_err();
        let grant = grant(&error);
        assert_eq!(grant, format!("GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"{quoted}\";"), "{with}");
        assert_eq!(error.server_error().unwrap().code, "42501");
        admin.batch_execute(&grant).unwrap();
        let report = migrate(&migrator, &database, login, with).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.applied().len(), 2);
        let owner = "SELECT tableowner::text FROM pg_tables WHERE tablename = 'schema_migrations'";
        assert_eq!(value::<String>(&mut admin, owner), login);
    }
}

#[test]
fn r52_a_schema_that_may_not_be_created_names_the_database() {
    let (_server, database, mut admin) = server_with("app");
    for with in CLIENTS {
        let migrator = Migrator::new(support::catalog("app", [("1_x.sql", "SELECT 1;")])).schema(with);
        let error = migrate(&migrator, &database, "app", with).unwrap_err();
        let grant = grant(&error);
        assert_eq!(grant, format!("GRANT CREATE ON DATABASE \"{}\" TO \"app\";", database.name()), "{with}");
        admin.batch_execute(&grant).unwrap();
        assert_eq!(migrate(&migrator, &database, "app", with).unwrap().applied().len(), 1);
        admin.batch_execute(&format!("REVOKE CREATE ON DATABASE \"{}\" FROM app", database.name())).unwrap();
    }
}

#[test]
fn r52_a_schema_name_that_the_server_refuses_is_no_fault_of_a_migration() {
    let database = support::database();
    for with in CLIENTS {
        let migrator = Migrator::new(numbered(1)).schema("pg_mine");
        let error = migrate(&migrator, &database, "postgres", with).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tracker, "{with}: {error:?}");
        assert_eq!(error.server_error().unwrap().code, "42939");
    }
}

#[test]
fn a_login_that_may_not_take_records_out_is_told_before_anything_is_undone() {
    let (_server, database, mut admin) = server_with("app");
    let scripts = [("01_a.sql", "CREATE TABLE a (id int)"), ("01_a.down.sql", "DROP TABLE a")];
    let migrator = Migrator::new(support::catalog("app", scripts)).schema("ops");
    migrator.migrate(&mut admin).unwrap();
    admin
        .batch_execute(
            "ALTER TABLE a OWNER TO app; GRANT USAGE ON SCHEMA ops TO app; \
             GRANT SELECT, INSERT, UPDATE ON ops.schema_migrations TO app; GRANT SELECT, INSERT ON ops.schema_migrations_log TO app;",
        )
        .unwrap();
    let last = habitat_migrate::policy::Rollback::Last;
    let mut client = connect(&database, "app");
    let error = migrator.rollback(&mut client, last.clone()).unwrap_err();
    assert!(value::<bool>(&mut admin, "SELECT to_regclass('a') IS NOT NULL"));
    admin.batch_execute(&grant(&error)).unwrap();
    assert_eq!(migrator.rollback(&mut client, last).unwrap().undone().len(), 1);
}

#[test]
fn a_login_that_may_not_read_the_environment_is_told_so() {
    let (_server, database, mut admin) = server_with("app");
    let seed = ("02_seed.sql", "-- habitat: environments test\nSELECT 1");
    let migrator = Migrator::new(support::catalog("app", [("01_a.sql", "SELECT 1"), seed])).schema("ops");
    migrator.clone().environment("test").migrate(&mut admin).unwrap();
    admin
        .batch_execute("GRANT USAGE ON SCHEMA ops TO app; GRANT SELECT ON ops.schema_migrations TO app;")
        .unwrap();
    let mut client = connect(&database, "app");
    let error = migrator.migrate(&mut client).unwrap_err();
    let grant = grant(&error);
    assert_eq!(grant, "GRANT SELECT ON \"ops\".schema_migrations_environment TO \"app\";");
    admin.batch_execute(&grant).unwrap();
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
}
