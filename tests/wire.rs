//! What goes over the wire: how often the client waits, and how much the server says.

mod support;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, Migrator};
use habitat_wire::{Proxy, Stats, Target};
use support::{numbered, value};

/// Migrates through a proxy and tells what the proxy saw.
fn through_proxy(database: &Database, catalog: Catalog) -> (Stats, usize) {
    let server = Server::shared().expect("a server");
    let target = match server.socket_dir() {
        Some(dir) => Target::unix(dir, server.port()),
        None => panic!("this test needs a server of its own"),
    };
    let proxy = Proxy::to(target).start().expect("a proxy");
    let url = proxy.url(database.name(), "postgres");
    let mut client = postgres::Client::connect(&url, postgres::NoTls).expect("a connection");
    proxy.reset();
    let report = Migrator::new(catalog).migrate(&mut client).unwrap_or_else(|e| panic!("{e:?}"));
    (proxy.stats(), report.applied().len())
}

#[test]
fn nothing_to_do_takes_one_round_trip_and_a_short_reply() {
    let database = Server::shared().unwrap().database().unwrap();
    assert_eq!(through_proxy(&database, numbered(1000)).1, 1000);
    let (stats, applied) = through_proxy(&database, numbered(1000));
    assert_eq!((applied, stats.round_trips), (0, 1));
    assert!(stats.bytes_to_client < 1000, "{stats:?}");
}

#[test]
fn a_thousand_migrations_take_few_round_trips() {
    let database = Server::shared().unwrap().database().unwrap();
    let (stats, applied) = through_proxy(&database, numbered(1000));
    assert_eq!(applied, 1000);
    assert!(stats.round_trips <= 20, "{stats:?}");
    println!("{stats:?}");
}

#[test]
fn an_older_program_on_a_newer_database_takes_one_round_trip() {
    let database = Server::shared().unwrap().database().unwrap();
    through_proxy(&database, numbered(20));
    let (stats, applied) = through_proxy(&database, numbered(15));
    assert_eq!((applied, stats.round_trips), (0, 1));
}

#[test]
fn a_message_waits_for_the_disk_once() {
    // The statistics of later versions stand elsewhere.
    let server = Server::builder().durable().setting("track_wal_io_timing", "on").start().unwrap();
    if server.major() > 17 {
        return;
    }
    let database = server.database().unwrap();
    let mut client = database.connect().unwrap();
    client.batch_execute("SELECT pg_stat_reset_shared('wal')").unwrap();
    Migrator::new(numbered(300)).migrate(&mut client).unwrap();
    drop(client); // a session that ends hands its statistics in
    let mut syncs = 0;
    support::wait_for("statistics", || {
        syncs = value::<i64>(&mut database.connect().unwrap(), "SELECT wal_sync FROM pg_stat_wal");
        syncs > 0
    });
    assert!(syncs < 100, "{syncs} times for 300 migrations");
}
