//! A program boots against a server that takes no writes: R32.

mod support;

use habitat_migrate::testing::{Database, Server, Standby};
use habitat_migrate::{ErrorKind, MigrationId, Migrator};
use habitat_wire::{Proxy, Target};
use postgres::{Client, NoTls};
use support::{complaints, numbered};

/// A primary and its streaming standby; the standby is stopped first.
struct Pair {
    standby: Standby,
    primary: Server,
}

impl Pair {
    fn start() -> Self {
        let primary = Server::builder().replication().start().expect("a primary");
        Self { standby: primary.standby().expect("a standby"), primary }
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
    pair.standby.wait_for_replay().unwrap();

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
    pair.standby.wait_for_replay().unwrap();

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
    pair.standby.wait_for_replay().unwrap();
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
