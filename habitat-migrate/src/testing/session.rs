//! A connection of the library's own to a server for tests.

use std::sync::{Mutex, PoisonError};

use postgres::error::SqlState;
use postgres::{Client, NoTls, SimpleQueryMessage};
use tokio_postgres::Config;

use super::aside;

/// A connection that several threads take turns with. It may be dropped within an async runtime.
pub(super) struct Session(Mutex<Option<Client>>);

impl Session {
    pub(super) fn new(client: Client) -> Self {
        Self(Mutex::new(Some(client)))
    }

    /// Does something with the connection, alone.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Client) -> T) -> T {
        let mut client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        work(client.as_mut().expect("a session has its client until it is dropped"))
    }

    /// The same, unless somebody else is at it.
    pub(super) fn try_with<T>(&self, work: impl FnOnce(&mut Client) -> T) -> Option<T> {
        let mut client = self.0.try_lock().ok()?;
        client.as_mut().map(work)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(client) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            aside(|| drop(client));
        }
    }
}

/// Connects to the database `postgres`, where advisory locks of all processes meet; to the database that the address
/// names where that one is missing or closed.
pub(super) fn connect(config: &Config) -> Result<Client, postgres::Error> {
    let mut maintenance = config.clone();
    maintenance.dbname("postgres").application_name(APPLICATION);
    match postgres::Config::from(maintenance).connect(NoTls) {
        Err(error) if error.code().is_some_and(|code| ELSEWHERE.contains(code)) => {
            postgres::Config::from(config.clone()).connect(NoTls)
        }
        connected => connected,
    }
}

/// What the library's own connections are called, by which the server knows that tests are under way.
pub(super) const APPLICATION: &str = "habitat-migrate testing";

const ELSEWHERE: [SqlState; 2] = [SqlState::INVALID_CATALOG_NAME, SqlState::INSUFFICIENT_PRIVILEGE];

/// The first column of each row that came back.
pub(super) fn column(messages: &[SimpleQueryMessage]) -> Vec<&str> {
    let rows = messages.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    rows.collect()
}
