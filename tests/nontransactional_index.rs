//! Indexes that are built concurrently: R03, R04, R16.

mod support;

use std::time::{Duration, Instant};

use habitat_migrate::testing::Database;
use habitat_migrate::{Error, ErrorKind, Event, Migrator, Report};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, leftovers, migrate_and_print, program, value, wait_for};

const BASE: (&str, &str) = ("01_items.sql", "CREATE TABLE items (id int, name text);");

/// A catalog whose second migration runs without a transaction.
fn migrator(script: &str) -> Migrator {
    let script = format!("-- habitat: transaction none\n{script}");
    Migrator::new(catalog("app", [BASE, ("02_index.sql", &script)]))
}

fn indexes(client: &mut Client) -> String {
    let query = "SELECT coalesce(string_agg(c.relname || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END, ', ' ORDER BY c.relname), '') \
         FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid \
         WHERE t.relname ILIKE 'items%'";
    value(client, query)
}

/// A database with the table, and a row twice, which a unique index cannot have.
fn with_duplicates() -> (Database, Client) {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(catalog("app", [BASE])).migrate(&mut client).unwrap();
    client.batch_execute("INSERT INTO items VALUES (1, 'a'), (1, 'b')").unwrap();
    (database, client)
}

#[test]
fn r16_the_invalid_index_of_a_statement_that_failed_is_dropped_and_no_other() {
    let cases = [
        "CREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id);",
        "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS \"items_id\" ON public.ITEMS (id);",
        "CREATE UNIQUE INDEX CONCURRENTLY ON items (id);",
        "SET search_path = nowhere, public;\nCREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id);",
    ];
    for script in cases {
        let (_database, mut client) = with_duplicates();
        // Somebody else's, of another name, on the same table.
        client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY items_other ON items (id)").unwrap_err();
        let (tell, told) = std::sync::mpsc::channel();
        let migrator = migrator(script).on_event(move |event| {
            if let Event::InvalidIndexDropped { index, .. } = event {
                let _ = tell.send(index.clone());
            }
        });
        for _ in 0..2 {
            let error = migrator.migrate(&mut client).unwrap_err();
            assert_eq!(error.server_error().unwrap().code, "23505", "{error:?}");
            assert_eq!(leftovers(&mut client), (0, 0));
        }
        let name = if script.contains("items_id") { "items_id" } else { "items_id_idx" };
        assert_eq!(indexes(&mut client), format!("{name} invalid, items_other invalid"), "{script}");
        client.batch_execute("DELETE FROM items WHERE name = 'b'").unwrap();
        migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{script}: {error:?}"));
        assert_eq!(indexes(&mut client), format!("{name}, items_other invalid"), "{script}");
        let dropped: Vec<String> = told.try_iter().collect();
        assert_eq!(dropped, vec![format!("\"public\".\"{name}\""); 2], "by the second run and by the third");
        assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    }
}

#[test]
fn r16_the_invalid_index_goes_although_the_statement_is_another_one_now() {
    let (_database, mut client) = with_duplicates();
    migrator("CREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id);").migrate(&mut client).unwrap_err();
    assert_eq!(indexes(&mut client), "items_id invalid");
    migrator("CREATE INDEX CONCURRENTLY items_plain ON items (id);").migrate(&mut client).unwrap();
    assert_eq!(indexes(&mut client), "items_plain");
}

#[test]
fn r16_an_invalid_index_that_was_there_before_is_named_and_stays() {
    let (_database, mut client) = with_duplicates();
    client.batch_execute("CREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id)").unwrap_err();
    client.batch_execute("DELETE FROM items WHERE name = 'b'").unwrap();
    let migrator =
        migrator("SELECT 1;\nCREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS items_id ON items (id);");
    for _ in 0..2 {
        let error = migrator.migrate(&mut client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Migration, "{error:?}");
        assert_eq!(error.location(), Some(("app/02_index.sql", 3, 1)));
        let text = format!("{error:?}");
        assert!(text.contains("\"public\".\"items_id\" is invalid since before its statement"), "{text}");
        assert_eq!(indexes(&mut client), "items_id invalid");
        assert_eq!(leftovers(&mut client), (0, 0));
    }
    client.batch_execute("DROP INDEX items_id").unwrap();
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(indexes(&mut client), "items_id");
}

#[test]
fn child_migrates() {
    in_child(|url| {
        let script = std::env::var("HABITAT_CHILD_SCRIPT").expect("a script");
        migrate_and_print(url, &migrator(&script));
    });
}

/// Lets a process begin the statement, which waits for a transaction that holds a snapshot, and kills it.
fn killed_in_the_middle(database: &Database, script: &str) {
    let mut blocker = database.connect().unwrap();
    let mut open = blocker
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .start()
        .unwrap();
    open.batch_execute("SELECT count(*) FROM items").unwrap();
    let mut admin = database.connect().unwrap();
    let mut child = program("child_migrates", &database.url()).with("HABITAT_CHILD_SCRIPT", script).start();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'virtualxid' \
         AND query ~ 'CONCURRENTLY'";
    wait_for("the statement to wait", || value::<i64>(&mut admin, waits) > 0);
    child.kill().unwrap();
    child.wait().unwrap();
    // The server looks after its client, and ends.
    wait_for("the end of the killed one's session", || value::<i64>(&mut admin, waits) == 0);
    wait_for("the lock", || leftovers(&mut admin).0 == 0);
    open.rollback().unwrap();
}

#[test]
fn r16_killed_in_the_middle_the_next_run_builds_it_anew() {
    for (script, name) in [
        ("CREATE INDEX CONCURRENTLY items_id ON items (id);", "items_id"),
        ("CREATE INDEX CONCURRENTLY IF NOT EXISTS items_id ON items (id);", "items_id"),
        ("CREATE INDEX CONCURRENTLY ON items (id);", "items_id_idx"),
    ] {
        let (database, mut client) = with_duplicates();
        killed_in_the_middle(&database, script);
        assert_eq!(indexes(&mut client), format!("{name} invalid"));
        let status = migrator(script).status(&mut client).unwrap();
        assert!(
            status.entries().iter().any(|entry| *entry.stage() == habitat_migrate::Stage::HalfDone),
            "{status}"
        );
        assert!(!status.is_current() && status.to_string().contains("half done"), "{status}");
        let report = migrator(script).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.applied().len(), 1);
        assert_eq!(indexes(&mut client), name);
    }
}

#[test]
fn r16_what_a_killed_reindex_leaves_is_dropped() {
    for script in [
        "REINDEX INDEX CONCURRENTLY items_id;",
        "REINDEX (CONCURRENTLY) TABLE items;",
        "REINDEX SCHEMA CONCURRENTLY public;",
    ] {
        let (database, mut client) = with_duplicates();
        client.batch_execute("CREATE INDEX items_id ON items (id)").unwrap();
        killed_in_the_middle(&database, script);
        let invalid = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
             WHERE NOT indisvalid AND relname LIKE '%\\_ccnew'";
        assert!(value::<i64>(&mut client, invalid) > 0, "{script}");
        migrator(script).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(value::<i64>(&mut client, invalid), 0, "{script}");
        assert_eq!(indexes(&mut client), "items_id", "{script}");
    }
}

#[test]
fn r16_an_index_that_the_server_completed_unseen_is_not_built_again() {
    let (_database, mut client) = with_duplicates();
    let script = "CREATE UNIQUE INDEX CONCURRENTLY items_id ON items (id);\nCREATE TABLE two (id int);";
    migrator(script).migrate(&mut client).unwrap_err();
    // As the server would have done it, had the connection broken and the row not been there.
    client.batch_execute("DELETE FROM items WHERE name = 'b'; REINDEX INDEX items_id").unwrap();
    assert_eq!(indexes(&mut client), "items_id");
    let report = migrator(script).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied().len(), 1);
    assert!(value::<bool>(&mut client, "SELECT to_regclass('two') IS NOT NULL"));
}

#[test]
fn r14_a_concurrent_index_that_met_a_lock_is_built_again() {
    let (database, mut admin) = with_duplicates();
    let mut blocker = database.connect().unwrap();
    let mut open = blocker
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .start()
        .unwrap();
    open.batch_execute("SELECT count(*) FROM items").unwrap();
    // A declared limit counts for it, too: it gives up, leaves an invalid index, and is tried again.
    let (tell, told) = std::sync::mpsc::channel();
    let script = "SET lock_timeout = '50ms';\nCREATE INDEX CONCURRENTLY items_id ON items (id);";
    let migrator = migrator(script).on_event(move |event| {
        if let Event::Retrying { attempt, .. } = event {
            let _ = tell.send(*attempt);
        }
    });
    let mut client = database.connect().unwrap();
    let worker = std::thread::spawn(move || migrator.migrate(&mut client));
    let first = told.recv();
    open.rollback().unwrap();
    worker.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(first, Ok(1));
    assert_eq!(indexes(&mut admin), "items_id");
}

fn joined(worker: std::thread::JoinHandle<Result<Report, Error>>) -> Report {
    worker.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"))
}

#[test]
fn r03_waiters_do_not_starve_a_concurrent_index() {
    let (database, mut admin) = with_duplicates();
    // The index waits for this transaction: meanwhile ten processes wait for the lock.
    let mut blocker = database.connect().unwrap();
    let mut open = blocker
        .build_transaction()
        .isolation_level(postgres::IsolationLevel::RepeatableRead)
        .start()
        .unwrap();
    open.batch_execute("SELECT count(*) FROM items").unwrap();
    let script = "CREATE INDEX CONCURRENTLY items_id ON items (id);";
    let start = |name: &str| {
        let mut client = database.config().application_name(name).connect(NoTls).unwrap();
        let migrator = migrator(script);
        std::thread::spawn(move || migrator.migrate(&mut client))
    };
    let worker = start("worker");
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'worker' AND wait_event = 'virtualxid'";
    wait_for("the index", || value::<i64>(&mut admin, waits) > 0);
    let waiters: Vec<_> = (0..10).map(|_| start("waiter")).collect();
    let idle = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'waiter' AND state = 'idle' AND query ~ 'holder'";
    wait_for("all waiters", || value::<i64>(&mut admin, idle) >= 8);
    // r04: looked at many times, no session of ours but the worker's has a snapshot for longer than a look at the lock takes.
    let stuck = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'waiter' \
         AND (backend_xmin IS NOT NULL AND query_start < clock_timestamp() - interval '1 second' \
         OR state = 'idle in transaction' AND backend_xmin IS NOT NULL)";
    for _ in 0..200 {
        assert_eq!(value::<i64>(&mut admin, stuck), 0);
    }
    let began = Instant::now();
    open.rollback().unwrap();
    assert_eq!(joined(worker).applied().len(), 1);
    let built = began.elapsed();
    assert!(built < Duration::from_secs(5), "the index waited for somebody: {built:?}");
    for waiter in waiters {
        let report = joined(waiter);
        assert!(report.applied().is_empty(), "{report}");
        assert!(report.waited() > Duration::ZERO);
    }
    assert_eq!(indexes(&mut admin), "items_id");
    assert_eq!(leftovers(&mut admin), (0, 0));
}

#[test]
fn r04_no_transaction_of_ours_is_open_while_a_statement_runs() {
    let database = database();
    let mut client = database.connect().unwrap();
    // Seen by the statement itself, behind a transactional migration and in front of one.
    let script = "-- habitat: transaction none\n\
        CREATE TABLE seen AS SELECT pid, backend_xmin::text AS snapshot, pid = pg_backend_pid() AS worker, \
        now() = statement_timestamp() AS alone FROM pg_stat_activity WHERE datname = current_database();";
    let after = ("03_after.sql", "CREATE TABLE after (id int)");
    let report =
        Migrator::new(catalog("app", [BASE, ("02_seen.sql", script), after])).migrate(&mut client).unwrap();
    assert_eq!(report.applied().len(), 3);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM seen WHERE worker AND alone"), 1);
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM seen WHERE NOT worker AND snapshot IS NOT NULL"),
        0
    );
}
