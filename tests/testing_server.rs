//! The throw-away servers of `habitat_migrate::testing`.
#![cfg(unix)]

use habitat_migrate::testing::{Server, Shutdown};
use postgres::NoTls;

#[test]
fn a_server_starts_and_answers() {
    let server = Server::start().unwrap();
    let mut client = server.config().connect(NoTls).unwrap();
    assert_eq!(client.query_one("SELECT 1", &[]).unwrap().get::<_, i32>(0), 1);
    drop(client);
    eprintln!("{}", server.stop(Shutdown::Fast).unwrap());
}
