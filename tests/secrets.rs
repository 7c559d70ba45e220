//! No error, no log line and no row of the tracker has a password: R47. Connection strings are another suite's.

mod support;

use std::error::Error as _;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Error, ErrorKind, Migrator};
use habitat_wire::{Action, Direction, Proxy, Target};
use postgres::{Client, Config, NoTls};
use support::{catalog, numbered};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const PASSWORD: &str = "Tr0ub4dor&3-correct-horse";

/// A server that asks everybody but `postgres` for a password, and a database that `app` owns.
fn locked() -> (Server, Database) {
    let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
    let server = Server::builder().file("pg_hba.conf", rules).start().expect("a server");
    let database = server.database().unwrap();
    let create = format!(
        "CREATE ROLE app LOGIN PASSWORD '{PASSWORD}'; CREATE ROLE other LOGIN PASSWORD '{PASSWORD}'; \
         ALTER DATABASE {} OWNER TO app; \
         REVOKE CREATE ON SCHEMA public FROM PUBLIC; GRANT CREATE ON SCHEMA public TO app;",
        database.name()
    );
    database.connect().unwrap().batch_execute(&create).unwrap();
    (server, database)
}

fn login(database: &Database, user: &str) -> Client {
    let config = database.config();
    let config: Config = { config }.user(user).password(PASSWORD).to_owned();
    config.connect(NoTls).unwrap()
}

/// Everything that an error can be made to say.
fn words(error: &Error) -> String {
    let mut words = format!("{error}\n{error:?}\n{error:#?}\n{}\n{:?}\n", error.diagnostic(), error.report());
    let mut source = error.source();
    while let Some(error) = source {
        let _ = writeln!(words, "{error}\n{error:?}");
        source = error.source();
    }
    let _ = writeln!(words, "{:?}\n{:?}", error.server_error(), error.refusals());
    words
}

/// Runs every failure in turn; gives each one's kind and words.
fn failures(server: &Server, database: &Database) -> Vec<(ErrorKind, String)> {
    let mut errors = Vec::new();
    let mut fail = |migrator: &Migrator, client: &mut Client| {
        let error = migrator.migrate(client).expect_err("a failure");
        errors.push((error.kind(), words(&error)));
    };
    let good = ("01_good.sql", "SELECT 1;");
    let migrator =
        |name: &'static str, text: &'static str| Migrator::new(catalog("app", [good, (name, text)]));
    let mut client = login(database, "app");
    Migrator::new(catalog("app", [good])).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));

    fail(&migrator("02_x.sql", "SELECT nowhere;"), &mut client);
    fail(&migrator("02_x.sql", "SELECT 1 / 0;"), &mut client);
    fail(&Migrator::new(catalog("app", [("01_good.sql", "SELECT 2;")])), &mut client);
    fail(&migrator("02_x.sql", "SELECT 2;").schema("x".repeat(64)), &mut client);
    // No rights: on the tracker, on the database.
    fail(&migrator("02_x.sql", "SELECT 2;"), &mut login(database, "other"));
    fail(&migrator("02_x.sql", "SELECT 2;").schema("theirs"), &mut login(database, "other"));
    client.batch_execute("CREATE SCHEMA rails; CREATE TABLE rails.schema_migrations (version text)").unwrap();
    fail(&migrator("02_x.sql", "SELECT 2;").schema("rails"), &mut client);
    client.batch_execute("BEGIN").unwrap();
    fail(&migrator("02_x.sql", "SELECT 2;"), &mut client);
    client.batch_execute("ROLLBACK; SET default_transaction_read_only = on").unwrap();
    fail(&migrator("02_x.sql", "SELECT 2;"), &mut client);
    client.batch_execute("RESET default_transaction_read_only").unwrap();

    // Another process holds the lock; it waits at a gate that this test has shut.
    let mut gate = login(database, "app");
    gate.batch_execute("CREATE SCHEMA app; CREATE TABLE app.gate ();").unwrap();
    gate.batch_execute("BEGIN; LOCK TABLE app.gate;").unwrap();
    let mut holder = login(database, "app");
    let run = std::thread::spawn(move || {
        let slow = catalog("slow", [("01_a.sql", "LOCK TABLE app.gate;")]);
        Migrator::new(slow).migrate(&mut holder).map(drop)
    });
    support::wait_for("the script", || {
        let waiting = "SELECT FROM pg_locks WHERE relation = 'app.gate'::regclass AND NOT granted";
        client.query_opt(waiting, &[]).unwrap().is_some()
    });
    fail(&migrator("02_x.sql", "SELECT 2;").lock_wait(Duration::ZERO), &mut client);
    gate.batch_execute("COMMIT").unwrap();
    run.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"));

    // The server ends the session, and the network ends it.
    fail(&migrator("02_x.sql", "SELECT pg_terminate_backend(pg_backend_pid());"), &mut client);
    let dir = server.socket_dir().expect("a folder");
    let proxy = Proxy::to(Target::unix(dir, server.port())).start().unwrap();
    for direction in [Direction::Frontend, Direction::Backend] {
        let mut config = Config::new();
        config
            .host_path(proxy.config_host())
            .port(proxy.port())
            .user("app")
            .password(PASSWORD)
            .dbname(database.name());
        let mut client = config.connect(NoTls).unwrap();
        proxy.on_message(
            move |seen| {
                if seen.direction() == direction { Action::CutBefore } else { Action::Forward }
            },
        );
        fail(&migrator("02_x.sql", "SELECT 2;"), &mut client);
        proxy.forward_all();
    }
    errors
}

/// Keeps all that is logged, as text.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<String>>);

impl Visit for Keeper {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0.lock().unwrap(), "{field}={value:?} ");
    }
}

impl Subscriber for Keeper {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
        self.0.lock().unwrap().push('\n');
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn r47_no_failure_tells_a_password() {
    let (server, database) = locked();
    let keeper = Keeper::default();
    tracing::dispatcher::set_global_default(tracing::Dispatch::new(keeper.clone())).expect("no other one");
    let failures = failures(&server, &database);
    let kinds: Vec<ErrorKind> = failures.iter().map(|(kind, _)| *kind).collect();
    let expected = [
        ErrorKind::Migration,
        ErrorKind::Migration,
        ErrorKind::Refused,
        ErrorKind::Invalid,
        ErrorKind::Tracker,
        ErrorKind::Tracker,
        ErrorKind::ForeignTracker,
        ErrorKind::InTransaction,
        ErrorKind::ReadOnly,
        ErrorKind::LockTimeout,
        ErrorKind::ConnectionLost,
        ErrorKind::ConnectionLost,
        ErrorKind::ConnectionLost,
    ];
    assert_eq!(kinds, expected, "{failures:#?}");

    let logged = keeper.0.lock().unwrap().clone();
    assert!(logged.contains("migrat"), "the logs are looked at: {logged}");
    let mut admin = database.connect().unwrap();
    let rows = "SELECT (SELECT string_agg(m::text, ' ') FROM schema_migrations m) || (SELECT string_agg(l::text, ' ') FROM schema_migrations_log l)";
    let tracker: String = support::value(&mut admin, rows);
    assert!(tracker.contains("division by zero"), "the tracker is looked at: {tracker}");
    let texts = failures.into_iter().map(|(kind, words)| (format!("{kind:?}"), words));
    for (place, text) in texts.chain([("log".to_owned(), logged), ("tracker".to_owned(), tracker)]) {
        for secret in [PASSWORD, "Tr0ub4dor", "correct-horse", "postgresql://", "password="] {
            assert!(!text.contains(secret), "{place} tells {secret}: {text}");
        }
    }
}

#[test]
fn r47_a_migrator_and_its_events_know_no_password() {
    let (_server, database) = locked();
    let told = Arc::new(Mutex::new(String::new()));
    let teller = Arc::clone(&told);
    let migrator = Migrator::new(numbered(2)).schema("app").on_event(move |event| {
        let _ = write!(teller.lock().unwrap(), "{event:?}");
    });
    let report = migrator.migrate(&mut login(&database, "app")).unwrap();
    let text = format!("{migrator:?} {report:?} {report} {}", told.lock().unwrap());
    assert!(text.contains("0002_t2") && !text.contains("Tr0ub4dor"), "{text}");
}
