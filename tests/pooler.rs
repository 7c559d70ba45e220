//! Behind PgBouncer in transaction mode: R02.
#![cfg(unix)]

mod support;

use std::time::Duration;

use habitat_migrate::testing::{PgBouncer, PoolMode, Server};
use habitat_migrate::{Error, ErrorKind, Migrator, Report};
use postgres::{Client, NoTls};
use support::{catalog, in_child, leftovers, migrate_and_print, numbered, program, value};
use tokio_postgres::Socket;
use tokio_postgres::tls::{MakeTlsConnect, NoTlsStream, TlsConnect};

const COUNT: usize = 40;

/// A PgBouncer in front of the suite's server.
fn pooler(mode: PoolMode) -> PgBouncer {
    let server = Server::shared().expect("a server");
    PgBouncer::builder(server).pool_mode(mode).start().expect("a pooler")
}

fn concurrent() -> Migrator {
    let index = "-- habitat: transaction none\nCREATE INDEX CONCURRENTLY i ON one (id);";
    Migrator::new(catalog("app", [("01_one.sql", "CREATE TABLE one (id int)"), ("02_index.sql", index)]))
}

/// What both clients make of the catalog with the concurrent index.
fn with_each_client(url: &str, migrator: &Migrator) -> Vec<Result<Report, Error>> {
    let blocking = migrator.migrate(&mut Client::connect(url, NoTls).expect("a connection"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asynchronous = runtime.block_on(async {
        let (mut client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        migrator.migrate(&mut client).await
    });
    vec![blocking, asynchronous]
}

#[test]
fn child_migrates() {
    in_child(|url| migrate_and_print(url, &Migrator::new(numbered(COUNT))));
}

#[test]
fn child_is_refused() {
    in_child(|url| {
        for outcome in with_each_client(url, &concurrent()) {
            let error = outcome.expect_err("it is refused");
            assert_eq!(error.kind(), ErrorKind::Pooler, "{error:?}");
        }
        println!("refused");
    });
}

/// Runs eight processes of a test, and gives what they print.
fn eight(test: &'static str, url: &str) -> Vec<String> {
    let program = program(test, url);
    let children: Vec<_> = (0..8).map(|_| program.start()).collect();
    let outputs = children.into_iter().map(|child| child.wait_with_output().expect("an output"));
    outputs
        .map(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
            text
        })
        .collect()
}

#[test]
fn r02_transactional_migrations_are_applied_once_through_a_pooler() {
    let pooler = pooler(PoolMode::Transaction);
    let database = support::database();
    let printed = eight("child_migrates", &pooler.url_of(&database));
    let count = |text: &String| {
        let (_, rest) = text.split_once("applied ").expect("a count");
        rest.lines().next().and_then(|count| count.trim().parse::<usize>().ok()).expect("a number")
    };
    assert_eq!(printed.iter().map(count).sum::<usize>(), COUNT, "together they applied each migration once");
    let mut client = database.connect().unwrap();
    let rows = "SELECT count(*) FROM schema_migrations WHERE state = 'applied'";
    assert_eq!(value::<i64>(&mut client, rows), COUNT as i64);
    assert_eq!(leftovers(&mut client), (0, 0));
}

#[test]
fn r02_one_without_a_transaction_is_refused_through_a_pooler_before_any_write() {
    let pooler = pooler(PoolMode::Transaction);
    let database = support::database();
    for text in eight("child_is_refused", &pooler.url_of(&database)) {
        assert!(text.contains("refused"), "{text}");
    }
    let mut client = database.connect().unwrap();
    let written = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(value::<i64>(&mut client, written), 0, "nothing was written");
    assert_eq!(leftovers(&mut client), (0, 0));
    // The error names the address at which the server itself is found.
    let error = with_each_client(&pooler.url_of(&database), &concurrent()).remove(0).unwrap_err();
    let server = Server::shared().unwrap();
    let address = format!("host={} port={}", server.socket_dir().unwrap().display(), server.port());
    assert!(format!("{error:?}").replace("\n    ", " ").contains(&address), "{error:?}");
    // There it works, whichever the client.
    for outcome in with_each_client(&database.url(), &concurrent()) {
        outcome.unwrap_or_else(|error| panic!("{error:?}"));
    }
}

/// A connector that could speak TLS, so that the driver asks for it; the servers here have none.
#[derive(Clone)]
struct Willing;

impl MakeTlsConnect<Socket> for Willing {
    type Stream = NoTlsStream;
    type TlsConnect = Self;
    type Error = std::io::Error;

    fn make_tls_connect(&mut self, _: &str) -> std::io::Result<Self> {
        Ok(self.clone())
    }
}

impl<S> TlsConnect<S> for Willing {
    type Stream = NoTlsStream;
    type Error = std::io::Error;
    type Future = std::future::Ready<std::io::Result<NoTlsStream>>;

    fn connect(self, _: S) -> Self::Future {
        std::future::ready(Err(std::io::Error::other("not here")))
    }
}

#[test]
fn r02_a_driver_that_may_speak_tls_is_told_of_the_same_process() {
    let database = support::database();
    let pooler = pooler(PoolMode::Transaction);
    let migrate = |url: String| {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut config: tokio_postgres::Config = url.parse().unwrap();
            config.ssl_mode(tokio_postgres::config::SslMode::Prefer);
            let (mut client, connection) = config.connect(Willing).await.unwrap();
            tokio::spawn(connection);
            // What the blocking driver goes by must not be what helps.
            client.batch_execute("SET client_encoding = 'UTF8'").await.unwrap();
            concurrent().migrate(&mut client).await
        })
    };
    let error = migrate(pooler.url_of(&database)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Pooler, "{error:?}");
    migrate(database.url()).unwrap_or_else(|error| panic!("{error:?}"));
}

#[test]
fn a_pooler_in_session_mode_is_taken_at_the_callers_word() {
    let pooler = pooler(PoolMode::Session);
    let database = support::database();
    for outcome in with_each_client(&pooler.url_of(&database), &concurrent()) {
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Pooler, "nobody said so");
    }
    for outcome in with_each_client(&pooler.url_of(&database), &concurrent().assume_session()) {
        outcome.unwrap_or_else(|error| panic!("{error:?}"));
    }
    assert_eq!(leftovers(&mut database.connect().unwrap()), (0, 0));
}

#[test]
fn what_the_caller_has_set_for_itself_is_no_sign_of_a_pooler() {
    let database = support::database();
    let mut client = database.connect().unwrap();
    client
        .batch_execute("SET application_name = 'x'; SET client_encoding = 'UTF8'; RESET client_encoding")
        .unwrap();
    client.batch_execute("DISCARD ALL").unwrap();
    concurrent().lock_wait(Duration::ZERO).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
}

#[test]
fn child_wants_a_database_for_a_test() {
    in_child(|_| match habitat_migrate::testing::TestDatabase::create(&numbered(2)) {
        Ok(database) => println!("given {}", database.connect().map(|_| "one").expect("a connection")),
        Err(error) => println!("refused {error}"),
    });
}

#[test]
fn a_test_is_told_of_a_pooler_that_changes_sessions_and_takes_one_that_does_not() {
    for (mode, answer) in [
        (PoolMode::Transaction, "refused between the tests and their server stands a pooler"),
        (PoolMode::Session, "given one"),
    ] {
        let pooler = pooler(mode);
        let url = pooler.url();
        let output =
            program("child_wants_a_database_for_a_test", &url).with("HABITAT_TEST_DATABASE_URL", &url).run();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(answer), "{mode:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    }
}
