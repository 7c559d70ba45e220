//! The process dies, the connection is cut, the future is dropped: R06, R24, R25, R26.

mod support;

use std::time::Duration;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Connector, ErrorKind, Event, Migrator};
use habitat_wire::{Cut, Direction, Proxy, Target};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, leftovers, migrate_and_print, numbered, program, value};

/// Few enough to be quick, enough for several messages.
const COUNT: usize = 18;

fn proxy() -> Proxy {
    let server = Server::shared().expect("a server");
    let dir = server.socket_dir().expect("these tests need a server of their own");
    Proxy::to(Target::unix(dir, server.port())).start().expect("a proxy")
}

/// The next boot brings the database to where it belongs, with no SQL by hand.
fn assert_converges(database: &Database, what: &str) {
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(numbered(COUNT));
    let report = migrator.migrate(&mut client).unwrap_or_else(|error| panic!("after {what}: {error:?}"));
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged(), "after {what}: {report}");
    let rows = "SELECT count(*) FROM schema_migrations WHERE state = 'applied'";
    assert_eq!(value::<i64>(&mut client, rows), COUNT as i64, "after {what}");
    let tables = "SELECT count(*) FROM pg_tables WHERE tablename ~ '^t[0-9]+$'";
    assert_eq!(value::<i64>(&mut client, tables), COUNT as i64, "after {what}");
    assert_eq!(leftovers(&mut client), (0, 0), "after {what}");
}

/// Runs once with a cut armed; false where the run came to its end without it.
fn cut_once(cut: Cut, what: &str) -> bool {
    let database = database();
    let proxy = proxy();
    let mut client = Client::connect(&proxy.url(database.name(), "postgres"), NoTls).expect("a connection");
    proxy.reset();
    proxy.cut_at(cut);
    let outcome = Migrator::new(numbered(COUNT)).migrate(&mut client);
    let fired = proxy.cut_fired();
    drop(client);
    if let Err(error) = outcome {
        assert_eq!(error.kind(), ErrorKind::ConnectionLost, "{what}: {error:?}");
        assert!(fired, "{what}: {error:?}");
    }
    assert_converges(&database, what);
    fired
}

#[test]
fn r24_the_socket_is_cut_at_every_message_to_the_server() {
    let mut messages = 0;
    for message in 1.. {
        let before = cut_once(Cut::before(Direction::Frontend, message), "a cut before a query");
        let after = cut_once(Cut::after(Direction::Frontend, message), "a cut after a query");
        if !before && !after {
            break;
        }
        messages += 1;
    }
    assert!(messages >= 4, "only {messages} messages went out");
}

#[test]
fn r24_the_socket_is_cut_at_every_message_from_the_server() {
    let mut messages = 0;
    for message in 1.. {
        if !cut_once(Cut::after(Direction::Backend, message), &format!("reply {message}")) {
            break;
        }
        messages += 1;
    }
    assert!(messages >= 100, "only {messages} messages came back");
}

#[test]
fn child_boots() {
    in_child(|url| migrate_and_print(url, &Migrator::new(numbered(COUNT))));
}

#[test]
fn r24_the_process_is_killed_after_every_message_to_the_server() {
    let mut killed = 0;
    for message in 1.. {
        let database = database();
        let proxy = proxy();
        let (tell, told) = std::sync::mpsc::channel();
        proxy.on_message(move |seen| {
            // The start-up is over when the first query goes out.
            if seen.direction() == Direction::Frontend && seen.tag() == b'Q' {
                let _ = tell.send(());
            }
            habitat_wire::Action::Forward
        });
        let mut child = program("child_boots", &proxy.url(database.name(), "postgres")).start();
        let reached =
            (0..message).all(|_| told.recv_timeout(Duration::from_secs(10)).is_ok() || is_over(&mut child));
        let over = is_over(&mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(proxy);
        assert_converges(&database, &format!("query {message} (kill -9)"));
        if over || !reached {
            break;
        }
        killed += 1;
        if killed > 20 {
            break;
        }
    }
    assert!(killed >= 3, "killed {killed} times only");
}

fn is_over(child: &mut std::process::Child) -> bool {
    child.try_wait().unwrap().is_some()
}

#[test]
fn r25_the_reply_to_commit_is_lost() {
    let database = database();
    let proxy = proxy();
    let mut client = Client::connect(&proxy.url(database.name(), "postgres"), NoTls).unwrap();
    proxy.reset();
    // The last message of the run is carried out by the server, and its reply never arrives.
    proxy.on_message(|seen| {
        let releases = seen.direction() == Direction::Backend && seen.contains("COMMIT");
        if releases { habitat_wire::Action::CutBefore } else { habitat_wire::Action::Forward }
    });
    let error = Migrator::new(numbered(1)).migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionLost);
    let mut client = database.connect().unwrap();
    support::wait_for("the commit", || {
        client.query_opt("SELECT FROM pg_tables WHERE tablename = 't1'", &[]).unwrap().is_some()
    });
    let report = Migrator::new(numbered(1)).migrate(&mut client).unwrap();
    assert!(report.is_unchanged(), "it found out that it was committed: {report}");
    assert_eq!(leftovers(&mut client), (0, 0));
}

#[test]
fn r25_a_run_by_connection_string_finds_out_by_itself() {
    for message in [1, 5, 30, 60, 120] {
        let database = database();
        let proxy = proxy();
        let connector = Connector::new(&proxy.url(database.name(), "postgres")).unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let migrator = Migrator::new(numbered(COUNT)).on_event(move |event| {
            if let Event::Reconnecting = event {
                let _ = tell.send(());
            }
        });
        proxy.reset();
        proxy.cut_at(Cut::after(Direction::Backend, message));
        let report = migrator.migrate_with_blocking(&connector).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(proxy.cut_fired() && told.try_recv().is_ok(), "reply {message}");
        assert_eq!(report.applied().len() + report.already_applied(), COUNT, "reply {message}: {report}");
        assert_converges(&database, "a cut that was survived");
    }
}

#[tokio::test]
async fn r25_an_async_run_by_connection_string_finds_out_by_itself() {
    let database = database();
    let proxy = proxy();
    let connector = Connector::new(&proxy.url(database.name(), "postgres")).unwrap();
    proxy.cut_at(Cut::after(Direction::Backend, 60));
    let migrator = Migrator::new(numbered(COUNT));
    let report = tokio::spawn(async move { migrator.migrate_with(&connector).await }).await.unwrap().unwrap();
    assert!(proxy.cut_fired(), "{report}");
    tokio::task::spawn_blocking(move || assert_converges(&database, "a cut that was survived"))
        .await
        .unwrap();
}

#[test]
fn r06_after_a_failure_nothing_is_left_on_the_callers_connection() {
    let database = database();
    let mut client = database.connect().unwrap();
    let broken = [("01_t1.sql", "CREATE TABLE t1 (id int);"), ("02_broken.sql", "SELECT 1 / 0;")];
    let migrator = Migrator::new(catalog("app", broken));
    assert_eq!(migrator.migrate(&mut client).unwrap_err().kind(), ErrorKind::Migration);
    let mut other = database.connect().unwrap();
    assert_eq!(leftovers(&mut other), (0, 0));
    client.batch_execute("CREATE TABLE mine (id int)").unwrap();
    // A second run does not block, on this connection or on another.
    for client in [&mut client, &mut other] {
        let again = migrator.clone().lock_wait(Duration::ZERO).migrate(client).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Migration, "{again:?}");
    }
}

#[test]
fn r06_the_future_is_dropped_at_every_await_point() {
    use std::future::Future;
    use std::pin::pin;
    use std::task::Context;

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut finished = false;
        for polls in 1.. {
            let database = tokio::task::spawn_blocking(database).await.unwrap();
            let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            let migrator = Migrator::new(numbered(COUNT));
            {
                let mut future = pin!(migrator.migrate(&mut client));
                let mut left = polls;
                // Each wake-up is an await point that came to its end.
                finished = std::future::poll_fn(|cx: &mut Context<'_>| {
                    let outcome = future.as_mut().poll(cx);
                    left -= 1;
                    match outcome {
                        std::task::Poll::Ready(_) => std::task::Poll::Ready(true),
                        std::task::Poll::Pending if left == 0 => std::task::Poll::Ready(false),
                        std::task::Poll::Pending => std::task::Poll::Pending,
                    }
                })
                .await;
            }
            // The same connection is usable, outside of any transaction, and holds no lock.
            let state = "SELECT (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()) \
                         || ' locks, ' || CASE WHEN now() = statement_timestamp() THEN 'no' ELSE 'a' END || ' transaction'";
            let state = client.simple_query(state).await.unwrap();
            let row = state.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0),
                _ => None,
            });
            assert_eq!(row, Some("0 locks, no transaction"), "dropped at poll {polls}");
            let again = Migrator::new(numbered(COUNT)).lock_wait(Duration::ZERO).migrate(&mut client).await;
            again.unwrap_or_else(|error| panic!("dropped at poll {polls}: {error:?}"));
            tokio::task::spawn_blocking(move || assert_converges(&database, "a drop")).await.unwrap();
            if finished {
                break;
            }
        }
        assert!(finished);
    });
}
