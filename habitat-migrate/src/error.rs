//! What went wrong, where, and what was kept: [`Error`].

use std::fmt;
use std::time::Duration;

use habitat_migrate_catalog::{Excerpt, MigrationId};

use crate::client::ServerError;
use crate::event::{Blocker, Holder};
use crate::finding::Finding;
use crate::plan::Refusals;
use crate::report::Report;

mod function;
mod hindrance;
mod kept;
mod next;
mod picture;
mod words;

pub(crate) use function::FailedFunction;
pub(crate) use hindrance::Hindrance;
pub(crate) use kept::{InvalidIndex, Kept};

/// Why a run did not come to its end: what failed and where, what was applied before, what to do next.
///
/// `{}` is one line. `{:?}`, which `fn main() -> Result<(), Error>` prints, and [`Error::diagnostic`] show the place in the script:
/// ```text
/// error: migration people:04_people_core failed; nothing of it was kept
///   --> migrations/habitat/people/04_people_core.sql:57:14
///    |
/// 57 |   status  contribution_state NOT NULL,
///    |           ^ type "contribution_state" does not exist (42704)
///    = applied before it: treasury:01_treasury_core
///    = next: correct the file and run migrate again
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    cause: Cause,
    report: Report,
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The plan was refused, before anything ran: see [`Error::refusals`].
    Refused,
    /// A migration failed and left nothing; or it runs without a transaction or ended its own, and the message says what was kept.
    Migration,
    /// The server refused a statement about the tracker: a right is missing, for one.
    Tracker,
    /// A table of the tracker's name is there, and it is another tool's. Nothing was written to it.
    ForeignTracker,
    /// A newer version of this library has changed the format of the tracker. Nothing was tried.
    NewerTracker,
    /// A migration's verify script does not prove it; nothing of it was kept. See [`Error::findings`].
    Verification,
    /// A backfill cannot run on its table, or its text has changed since some of its batches were committed; those stay.
    Backfill,
    /// The database is recorded as production, and its name was not given in confirmation. Nothing was tried.
    Unconfirmed,
    /// Something is pending, and the server takes no writes. Nothing was tried.
    ReadOnly,
    /// Another process held the lock for longer than this one was to wait.
    LockTimeout,
    /// The lock was gone although nobody had given it back; what was applied is recorded.
    LockLost,
    /// The connection broke. What was under way is either applied and recorded, or left nothing; the next run finds out.
    ConnectionLost,
    /// No connection could be opened.
    Connect,
    /// Another tool's database was not adopted: `Error::adoption` tells what does not match. Nothing was recorded.
    Adopt,
    /// The client is inside of a transaction of the caller's. Nothing was tried.
    InTransaction,
    /// The migrations folder has changed since this program was built; only in builds with debug assertions.
    Stale,
    /// The migrator was given something that PostgreSQL cannot have, such as a schema's name of 64 bytes.
    Invalid,
    /// The server's version is one that the library does not know.
    UnsupportedServer,
    /// A migration without a transaction needs a session of its own, and a pooler stands between. Nothing was tried.
    Pooler,
}

/// What an error is made of.
#[derive(Debug)]
pub(crate) enum Cause {
    Refused(Refusals),
    Migration(Box<Failed>),
    Function(Box<FailedFunction>),
    Unverified {
        id: MigrationId,
        findings: Vec<Finding>,
        /// What stays of it.
        kept: Kept,
    },
    InvalidIndex(Box<InvalidIndex>),
    Pooler {
        migration: MigrationId,
        address: Option<String>,
    },
    Hindered(Box<Hindered>),
    EndedItself {
        id: MigrationId,
        path: String,
        error: Box<ServerError>,
    },
    Tracker {
        doing: &'static str,
        error: Box<ServerError>,
        remedy: Option<String>,
    },
    NewerTracker {
        table: String,
        format: u32,
    },
    ForeignTracker {
        table: String,
        columns: Vec<String>,
        tool: Option<&'static str>,
    },
    Unconfirmed {
        database: String,
    },
    ReadOnly {
        pending: Vec<MigrationId>,
    },
    LockTimeout {
        waited: Duration,
        holder: Option<Holder>,
    },
    LockLost,
    ConnectionLost {
        words: String,
        under_way: Vec<MigrationId>,
    },
    #[cfg(feature = "tokio-postgres")]
    Connect(crate::connect::ConnectError),
    #[cfg(feature = "adopt")]
    Adopt(crate::adopt::AdoptError),
    InTransaction,
    Stale(String),
    Invalid(String),
    UnsupportedServer {
        version: u32,
    },
}

/// A migration that the server refused.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
    pub(crate) place: Option<Excerpt>,
    pub(crate) error: ServerError,
    /// How often it was tried again.
    pub(crate) attempts: u32,
    pub(crate) blockers: Vec<Blocker>,
    /// Whether it was to be taken back.
    pub(crate) undoing: bool,
    /// What stays of it.
    pub(crate) kept: Kept,
}

/// A backfill that cannot run on its table, or go on with it.
#[derive(Debug)]
pub(crate) struct Hindered {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
    /// Its directive.
    pub(crate) place: Excerpt,
    pub(crate) hindrance: Hindrance,
}

/// The result of a run.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(cause: Cause, report: Report) -> Self {
        Self(Box::new(Inner { cause, report }))
    }

    pub(crate) fn with_report(mut self, report: Report) -> Self {
        self.0.report = report;
        self
    }

    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match &self.0.cause {
            Cause::Refused(_) => ErrorKind::Refused,
            Cause::Migration(_) | Cause::Function(_) | Cause::EndedItself { .. } | Cause::InvalidIndex(_) => {
                ErrorKind::Migration
            }
            Cause::Pooler { .. } => ErrorKind::Pooler,
            Cause::Unverified { .. } => ErrorKind::Verification,
            Cause::Hindered(_) => ErrorKind::Backfill,
            Cause::Tracker { .. } => ErrorKind::Tracker,
            Cause::NewerTracker { .. } => ErrorKind::NewerTracker,
            Cause::ForeignTracker { .. } => ErrorKind::ForeignTracker,
            Cause::Unconfirmed { .. } => ErrorKind::Unconfirmed,
            Cause::ReadOnly { .. } => ErrorKind::ReadOnly,
            Cause::LockTimeout { .. } => ErrorKind::LockTimeout,
            Cause::LockLost => ErrorKind::LockLost,
            Cause::ConnectionLost { .. } => ErrorKind::ConnectionLost,
            #[cfg(feature = "tokio-postgres")]
            Cause::Connect(_) => ErrorKind::Connect,
            #[cfg(feature = "adopt")]
            Cause::Adopt(_) => ErrorKind::Adopt,
            Cause::InTransaction => ErrorKind::InTransaction,
            Cause::Stale(_) => ErrorKind::Stale,
            Cause::Invalid(_) => ErrorKind::Invalid,
            Cause::UnsupportedServer { .. } => ErrorKind::UnsupportedServer,
        }
    }

    /// What the run did before it failed.
    pub fn report(&self) -> &Report {
        &self.0.report
    }

    /// The migration that failed.
    pub fn migration(&self) -> Option<&MigrationId> {
        match &self.0.cause {
            Cause::Migration(failed) => Some(&failed.id),
            Cause::InvalidIndex(invalid) => Some(&invalid.id),
            Cause::Pooler { migration, .. } => Some(migration),
            Cause::Function(failed) => Some(&failed.id),
            Cause::EndedItself { id, .. } | Cause::Unverified { id, .. } => Some(id),
            Cause::Hindered(hindered) => Some(&hindered.id),
            _ => None,
        }
    }

    /// The file, line and column of the failed statement, both counted from 1, columns in characters. Of a migration that is
    /// written in Rust, where its function is.
    pub fn location(&self) -> Option<(&str, usize, usize)> {
        match &self.0.cause {
            Cause::Migration(failed) => {
                let place = failed.place.as_ref()?.location();
                Some((&failed.path, place.line(), place.column()))
            }
            Cause::Function(failed) => failed.location().map(|(file, line)| (file, line, 1)),
            Cause::Unverified { findings, .. } => findings.first().map(Finding::location),
            Cause::InvalidIndex(invalid) => {
                let place = invalid.place.location();
                Some((&invalid.path, place.line(), place.column()))
            }
            Cause::Hindered(hindered) => {
                let place = hindered.place.location();
                Some((&hindered.path, place.line(), place.column()))
            }
            _ => None,
        }
    }

    /// The server's own words.
    pub fn server_error(&self) -> Option<&ServerError> {
        match &self.0.cause {
            Cause::Migration(failed) => Some(&failed.error),
            Cause::Function(failed) => failed.server.as_ref(),
            Cause::Tracker { error, .. } | Cause::EndedItself { error, .. } => Some(error),
            _ => None,
        }
    }

    /// The statements of a verify script that did not prove the migration.
    pub fn findings(&self) -> &[Finding] {
        match &self.0.cause {
            Cause::Unverified { findings, .. } => findings,
            _ => &[],
        }
    }

    /// The sessions that were in the way when a migration's last attempt waited for a lock for too long.
    pub fn blockers(&self) -> &[Blocker] {
        match &self.0.cause {
            Cause::Migration(failed) => &failed.blockers,
            _ => &[],
        }
    }

    /// The reasons for which the plan was refused.
    pub fn refusals(&self) -> Option<&Refusals> {
        match &self.0.cause {
            Cause::Refused(refusals) => Some(refusals),
            _ => None,
        }
    }

    /// What was compared when another tool's database was to be adopted, where it came that far.
    #[cfg(feature = "adopt")]
    pub fn adoption(&self) -> Option<&crate::adopt::Adoption> {
        match &self.0.cause {
            Cause::Adopt(error) => error.adoption(),
            _ => None,
        }
    }

    /// The migrations that are pending on a server that takes no writes.
    pub fn pending(&self) -> &[MigrationId] {
        match &self.0.cause {
            Cause::ReadOnly { pending } => pending,
            _ => &[],
        }
    }

    /// The error as a person wants to see it at a terminal: several lines, with the place in the script.
    pub fn diagnostic(&self) -> impl fmt::Display + '_ {
        picture::Diagnostic(self)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.cause.fmt(f)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.cause {
            Cause::Migration(failed) => Some(&failed.error),
            Cause::Function(failed) => Some(&*failed.error),
            Cause::Tracker { error, .. } | Cause::EndedItself { error, .. } => Some(&**error),
            #[cfg(feature = "tokio-postgres")]
            Cause::Connect(error) => Some(error),
            #[cfg(feature = "adopt")]
            Cause::Adopt(error) => Some(error),
            _ => None,
        }
    }
}

const NOTHING: &str = "nothing was applied";
