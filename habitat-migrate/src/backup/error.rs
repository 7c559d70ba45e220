//! Why there is no backup, or nothing was restored: [`Error`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::client::Failure;
use crate::server::ServerError;
use crate::sql::Literal;

/// What is returned here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a backup was not taken or not restored, and what to do next. No password is in it.
///
/// `{}` is one line; `{:?}` has what the program said and what to do next.
pub struct Error(Box<Cause>);

#[derive(Debug)]
pub(super) enum Cause {
    NoProgram { wanted: u32, tried: Vec<String> },
    WrongConnection(String),
    HiddenRows { login: String, tables: Vec<String> },
    Unconfirmed { database: String, recorded: String },
    NotEmpty { database: String, found: Vec<String> },
    Locked { waited: Duration, holders: Vec<String>, said: String },
    Program { name: String, said: String },
    Unrecorded { database: String, recorded: String, why: Error },
    File { path: PathBuf, what: &'static str, source: std::io::Error },
    Server(Box<ServerError>),
    Lost(String),
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no `pg_dump` and `pg_restore` of the server's version or a newer one.
    NoProgram,
    /// The client is connected as somebody else, or to another database, than the connection says.
    WrongConnection,
    /// Policies hide rows from the login: a backup by it would lack them.
    HiddenRows,
    /// The database to restore into is recorded as production, and its name was not given in confirmation. Nothing was changed.
    Unconfirmed,
    /// The database to restore into is not a fresh one. Nothing was changed.
    NotEmpty,
    /// Somebody held a table in ACCESS EXCLUSIVE mode for longer than `pg_dump` waits.
    Locked,
    /// `pg_dump` or `pg_restore` failed. What it restored was rolled back.
    Program,
    /// The data is restored, and the database passes for what the backup was taken of, as what it is recorded as could not be put back.
    Unrecorded,
    /// A file could not be read or written.
    File,
    /// The server refused a question.
    Server,
    /// The connection broke.
    Lost,
}

impl Error {
    pub(super) fn new(cause: Cause) -> Self {
        Self(Box::new(cause))
    }

    pub(super) fn file(path: &Path, what: &'static str, source: std::io::Error) -> Self {
        Self::new(Cause::File { path: path.to_owned(), what, source })
    }

    pub(super) fn failed(failure: Failure) -> Self {
        Self::new(match failure {
            Failure::Server { error, .. } => Cause::Server(error),
            Failure::Lost(why) => Cause::Lost(why),
        })
    }

    /// What a program said, where that is the reason.
    pub(super) fn said(&self) -> Option<&str> {
        match &*self.0 {
            Cause::Program { said, .. } => Some(said),
            _ => None,
        }
    }

    /// The kind of reason.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Cause::NoProgram { .. } => ErrorKind::NoProgram,
            Cause::WrongConnection(_) => ErrorKind::WrongConnection,
            Cause::HiddenRows { .. } => ErrorKind::HiddenRows,
            Cause::Unconfirmed { .. } => ErrorKind::Unconfirmed,
            Cause::NotEmpty { .. } => ErrorKind::NotEmpty,
            Cause::Locked { .. } => ErrorKind::Locked,
            Cause::Program { .. } => ErrorKind::Program,
            Cause::Unrecorded { .. } => ErrorKind::Unrecorded,
            Cause::File { .. } => ErrorKind::File,
            Cause::Server(_) => ErrorKind::Server,
            Cause::Lost(_) => ErrorKind::Lost,
        }
    }

    /// What to do next, where that can be said.
    pub fn advice(&self) -> Option<String> {
        let next = match &*self.0 {
            Cause::NoProgram { wanted, .. } => {
                format!(
                    "install PostgreSQL {wanted}'s client programs, or name their folder in HABITAT_PG_BIN"
                )
            }
            Cause::HiddenRows { login, .. } => format!(
                "let the owner or a superuser take it, or give {login} a policy that shows every row: \
                 CREATE POLICY … FOR SELECT TO {login} USING (true)"
            ),
            Cause::Unconfirmed { database, .. } => {
                format!("if it is meant, confirm it with the database's name: `.confirm({database:?})`")
            }
            Cause::Locked { holders, .. } => {
                let who = if holders.is_empty() { "whoever holds it is done" } else { "they are done" };
                format!("wait until {who}, or wait for longer: `Backups::lock_timeout`")
            }
            Cause::Unrecorded { recorded, .. } => format!(
                "run `UPDATE SCHEMA.schema_migrations_environment SET name = {}` for each schema that has this table, and `ANALYZE`",
                Literal(recorded)
            ),
            Cause::NotEmpty { .. } => "create a new database and restore into that".to_owned(),
            _ => return None,
        };
        Some(next)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::NoProgram { wanted, .. } => {
                write!(f, "no pg_dump and pg_restore of PostgreSQL {wanted} or newer on this machine")
            }
            Cause::WrongConnection(why) => f.write_str(why),
            Cause::HiddenRows { login, tables } => {
                write!(f, "a backup by {login} would lack rows: policies hide some of {}", tables.join(", "))
            }
            Cause::Unconfirmed { database, recorded } => {
                write!(
                    f,
                    "database {database} is recorded as {recorded}: restoring into it wants its name in confirmation"
                )
            }
            Cause::NotEmpty { database, found } => {
                write!(f, "database {database} is not a fresh one: it has {}", found.join(", "))
            }
            Cause::Locked { waited, .. } => {
                write!(f, "pg_dump gave up behind a lock on a table that it had waited {waited:?} for")
            }
            Cause::Unrecorded { database, recorded, why } => {
                write!(
                    f,
                    "the data is restored; that database {database} is {recorded} could not be recorded again: {why}"
                )
            }
            Cause::Program { name, said } => {
                write!(f, "{name} failed: {}", said.lines().next().unwrap_or("it said nothing"))
            }
            Cause::File { path, what, source } => write!(f, "{} {what}: {source}", path.display()),
            Cause::Server(error) => write!(f, "the server refused a question: {error}"),
            Cause::Lost(why) => write!(f, "the connection broke: {why}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {self}")?;
        let more: Vec<&str> = match &*self.0 {
            Cause::Program { said, .. } => said.lines().skip(1).collect(),
            Cause::Locked { holders, said, .. } => {
                said.lines().chain(holders.iter().map(String::as_str)).collect()
            }
            Cause::NoProgram { tried, .. } => tried.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        for line in more {
            write!(f, "\n  | {line}")?;
        }
        if let Some(next) = self.advice() {
            write!(f, "\n  = next: {next}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}
