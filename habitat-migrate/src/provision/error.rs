//! Why a server is not what was declared: [`Error`].

use std::fmt;

use super::step::{Place, Step};
use crate::client::{Failure, ServerError};

/// What a verb of [`Provision`](super::Provision) returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why provisioning did not come to its end, and what to do next. No password is in it.
///
/// `{}` is one line; `{:?}` has the statement, what was done before and what to do next.
pub struct Error(Box<Cause>);

#[derive(Debug)]
pub(crate) enum Cause {
    Connect { database: String, source: Box<dyn std::error::Error + Send + Sync> },
    Read { what: String, failure: Failure },
    Busy,
    Refused(Vec<String>),
    WrongEnvironment(Vec<String>),
    Unconfirmed(Vec<String>),
    Step { step: Step, failure: Failure, done: Vec<Step> },
    Unfinished(Vec<Step>),
}

/// The kinds of [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No connection to a database; nothing was changed in it.
    Connect,
    /// A connection broke while something was read or done.
    ConnectionLost,
    /// The catalogs could not be read; nothing was changed.
    Read,
    /// Somebody else provisions this server, and went on for longer than there was patience for. Nothing was changed.
    Busy,
    /// What is declared cannot be had on this server or by this administrator. Nothing was changed.
    Refused,
    /// A database is recorded as another environment, or as none where that matters. Nothing was changed.
    WrongEnvironment,
    /// A change of a database wants its name in confirmation. Nothing was changed.
    Unconfirmed,
    /// The server refused a step; its transaction left nothing, those before it stay.
    Step,
    /// Every step succeeded, and something is still not as it is declared.
    Unfinished,
}

impl Error {
    pub(crate) fn new(cause: Cause) -> Self {
        Self(Box::new(cause))
    }

    pub(crate) fn read(what: &str, failure: Failure) -> Self {
        Self::new(Cause::Read { what: what.to_owned(), failure })
    }

    /// The kind of reason.
    pub fn kind(&self) -> ErrorKind {
        match &*self.0 {
            Cause::Connect { .. } => ErrorKind::Connect,
            Cause::Read { failure: Failure::Lost(_), .. } | Cause::Step { failure: Failure::Lost(_), .. } => {
                ErrorKind::ConnectionLost
            }
            Cause::Read { .. } => ErrorKind::Read,
            Cause::Busy => ErrorKind::Busy,
            Cause::Refused(_) => ErrorKind::Refused,
            Cause::WrongEnvironment(_) => ErrorKind::WrongEnvironment,
            Cause::Unconfirmed(_) => ErrorKind::Unconfirmed,
            Cause::Step { .. } => ErrorKind::Step,
            Cause::Unfinished(_) => ErrorKind::Unfinished,
        }
    }

    /// The server's own words, where it spoke.
    pub fn server(&self) -> Option<&ServerError> {
        match &*self.0 {
            Cause::Read { failure: Failure::Server { error, .. }, .. }
            | Cause::Step { failure: Failure::Server { error, .. }, .. } => Some(error),
            _ => None,
        }
    }

    /// The step that failed.
    pub fn step(&self) -> Option<&Step> {
        match &*self.0 {
            Cause::Step { step, .. } => Some(step),
            _ => None,
        }
    }

    /// The databases whose names are wanted in confirmation.
    #[cfg(feature = "cli")]
    pub(crate) fn unconfirmed(&self) -> &[String] {
        match &*self.0 {
            Cause::Unconfirmed(names) => names,
            _ => &[],
        }
    }

    /// The steps that were done and stay.
    pub fn done(&self) -> &[Step] {
        match &*self.0 {
            Cause::Step { done, .. } | Cause::Unfinished(done) => done,
            _ => &[],
        }
    }
}

/// The words of a failure.
fn words(failure: &Failure) -> String {
    match failure {
        Failure::Server { error, .. } => error.to_string(),
        Failure::Lost(why) => format!("the connection is lost: {why}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::Connect { database, .. } => write!(f, "no connection to database {database}"),
            Cause::Read { what, failure } => write!(f, "{what} cannot be read: {}", words(failure)),
            Cause::Busy => f.write_str("somebody else provisions this server: try again when that is done"),
            Cause::Refused(reasons) | Cause::WrongEnvironment(reasons) => f.write_str(&reasons.join("; ")),
            Cause::Unconfirmed(names) => {
                write!(f, "this changes {}: confirm it with the database's name", names.join(" and "))
            }
            Cause::Step { step, failure, .. } => write!(f, "{}: {}", step.why, words(failure)),
            Cause::Unfinished(steps) => {
                let first = steps.first().map_or("", |step| step.why.as_str());
                write!(f, "every step succeeded, and still {} remain, the first: {first}", steps.len())
            }
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {self}")?;
        if let Cause::Step { step, done, .. } = &*self.0 {
            let place = match &step.place {
                Place::Within(name) => format!("in database {name}"),
                _ => "on the server".to_owned(),
            };
            write!(
                f,
                "\n  | {}\n  = {place}; steps that were done before and stay: {}",
                step.sql.replace('\n', "\n  | "),
                done.len()
            )?;
            f.write_str("\n  = next: correct the cause and provision again; it goes on where it stopped")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Cause::Connect { source, .. } => Some(&**source),
            _ => None,
        }
    }
}
