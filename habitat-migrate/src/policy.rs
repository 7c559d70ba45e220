//! What to do where a database and a program's migrations differ: one enum for each question.

use std::time::Duration;

use habitat_migrate_catalog::MigrationId;

/// An applied migration whose text is another one now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Changed {
    /// Apply nothing and say which file changed. The default: the schema is not what the file says.
    #[default]
    Refuse,
    /// Go on; the recorded checksum stays.
    Ignore,
}

/// An applied migration that the program does not have, although it has later ones of that context.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Missing {
    /// Apply nothing and name it. The default: a file was deleted, or two branches were not merged.
    #[default]
    Refuse,
    /// Go on without it.
    Ignore,
}

/// A migration that is pending although a later one of its context is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutOfOrder {
    /// Apply nothing and name it. The default: nobody tested the later one without it, nor it after the later one.
    #[default]
    Refuse,
    /// Apply it now.
    Apply,
}

/// A database that has later migrations than the program: an older binary boots on a newer schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewerDatabase {
    /// Boot, unless one of the later migrations is marked `-- habitat: breaking`. The default: rolling
    /// deployments and roll-backs of a binary work.
    #[default]
    AllowCompatible,
    /// Apply nothing and name the later migrations.
    Refuse,
}

/// The answers to all four questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// An applied migration whose text is another one now.
    pub changed: Changed,
    /// An applied migration that the program does not have.
    pub missing: Missing,
    /// A pending migration below an applied one.
    pub out_of_order: OutOfOrder,
    /// A database with later migrations than the program.
    pub newer: NewerDatabase,
}

/// How much is taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rollback {
    /// The migration that was applied last.
    Last,
    /// This many, last applied first.
    Steps(usize),
    /// Whatever was applied after this one, which stays.
    To(MigrationId),
    /// All of them.
    All,
}

/// How long to wait while another process migrates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Patience {
    /// For the lock, over all polls.
    pub(crate) budget: Duration,
    /// Between the first two polls; later ones are further apart, up to ten times.
    pub(crate) poll: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { budget: Duration::from_secs(15 * 60), poll: Duration::from_millis(50) }
    }
}

/// How often a migration is tried again that met a lock, a deadlock or a serialization conflict: as a whole, since nothing of it was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    /// For the pauses before the attempts, together.
    pub(crate) budget: Duration,
    /// Before the second attempt; it doubles from one to the next.
    pub(crate) pause: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { budget: Duration::from_secs(60), pause: Duration::from_millis(250) }
    }
}
