//! One thing that is wrong, and the line about it.

use std::time::Duration;

use habitat_migrate::backup::Backups;
use habitat_migrate::doctor::{Examination, Level, Topic};
use habitat_migrate::provision::Rules;
use habitat_migrate::testing::Server;
use habitat_migrate::{ErrorKind, MigrationId, Migrator, Version};
use postgres::NoTls;

use super::support::{catalog, database, wait_for};
use super::{DAY, backups, bad, connect, examined, migrated, migrator, owned, shop};

#[test]
fn a_login_without_rights_is_told_what_to_grant() {
    let (database, owner) = owned();
    migrator().migrate(&mut connect(&database, &owner)).expect("applied");
    let reader = format!("{}_reader", database.name());
    let mut admin = database.connect().expect("a connection");
    admin
        .batch_execute(&format!(
            "CREATE ROLE \"{reader}\" LOGIN; GRANT SELECT ON schema_migrations, schema_migrations_environment TO \"{reader}\""
        ))
        .unwrap();
    let mut client = connect(&database, &reader);
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(&diagnosis, Topic::Migrations, Level::Unseen, "may not read the tracker's log");
    // What it says can be run; a backfill's needs come behind those of every run.
    for _ in 0..2 {
        let diagnosis = examined(&mut client, &Examination::new(migrator()));
        let line = bad(&diagnosis, Topic::Rights, Level::Problem, "may not do all");
        let grants = line.advice().expect("grants").split_once("run\n").expect("statements").1.to_owned();
        admin.batch_execute(&grants).expect("statements that can be run");
    }
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    assert!(diagnosis.about(Topic::Rights).all(|line| line.level() == Level::Good), "{diagnosis}");
}

#[test]
fn a_superuser_is_a_note_and_in_production_a_warning() {
    let database = database();
    let mut client = database.connect().expect("a connection");
    let migrator = Migrator::new(shop());
    bad(
        &examined(&mut client, &Examination::new(migrator.clone())),
        Topic::Rights,
        Level::Note,
        "is a superuser",
    );
    migrator.environment("production").migrate(&mut client).expect("applied");
    bad(
        &examined(&mut client, &Examination::new(Migrator::new(shop()))),
        Topic::Rights,
        Level::Warning,
        "is a superuser",
    );
    let diagnosis = examined(&mut client, &Examination::new(Migrator::new(shop())));
    bad(&diagnosis, Topic::Rules, Level::Warning, "public.items belongs to the superuser");
}

#[test]
fn another_tools_tracker_and_a_superusers_are_told() {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    client
        .batch_execute("CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean)")
        .unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(&diagnosis, Topic::Tracker, Level::Problem, "another tool's columns: version, dirty");
    bad(&diagnosis, Topic::Migrations, Level::Unseen, "another tool's");
    client.batch_execute("DROP TABLE schema_migrations").unwrap();
    migrator().migrate(&mut client).expect("applied");
    let mut admin = database.connect().expect("a connection");
    admin.batch_execute("ALTER TABLE schema_migrations OWNER TO postgres").unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(&diagnosis, Topic::Tracker, Level::Warning, "owned by postgres, a superuser");
}

#[test]
fn a_tracker_of_another_format_is_told() {
    let (_database, _, mut client) = migrated();
    let comment = |client: &mut postgres::Client, format: u32| {
        let sql = "SELECT obj_description('schema_migrations'::regclass, 'pg_class')";
        let text: String = super::value(client, sql);
        let other = text.replace("format 2", &format!("format {format}")).replace('\'', "''");
        assert_ne!(text, other, "the comment does not name its format");
        client.batch_execute(&format!("COMMENT ON TABLE schema_migrations IS '{other}'")).unwrap();
    };
    comment(&mut client, 9);
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(&diagnosis, Topic::Tracker, Level::Problem, "format 9 is newer");
}

#[test]
fn a_lock_that_somebody_kept_is_told_with_its_session() {
    let (database, owner, mut client) = migrated();
    let mut other = connect(&database, &owner);
    // The key of the tracker in `public`, which never changes.
    other
        .batch_execute("SET application_name = 'left behind'; SELECT pg_advisory_lock(2081980201992077390)")
        .unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    let line = bad(&diagnosis, Topic::Lock, Level::Warning, "left behind");
    assert!(line.advice().unwrap().contains("pg_terminate_backend("), "{line}");
}

#[test]
fn what_is_changed_or_missing_is_told() {
    let (_database, _, mut client) = migrated();
    client
        .batch_execute("UPDATE schema_migrations SET deployed_by = 'nobody' WHERE version = '01_items'")
        .unwrap();
    client.batch_execute("DELETE FROM schema_migrations_log WHERE version = '02_prices'").unwrap();
    let other = catalog(
        "shop",
        [("01_items.sql", "SELECT 1;\n"), ("02_prices.sql", "ALTER TABLE items ADD tax int;\n")],
    );
    let diagnosis = examined(&mut client, &Examination::new(Migrator::new(other)));
    bad(&diagnosis, Topic::Migrations, Level::Problem, "shop:01_items is changed");
    bad(&diagnosis, Topic::Migrations, Level::Problem, "drift: ");
}

#[test]
fn a_migration_that_was_interrupted_is_told() {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    let scripts =
        [("01_items.sql", "-- habitat: transaction none\nCREATE TABLE items (id int);\nSELECT 1/0;\n")];
    let migrator = Migrator::new(catalog("shop", scripts));
    assert_eq!(migrator.migrate(&mut client).expect_err("it divides by zero").kind(), ErrorKind::Migration);
    let diagnosis = examined(&mut client, &Examination::new(migrator));
    bad(&diagnosis, Topic::Migrations, Level::Warning, "shop:01_items is half done");
}

#[test]
fn invalid_indexes_constraints_and_unsafe_things_are_told() {
    let (_database, _, mut client) = migrated();
    client.batch_execute("INSERT INTO items VALUES (1, 1), (2, 1)").unwrap();
    client
        .batch_execute("CREATE UNIQUE INDEX CONCURRENTLY items_price ON items (price)")
        .expect_err("not unique");
    client.batch_execute("ALTER TABLE items ADD CONSTRAINT dear CHECK (price > 1) NOT VALID").unwrap();
    let rules = Rules::new().protected_schema("public").unprotected_table("public", "schema_migrations");
    let diagnosis = examined(&mut client, &Examination::new(migrator()).rules(rules));
    bad(&diagnosis, Topic::Indexes, Level::Warning, "items_price");
    bad(&diagnosis, Topic::Constraints, Level::Warning, "dear");
    bad(&diagnosis, Topic::Rules, Level::Warning, "public.items");
}

#[test]
fn a_transaction_in_the_way_of_the_plan_is_told_before_a_run_waits_for_it() {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    let first = MigrationId::new("shop", Version::new("01_items"));
    migrator().target(first).migrate(&mut client).expect("applied");
    let mut other = connect(&database, &owner);
    other.batch_execute("SET application_name = 'report'; BEGIN; SELECT * FROM items").unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(
        &diagnosis,
        Topic::Transactions,
        Level::Warning,
        "AccessShareLock on public.items, which shop:02_prices names",
    );
    // With nothing pending it is in nobody's way, until it is a long one.
    let done = Migrator::new(catalog("shop", [("01_items.sql", shop().migrations()[0].script().to_owned())]));
    let diagnosis = examined(&mut client, &Examination::new(done.clone()));
    assert!(diagnosis.about(Topic::Transactions).all(|line| line.level() == Level::Good), "{diagnosis}");
    let examination = Examination::new(done).long_transaction(Duration::ZERO);
    let diagnosis = examined(&mut client, &examination);
    bad(&diagnosis, Topic::Transactions, Level::Warning, "keeps a transaction open");
}

#[test]
fn sessions_that_a_login_may_not_see_are_told_as_unseen() {
    let (database, owner) = owned();
    let other = database.connect().expect("a superuser's connection");
    let mut client = connect(&database, &owner);
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    let line = bad(&diagnosis, Topic::Transactions, Level::Unseen, "of other roles are not seen");
    assert!(line.advice().unwrap().starts_with("run GRANT pg_read_all_stats TO "), "{line}");
    drop(other);
}

#[test]
fn a_prepared_transaction_is_told() {
    let server = Server::builder().setting("max_prepared_transactions", "2").start().expect("a server");
    let mut client = server.config().connect(NoTls).unwrap();
    client
        .batch_execute("CREATE TABLE kept (id int); BEGIN; LOCK TABLE kept; PREPARE TRANSACTION 'it''s'")
        .unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    let line = bad(&diagnosis, Topic::Transactions, Level::Warning, "is prepared");
    let advice = line.advice().unwrap().to_owned();
    let statement = advice.split_once(" or ").expect("two ways").1.to_owned();
    client.batch_execute(&statement).expect("a statement that can be run");
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    assert!(diagnosis.about(Topic::Transactions).all(|line| line.level() == Level::Good), "{diagnosis}");
}

#[test]
fn settings_that_bite_are_told_with_where_they_come_from() {
    let (database, owner) = owned();
    let mut admin = database.connect().expect("a connection");
    let settings = [
        "statement_timeout = '5s'",
        "idle_in_transaction_session_timeout = '1min'",
        "lock_timeout = '3s'",
        "search_path = 'elsewhere'",
        "synchronous_commit = off",
    ];
    for setting in settings {
        admin.batch_execute(&format!("ALTER ROLE \"{owner}\" SET {setting}")).unwrap();
    }
    admin.batch_execute(&format!("ALTER ROLE \"{owner}\" SET session_replication_role = replica")).unwrap();
    admin.batch_execute(&format!("GRANT pg_read_all_data TO \"{owner}\"")).unwrap();
    admin
        .batch_execute(&format!(
            "ALTER ROLE \"{owner}\" IN DATABASE \"{}\" SET role = 'pg_read_all_data'",
            database.name()
        ))
        .unwrap();
    let mut client = connect(&database, &owner);
    let migrator = Migrator::new(shop());
    let diagnosis = examined(&mut client, &Examination::new(migrator.clone()));
    let line = bad(&diagnosis, Topic::Settings, Level::Warning, "statement_timeout is 5s (from the role)");
    assert!(line.advice().unwrap().contains("statement-timeout"), "{line}");
    bad(&diagnosis, Topic::Settings, Level::Note, "idle_in_transaction_session_timeout is 1min");
    bad(&diagnosis, Topic::Settings, Level::Note, "lock_timeout is 3s");
    bad(&diagnosis, Topic::Settings, Level::Note, "search_path is elsewhere");
    bad(&diagnosis, Topic::Settings, Level::Note, "role is pg_read_all_data (from this session)");
    let line = bad(&diagnosis, Topic::Settings, Level::Warning, "synchronous_commit is off");
    admin
        .batch_execute(line.advice().unwrap().strip_prefix("run ").unwrap())
        .expect("a statement that can be run");
    bad(&diagnosis, Topic::Settings, Level::Problem, "session_replication_role is replica");
    bad(&diagnosis, Topic::Settings, Level::Problem, "fsync is off");
    let own = migrator.statement_timeout(Duration::from_secs(600));
    let diagnosis = examined(&mut client, &Examination::new(own));
    assert!(!diagnosis.to_string().contains("statement_timeout is"), "{diagnosis}");
}

#[test]
fn environments_that_contradict_each_other_are_told() {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    let unsaid = Migrator::new(shop());
    bad(
        &examined(&mut client, &Examination::new(unsaid.clone())),
        Topic::Environment,
        Level::Warning,
        "not recorded",
    );
    migrator().migrate(&mut client).expect("applied");
    let said = unsaid.environment("production");
    let diagnosis = examined(&mut client, &Examination::new(said));
    bad(&diagnosis, Topic::Environment, Level::Problem, "recorded as test, and this program says production");
    let comment =
        format!("COMMENT ON DATABASE \"{}\" IS 'habitat-migrate, environment: staging'", database.name());
    client.batch_execute(&comment).unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(
        &diagnosis,
        Topic::Environment,
        Level::Problem,
        "the tracker says test, and the database's comment staging",
    );
}

#[test]
fn a_backup_that_is_old_or_not_there_is_told() {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    let folder = backups(database.name(), chrono::TimeDelta::days(5));
    let examination =
        |folder: &std::path::Path| Examination::new(migrator()).backups(Backups::new(folder), DAY);
    bad(&examined(&mut client, &examination(folder.path())), Topic::Backup, Level::Warning, "is 5 days old");
    let other = backups("another", chrono::TimeDelta::zero());
    bad(
        &examined(&mut client, &examination(other.path())),
        Topic::Backup,
        Level::Warning,
        "there is none of",
    );
}

#[test]
fn a_session_that_takes_no_writes_is_told() {
    let (database, owner) = owned();
    let mut admin = database.connect().expect("a connection");
    admin.batch_execute(&format!("ALTER ROLE \"{owner}\" SET default_transaction_read_only = on")).unwrap();
    let mut client = connect(&database, &owner);
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    let line = bad(&diagnosis, Topic::Standing, Level::Problem, "this session is read only");
    assert!(line.advice().unwrap().contains("RESET default_transaction_read_only"), "{line}");
}

#[test]
fn a_standby_is_told() {
    let standby = Server::builder()
        .setting("hot_standby", "on")
        .setting("wal_level", "replica")
        .setting("max_wal_senders", "10")
        .file("standby.signal", "")
        .start()
        .expect("a standby");
    let mut client = standby.config().connect(NoTls).unwrap();
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    bad(&diagnosis, Topic::Standing, Level::Problem, "a standby");
}

#[test]
fn within_a_transaction_of_the_callers_nothing_is_asked() {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    client.batch_execute("BEGIN").unwrap();
    let examination = Examination::new(migrator());
    let error = habitat_migrate::doctor::examine(&mut client, &examination).expect_err("a transaction");
    assert_eq!(error.kind(), ErrorKind::InTransaction);
    wait_for("the transaction", || client.batch_execute("ROLLBACK").is_ok());
}
