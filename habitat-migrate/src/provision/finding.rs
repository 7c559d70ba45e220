//! What an audit has noticed: [`Finding`]. It is a value, not an error.

use std::fmt;

/// Something of a server that is not as it is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(crate) kind: FindingKind,
    pub(crate) database: Option<String>,
    pub(crate) subject: String,
    pub(crate) message: String,
    pub(crate) suggestion: Option<String>,
}

impl Finding {
    /// What kind of difference it is.
    pub fn kind(&self) -> FindingKind {
        self.kind
    }

    /// The database that it is in; none where it is about the server.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }

    /// What it is about: `table people.members`.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What is not as it is to be.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The statement that would mend it, where there is one.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

/// One line: `shop: table app.users belongs to postgres and not to app_owner`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(database) = &self.database {
            write!(f, "{database}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// The kinds of [`Finding`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum FindingKind {
    /// A role is not there.
    MissingRole,
    /// A role may log in, create databases and so on, and is not to, or the other way round.
    RoleAttribute,
    /// A role is not a member of another one as it is to be.
    Membership,
    /// A role is a member of another one, and nobody declared it.
    SurplusMembership,
    /// A setting of a role or a database.
    Setting,
    /// A database is not there.
    MissingDatabase,
    /// A database has other properties.
    DatabaseAttribute,
    /// A database is not recorded as what it is for.
    Environment,
    /// A schema is not there.
    MissingSchema,
    /// An extension is not there.
    MissingExtension,
    /// Something belongs to another role.
    WrongOwner,
    /// A role lacks a privilege.
    MissingGrant,
    /// A role has a privilege that is declared as revoked, or not declared at all.
    SurplusGrant,
    /// What a role creates later would not get a declared privilege, or would get one too many.
    DefaultPrivilege,
    /// Row-level security is not enabled or not forced.
    RowSecurity,
    /// The administrator takes a role's rights for as long as a transaction lasts, and gives them back.
    Borrowing,
}
