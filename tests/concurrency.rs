//! Many processes at once: R01, R08, R09, R11.

mod support;

use std::sync::Barrier;
use std::time::{Duration, Instant};

use habitat_migrate::{ErrorKind, Event, Migrator};
use support::{
    complaints, database, in_child, leftovers, migrate_and_print, numbered, own_server, program, value,
};

const SLOW: (&str, &str) = ("01_slow.sql", "CREATE TABLE slow (id int); SELECT pg_sleep(2);");

#[test]
fn child_boots() {
    in_child(|url| migrate_and_print(url, &Migrator::new(numbered(20))));
}

#[test]
fn r01_fifty_processes_boot_on_an_empty_database() {
    let server = own_server();
    let database = server.database().unwrap();
    let program = program("child_boots", &database.url());
    let children: Vec<_> = (0..50).map(|_| program.start()).collect();
    let mut applied = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        let count = out.lines().find_map(|line| line.split_once("applied ")).expect("a count").1;
        applied += count.trim().parse::<usize>().unwrap();
    }
    assert_eq!(applied, 20, "together they applied each migration once");
    let mut client = database.connect().unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 20);
    assert_eq!(value::<i64>(&mut client, "SELECT count(DISTINCT run_order) FROM schema_migrations"), 20);
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations_log WHERE event = 'apply'"),
        20
    );
    assert_eq!(leftovers(&mut client), (0, 0));
    assert_eq!(complaints(&server), Vec::<String>::new());
}

#[test]
fn r09_nothing_to_do_does_not_wait_for_the_lock() {
    let database = database();
    let mut client = database.connect().unwrap();
    let current = Migrator::new(numbered(3)).lock_wait(Duration::ZERO);
    current.migrate(&mut client).unwrap();
    // Another service of the same tracker is in the middle of a long migration.
    let url = database.url();
    let slow = std::thread::spawn(move || {
        migrate_and_print(&url, &Migrator::new(support::catalog("other", [SLOW])));
    });
    support::wait_for("the lock", || leftovers(&mut client).0 > 0);
    let started = Instant::now();
    assert!(current.migrate(&mut client).unwrap().is_unchanged());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
    assert!(leftovers(&mut client).0 > 0, "the other one still migrates");
    slow.join().unwrap();
}

#[test]
fn r11_two_trackers_in_one_database_do_not_wait_for_each_other() {
    let database = database();
    let mut client = database.connect().unwrap();
    let url = database.url();
    let slow = std::thread::spawn(move || {
        migrate_and_print(&url, &Migrator::new(support::catalog("billing", [SLOW])).schema("billing"));
    });
    support::wait_for("the lock", || leftovers(&mut client).0 > 0);
    let other = Migrator::new(numbered(2)).schema("order").lock_wait(Duration::ZERO);
    assert_eq!(other.migrate(&mut client).unwrap().applied().len(), 2);
    assert!(leftovers(&mut client).0 > 0, "the other one still migrates");
    slow.join().unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM billing.schema_migrations"), 1);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM \"order\".schema_migrations"), 2);
}

#[test]
fn r08_waiting_has_a_budget_and_tells_who_holds_the_lock() {
    let database = database();
    let mut client = database.connect().unwrap();
    let url = format!("{}?application_name=the-other-replica", database.url());
    let slow =
        std::thread::spawn(move || migrate_and_print(&url, &Migrator::new(support::catalog("app", [SLOW]))));
    support::wait_for("the lock", || leftovers(&mut client).0 > 0);
    let impatient = Migrator::new(support::catalog("app", [SLOW])).lock_wait(Duration::from_millis(200));
    let error = impatient.migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockTimeout);
    let text = error.to_string();
    assert!(text.contains("the-other-replica") && text.contains("process "), "{text}");
    slow.join().unwrap();
}

#[test]
fn r08_when_the_holder_is_done_the_history_is_read_again() {
    let database = database();
    let mut client = database.connect().unwrap();
    let url = database.url();
    let slow =
        std::thread::spawn(move || migrate_and_print(&url, &Migrator::new(support::catalog("app", [SLOW]))));
    support::wait_for("the lock", || leftovers(&mut client).0 > 0);
    let (tell, told) = std::sync::mpsc::channel();
    let patient = Migrator::new(support::catalog("app", [SLOW])).on_event(move |event| {
        if let Event::Waiting { holder, .. } = event {
            let _ = tell.send(holder.clone());
        }
    });
    let report = patient.migrate(&mut client).unwrap();
    assert!(report.is_unchanged(), "{report}");
    assert!(report.waited() > Duration::ZERO);
    assert!(told.recv().unwrap().is_some_and(|holder| holder.pid > 0));
    slow.join().unwrap();
}

/// What is there has to be looked at once the lock is held: a question that is asked along with the lock
/// was begun before the last holder was done, and then tells of a database from before.
#[test]
fn r08_what_the_last_holder_did_right_before_it_gave_the_lock_back_is_seen() {
    const ROUNDS: usize = 150;
    const AT_ONCE: usize = 12;
    let database = database();
    let start = Barrier::new(AT_ONCE);
    let applied: Vec<usize> = std::thread::scope(|scope| {
        let one = || {
            let mut client = database.connect().unwrap();
            let boot = |round: usize| {
                let script = ("01_table.sql", format!("CREATE TABLE table_{round} ();"));
                let migrator =
                    Migrator::new(support::catalog("app", [script])).schema(format!("round_{round}"));
                start.wait();
                migrator.lock_poll(Duration::from_millis(1)).migrate(&mut client)
            };
            let reports: Vec<_> = (0..ROUNDS).map(boot).collect();
            reports.into_iter().map(|report| report.unwrap().applied().len()).sum::<usize>()
        };
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(applied.iter().sum::<usize>(), ROUNDS, "each was applied once: {applied:?}");
}
