//! The server that a test's database is on, and the steward that this process has for it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::error::ServerError;
use super::recipe::Recipe;
use super::server::Server;
use super::shared;
use super::steward::Steward;
use super::test_error::{Kind, TestError};

/// A server, as far as databases on it need it.
#[derive(Clone)]
pub(super) struct Host {
    url: String,
    stays: Stays,
}

/// How long the steward's own connections are kept.
#[derive(Clone, Copy)]
enum Stays {
    /// As long as the process, which shares this server with others.
    Process(&'static Server),
    /// As long as there are databases: a server of the user's is waiting for its clients to leave when it stops.
    Databases,
}

impl Host {
    pub(super) fn of(server: &Server) -> Self {
        Self { url: server.url(), stays: Stays::Databases }
    }

    /// The shared server; with the template of this recipe, if it has yet to be started.
    pub(super) fn shared(recipe: &Recipe) -> Result<Self, TestError> {
        Self::lasting(shared::server(None, Some(recipe)))
    }

    /// The shared server of that version.
    pub(super) fn of_version(text: &str, recipe: &Recipe) -> Result<Self, TestError> {
        let number = text.trim().trim_start_matches("pg").trim_start_matches('-');
        let wanted: u32 = number.parse().map_err(|_| Kind::Version { text: text.to_owned() })?;
        Self::lasting(shared::server(Some(wanted), Some(recipe)))
    }

    fn lasting(server: Result<&'static Server, &'static ServerError>) -> Result<Self, TestError> {
        let server = server.map_err(|error| TestError::from(Kind::Shared(error)))?;
        Ok(Self { url: server.url(), stays: Stays::Process(server) })
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
        let shared = match self.stays {
            Stays::Process(server) => Some(server),
            Stays::Databases => None,
        };
        let steward = Arc::new(Steward::new(&self.url, shared)?);
        let entry = match self.stays {
            Stays::Process(_) => Entry::Kept(Arc::clone(&steward)),
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
