//! A program boots against a server that takes no writes: R32.

mod support;

use habitat_migrate::testing::{Builder, Database, Server};
use habitat_migrate::{ErrorKind, MigrationId, Migrator};
use habitat_wire::{Proxy, Target};
use postgres::{Client, NoTls};
use support::{complaints, numbered, value, wait_for};

/// A primary and its streaming standby; the standby is stopped first.
struct Pair {
    standby: Server,
    primary: Server,
}

impl Pair {
    /// Every server of this machine begins as a copy of one initialised folder, so all of them are one cluster
    /// at one place in its log: a second server needs no base backup to follow a first one.
    fn start() -> Self {
        let settings = |builder: Builder| {
            let builder = builder.setting("wal_level", "replica").setting("max_wal_senders", "10");
            builder.setting("hot_standby", "on").setting("wal_keep_size", "256MB")
        };
        let primary = settings(Server::builder()).start().expect("a primary");
        let host = primary.socket_dir().expect("a folder").display();
        let source = format!("host={host} port={} user=postgres", primary.port());
        let standby =
            settings(Server::builder()).setting("primary_conninfo", source).file("standby.signal", "");
        let pair = Self { standby: standby.start().expect("a standby"), primary };
        let cluster = |server: &Server| {
            let mut client = server.config().connect(NoTls).unwrap();
            value::<i64>(&mut client, "SELECT system_identifier FROM pg_control_system()")
        };
        assert_eq!(
            cluster(&pair.standby),
            cluster(&pair.primary),
            "the cache of initialised folders is not used"
        );
        pair
    }

    /// Waits until the standby has what the primary has.
    fn catch_up(&self) {
        let mut primary = self.primary.config().connect(NoTls).unwrap();
        let mut standby = self.standby.config().connect(NoTls).unwrap();
        let written: String = value(&mut primary, "SELECT pg_current_wal_insert_lsn()::text");
        let replayed = format!("SELECT pg_last_wal_replay_lsn() >= '{written}'");
        wait_for("the standby", || {
            // Commits are not waited for, so that the log's last page may not have been handed on.
            primary.batch_execute("SELECT pg_switch_wal()").unwrap();
            value(&mut standby, &replayed)
        });
    }

    fn proxy(&self) -> Proxy {
        Proxy::to(Target::unix(self.standby.socket_dir().expect("a folder"), self.standby.port()))
            .start()
            .unwrap()
    }

    fn boot(&self, database: &Database) -> Client {
        self.standby.config().dbname(database.name()).connect(NoTls).unwrap()
    }
}

fn names(ids: &[MigrationId]) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

#[test]
fn r32_a_standby_that_is_up_to_date_costs_one_round_trip() {
    let pair = Pair::start();
    let database = pair.primary.database().unwrap();
    let migrator = Migrator::new(numbered(3));
    migrator.migrate(&mut database.connect().unwrap()).unwrap();
    pair.catch_up();

    let proxy = pair.proxy();
    let mut client = Client::connect(&proxy.url(database.name(), "postgres"), NoTls).unwrap();
    proxy.reset();
    let report = migrator.migrate(&mut client).unwrap();
    assert_eq!((report.applied().len(), report.already_applied()), (0, 3));
    assert_eq!((proxy.stats().round_trips, proxy.stats().frontend_messages), (1, 1));
    // An older program boots, too.
    assert_eq!(Migrator::new(numbered(2)).migrate(&mut client).unwrap().newer(), 1);
    assert_eq!(complaints(&pair.standby), Vec::<String>::new());
}

#[test]
fn r32_a_standby_that_lacks_something_is_an_error_that_names_it_and_nothing_is_tried() {
    let pair = Pair::start();
    let database = pair.primary.database().unwrap();
    Migrator::new(numbered(2)).migrate(&mut database.connect().unwrap()).unwrap();
    pair.catch_up();

    let mut client = pair.boot(&database);
    let error = Migrator::new(numbered(4)).migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error:?}");
    assert_eq!(names(error.pending()), ["app:0003_t3", "app:0004_t4"]);
    assert!(error.to_string().contains("app:0003_t3, app:0004_t4"), "{error}");
    assert!(error.diagnostic().to_string().contains("migrate on the primary"), "{error:?}");
    // Another tracker of the same database is not there at all.
    let error = Migrator::new(numbered(1)).schema("elsewhere").migrate(&mut client).unwrap_err();
    assert_eq!((error.kind(), names(error.pending())), (ErrorKind::ReadOnly, vec!["app:0001_t1".to_owned()]));
    // What cannot be done is asked for nowhere, so the server has nothing to complain about.
    assert_eq!(complaints(&pair.standby), Vec::<String>::new());

    // Once the primary has it, the standby has it.
    Migrator::new(numbered(4)).migrate(&mut database.connect().unwrap()).unwrap();
    pair.catch_up();
    assert!(Migrator::new(numbered(4)).migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn r32_a_primary_that_is_set_to_take_no_writes_is_like_a_standby() {
    let server = support::own_server();
    let database = server.database().unwrap();
    let mut client = database.connect().unwrap();
    Migrator::new(numbered(1)).migrate(&mut client).unwrap();
    client.batch_execute("SET default_transaction_read_only = on").unwrap();
    assert!(Migrator::new(numbered(1)).migrate(&mut client).unwrap().is_unchanged());
    let error = Migrator::new(numbered(2)).migrate(&mut client).unwrap_err();
    assert_eq!((error.kind(), names(error.pending())), (ErrorKind::ReadOnly, vec!["app:0002_t2".to_owned()]));
    assert_eq!(complaints(&server), Vec::<String>::new());
}
