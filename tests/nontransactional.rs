//! Migrations without a transaction: R05, R07, R14, R17, R26, R28, and what both clients see of them.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use habitat_migrate::policy::Rollback;
use habitat_migrate::{Catalog, ErrorKind, Event, Migrator};
use postgres::Client;
use support::{catalog, complaints, database, leftovers, own_server, value, with_each_client};

const NONE: &str = "-- habitat: transaction none\n";

/// A script without a transaction.
fn none(text: &str) -> String {
    format!("{NONE}{text}")
}

fn with_scripts(scripts: &[(&str, &str)]) -> Migrator {
    Migrator::new(catalog("app", scripts.iter().copied()))
}

fn state(client: &mut Client, version: &str) -> String {
    value(client, &format!("SELECT state FROM schema_migrations WHERE version = '{version}'"))
}

const STEPS: &str = "SELECT string_agg(direction || ' ' || cardinality(done) || ' ' || (under_way IS NOT NULL), ', ') \
     FROM schema_migrations_progress";

#[test]
fn r17_each_statement_is_sent_alone() {
    let script = none(
        "CREATE TABLE items (id int, \"na;me\" text);
         /* one ; /* two ; */ */ VACUUM items;
         DO $body$ BEGIN PERFORM ';'; END $body$;
         CREATE FUNCTION one() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; END;
         INSERT INTO items VALUES (1, E'it\\'s; '), (2, U&'\\0061;');
         CREATE RULE r AS ON DELETE TO items DO INSTEAD (SELECT 1; SELECT 2);
         CREATE INDEX CONCURRENTLY ON items (id);
         ALTER SYSTEM RESET work_mem;
         BEGIN; INSERT INTO items VALUES (3, ''); INSERT INTO items VALUES (4, ''); COMMIT;
         VACUUM (ANALYZE) items; -- the end",
    );
    let migrator = Migrator::new(catalog("app", [("01_many.sql", script)]));
    with_each_client("", &migrator, |admin, outcome| {
        let report = outcome.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.applied().len(), 1);
        assert_eq!(value::<i64>(admin, "SELECT count(*) FROM items"), 4);
        let rows = "SELECT count(*) FROM schema_migrations WHERE state = 'applied' AND execution_time > '0'";
        assert_eq!(value::<i64>(admin, rows), 1);
        assert_eq!(value::<i64>(admin, "SELECT count(*) FROM schema_migrations_progress"), 0);
        let logged =
            "SELECT count(*) FROM schema_migrations_log WHERE event = 'apply' AND execution_time > '0'";
        assert_eq!(value::<i64>(admin, logged), 1);
        assert!(migrator.migrate(admin).unwrap().is_unchanged());
    });
}

#[test]
fn they_go_with_others_in_order_and_their_statements_are_told() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut client = database.connect().unwrap();
    let concurrent = none("CREATE INDEX CONCURRENTLY one_id ON one (id);\nVACUUM one;");
    let scripts = [
        ("01_one.sql", "CREATE TABLE one (id int)"),
        ("02_index.sql", &concurrent),
        ("03_two.sql", "CREATE TABLE two (id int)"),
        ("04_vacuum.sql", &none("VACUUM two")),
        ("05_vacuum.sql", &none("VACUUM one")),
    ];
    let told = Arc::new(Mutex::new(Vec::new()));
    let migrator = {
        let told = told.clone();
        with_scripts(&scripts).on_event(move |event| told.lock().unwrap().push(event.to_string()))
    };
    let report = migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    let names: Vec<String> =
        report.applied().iter().map(|applied| applied.id().version().to_string()).collect();
    assert_eq!(names, ["01_one", "02_index", "03_two", "04_vacuum", "05_vacuum"]);
    let told = told.lock().unwrap().clone();
    assert!(told.contains(&"app:02_index, statement 1 of 2".to_owned()), "{told:?}");
    assert!(told.contains(&"app:02_index, statement 2 of 2".to_owned()), "{told:?}");
    let order =
        "SELECT string_agg(version, ' ' ORDER BY run_order) FROM schema_migrations WHERE digest IS NOT NULL";
    assert_eq!(value::<String>(&mut client, order), "01_one 02_index 03_two 04_vacuum 05_vacuum");
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(complaints(&server), Vec::<String>::new());
    assert_eq!(leftovers(&mut client), (0, 0));
}

#[test]
fn r26_a_run_goes_on_at_the_statement_that_failed() {
    let broken = none(
        "CREATE TABLE one (id int);\nCREATE TABLE two (id int);\n  SELECT nothing;\nVACUUM one;\nVACUUM two;",
    );
    let migrator = Migrator::new(catalog("app", [("01_many.sql", broken.clone())]));
    with_each_client("", &migrator, |admin, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration);
        assert_eq!(error.location(), Some(("app/01_many.sql", 4, 10)), "{error:?}");
        assert_eq!(error.to_string(), "migration app:01_many failed; statements 1 to 2 of 5 are done");
        let text = format!("{error:?}");
        assert!(
            text.contains("column \"nothing\" does not exist (42703)")
                && text.contains("correct that statement"),
            "{text}"
        );
        assert_eq!(state(admin, "01_many"), "interrupted");
        assert_eq!(value::<String>(admin, STEPS), "up 2 true");
        // Again without a change: the statements that are done are not run again, which would fail.
        let again = migrator.migrate(admin).unwrap_err();
        assert_eq!(again.location(), Some(("app/01_many.sql", 4, 10)), "{again:?}");
        // Mended, and with a statement more.
        let mended = broken.replace("SELECT nothing", "SELECT 1") + "\nCREATE TABLE three (id int);";
        let mended = with_scripts(&[("01_many.sql", &mended), ("02_next.sql", "CREATE TABLE next (id int)")]);
        let report = mended.migrate(admin).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.applied().len(), 2);
        assert_eq!(state(admin, "01_many"), "applied");
        assert!(mended.migrate(admin).unwrap().is_unchanged());
        let fresh = database();
        let mut fresh = fresh.connect().unwrap();
        mended.migrate(&mut fresh).unwrap();
        let chain = "SELECT string_agg(concat_ws(' ', version, ordinal, follows, digest), ', ' ORDER BY ordinal) FROM schema_migrations";
        assert_eq!(value::<String>(admin, chain), value::<String>(&mut fresh, chain));
        let checksum = mended.catalog().migrations()[0].checksum().to_string();
        let recorded = "SELECT checksum FROM schema_migrations WHERE version = '01_many'";
        assert_eq!(value::<String>(admin, recorded), checksum);
        let log = "SELECT string_agg(event || ' ' || version, ', ' ORDER BY id) FROM schema_migrations_log WHERE version IS NOT NULL";
        assert_eq!(
            value::<String>(admin, log),
            "failure 01_many, failure 01_many, apply 01_many, apply 02_next"
        );
    });
}

#[test]
fn nothing_is_applied_before_what_was_begun() {
    let database = database();
    let mut client = database.connect().unwrap();
    let broken = none("SELECT 1;\nSELECT nothing;");
    with_scripts(&[("02_b.sql", &broken)]).migrate(&mut client).unwrap_err();
    let other = catalog("a", [("01_a.sql", "CREATE TABLE a (id int)")]);
    let both = Migrator::new(Catalog::combine([other, catalog("app", [("02_b.sql", broken)])]).unwrap());
    let error = both.migrate(&mut client).unwrap_err();
    assert_eq!(error.migration().unwrap().to_string(), "app:02_b", "{error:?}");
    assert!(value::<bool>(&mut client, "SELECT to_regclass('a') IS NULL"));
}

#[test]
fn r28_a_statement_that_is_done_and_has_changed_is_refused() {
    let broken = none("CREATE TABLE one (id int);\nCREATE TABLE two (id int);\nSELECT nothing;");
    let cases = [
        (broken.replace("two (id int)", "two (id bigint)"), 2, (3, 1)),
        (broken.replace("one (id int)", "one (id bigint)"), 1, (2, 1)),
        (none("CREATE TABLE one (id int);\n"), 2, (3, 1)),
    ];
    for (edited, statement, (line, column)) in cases {
        let database = database();
        let mut client = database.connect().unwrap();
        with_scripts(&[("01_many.sql", &broken)]).migrate(&mut client).unwrap_err();
        let before: String = value(&mut client, STEPS);
        let scripts = [("01_many.sql", &*edited), ("02_next.sql", "CREATE TABLE next (id int)")];
        let error = with_scripts(&scripts).migrate(&mut client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        let said = error.refusals().unwrap().iter().next().unwrap().to_string();
        assert!(said.contains(&format!("statement {statement}")), "{said}");
        assert!(said.contains(&format!("(app/01_many.sql:{line}:{column})")), "{said}");
        assert_eq!(value::<String>(&mut client, STEPS), before);
        assert!(value::<bool>(&mut client, "SELECT to_regclass('next') IS NULL"));
        assert_eq!(leftovers(&mut client), (0, 0));
    }
}

#[test]
fn r05_no_statement_is_sent_without_the_lock() {
    let script = none("SELECT pg_advisory_unlock_all();\nCREATE TABLE two (id int);");
    with_each_client("", &Migrator::new(catalog("app", [("01_x.sql", script)])), |admin, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
        assert!(value::<bool>(admin, "SELECT to_regclass('two') IS NULL"));
        assert_eq!(value::<String>(admin, STEPS), "up 1 false", "the tracker says what was done");
    });
}

#[test]
fn r05_a_worker_whose_session_is_ended_says_so_and_the_next_run_goes_on() {
    let database = database();
    let mut admin = database.connect().unwrap();
    let script = none("CREATE TABLE one (id int);\nSELECT pg_sleep(600);\nCREATE TABLE two (id int);");
    let slow = with_scripts(&[("01_x.sql", &script)]);
    let mut client = database.connect().unwrap();
    let worker = std::thread::spawn(move || slow.migrate(&mut client));
    let pid = sleeping(&mut admin);
    admin.execute("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
    let error = worker.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
    assert!(format!("{error:?}").contains("app:01_x"), "{error:?}");
    assert!(value::<bool>(&mut admin, "SELECT to_regclass('two') IS NULL"));
    assert_eq!(value::<String>(&mut admin, STEPS), "up 1 true");
    let quick = script.replace("600", "0");
    let report = with_scripts(&[("01_x.sql", &quick)]).migrate(&mut admin).unwrap();
    assert_eq!(report.applied().len(), 1);
    assert!(value::<bool>(&mut admin, "SELECT to_regclass('two') IS NOT NULL"));
}

/// The server process that sleeps.
fn sleeping(admin: &mut Client) -> i32 {
    let query =
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
    let mut pid = None;
    support::wait_for("the sleep", || {
        pid = admin.query_opt(query, &[]).unwrap().map(|row| row.get(0));
        pid.is_some()
    });
    pid.unwrap()
}

#[test]
fn r07_a_lock_that_could_not_be_given_back_is_told() {
    // In a transaction, so that it happens between the last look at the lock and the end.
    let wrapped = "CREATE TABLE one (id int); SELECT pg_advisory_unlock_all();".to_owned();
    let last = none("SELECT 1;\nSELECT pg_advisory_unlock_all();");
    for script in [wrapped, last] {
        let migrator = Migrator::new(catalog("app", [("01_x.sql", script)]));
        with_each_client("", &migrator, |admin, outcome| {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
            assert_eq!(error.report().applied().len(), 1, "it is applied, and recorded");
            assert!(migrator.migrate(admin).unwrap().is_unchanged());
        });
    }
}

#[test]
fn r14_only_the_statement_is_tried_again_that_met_a_lock() {
    let database = database();
    let mut admin = database.connect().unwrap();
    admin.batch_execute("CREATE TABLE items (id int); CREATE TABLE ran (n int)").unwrap();
    let mut blocker = database.connect().unwrap();
    let mut open = blocker.transaction().unwrap();
    open.batch_execute("SELECT FROM items").unwrap();
    let script =
        none("INSERT INTO ran VALUES (1);\nALTER TABLE items ADD name text;\nINSERT INTO ran VALUES (3);");
    let (tell, told) = std::sync::mpsc::channel();
    let migrator = with_scripts(&[("01_x.sql", &script)]).lock_timeout(Duration::from_millis(50)).on_event(
        move |event| {
            if let Event::Retrying { attempt, error, blockers, .. } = event {
                let _ = tell.send((*attempt, error.code.clone(), blockers.len()));
            }
        },
    );
    let mut client = database.connect().unwrap();
    let worker = std::thread::spawn(move || migrator.migrate(&mut client));
    assert_eq!(told.recv().unwrap(), (1, "55P03".to_owned(), 1));
    assert_eq!(told.recv().unwrap().0, 2);
    assert!(leftovers(&mut admin).0 > 0, "the lock is kept meanwhile");
    open.rollback().unwrap();
    let report = worker.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied().len(), 1);
    assert_eq!(value::<String>(&mut admin, "SELECT string_agg(n::text, ' ') FROM ran"), "1 3");
}

#[test]
fn r14_the_budget_ends_and_nothing_else_is_tried_again() {
    let database = database();
    let mut admin = database.connect().unwrap();
    admin.batch_execute("CREATE TABLE items (id int)").unwrap();
    let mut blocker = database.connect().unwrap();
    let mut open = blocker.transaction().unwrap();
    open.batch_execute("SELECT FROM items").unwrap();
    let script = none("SELECT 1;\nALTER TABLE items ADD name text;");
    let migrator = with_scripts(&[("01_x.sql", &script)])
        .lock_timeout(Duration::from_millis(20))
        .retry_budget(Duration::from_millis(600));
    let error = migrator.migrate(&mut admin).unwrap_err();
    assert_eq!(error.server_error().unwrap().code, "55P03");
    assert_eq!(error.blockers().len(), 1, "{error:?}");
    assert!(
        error.to_string().contains("attempts)") && error.to_string().contains("statement 1 of 2 is done"),
        "{error}"
    );
    drop(open);
    assert!(migrator.migrate(&mut admin).is_ok());
    let (tell, told) = std::sync::mpsc::channel();
    let failing =
        with_scripts(&[("01_x.sql", &script), ("02_y.sql", &none("SELECT 1 / 0"))]).on_event(move |event| {
            if let Event::Retrying { .. } = event {
                let _ = tell.send(());
            }
        });
    assert!(failing.migrate(&mut admin).is_err());
    assert!(told.try_recv().is_err());
}

#[test]
fn a_verification_that_fails_is_made_again_by_the_next_run() {
    let script = none("CREATE TABLE one (id int);\nVACUUM one;");
    let scripts =
        [("01_x.sql", &*script), ("01_x.verify.sql", "SELECT true;\nSELECT count(*) = 1 FROM one;")];
    let migrator = Migrator::new(catalog("app", scripts));
    with_each_client("", &migrator, |admin, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Verification, "{error:?}");
        assert_eq!(error.location(), Some(("app/01_x.verify.sql", 2, 1)));
        assert!(error.to_string().ends_with("statements 1 to 2 of 2 are done"), "{error}");
        assert_eq!(state(admin, "01_x"), "interrupted");
        assert_eq!(migrator.migrate(admin).unwrap_err().kind(), ErrorKind::Verification);
        admin.batch_execute("INSERT INTO one VALUES (1)").unwrap();
        assert_eq!(migrator.migrate(admin).unwrap().applied().len(), 1);
        assert_eq!(state(admin, "01_x"), "applied");
    });
}

#[test]
fn one_is_taken_back_without_a_transaction_too() {
    let database = database();
    let mut client = database.connect().unwrap();
    let up = none("CREATE TABLE one (id int);\nCREATE INDEX CONCURRENTLY i ON one (id);");
    let down = none("DROP INDEX CONCURRENTLY i;\nSELECT pg_temp.stop();\nDROP TABLE one;");
    let full = with_scripts(&[("01_x.sql", &up), ("01_x.down.sql", &down)]);
    full.migrate(&mut client).unwrap();
    // By a program that does not have it: the tracker keeps the script, and that it runs alone.
    let older = with_scripts(&[("02_y.sql", "SELECT 1")]);
    let error = older.rollback(&mut client, Rollback::Last).unwrap_err();
    assert_eq!(error.location().map(|(_, line, _)| line), Some(3), "{error:?}");
    assert!(
        error.to_string().contains("the rollback of app:01_x failed; statement 1 of 3 is done"),
        "{error}"
    );
    assert_eq!(value::<String>(&mut client, STEPS), "down 1 true");
    let refused = full.migrate(&mut client).unwrap_err();
    assert!(refused.to_string().contains("app:01_x is half taken back"), "{refused}");
    client.batch_execute("CREATE FUNCTION pg_temp.stop() RETURNS int LANGUAGE sql AS 'SELECT 1'").unwrap();
    let report = older.rollback(&mut client, Rollback::Last).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.undone().len(), 1);
    assert!(value::<bool>(&mut client, "SELECT to_regclass('one') IS NULL"));
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 0);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations_progress"), 0);
    assert_eq!(leftovers(&mut client), (0, 0));
}

#[test]
fn what_is_half_applied_is_not_taken_back() {
    let up = none("CREATE TABLE one (id int);\nSELECT nothing;");
    for down in ["DROP TABLE one".to_owned(), none("DROP TABLE one")] {
        let database = database();
        let mut client = database.connect().unwrap();
        let migrator = with_scripts(&[("01_x.sql", &up), ("01_x.down.sql", &down)]);
        migrator.migrate(&mut client).unwrap_err();
        let error = migrator.rollback(&mut client, Rollback::Last).unwrap_err();
        assert!(error.to_string().contains("app:01_x is half applied"), "{error}");
        assert!(value::<bool>(&mut client, "SELECT to_regclass('one') IS NOT NULL"));
    }
}

#[test]
fn a_repeatable_one_runs_again_when_it_changes() {
    let database = database();
    let mut client = database.connect().unwrap();
    let base = ("01_x.sql", "CREATE TABLE one (id int)");
    let first = none("VACUUM one;");
    let second = none("VACUUM one;\nINSERT INTO one VALUES (1);\nSELECT nothing;");
    with_scripts(&[base, ("R__tidy.sql", &first)]).migrate(&mut client).unwrap();
    with_scripts(&[base, ("R__tidy.sql", &second)]).migrate(&mut client).unwrap_err();
    let third = second.replace("SELECT nothing", "SELECT 1");
    let migrator = with_scripts(&[base, ("R__tidy.sql", &third)]);
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM one"), 1);
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn a_transaction_that_a_script_does_not_end_is_refused() {
    let database = database();
    let mut client = database.connect().unwrap();
    let error = with_scripts(&[("01_x.sql", &none("SELECT 1;\nBEGIN;\nSELECT 2;"))])
        .migrate(&mut client)
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    assert!(
        value::<bool>(&mut client, "SELECT to_regclass('schema_migrations') IS NULL"),
        "nothing was written"
    );
}

#[test]
fn a_transaction_of_the_script_is_done_wholly_or_not_at_all() {
    let script =
        none("CREATE TABLE one (id int);\nBEGIN;\nINSERT INTO one VALUES (1);\nSELECT 1 / 0;\nCOMMIT;");
    with_each_client("", &Migrator::new(catalog("app", [("01_x.sql", script.clone())])), |admin, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.location(), Some(("app/01_x.sql", 5, 1)), "{error:?}");
        assert_eq!(value::<i64>(admin, "SELECT count(*) FROM one"), 0);
        let mended = script.replace("1 / 0", "1 / 1");
        with_scripts(&[("01_x.sql", &mended)]).migrate(admin).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(value::<i64>(admin, "SELECT count(*) FROM one"), 1);
    });
}

#[test]
fn r05_whoever_lost_the_lock_meanwhile_does_not_touch_what_another_one_goes_on_with() {
    let database = database();
    let mut admin = database.connect().unwrap();
    let run = |script: &str| {
        let mut client = database.connect().unwrap();
        let migrator = with_scripts(&[("01_x.sql", &none(script))]);
        std::thread::spawn(move || migrator.migrate(&mut client))
    };
    // Each waits in a statement for one of these.
    admin.batch_execute("SELECT pg_advisory_lock(1), pg_advisory_lock(2)").unwrap();
    let losing = run(
        "DO $$ BEGIN PERFORM pg_advisory_unlock_all(); PERFORM pg_advisory_lock(2); END $$;\nCREATE TABLE two (id int);",
    );
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'advisory'";
    support::wait_for("the statement", || value::<i64>(&mut admin, waits) == 1);
    let taking = run("SELECT 1;\nSELECT pg_advisory_lock(1);\nCREATE TABLE two (id int);");
    support::wait_for("the other one's", || value::<i64>(&mut admin, waits) == 2);
    assert_eq!(value::<String>(&mut admin, STEPS), "up 1 true");
    admin.batch_execute("SELECT pg_advisory_unlock(2)").unwrap();
    let error = losing.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockLost, "{error:?}");
    assert_eq!(value::<String>(&mut admin, STEPS), "up 1 true");
    admin.batch_execute("SELECT pg_advisory_unlock(1)").unwrap();
    taking.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"));
}

#[test]
fn placeholders_are_filled_in_and_what_is_done_is_told_by_the_template() {
    let database = database();
    let mut client = database.connect().unwrap();
    let script = none(
        "-- habitat: placeholders name\nCREATE TABLE ${name:identifier} (id int);\n\
         CREATE INDEX CONCURRENTLY i ON ${name:identifier} (id);\nSELECT nothing;",
    );
    let filled = |script: &str| with_scripts(&[("01_x.sql", script)]).placeholder("name", "a table");
    let error = filled(&script).migrate(&mut client).unwrap_err();
    assert_eq!(error.location(), Some(("app/01_x.sql", 5, 8)), "{error:?}");
    filled(&script.replace("nothing", "1")).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(value::<bool>(&mut client, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass"));
    let changed = "SELECT indrelid = '\"a table\"'::regclass FROM pg_index WHERE indexrelid = 'i'::regclass";
    assert!(value::<bool>(&mut client, changed));
}
