//! Why a test has no database.

use std::fmt;
use std::sync::Arc;

use habitat_migrate_catalog::Excerpt;

use super::error::ServerError;
use crate::client::words;
use crate::error::Error;

/// Tells why a test has no database: no server, a migration or a fixture that fails, a right that is missing.
///
/// `{:?}`, which `unwrap()` and a test that returns it print, shows the place in the SQL file. Every test that wants
/// the same database gets the same error.
#[derive(Clone)]
pub struct TestError(Arc<Kind>);

pub(super) enum Kind {
    Shared(&'static ServerError),
    Server(ServerError),
    /// The catalog could not be applied.
    Migration(Error),
    Fixture(Box<FailedFixture>),
    /// No such migration for `to` and `before`.
    Unknown {
        migration: String,
        advice: String,
    },
    /// A name that PostgreSQL cannot have.
    Name {
        what: &'static str,
        name: String,
        reason: &'static str,
    },
    Version {
        text: String,
    },
    Keep {
        text: String,
    },
    Pooler,
    /// Others have been building for too long.
    Waited,
    Runtime(std::io::Error),
    Sql {
        what: String,
        source: postgres::Error,
    },
}

/// A statement of a fixture that the server refused.
pub(super) struct FailedFixture {
    pub(super) file: String,
    pub(super) place: Excerpt,
    pub(super) words: String,
    pub(super) notes: Vec<(&'static str, String)>,
}

impl TestError {
    /// The migration that failed, if that is the reason.
    pub fn migration_error(&self) -> Option<&Error> {
        match &*self.0 {
            Kind::Migration(error) => Some(error),
            _ => None,
        }
    }

    /// The file, line and column of the statement that failed, in a migration or a fixture; both counted from 1.
    pub fn location(&self) -> Option<(&str, usize, usize)> {
        match &*self.0 {
            Kind::Migration(error) => error.location(),
            Kind::Fixture(failed) => {
                let place = failed.place.location();
                Some((&failed.file, place.line(), place.column()))
            }
            _ => None,
        }
    }
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Shared(_) | Kind::Server(_) => write!(f, "there is no server for the test's database"),
            Kind::Migration(_) => write!(f, "the database for tests could not be migrated"),
            Kind::Fixture(failed) => {
                write!(f, "fixture {}:{} failed: {}", failed.file, failed.place.location(), failed.words)
            }
            Kind::Unknown { migration, advice } => {
                write!(f, "the catalog has no migration `{migration}`: {advice}")
            }
            Kind::Name { what, name, reason } => {
                write!(f, "{name:?} cannot be the name of a {what}: {reason}")
            }
            Kind::Version { text } => {
                write!(f, "`{text}` is no version of PostgreSQL: give its first number, 17")
            }
            Kind::Keep { text } => {
                write!(f, "HABITAT_KEEP is `{text}`: it can be `always`, `failed` or `never`")
            }
            Kind::Pooler => write!(
                f,
                "between the tests and their server stands a pooler that changes sessions: tests hold locks in one. \
                 Give HABITAT_TEST_DATABASE_URL the server's own address, or set the pooler to session mode"
            ),
            Kind::Waited => write!(
                f,
                "another process has been building a database for tests for ten minutes: see pg_stat_activity"
            ),
            Kind::Runtime(_) => {
                write!(f, "could not start a runtime for migrations that are async functions")
            }
            Kind::Sql { what, .. } => write!(f, "could not {what}"),
        }
    }
}

impl std::error::Error for TestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Shared(error) => Some(*error),
            Kind::Server(error) => Some(error),
            Kind::Migration(error) => Some(error),
            Kind::Runtime(error) => Some(error),
            Kind::Sql { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// As a person wants it from `unwrap()`: the whole, with the place in the SQL file.
impl fmt::Debug for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::Shared(error) => write!(f, "{self}: {error:?}"),
            Kind::Server(error) => write!(f, "{self}: {error:?}"),
            Kind::Migration(error) => write!(f, "{self}\nerror: {error:?}"),
            Kind::Fixture(failed) => {
                let mut picture = String::new();
                failed.place.render(&failed.file, &failed.words, &mut picture)?;
                write!(f, "the database for tests could not be filled\n{}", picture.trim_end())?;
                failed.notes.iter().try_for_each(|(name, text)| write!(f, "\n  = {name}: {text}"))
            }
            _ => f.write_str(&words(self)),
        }
    }
}

impl From<Kind> for TestError {
    fn from(kind: Kind) -> Self {
        Self(Arc::new(kind))
    }
}

impl From<ServerError> for TestError {
    fn from(error: ServerError) -> Self {
        Kind::Server(error).into()
    }
}
