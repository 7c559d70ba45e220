//! The session of a migration without a transaction, and a client that dies: R06, R10, R44.

mod support;

use std::time::{Duration, Instant};

use habitat_migrate::{Migrator, testing::Database};
use habitat_wire::{Action, Direction, Proxy, Target};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, leftovers, migrate_and_print, program, value};

/// Everything that a script may leave set in its session, as far as the server tells, and who it is.
const STATE: &str = "SELECT string_agg(name || '=' || setting, E'\\n' ORDER BY name) || E'\\n' || current_user || ' ' || session_user \
     || ' ' || current_setting('role') FROM pg_settings WHERE context IN ('user', 'superuser') \
     AND name NOT LIKE 'transaction\\_%' AND name NOT LIKE '%.%'";

fn none(text: &str) -> Migrator {
    let script = format!("-- habitat: transaction none\n{text}");
    Migrator::new(catalog("app", [("01_base.sql", "CREATE TABLE base (id int)"), ("02_x.sql", &script)]))
}

/// A session in which the caller has set some things for itself.
fn caller(database: &Database) -> Client {
    let mut client = database.connect().unwrap();
    client
        .batch_execute("SET application_name = 'caller'; SET search_path = public, pg_catalog; SET statement_timeout = '1min'")
        .unwrap();
    client
}

const UNTIDY: &str = "SET search_path = nowhere;\nSET lock_timeout = '6s';\n\
    SET session_replication_role = replica;\nSET standard_conforming_strings = off;\nCREATE TEMP TABLE t (id int);\nSET default_transaction_read_only = on;\n";

#[test]
fn r44_nothing_that_is_set_for_the_session_reaches_the_caller() {
    let cases = [
        ("", true),
        ("-- habitat: statement-timeout 30s\n-- habitat: lock-timeout 3s\n", true),
        ("SELECT 1 / 0;", false),
        ("SELEKT;", false),
        ("SELECT pg_advisory_unlock_all();\nSELECT 1;", false),
    ];
    for (more, succeeds) in cases {
        let database = database();
        let mut client = caller(&database);
        let before: String = value(&mut client, STATE);
        let text = if more.starts_with("--") { format!("{more}{UNTIDY}") } else { format!("{UNTIDY}{more}") };
        let outcome = none(&text).migrate(&mut client);
        assert_eq!(outcome.is_ok(), succeeds, "{more}: {outcome:?}");
        assert_eq!(value::<String>(&mut client, STATE), before, "{more}");
        assert!(value::<bool>(&mut client, "SELECT to_regclass('pg_temp.t') IS NULL"));
        assert_eq!(leftovers(&mut client), (0, 0));
    }
}

#[test]
fn the_role_of_a_script_is_taken_on_for_its_statements_alone() {
    let database = database();
    let mut client = caller(&database);
    let role = format!("builder_{}", database.name());
    client.batch_execute(&format!("CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role}")).unwrap();
    let before: String = value(&mut client, STATE);
    let text = format!(
        "-- habitat: role {role}\nCREATE TABLE one (id int);\nCREATE INDEX CONCURRENTLY i ON one (id);\nSELECT nothing;"
    );
    none(&text).migrate(&mut client).unwrap_err();
    assert_eq!(value::<String>(&mut client, STATE), before);
    let mended = text.replace("SELECT nothing", "CREATE TABLE two (id int)");
    none(&mended).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value::<String>(&mut client, STATE), before);
    let owners = "SELECT string_agg(tableowner, ' ') FROM pg_tables WHERE tablename IN ('one', 'two')";
    assert_eq!(value::<String>(&mut client, owners), format!("{role} {role}"));
    let ours = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE tablename LIKE 'schema_migrations%'";
    assert_eq!(value::<String>(&mut client, ours), "postgres");
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
    let unknown = none("-- habitat: role nobody_at_all\nSELECT 1;").migrate(&mut database.connect().unwrap());
    assert!(unknown.is_err());
}

#[test]
fn what_the_script_sets_is_set_again_where_a_later_run_goes_on() {
    let database = database();
    let mut client = caller(&database);
    let text = "CREATE SCHEMA store;\nSET search_path = store;\nCREATE TABLE one (id int);\nSELECT nothing;\nCREATE TABLE two (id int);";
    none(text).migrate(&mut client).unwrap_err();
    none(&text.replace("nothing", "1")).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(value::<bool>(&mut client, "SELECT to_regclass('store.two') IS NOT NULL"));
}

#[test]
fn r06_the_future_is_dropped_at_every_await_point() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll};

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let text = format!("CREATE INDEX CONCURRENTLY i ON public.base (id);\n{UNTIDY}");
        let migrator = none(&text.replace("TEMP TABLE t", "TABLE public.t"));
        let mut finished = false;
        let mut polls = 0;
        while !finished {
            polls += 1;
            let database = tokio::task::spawn_blocking(database).await.unwrap();
            let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            {
                let mut future = pin!(migrator.migrate(&mut client));
                let mut left = polls;
                finished = std::future::poll_fn(|cx: &mut Context<'_>| {
                    let outcome = future.as_mut().poll(cx);
                    left -= 1;
                    match outcome {
                        Poll::Ready(outcome) => Poll::Ready(outcome.map(|_| true).unwrap()),
                        Poll::Pending if left == 0 => Poll::Ready(false),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await;
            }
            let state = "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) \
                 || ' ' || current_setting('search_path') || ' ' || current_setting('lock_timeout') || ' ' \
                 || current_setting('client_connection_check_interval') || ' ' || current_setting('default_transaction_read_only')";
            let row = client.query_one(state, &[]).await.unwrap();
            assert_eq!(row.get::<_, &str>(0), "0 \"$user\", public 0 0 off", "dropped at poll {polls}");
            let again = migrator.clone().lock_wait(Duration::ZERO).migrate(&mut client).await;
            // A statement that is not an index may have been carried out, unseen; that is told, and nothing is lost.
            match again {
                Ok(_) => {}
                Err(error) => {
                    assert_eq!(error.server_error().map(|e| e.code.as_str()), Some("42P07"), "poll {polls}: {error:?}");
                }
            }
        }
        assert!(polls > 20, "{polls}");
    });
}

/// The next boot brings the database to where it belongs, with no SQL by hand.
#[test]
fn r24_the_connection_is_cut_after_every_reply() {
    // Each statement may run twice, unless it is known to be done.
    let text =
        "CREATE TABLE IF NOT EXISTS one (id int);\nCREATE INDEX CONCURRENTLY i ON one (id);\nVACUUM one;";
    let server = habitat_migrate::testing::Server::shared().expect("a server");
    let dir = server.socket_dir().expect("these tests need a server of their own");
    let mut cut = 0;
    loop {
        cut += 1;
        let database = database();
        let proxy = Proxy::to(Target::unix(dir, server.port())).start().expect("a proxy");
        let mut client = Client::connect(&proxy.url(database.name(), "postgres"), NoTls).unwrap();
        proxy.reset();
        let seen = std::sync::atomic::AtomicUsize::new(0);
        proxy.on_message(move |message| {
            let ends = message.direction() == Direction::Backend && message.tag() == b'Z';
            let n = seen.fetch_add(usize::from(ends), std::sync::atomic::Ordering::SeqCst);
            if ends && n + 1 == cut { Action::CutBefore } else { Action::Forward }
        });
        let outcome = none(text).migrate(&mut client);
        drop(client);
        let mut client = database.connect().unwrap();
        let report = none(text).migrate(&mut client).unwrap_or_else(|error| panic!("reply {cut}: {error:?}"));
        assert!(none(text).migrate(&mut client).unwrap().is_unchanged(), "reply {cut}: {report}");
        let valid = "SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE relname = 'i' AND indisvalid";
        assert_eq!(value::<i64>(&mut client, valid), 1, "reply {cut}");
        assert_eq!(leftovers(&mut client), (0, 0), "reply {cut}");
        if outcome.is_ok() {
            break;
        }
    }
    assert!(cut > 12, "only {cut} replies");
}

#[test]
fn child_sleeps() {
    in_child(|url| {
        let script = std::env::var("HABITAT_CHILD_SCRIPT").expect("a script");
        let migrator = match std::env::var("HABITAT_CHILD_MODE").as_deref() {
            Ok("none") => none(&script),
            _ => Migrator::new(catalog("app", [("01_x.sql", script)])),
        };
        migrate_and_print(url, &migrator);
    });
}

#[test]
fn r10_a_client_that_is_killed_does_not_hold_the_lock() {
    for mode in ["none", "wrapped"] {
        let database = database();
        let mut admin = database.connect().unwrap();
        let mut child = program("child_sleeps", &database.url())
            .with("HABITAT_CHILD_SCRIPT", "SELECT pg_sleep(600);")
            .with("HABITAT_CHILD_MODE", mode)
            .start();
        let sleeps = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'";
        support::wait_for("the sleep", || value::<i64>(&mut admin, sleeps) > 0);
        assert!(leftovers(&mut admin).0 > 0, "the lock is held");
        child.kill().unwrap();
        child.wait().unwrap();
        let killed = Instant::now();
        while value::<i64>(&mut admin, sleeps) > 0 || leftovers(&mut admin) != (0, 0) {
            assert!(killed.elapsed() < Duration::from_secs(15), "{mode}: it still sleeps");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
