//! Migrates through a proxy that counts how often the client waits for the server.

#![allow(dead_code, reason = "each suite uses a part of it")]

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Migrator, Report};
use habitat_wire::{Proxy, Target};
use postgres::NoTls;

/// What a boot says, and how many round trips it took.
pub fn boot(database: &Database, migrator: &Migrator) -> (Report, u64) {
    let server = Server::shared().expect("a server");
    let folder = server.socket_dir().expect("a server of the suite's own");
    let proxy = Proxy::to(Target::unix(folder, server.port())).start().expect("a proxy");
    let mut client =
        postgres::Client::connect(&proxy.url(database.name(), "postgres"), NoTls).expect("a connection");
    proxy.reset();
    let report = migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    (report, proxy.stats().round_trips)
}

/// Fails unless the digests say that there is nothing to do: a boot asks once and is done.
pub fn assert_nothing_to_do(database: &Database, migrator: &Migrator) {
    let (report, round_trips) = boot(database, migrator);
    assert!(report.is_unchanged(), "{report}");
    assert_eq!(round_trips, 1, "{report}");
}
