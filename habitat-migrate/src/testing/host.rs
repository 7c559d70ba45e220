//! The server that a test's database is on, and the steward that this process has for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::server::Server;
use super::steward::Steward;
use super::test_error::{Kind, TestError};

/// A server, as far as databases on it need it.
#[derive(Clone)]
pub(super) struct Host {
    url: String,
    stays: Stays,
}

/// How long the steward's own connections are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stays {
    /// As long as the process.
    Process,
    /// As long as there are databases: a server of the user's is waiting for its clients to leave when it stops.
    Databases,
}

impl Host {
    pub(super) fn of(server: &Server) -> Self {
        Self { url: server.url(), stays: Stays::Databases }
    }

    pub(super) fn shared() -> Result<Self, TestError> {
        let server = Server::shared().map_err(|error| TestError::from(Kind::Shared(error)))?;
        Ok(Self { stays: Stays::Process, ..Self::of(server) })
    }

    /// The shared server if it is of that version, else one for this process.
    pub(super) fn of_version(text: &str) -> Result<Self, TestError> {
        static STARTED: Mutex<Option<HashMap<u32, &'static Server>>> = Mutex::new(None);
        let number = text.trim().trim_start_matches("pg").trim_start_matches('-');
        let wanted: u32 = number.parse().map_err(|_| Kind::Version { text: text.to_owned() })?;
        if let Ok(server) = Server::shared() {
            if server.major() == wanted {
                return Self::shared();
            }
        }
        let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
        let started = started.get_or_insert_default();
        let server = match started.get(&wanted) {
            Some(server) => server,
            None => {
                // A static is never dropped: the server goes with the process.
                let server = Box::leak(Box::new(Server::builder().version(wanted).start()?));
                started.entry(wanted).or_insert(server)
            }
        };
        Ok(Self { stays: Stays::Process, ..Self::of(server) })
    }

    /// The one steward of this process for this server.
    pub(super) fn steward(self) -> Result<Arc<Steward>, TestError> {
        static STEWARDS: Mutex<Option<HashMap<String, Entry>>> = Mutex::new(None);
        let mut stewards = STEWARDS.lock().unwrap_or_else(PoisonError::into_inner);
        let stewards = stewards.get_or_insert_default();
        stewards.retain(|_, entry| entry.steward().is_some());
        if let Some(steward) = stewards.get(&self.url).and_then(Entry::steward) {
            if steward.is_up() {
                return Ok(steward);
            }
        }
        let steward = Arc::new(Steward::new(&self.url)?);
        let entry = match self.stays {
            Stays::Process => Entry::Kept(Arc::clone(&steward)),
            Stays::Databases => Entry::Seen(Arc::downgrade(&steward)),
        };
        stewards.insert(self.url, entry);
        Ok(steward)
    }
}

enum Entry {
    Kept(Arc<Steward>),
    Seen(Weak<Steward>),
}

impl Entry {
    fn steward(&self) -> Option<Arc<Steward>> {
        match self {
            Self::Kept(steward) => Some(Arc::clone(steward)),
            Self::Seen(steward) => steward.upgrade(),
        }
    }
}

/// Without the URL, which may hold a password.
impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}
