//! Why there is no connection.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::failure::Failure;

/// Why there is no connection: what kind of reason, who was asked, how long and how often it was tried.
///
/// [`Display`](fmt::Display) is one line that names the server as [`Connector::target`] does and ends in the
/// last cause, in the server's own words where it spoke; [`source`](Error::source) is the driver's error. No
/// password and no connection string is in it, in no format.
///
/// ```
/// use habitat_migrate::connect::{ConnectErrorKind, Connector};
///
/// let error = Connector::new("postgresql://app:secret@localhost:none/app").unwrap_err();
/// assert_eq!(error.kind(), ConnectErrorKind::Invalid);
/// assert_eq!(error.to_string(), "invalid connection string: the value of `port` is not 1 to 65535");
/// ```
///
/// [`Connector::target`]: super::Connector::target
pub struct ConnectError(Box<Inner>);

struct Inner {
    kind: ConnectErrorKind,
    effort: Option<Effort>,
    cause: Cause,
}

/// What was done before giving up.
pub(super) struct Effort {
    pub(super) target: String,
    pub(super) attempts: u32,
    pub(super) elapsed: Duration,
}

enum Cause {
    Text(String),
    Failure(Failure),
}

/// The kinds of [`ConnectError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The connection string says nothing that can be tried. Nothing was sent anywhere.
    Invalid,
    /// The deadline is over and the server still could not be reached, was starting, had no connection to
    /// spare or was not the primary or standby that was asked for. Each of these was tried again until then.
    Unavailable,
    /// The server does not let this user in: wrong or missing password, unknown role, no line in `pg_hba.conf`
    /// (SQLSTATE 28P01 and 28000).
    Authentication,
    /// The server has no database of that name (SQLSTATE 3D000).
    MissingDatabase,
    /// TLS cannot be had as `sslmode` asks for it: the server has none, its certificate does not pass, or one
    /// of the certificate files is missing or unusable.
    Tls,
    /// The server, or something in front of it, answered with any other refusal.
    Rejected,
}

impl ConnectError {
    pub(super) fn invalid(text: impl Into<String>) -> ConnectError {
        ConnectError::new(ConnectErrorKind::Invalid, None, Cause::Text(text.into()))
    }

    pub(super) fn tls(text: String) -> ConnectError {
        ConnectError::new(ConnectErrorKind::Tls, None, Cause::Text(text))
    }

    pub(super) fn failed(kind: ConnectErrorKind, effort: Effort, failure: Failure) -> ConnectError {
        ConnectError::new(kind, Some(effort), Cause::Failure(failure))
    }

    fn new(kind: ConnectErrorKind, effort: Option<Effort>, cause: Cause) -> ConnectError {
        ConnectError(Box::new(Inner { kind, effort, cause }))
    }

    /// The kind of reason.
    pub fn kind(&self) -> ConnectErrorKind {
        self.0.kind
    }

    /// How often the server, or the whole list of servers, was tried; 0 if it never came to that.
    pub fn attempts(&self) -> u32 {
        self.0.effort.as_ref().map_or(0, |effort| effort.attempts)
    }

    /// How long it was tried.
    pub fn elapsed(&self) -> Duration {
        self.0.effort.as_ref().map_or(Duration::ZERO, |effort| effort.elapsed)
    }

    /// The [SQLSTATE](https://www.postgresql.org/docs/current/errcodes-appendix.html) of the server's last
    /// answer, if it gave one.
    pub fn sqlstate(&self) -> Option<&str> {
        match &self.0.cause {
            Cause::Failure(Failure::Driver(error)) => error.code().map(|code| code.code()),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause: &dyn fmt::Display = match &self.0.cause {
            Cause::Text(text) => text,
            Cause::Failure(failure) => failure,
        };
        let Some(Effort { target, attempts, elapsed }) = &self.0.effort else {
            return match self.0.kind {
                ConnectErrorKind::Invalid => write!(f, "invalid connection string: {cause}"),
                _ => write!(f, "TLS cannot be set up: {cause}"),
            };
        };
        match self.0.kind {
            ConnectErrorKind::Unavailable => {
                let s = if *attempts == 1 { "" } else { "s" };
                write!(
                    f,
                    "no connection to {target} in {:.1} s ({attempts} attempt{s}): ",
                    elapsed.as_secs_f64()
                )?;
            }
            ConnectErrorKind::Authentication => write!(f, "{target} refused the login: ")?,
            ConnectErrorKind::MissingDatabase => write!(f, "{target} cannot be opened: ")?,
            ConnectErrorKind::Tls => write!(f, "no TLS with {target}: ")?,
            _ => write!(f, "{target} refused the connection: ")?,
        }
        write!(f, "{cause}")
    }
}

/// The same line: it is what `fn main() -> Result<(), ConnectError>` prints.
impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.cause {
            Cause::Failure(Failure::Driver(error)) => Some(error),
            Cause::Failure(Failure::Lookup(error)) => Some(error),
            _ => None,
        }
    }
}
