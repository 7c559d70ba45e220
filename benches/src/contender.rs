//! What a contender has to do: load scripts, connect, migrate. Only the last is measured.

use crate::Result;
use crate::scenario::Goal;
use crate::scripts::Script;
use crate::server::Address;

/// What a contender stands for in the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// This library.
    Ours,
    /// Another migration library.
    Peer,
    /// What PostgreSQL itself takes for the same, by hand, in the goal it is for.
    Baseline(Goal),
}

/// One column of the tables.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// Makes of the scripts what the library embeds in a program, checksums and all.
    pub(crate) load: fn(&[Script]) -> Result<Box<dyn Loaded>>,
}

impl Contender {
    pub(crate) fn takes_part(&self, goal: Goal) -> bool {
        !matches!(self.role, Role::Baseline(only) if only != goal)
    }
}

/// A set of migrations in memory.
pub(crate) trait Loaded {
    /// Connects; a session migrates once.
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>>;
}

/// A connection that nothing was sent on yet.
pub(crate) trait Session {
    /// The call that a service makes at boot.
    fn migrate(&mut self) -> Result<()>;
}

/// A tokio runtime of the current thread, for the asynchronous clients.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
