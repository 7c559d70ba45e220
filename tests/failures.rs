//! What an error tells: where, what, what was kept, what to do next; and R19 at run time.

mod support;

use habitat_migrate::{Catalog, Error, ErrorKind, Migrator, Refusal};
use postgres::NoTls;
use support::{catalog, database, value};

/// Migrates an own database with each client; both must fail alike.
fn fail(catalog: &Catalog) -> Error {
    let database = database();
    let migrator = Migrator::new(catalog.clone());
    let blocking = migrator.migrate(&mut database.connect().unwrap()).unwrap_err();
    drop(database);
    let database = support::database();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asynchronous = runtime.block_on(async {
        let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        migrator.migrate(&mut client).await.unwrap_err()
    });
    assert_eq!(format!("{blocking:?}"), format!("{asynchronous:?}"));
    asynchronous
}

fn place(error: &Error) -> (usize, usize) {
    let (_, line, column) = error.location().unwrap_or_else(|| panic!("no place: {error:?}"));
    (line, column)
}

const GOOD: (&str, &str) = ("01_good.sql", "CREATE TABLE good (id int PRIMARY KEY);");

#[test]
fn a_syntax_error_has_its_place_and_those_before_it_are_applied() {
    let error = fail(&catalog(
        "app",
        [GOOD, ("02_typo.sql", "-- é\nSELECT 1;\nCREATE TABEL x ();"), ("03_z.sql", "SELECT 3;")],
    ));
    assert_eq!((error.kind(), place(&error)), (ErrorKind::Migration, (3, 8)));
    assert_eq!(error.migration().unwrap().to_string(), "app:02_typo");
    assert_eq!(error.report().applied().len(), 1, "the one before it stays: {error:?}");
    assert_eq!(error.server_error().unwrap().code, "42601");
}

#[test]
fn a_missing_table_has_its_place() {
    let error =
        fail(&catalog("app", [GOOD, ("02_missing.sql", "SELECT 1;\n\nINSERT INTO\n  nowhere VALUES (1);")]));
    assert_eq!(place(&error), (4, 3));
    assert_eq!(error.to_string(), "migration app:02_missing failed; nothing of it was kept");
}

#[test]
fn an_error_while_running_has_the_line_of_its_statement() {
    let script = "INSERT INTO good VALUES (1);\n-- a comment; with a semicolon\n;;\n  INSERT INTO good\nVALUES (1);\nSELECT 1;";
    let error = fail(&catalog("app", [GOOD, ("02_duplicate.sql", script)]));
    assert_eq!((error.server_error().unwrap().code.as_str(), place(&error)), ("23505", (4, 3)));
}

#[test]
fn a_division_by_zero_in_the_third_migration_of_a_message_is_found() {
    let error = fail(&catalog(
        "app",
        [GOOD, ("02_b.sql", "SELECT 1"), ("03_c.sql", "SELECT 2; SELECT 1 / (SELECT 0);")],
    ));
    assert_eq!((error.migration().unwrap().to_string(), place(&error)), ("app:03_c".to_owned(), (1, 11)));
    assert_eq!(error.report().applied().len(), 2);
}

#[test]
fn a_deferred_constraint_fails_the_migration_that_broke_it() {
    let tables = "CREATE TABLE child (good int REFERENCES good DEFERRABLE INITIALLY DEFERRED);";
    let error = fail(&catalog(
        "app",
        [GOOD, ("02_child.sql", tables), ("03_orphan.sql", "INSERT INTO child VALUES (7);")],
    ));
    assert_eq!(error.migration().unwrap().to_string(), "app:03_orphan");
    assert_eq!(error.server_error().unwrap().code, "23503");
    assert_eq!(error.report().applied().len(), 2);
}

#[test]
fn the_diagnostic_shows_the_line_and_what_to_do() {
    let error = fail(&catalog("app", [GOOD, ("02_typo.sql", "CREATE TABLE x (\n  id integre\n);")]));
    let expected = "\
error: migration app:02_typo failed; nothing of it was kept
 --> app/02_typo.sql:2:6
  |
2 |   id integre
  |      ^ type \"integre\" does not exist (42704)
  = applied before it: app:01_good
  = next: correct the file and run migrate again";
    assert_eq!(error.diagnostic().to_string(), expected);
}

#[test]
fn a_failure_is_in_the_log() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(catalog("app", [GOOD, ("02_x.sql", "SELECT 1 / 0")])).migrate(&mut client).unwrap_err();
    let log = "SELECT string_agg(concat_ws(' ', event, version, detail), '; ' ORDER BY id) FROM schema_migrations_log";
    assert_eq!(value::<String>(&mut client, log), "apply 01_good; failure 02_x division by zero (22012)");
}

#[test]
fn r19_a_script_that_ends_its_transaction_unseen_is_found_out_and_never_run_twice() {
    // With this setting a backslash escapes the quote, so what is text to the catalog is a COMMIT to the server.
    let script = "CREATE TABLE half (id int);\nSELECT '\\''; COMMIT; -- '\nSELECT 1;";
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute("SET standard_conforming_strings = off; SET escape_string_warning = off").unwrap();
    let migrator = Migrator::new(catalog("app", [GOOD, ("02_sly.sql", script), ("03_next.sql", "SELECT 3")]));
    let error = migrator.migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Migration, "{error:?}");
    assert_eq!(error.migration().unwrap().to_string(), "app:02_sly");
    let text = format!("{error:?}");
    assert!(text.contains("the script ended its own transaction"), "{text}");
    assert!(!text.contains("nothing of it was kept"), "some of it was: {text}");
    let again = migrator.migrate(&mut client).unwrap_err();
    let refusals: Vec<_> = again.refusals().expect("refusals").iter().cloned().collect();
    assert!(matches!(refusals.as_slice(), [Refusal::Interrupted { .. }]), "{refusals:?}");
}

#[test]
fn a_client_inside_of_a_transaction_is_refused_and_its_transaction_goes_on() {
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute("BEGIN; CREATE TABLE mine (id int);").unwrap();
    let error = Migrator::new(catalog("app", [GOOD])).migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InTransaction, "{error:?}");
    client.batch_execute("COMMIT").unwrap();
    assert!(value::<bool>(&mut client, "SELECT to_regclass('mine') IS NOT NULL"));
    assert!(value::<bool>(&mut client, "SELECT to_regclass('schema_migrations') IS NULL"));
}
