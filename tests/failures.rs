//! What an error tells: where, what, what was kept, what to do next; and R19 at run time.

mod support;

use habitat_migrate::testing::Server;
use habitat_migrate::{Catalog, Error, ErrorKind, Migrator, Refusal};
use postgres::NoTls;
use support::{catalog, database, unchecked, value, with_each_client};

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
    let log = "SELECT string_agg(concat_ws(' ', event, version, detail), '; ' ORDER BY id) FROM schema_migrations_log WHERE version IS NOT NULL";
    assert_eq!(value::<String>(&mut client, log), "apply 01_good; failure 02_x division by zero (22012)");
}

#[test]
fn r19_what_is_text_to_the_catalog_is_text_to_the_server() {
    // Where a backslash escapes a quote, this string would end early, and a COMMIT would follow.
    let script = "CREATE TABLE t (id int);\nSELECT '\\''; COMMIT; -- ';\nSELECT 1;";
    let catalog = catalog("app", [("01_t.sql", script), ("02_u.sql", "CREATE TABLE u (id int)")]);
    with_each_client("SET standard_conforming_strings = off", &Migrator::new(catalog), |_, outcome| {
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{error:?}")).applied().len(), 2);
    });
}

#[test]
fn r19_a_script_that_ends_its_transaction_unseen_is_found_out_and_never_run_twice() {
    let scripts = [
        ("01_good", "CREATE TABLE t (id int)"),
        ("02_sly", "INSERT INTO t VALUES (1); COMMIT;"),
        ("03_z", "SELECT 3"),
    ];
    let migrator = Migrator::new(unchecked(&scripts));
    with_each_client("", &migrator, |client, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.migration().unwrap().to_string(), "app:02_sly");
        let text = format!("{error:?}");
        assert!(text.contains("the script ended its own transaction, so a part of it may be kept"), "{text}");
        assert_eq!(value::<i64>(client, "SELECT count(*) FROM t"), 1, "it ran once");
        let again = migrator.migrate(client).unwrap_err();
        let refusals: Vec<_> = again.refusals().expect("refusals").iter().cloned().collect();
        assert!(matches!(refusals.as_slice(), [Refusal::Interrupted { .. }]), "{refusals:?}");
    });
}

#[test]
fn r19_a_failure_behind_a_commit_unseen_is_not_said_to_have_left_nothing() {
    let scripts = [
        ("01_t", "CREATE TABLE t (id int)"),
        ("02_sly", "INSERT INTO t VALUES (1); COMMIT; SELECT 1 / (SELECT 0)"),
    ];
    with_each_client("", &Migrator::new(unchecked(&scripts)), |client, outcome| {
        let error = outcome.unwrap_err();
        assert!(!error.to_string().contains("nothing of it was kept"), "{error:?}");
        assert_eq!(error.server_error().unwrap().code, "22012");
        assert_eq!(value::<i64>(client, "SELECT count(*) FROM t"), 1, "it ran once");
    });
}

#[test]
fn a_parenthesis_that_nobody_closes_is_the_scripts_fault() {
    let error = fail(&catalog("app", [GOOD, ("02_open.sql", "CREATE TABLE a (\n  id int\n")]));
    assert_eq!(error.migration().map(ToString::to_string).as_deref(), Some("app:02_open"), "{error:?}");
    assert_eq!((place(&error), error.report().applied().len()), ((3, 1), 1));
}

#[test]
fn a_duplicate_key_in_a_table_named_like_the_tracker_is_the_scripts_fault() {
    let script = "CREATE SCHEMA other; CREATE TABLE other.schema_migrations (v text CONSTRAINT schema_migrations_pkey PRIMARY KEY);\n\
                  INSERT INTO other.schema_migrations VALUES ('1'), ('1');";
    let error = fail(&catalog("app", [GOOD, ("02_rails.sql", script)]));
    assert_eq!((error.kind(), place(&error)), (ErrorKind::Migration, (2, 1)), "{error:?}");
}

#[test]
fn a_database_without_an_encoding_gives_the_place_too() {
    let server = Server::shared().unwrap();
    let mut admin = server.config().connect(NoTls).unwrap();
    let name = format!("ascii_{}", std::process::id());
    admin
        .batch_execute(&format!(
            "CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
        ))
        .unwrap();
    let text: String = format!("SELECT '{}'", "é".repeat(3000));
    let scripts =
        [("01_a.sql", "SELECT 1"), ("02_b.sql", &text), ("03_c.sql", "\nSELEKT 1"), ("04_d.sql", "SELECT 4")];
    let error = {
        let mut client = server.config().dbname(&name).connect(NoTls).unwrap();
        Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap_err()
    };
    admin.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).unwrap();
    assert_eq!(error.migration().map(ToString::to_string).as_deref(), Some("app:03_c"), "{error:?}");
    assert_eq!((place(&error), error.report().applied().len()), ((2, 1), 2));
}

#[test]
fn a_failing_question_does_not_end_the_callers_transaction() {
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute("CREATE TABLE schema_migrations (version text)").unwrap();
    client.batch_execute("BEGIN; CREATE TABLE mine (id int);").unwrap();
    let error = Migrator::new(catalog("app", [GOOD])).migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InTransaction, "{error:?}");
    let next = client.batch_execute("CREATE TABLE second (id int)").unwrap_err();
    assert_eq!(next.code().map(|code| code.code()), Some("25P02"), "it is the caller's to roll back");
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

#[test]
fn a_script_cannot_remove_its_own_record() {
    let scripts = [
        ("01_t", "CREATE TABLE t (id int)"),
        ("02_sly", "DELETE FROM schema_migrations WHERE version = '02_sly'"),
    ];
    with_each_client("", &Migrator::new(unchecked(&scripts)), |client, outcome| {
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{error:?}")).applied().len(), 2);
        assert_eq!(value::<i64>(client, "SELECT count(*) FROM schema_migrations"), 2);
    });
}
