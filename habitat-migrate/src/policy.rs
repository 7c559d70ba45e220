//! What to do where a database and a program's migrations differ: one enum for each question.

use std::time::Duration;

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
