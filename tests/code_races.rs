//! Functions as migrations when something comes in between: other processes, locks, panics, dropped futures, lost connections.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, CodeMigration, Connector, ErrorKind, Event, Migrator, migration};
use habitat_wire::{Action, Cut, Direction, Proxy, Target};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, leftovers, program, value};

const INSERT: &str = "INSERT INTO done (what) VALUES ('code'); SELECT pg_sleep(0.05);";

#[migration(version = "02_code")]
fn blocking(tx: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
    tx.batch_execute(INSERT)
}

#[migration(version = "02_code")]
async fn asynchronous(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    tx.batch_execute("SELECT 1").await?;
    tx.query("SELECT $1::int8", &[&1_i64]).await?;
    tx.batch_execute(INSERT).await
}

#[migration(version = "02_code")]
fn panics(tx: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
    tx.batch_execute(INSERT)?;
    panic!("this program is wrong");
}

#[migration(version = "02_code")]
async fn panics_later(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    tx.batch_execute(INSERT).await?;
    panic!("this program is wrong");
}

/// Asks the server what this session holds; the answer is in the error.
#[migration(version = "02_code")]
fn tells_its_locks(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    let mut count = || -> i64 {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
        tx.query_one(sql, &[]).expect("an answer").get(0)
    };
    let inside = count();
    tx.batch_execute("ROLLBACK").expect("an end");
    let mut count = || -> i64 {
        let sql = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()";
        tx.query_one(sql, &[]).expect("an answer").get(0)
    };
    Err(format!("{inside} inside, {} behind", count()))
}

/// A script, a function and another script.
fn around(function: CodeMigration) -> Migrator {
    let scripts = [
        ("01_done.sql", "CREATE TABLE done (n int GENERATED ALWAYS AS IDENTITY, what text);"),
        ("03_last.sql", "INSERT INTO done (what) VALUES ('last');"),
    ];
    let catalog: Catalog = catalog("app", scripts);
    Migrator::new(catalog.with_code([function]).unwrap_or_else(|problems| panic!("{}", problems.render())))
}

fn what(admin: &mut Client) -> String {
    value(admin, "SELECT coalesce(string_agg(what, ', ' ORDER BY n), '') FROM done")
}

fn proxy() -> Proxy {
    let server = Server::shared().expect("a server");
    let dir = server.socket_dir().expect("these tests need a server of their own");
    Proxy::to(Target::unix(dir, server.port())).start().expect("a proxy")
}

fn assert_converges(database: &Database, what_happened: &str) {
    let mut client = database.connect().unwrap();
    let migrator = around(blocking).lock_wait(Duration::from_secs(5));
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("after {what_happened}: {error:?}"));
    assert_eq!(what(&mut client), "code, last", "after {what_happened}");
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"),
        3,
        "after {what_happened}"
    );
    assert_eq!(leftovers(&mut client), (0, 0), "after {what_happened}");
}

#[test]
fn child_boots() {
    in_child(|url| support::migrate_and_print(url, &around(blocking)));
}

#[test]
fn r01_of_many_processes_one_calls_the_function() {
    let database = database();
    let program = program("child_boots", &database.url());
    let children: Vec<_> = (0..12).map(|_| program.start()).collect();
    let mut applied = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{out}{err}");
        let count = out.lines().find_map(|line| line.split_once("applied ")).expect("a count").1;
        applied += count.trim().parse::<usize>().unwrap();
    }
    assert_eq!(applied, 3, "together they applied each migration once");
    let mut client = database.connect().unwrap();
    assert_eq!(what(&mut client), "code, last");
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations_log WHERE event = 'apply'"),
        3
    );
    assert_eq!(leftovers(&mut client), (0, 0));
}

/// A proxy that does something when the first message with a text goes to the server.
struct Once {
    proxy: Proxy,
    /// How many such messages went out.
    times: Arc<AtomicUsize>,
    /// How often the function was called.
    calls: Arc<AtomicUsize>,
}

fn once_at(text: &'static str, act: impl Fn() + Send + Sync + 'static) -> Once {
    let once = Once { proxy: proxy(), times: Arc::default(), calls: Arc::default() };
    let (times, calls) = (once.times.clone(), once.calls.clone());
    once.proxy.on_message(move |seen| {
        let is_ours = |text| seen.direction() == Direction::Frontend && seen.contains(text);
        if is_ours(text) && times.fetch_add(1, Ordering::SeqCst) == 0 {
            act();
        }
        if is_ours("pg_sleep(0.05)") {
            calls.fetch_add(1, Ordering::SeqCst);
        }
        Action::Forward
    });
    once
}

impl Once {
    /// Migrates through it; how many were applied, and how often the function was called.
    fn migrate(&self, database: &Database) -> (habitat_migrate::Report, usize) {
        let mut client = Client::connect(&self.proxy.url(database.name(), "postgres"), NoTls).unwrap();
        let report = around(blocking).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(self.times.load(Ordering::SeqCst) > 0, "nothing came in between");
        (report, self.calls.load(Ordering::SeqCst))
    }
}

#[test]
fn another_process_that_comes_in_between_is_found_before_the_function_is_called() {
    let database = database();
    let url = database.url();
    let once = once_at("START TRANSACTION", move || {
        let mut other = Client::connect(&url, NoTls).unwrap();
        around(blocking)
            .lock_wait(Duration::ZERO)
            .migrate(&mut other)
            .unwrap_or_else(|error| panic!("{error:?}"));
    });
    let (report, calls) = once.migrate(&database);
    let applied: Vec<_> = report.applied().iter().map(|applied| applied.id().to_string()).collect();
    assert_eq!((applied.join(" "), report.already_applied()), ("app:01_done".to_owned(), 2));
    assert_eq!(calls, 0, "the other process has called it");
    assert_converges(&database, "another process");
}

#[test]
fn a_lock_that_another_process_takes_in_between_is_waited_for() {
    let database = database();
    let url = database.url();
    let once = once_at("START TRANSACTION", move || {
        let mut other = Client::connect(&url, NoTls).unwrap();
        // The key of the tracker in `public`, which never changes.
        other.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(2081980201992077390)").unwrap();
        std::thread::spawn(move || {
            other.batch_execute("SELECT pg_sleep(0.3); INSERT INTO done (what) VALUES ('other'); COMMIT")
        });
    });
    let (report, calls) = once.migrate(&database);
    assert!(report.waited() > Duration::from_millis(20), "{:?}", report.waited());
    assert_eq!((report.applied().len(), calls), (3, 1));
    let mut admin = database.connect().unwrap();
    assert_eq!(what(&mut admin), "other, code, last", "the function ran behind the other process");
    assert_eq!(leftovers(&mut admin), (0, 0));
}

#[test]
fn another_process_that_minds_no_lock_makes_the_function_leave_nothing() {
    let database = database();
    let url = database.url();
    let checksum = around(blocking).catalog().migrations()[1].checksum();
    // The function has run, and its record is not written yet.
    let once = once_at("'open' AS ", move || {
        let record = format!(
            "INSERT INTO schema_migrations (version, description, context, state, checksum, ordinal, follows, digest) \
             VALUES ('02_code', '', 'app', 'applied', '{checksum}', 2, 1, md5(''))"
        );
        let mut other = Client::connect(&url, NoTls).unwrap();
        other.batch_execute(&record).unwrap_or_else(|error| panic!("{error:?}"));
    });
    let (report, calls) = once.migrate(&database);
    assert_eq!((report.applied().len(), calls), (2, 1), "{report}");
    let mut admin = database.connect().unwrap();
    assert_eq!(what(&mut admin), "last", "what the function did went with its record");
    assert_eq!(leftovers(&mut admin), (0, 0));
}

#[test]
fn r02_only_the_transaction_has_the_lock() {
    let database = database();
    let error = around(tells_its_locks).migrate(&mut database.connect().unwrap()).unwrap_err();
    let source = std::error::Error::source(&error).expect("the function's error").to_string();
    assert_eq!(source, "1 inside, 0 behind");
}

#[test]
fn r13_a_function_that_waits_for_a_lock_in_vain_is_tried_again() {
    for with_async in [false, true] {
        let database = database();
        let mut admin = database.connect().unwrap();
        admin.batch_execute("CREATE TABLE done (n int GENERATED ALWAYS AS IDENTITY, what text)").unwrap();
        admin.batch_execute("BEGIN; LOCK TABLE done").unwrap();
        let (admin, attempts) = (Arc::new(Mutex::new(admin)), Arc::new(AtomicUsize::new(0)));
        let (holder, made) = (admin.clone(), attempts.clone());
        let migrator = |function| {
            let scripts = catalog("app", [("01_a.sql", "SELECT 1")]);
            let (holder, made) = (holder.clone(), made.clone());
            Migrator::new(scripts.with_code([function]).unwrap())
                .lock_timeout(Duration::from_millis(20))
                .on_event(move |event| {
                    if let Event::Retrying { attempt, error, migration, .. } = event {
                        assert_eq!(
                            (migration.to_string().as_str(), error.code.as_str()),
                            ("app:02_code", "55P03")
                        );
                        made.store(*attempt as usize, Ordering::SeqCst);
                        let holder = holder.clone();
                        // This client blocks, which nothing may do within a runtime.
                        let free = move || holder.lock().unwrap().batch_execute("ROLLBACK").unwrap();
                        if *attempt == 2 {
                            std::thread::spawn(free).join().unwrap();
                        }
                    }
                })
        };
        let report = if with_async {
            let migrator = migrator(asynchronous);
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
                tokio::spawn(connection);
                migrator.migrate(&mut client).await
            })
        } else {
            migrator(blocking).migrate(&mut database.connect().unwrap())
        };
        assert_eq!(report.unwrap_or_else(|error| panic!("{error:?}")).applied().len(), 2);
        assert_eq!(attempts.load(Ordering::SeqCst), 2);
        let mut admin = admin.lock().unwrap();
        assert_eq!(what(&mut admin), "code");
        admin.batch_execute("BEGIN; LOCK TABLE done").unwrap();
        // Without a budget the first attempt is the last one.
        #[migration(version = "03_more")]
        fn more(tx: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
            tx.batch_execute(INSERT)
        }
        let scripts = catalog("app", [("01_a.sql", "SELECT 1")]);
        let migrator = Migrator::new(scripts.with_code([blocking, more]).unwrap())
            .lock_timeout(Duration::from_millis(20))
            .retry_budget(Duration::ZERO);
        let error = migrator.migrate(&mut database.connect().unwrap()).unwrap_err();
        assert_eq!(error.server_error().unwrap().code, "55P03", "{error:?}");
        admin.batch_execute("ROLLBACK").unwrap();
        assert_eq!(leftovers(&mut admin), (0, 0));
    }
}

#[test]
fn a_panic_leaves_nothing_and_goes_on_to_the_caller() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = around(panics);
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| migrator.migrate(&mut client)));
    assert_eq!(panic.unwrap_err().downcast_ref::<&str>(), Some(&"this program is wrong"));
    assert_eq!(what(&mut client), "", "the same connection is usable, outside of any transaction");
    assert_eq!(leftovers(&mut client), (0, 0));
    assert_converges(&database, "a panic");
}

#[test]
fn a_panic_of_an_async_function_leaves_nothing_and_goes_on_to_the_caller() {
    let database = database();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = database.url();
    let count = runtime.block_on(async move {
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
        tokio::spawn(connection);
        let client = Arc::new(tokio::sync::Mutex::new(client));
        let theirs = client.clone();
        let run = tokio::spawn(async move { around(panics_later).migrate(&mut *theirs.lock().await).await });
        assert!(run.await.unwrap_err().is_panic());
        let client = client.lock().await;
        client.query_one("SELECT count(*) FROM done", &[]).await.unwrap().get::<_, i64>(0)
    });
    assert_eq!(count, 0, "the same connection is usable, outside of any transaction");
    assert_eq!(leftovers(&mut database.connect().unwrap()), (0, 0));
    assert_converges(&database, "a panic");
}

#[test]
fn r06_a_run_is_dropped_at_every_await_point_of_a_function() {
    use std::pin::pin;
    use std::task::Poll;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut finished = false;
        let mut polls = 0;
        while !finished {
            polls += 1;
            let database = tokio::task::spawn_blocking(database).await.unwrap();
            let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            let migrator = around(asynchronous);
            {
                let mut future = pin!(migrator.migrate(&mut client));
                let mut left = polls;
                // Each wake-up is an await point that came to its end.
                finished = std::future::poll_fn(|cx| {
                    let outcome = future.as_mut().poll(cx);
                    left -= 1;
                    match outcome {
                        Poll::Ready(_) => Poll::Ready(true),
                        Poll::Pending if left == 0 => Poll::Ready(false),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await;
            }
            let state = "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) \
                         || ' locks, ' || CASE WHEN now() = statement_timestamp() THEN 'no' ELSE 'a' END || ' transaction'";
            let state = client.simple_query(state).await.unwrap();
            let row = state.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            assert_eq!(row, Some("0 locks, no transaction"), "dropped at poll {polls}");
            tokio::task::spawn_blocking(move || assert_converges(&database, "a drop")).await.unwrap();
        }
        assert!(polls > 10, "only {polls} await points");
    });
}

#[test]
fn r24_the_socket_is_cut_at_every_message_around_a_function() {
    let mut messages = 0;
    for message in 1.. {
        let database = database();
        let proxy = proxy();
        let mut client = Client::connect(&proxy.url(database.name(), "postgres"), NoTls).unwrap();
        proxy.reset();
        proxy.cut_at(Cut::after(Direction::Frontend, message));
        let outcome = around(blocking).migrate(&mut client);
        let fired = proxy.cut_fired();
        drop(client);
        if let Err(error) = outcome {
            assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{error:?}");
        }
        assert_converges(&database, "a cut");
        if !fired {
            break;
        }
        messages += 1;
    }
    assert!(messages >= 10, "only {messages} messages went out");
}

#[tokio::test]
async fn r25_a_run_by_connection_string_connects_again_when_a_function_loses_its_connection() {
    let database = tokio::task::spawn_blocking(database).await.unwrap();
    let proxy = proxy();
    let connector = Connector::new(&proxy.url(database.name(), "postgres")).unwrap();
    let cut = Arc::new(AtomicUsize::new(0));
    let seen_cut = cut.clone();
    proxy.on_message(move |seen| {
        let inside = seen.direction() == Direction::Frontend && seen.contains("pg_sleep(0.05)");
        if inside && seen_cut.fetch_add(1, Ordering::SeqCst) == 0 {
            Action::CutBefore
        } else {
            Action::Forward
        }
    });
    let migrator = around(asynchronous);
    let report = migrator.migrate_with(&connector).await.unwrap_or_else(|error| panic!("{error:?}"));
    assert!(cut.load(Ordering::SeqCst) > 1, "it was cut, and came again");
    assert_eq!(report.applied().len(), 3, "{report}");
    tokio::task::spawn_blocking(move || assert_converges(&database, "a cut")).await.unwrap();
}
