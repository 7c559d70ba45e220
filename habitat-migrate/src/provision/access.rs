//! What goes wrong with passwords, connection files, rules and probes: [`AccessError`]. No text of it has a password.

use std::fmt;

use crate::client::Failure;
use crate::connect::ConnectError;
use crate::server::ServerError;

/// Why something about passwords, connection files, rules or probes was not done. One line; never a password.
#[derive(Debug)]
pub struct AccessError {
    kind: AccessErrorKind,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of [`AccessError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccessErrorKind {
    /// A value that cannot be used: an empty password, a name that a format cannot hold. Nothing was done.
    Invalid,
    /// A file that cannot be read or written, or that others may read.
    File,
    /// The server refused a statement.
    Server,
    /// The connection broke: whether the statement was carried out is not known.
    Lost,
    /// A role could not log in.
    Connect,
}

impl AccessError {
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self { kind: AccessErrorKind::Invalid, what: what.into(), source: None }
    }

    pub(super) fn file(what: impl Into<String>) -> Self {
        Self { kind: AccessErrorKind::File, what: what.into(), source: None }
    }

    pub(super) fn io(what: impl Into<String>, error: std::io::Error) -> Self {
        Self { kind: AccessErrorKind::File, what: what.into(), source: Some(Box::new(error)) }
    }

    pub(super) fn database(what: impl Into<String>, failure: Failure) -> Self {
        let what = what.into();
        match failure {
            Failure::Server { error, .. } => {
                Self { kind: AccessErrorKind::Server, what, source: Some(error) }
            }
            Failure::Lost(why) => Self {
                kind: AccessErrorKind::Lost,
                what: format!("{what}: the connection broke: {why}"),
                source: None,
            },
        }
    }

    pub(super) fn connect(what: impl Into<String>, error: ConnectError) -> Self {
        Self { kind: AccessErrorKind::Connect, what: what.into(), source: Some(Box::new(error)) }
    }

    /// The same, with what it was for before it.
    pub(super) fn about(self, what: &str) -> Self {
        Self { what: format!("{what}: {}", self.what), ..self }
    }

    /// The kind of reason.
    pub fn kind(&self) -> AccessErrorKind {
        self.kind
    }

    /// The server's words, where it refused a statement.
    pub fn server_error(&self) -> Option<&ServerError> {
        self.source.as_deref().and_then(|source| source.downcast_ref())
    }
}

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for AccessError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
