//! What stands against an adoption is told, all of it, and nothing is written.

use habitat_migrate::adopt::{AdoptError, AdoptErrorKind, AdoptionState, Difference, Proof};
use habitat_migrate::{Adopt, Error, ErrorKind, Migrator};
use postgres::Client;

use crate::support::{ITEMS, ORDERS, USERS, catalog, database, rows_of, three, value};

const STEMS: [&str; 3] = ["20240501000001_users", "20240501000002_items", "20240501000003_orders"];
const DBMATE: &str =
    "CREATE SCHEMA theirs; CREATE TABLE theirs.schema_migrations (version varchar(128) PRIMARY KEY);
    INSERT INTO theirs.schema_migrations VALUES ('20240501000001'), ('20240501000002');";
const SQLX: &str = "CREATE TABLE _sqlx_migrations (version bigint PRIMARY KEY, description text NOT NULL,
    installed_on timestamptz NOT NULL DEFAULT now(), success boolean NOT NULL, checksum bytea NOT NULL,
    execution_time bigint NOT NULL);";

fn client_with(history: &str) -> (habitat_migrate::testing::Database, Client) {
    let database = database();
    let mut client = database.connect().expect("a connection");
    client.batch_execute(&format!("{USERS}{ITEMS}{history}")).expect("a history");
    (database, client)
}

fn cause(error: &Error) -> &AdoptError {
    assert_eq!(error.kind(), ErrorKind::Adopt, "{error:?}");
    let source = std::error::Error::source(error).expect("a source");
    source.downcast_ref().expect("an AdoptError")
}

fn is_tracked(client: &mut Client) -> bool {
    value(client, "SELECT to_regclass('public.schema_migrations_log') IS NOT NULL")
}

#[test]
fn every_mismatch_is_listed_and_nothing_is_recorded() {
    let (_database, mut client) = client_with(&format!(
        "{SQLX} INSERT INTO _sqlx_migrations VALUES
         (20240501000001, 'users', now(), true, '\\x0102', 5), (20240501000003, 'orders', now(), false, '\\x03', -1),
         (20240401000000, 'gone', now(), true, '\\x04', 5);"
    ));
    let before = rows_of(&mut client, "_sqlx_migrations");
    let migrator = Migrator::new(three(STEMS));
    let error = migrator.adopt(&mut client, Adopt::apply()).expect_err("nothing matches");
    assert_eq!(cause(&error).kind(), AdoptErrorKind::Mismatch);
    let adoption = error.adoption().expect("a comparison");
    let lines: Vec<String> = adoption.mismatched().map(ToString::to_string).collect();
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert_eq!(lines[0], "20240401000000: applied there, and not in this catalog");
    assert!(
        lines[1].starts_with("app:20240501000001_users: another script was applied: SHA-384 0102 there, ")
    );
    assert_eq!(lines[2], "app:20240501000003_orders: failed or was interrupted there");
    assert_eq!(
        lines[3],
        "app:20240501000002_items: not applied there, although app:20240501000003_orders is"
    );
    let shown = format!("{error:?}");
    for line in &lines {
        let start: String = line.chars().take(40).collect();
        assert!(shown.contains(&format!("= refused: {start}")), "{shown}");
    }
    assert!(shown.contains("accept \"20240401000000\" to leave it out"), "{shown}");
    assert!(!is_tracked(&mut client));
    assert_eq!(rows_of(&mut client, "_sqlx_migrations"), before);
}

#[test]
fn what_is_accepted_is_recorded_or_left_out() {
    let (_database, mut client) = client_with(&format!(
        "{SQLX} INSERT INTO _sqlx_migrations VALUES
         (20240501000001, 'users', now(), true, '\\x0102', 5), (20240401000000, 'gone', now(), true, '\\x04', 5);"
    ));
    let migrator = Migrator::new(catalog(&[(STEMS[0], USERS), (STEMS[2], "CREATE TABLE orders ();\n")]));
    let adopt = Adopt::apply().accept(["20240501000001", "20240401000000"]);
    let adoption = migrator.adopt(&mut client, adopt).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(adoption.state(), AdoptionState::Recorded);
    assert_eq!(adoption.matched()[0].proof(), Proof::Accepted);
    assert_eq!(adoption.accepted().count(), 2);
    assert_eq!(migrator.migrate(&mut client).expect("a migration").applied().len(), 1);
    let detail: String = value(&mut client, "SELECT detail FROM schema_migrations_log WHERE event = 'adopt'");
    assert_eq!(
        detail,
        "sqlx, table \"public\".\"_sqlx_migrations\", version 20240501000001: not verified: accepted by the caller"
    );
}

#[test]
fn a_dirty_golang_migrate_refuses() {
    let (_database, mut client) = client_with(
        "CREATE SCHEMA theirs; CREATE TABLE theirs.schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL);
         INSERT INTO theirs.schema_migrations VALUES (20240501000002, true);",
    );
    let adopt = Adopt::apply().accept(["20240501000002"]);
    let error = Migrator::new(three(STEMS)).adopt(&mut client, adopt).expect_err("it is dirty");
    let adoption = error.adoption().expect("a comparison");
    assert!(adoption.mismatched().any(|mismatch| *mismatch.difference() == Difference::Failed));
    assert!(!is_tracked(&mut client));
}

#[test]
fn a_tracker_of_the_same_name_has_to_live_in_another_schema() {
    let (_database, mut client) = client_with(
        "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);
         INSERT INTO schema_migrations VALUES ('20240501000001');",
    );
    for adopt in [Adopt::dry_run(), Adopt::apply()] {
        let error =
            Migrator::new(three(STEMS)).adopt(&mut client, adopt).expect_err("there is no room for both");
        assert_eq!(cause(&error).kind(), AdoptErrorKind::SameTable);
        let shown = format!("{error:?}");
        assert!(shown.contains("table \"public\".\"schema_migrations\" is the history of dbmate"), "{shown}");
        assert!(shown.contains("`Migrator::schema(\"habitat\")`"), "{shown}");
    }
}

#[test]
fn a_database_without_a_history_is_not_adopted() {
    let (_database, mut client) = client_with("");
    let migrator = Migrator::new(three(STEMS));
    let error = migrator.adopt(&mut client, Adopt::apply()).expect_err("there is nothing to adopt");
    assert_eq!(cause(&error).kind(), AdoptErrorKind::NotFound);
    let named = Adopt::apply().table("public", "nowhere");
    let error = migrator.adopt(&mut client, named).expect_err("there is no such table");
    assert!(format!("{error:?}").contains("there is no table \"public\".\"nowhere\""), "{error:?}");
    assert!(!is_tracked(&mut client));
}

#[test]
fn of_two_histories_one_has_to_be_named() {
    let (_database, mut client) = client_with(&format!("{DBMATE}{SQLX}"));
    let migrator = Migrator::new(three(STEMS));
    let error = migrator.adopt(&mut client, Adopt::apply()).expect_err("there are two");
    assert_eq!(cause(&error).kind(), AdoptErrorKind::Several);
    assert!(cause(&error).to_string().contains("\"theirs\".\"schema_migrations\" (dbmate)"), "{error:?}");
    let named = Adopt::apply().table("theirs", "schema_migrations");
    assert_eq!(migrator.adopt(&mut client, named).expect("it matches").matched().len(), 2);
}

#[test]
fn a_table_with_strange_columns_is_not_recognised() {
    let (_database, mut client) = client_with("CREATE TABLE goose_db_version (egg text);");
    let error = Migrator::new(three(STEMS)).adopt(&mut client, Adopt::apply()).expect_err("it is nobody's");
    assert_eq!(cause(&error).kind(), AdoptErrorKind::NotRecognised);
    assert!(format!("{error:?}").contains("its columns: egg"), "{error:?}");
}

#[test]
fn what_this_library_migrated_is_not_mixed_with_what_another_tool_did() {
    let (_database, mut client) = client_with(DBMATE);
    let migrator = Migrator::new(catalog(&[("20240401000000_first", "CREATE TABLE first ();\n")]));
    migrator.migrate(&mut client).expect("a migration");
    let migrator = Migrator::new(catalog(&[
        ("20240401000000_first", "CREATE TABLE first ();\n"),
        (STEMS[0], USERS),
        (STEMS[1], ITEMS),
    ]));
    for adopt in [Adopt::dry_run(), Adopt::apply()] {
        let error = migrator.adopt(&mut client, adopt).expect_err("there are records of this library's own");
        assert_eq!(cause(&error).kind(), AdoptErrorKind::Tracked);
        let shown = format!("{error:?}");
        assert!(
            shown.contains("not recorded: app:20240501000001_users, app:20240501000002_items"),
            "{shown}"
        );
    }
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM public.schema_migrations"), 1);
}

#[test]
fn what_the_other_tool_applies_after_it_was_adopted_is_told() {
    let (_database, mut client) = client_with(DBMATE);
    let migrator = Migrator::new(three(STEMS));
    migrator.adopt(&mut client, Adopt::apply()).expect("it matches");
    client
        .batch_execute(&format!("{ORDERS} INSERT INTO theirs.schema_migrations VALUES ('20240501000003')"))
        .expect("the other tool goes on");
    let error = migrator.adopt(&mut client, Adopt::apply()).expect_err("two tools migrate one database");
    assert_eq!(cause(&error).kind(), AdoptErrorKind::Tracked);
    assert!(format!("{error:?}").contains("not recorded: app:20240501000003_orders"), "{error:?}");
}

#[test]
fn a_login_that_may_not_read_the_history_is_told_what_it_lacks() {
    let (_database, mut client) = client_with(&format!(
        "{DBMATE} GRANT USAGE ON SCHEMA theirs TO public; DROP ROLE IF EXISTS adopt_reader; CREATE ROLE adopt_reader;"
    ));
    client.batch_execute("SET ROLE adopt_reader").expect("a role");
    let error =
        Migrator::new(three(STEMS)).adopt(&mut client, Adopt::dry_run()).expect_err("it may not read");
    assert_eq!(error.kind(), ErrorKind::Tracker);
    let shown = format!("{error:?}");
    assert!(shown.contains("the server refused to read the other tool's history"), "{shown}");
    assert!(shown.contains("GRANT SELECT"), "{shown}");
    client.batch_execute("RESET ROLE; DROP ROLE adopt_reader").expect("a role to drop");
}

#[test]
fn many_processes_may_adopt_at_once() {
    let (database, mut client) = client_with(DBMATE);
    let migrator = Migrator::new(three(STEMS));
    let states: Vec<AdoptionState> = std::thread::scope(|scope| {
        let one = || {
            let mut client = database.connect().expect("a connection");
            migrator.adopt(&mut client, Adopt::apply()).unwrap_or_else(|error| panic!("{error:?}")).state()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread")).collect()
    });
    assert_eq!(states.iter().filter(|state| **state == AdoptionState::Recorded).count(), 1, "{states:?}");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM public.schema_migrations"), 2);
    // Of this database: its neighbours on the same server are at work.
    let locks = "SELECT count(*) FROM pg_locks AS l JOIN pg_database AS d ON d.oid = l.database \
        WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    assert_eq!(value::<i64>(&mut client, locks), 0);
}

#[test]
fn a_script_that_was_changed_since_is_not_verified_by_its_number_alone() {
    let (_database, mut client) = client_with(&format!(
        "{SQLX} INSERT INTO _sqlx_migrations VALUES (20240501000001, 'users', now(), true, sha384('{}'), 5);",
        USERS.trim_end()
    ));
    // The last newline is one that editors put there.
    let migrator = Migrator::new(three(STEMS));
    assert!(migrator.adopt(&mut client, Adopt::dry_run()).expect("a comparison").is_clean());
    let migrator = Migrator::new(catalog(&[(
        STEMS[0],
        "CREATE TABLE users (id bigint PRIMARY KEY, name TEXT NOT NULL);",
    )]));
    assert!(!migrator.adopt(&mut client, Adopt::dry_run()).expect("a comparison").is_clean());
}
