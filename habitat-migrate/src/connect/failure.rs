//! Why one attempt failed, and whether another one can succeed.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::error::ConnectErrorKind;

/// Why one attempt at one address failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The host's name could not be looked up.
    Lookup(io::Error),
    /// The host's name has no address.
    NoAddress,
    /// Nothing came back in time.
    Silent(Duration),
    Driver(tokio_postgres::Error),
    /// This process lacks what it needs to try, a thread for one.
    #[cfg(feature = "postgres")]
    Local(io::Error),
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may pass by itself: try the next address, then all of them again until the deadline.
    Retry,
    /// Trying again gives the same.
    Final(ConnectErrorKind),
}

impl Failure {
    pub(super) fn verdict(&self) -> Verdict {
        match self {
            // Not only the resolver's "try again": a server's name may appear with the server, as behind a
            // headless service of Kubernetes or in a compose file.
            Failure::Lookup(_) | Failure::NoAddress | Failure::Silent(_) => Verdict::Retry,
            Failure::Driver(error) => driver(error),
            #[cfg(feature = "postgres")]
            Failure::Local(_) => Verdict::Final(ConnectErrorKind::Rejected),
        }
    }

    /// Whether the server turned us away by a rule of `pg_hba.conf` that may be another one with, or without, TLS.
    pub(super) fn is_refused_by_rule(&self) -> bool {
        matches!(self, Failure::Driver(error)
            if error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Lookup(error) => write!(f, "{}", lower(&error.to_string())),
            Failure::NoAddress => f.write_str("the host's name has no address"),
            Failure::Silent(limit) => write!(f, "no answer within {:.1} s", limit.as_secs_f64()),
            #[cfg(feature = "postgres")]
            Failure::Local(error) => write!(f, "{}", lower(&error.to_string())),
            // The driver's own text is "db error", or names only its layer; what matters is the last of the chain.
            Failure::Driver(error) => match error.as_db_error() {
                Some(answer) => {
                    write!(f, "{} ({})", one_line(answer.message()), answer.code().code())?;
                    answer.hint().map_or(Ok(()), |hint| write!(f, "; hint: {}", one_line(hint)))
                }
                None => match root(error) {
                    Some(cause) => write!(f, "{}", lower(&one_line(&cause.to_string()))),
                    None => write!(f, "{error}"),
                },
            },
        }
    }
}

fn driver(error: &tokio_postgres::Error) -> Verdict {
    if let Some(code) = error.code() {
        return sqlstate(code);
    }
    if error.is_closed() {
        return Verdict::Retry;
    }
    // The driver keeps its own kinds to itself and shows them in this text only; a test below would notice
    // a change of its words.
    match (error.to_string().as_str(), io_kind(error)) {
        (_, Some(kind)) if is_passing(kind) => Verdict::Retry,
        // `target_session_attrs`: a server that is not what was asked for may be promoted, or lose its rank.
        ("error connecting to server", Some(io::ErrorKind::PermissionDenied)) if !is_os_error(error) => {
            Verdict::Retry
        }
        ("error performing TLS handshake", _) => Verdict::Final(ConnectErrorKind::Tls),
        // A server that wants a client's certificate says so by an alert behind the handshake.
        (_, Some(io::ErrorKind::InvalidData)) if is_tls(error) => Verdict::Final(ConnectErrorKind::Tls),
        // "password missing" is a matter of configuration to the driver.
        ("authentication error" | "invalid configuration", _) => {
            Verdict::Final(ConnectErrorKind::Authentication)
        }
        _ => Verdict::Final(ConnectErrorKind::Rejected),
    }
}

/// [SQLSTATEs](https://www.postgresql.org/docs/current/errcodes-appendix.html) that a server gives while a
/// session begins.
fn sqlstate(code: &SqlState) -> Verdict {
    match *code {
        SqlState::CANNOT_CONNECT_NOW
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CONNECTION_EXCEPTION
        | SqlState::CONNECTION_FAILURE
        | SqlState::CONNECTION_DOES_NOT_EXIST
        | SqlState::SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION => Verdict::Retry,
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Verdict::Final(ConnectErrorKind::Authentication)
        }
        SqlState::INVALID_CATALOG_NAME => Verdict::Final(ConnectErrorKind::MissingDatabase),
        _ => Verdict::Final(ConnectErrorKind::Rejected),
    }
}

/// What a server that starts, stops or is replaced does to a socket.
fn is_passing(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::*;
    matches!(
        kind,
        ConnectionRefused
            | ConnectionReset
            | ConnectionAborted
            | NotConnected
            | BrokenPipe
            | UnexpectedEof
            | TimedOut
            | HostUnreachable
            | NetworkUnreachable
            | NetworkDown
            | AddrNotAvailable
            | Interrupted
            // A Unix socket that is not there yet; one whose queue is full.
            | NotFound
            | WouldBlock
    )
}

fn io_error(error: &tokio_postgres::Error) -> Option<&io::Error> {
    error.source()?.downcast_ref()
}

fn io_kind(error: &tokio_postgres::Error) -> Option<io::ErrorKind> {
    io_error(error).map(io::Error::kind)
}

fn is_os_error(error: &tokio_postgres::Error) -> bool {
    io_error(error).is_some_and(|error| error.raw_os_error().is_some())
}

#[cfg(feature = "tls")]
fn is_tls(error: &tokio_postgres::Error) -> bool {
    io_error(error).and_then(io::Error::get_ref).is_some_and(|cause| cause.is::<rustls::Error>())
}

#[cfg(not(feature = "tls"))]
fn is_tls(_: &tokio_postgres::Error) -> bool {
    false
}

fn root(error: &tokio_postgres::Error) -> Option<&(dyn Error + 'static)> {
    let mut cause = error.source()?;
    while let Some(next) = cause.source() {
        cause = next;
    }
    Some(cause)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `Connection refused` within a sentence; `TLS` and `SSL` stay.
fn lower(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain([second]).chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_starting_or_full_is_tried_again() {
        for code in ["57P03", "53300", "57P01", "57P02", "08006", "08001"] {
            assert_eq!(sqlstate(&SqlState::from_code(code)), Verdict::Retry, "{code}");
        }
    }

    #[test]
    fn a_refusal_that_stays_is_final() {
        for (code, kind) in [
            ("28P01", ConnectErrorKind::Authentication),
            ("28000", ConnectErrorKind::Authentication),
            ("3D000", ConnectErrorKind::MissingDatabase),
            ("42501", ConnectErrorKind::Rejected),
            ("22023", ConnectErrorKind::Rejected),
            ("08P01", ConnectErrorKind::Rejected),
        ] {
            assert_eq!(sqlstate(&SqlState::from_code(code)), Verdict::Final(kind), "{code}");
        }
    }

    #[test]
    fn sockets_of_a_server_in_motion_are_tried_again_and_forbidden_ones_are_not() {
        for kind in [
            io::ErrorKind::ConnectionRefused,
            io::ErrorKind::NotFound,
            io::ErrorKind::ConnectionReset,
            io::ErrorKind::UnexpectedEof,
            io::ErrorKind::TimedOut,
        ] {
            assert!(is_passing(kind), "{kind}");
        }
        for kind in [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput, io::ErrorKind::InvalidData]
        {
            assert!(!is_passing(kind), "{kind}");
        }
    }

    #[test]
    fn only_the_first_letter_of_a_word_is_lowered() {
        assert_eq!(lower("Connection refused (os error 111)"), "connection refused (os error 111)");
        assert_eq!(lower("TLS is off"), "TLS is off");
    }
}
