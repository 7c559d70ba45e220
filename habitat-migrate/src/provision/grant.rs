//! A grant as it is declared: [`Grant`], [`Grantee`], [`Target`], [`Privilege`], [`Class`].

use std::collections::BTreeSet;
use std::fmt;

/// Privileges of a role on something; as a revoke, privileges that it is not to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    pub(crate) grantee: Grantee,
    pub(crate) target: Target,
    pub(crate) privileges: BTreeSet<Privilege>,
}

impl Grant {
    /// Privileges of a role.
    pub fn to(
        role: impl Into<String>,
        target: Target,
        privileges: impl IntoIterator<Item = Privilege>,
    ) -> Self {
        let privileges = privileges.into_iter().collect();
        Self { grantee: Grantee::Role(role.into()), target, privileges }
    }

    /// Privileges of everybody.
    pub fn to_public(target: Target, privileges: impl IntoIterator<Item = Privilege>) -> Self {
        Self { grantee: Grantee::Public, target, privileges: privileges.into_iter().collect() }
    }

    /// Whose.
    pub fn grantee(&self) -> &Grantee {
        &self.grantee
    }

    /// On what.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Which.
    pub fn privileges(&self) -> &BTreeSet<Privilege> {
        &self.privileges
    }
}

/// Who has a privilege.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// Everybody, also roles that come later.
    Public,
    /// One role.
    Role(String),
}

impl Grantee {
    /// The name as a declaration has it: `PUBLIC` is everybody.
    pub fn named(name: &str) -> Self {
        match name {
            "PUBLIC" => Self::Public,
            name => Self::Role(name.to_owned()),
        }
    }

    /// The role's name; `PUBLIC` for everybody.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Public => "PUBLIC",
            Self::Role(name) => name,
        }
    }
}

/// For messages: the bare name.
impl fmt::Display for Grantee {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a privilege is on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Target {
    /// The database itself.
    Database,
    /// A schema.
    Schema(String),
    /// Everything of a class that a schema has now.
    All {
        /// Of which class.
        class: Class,
        /// In which schema.
        schema: String,
    },
    /// One object.
    Named {
        /// Of which class.
        class: Class,
        /// In which schema.
        schema: String,
        /// Its name; for a function its name and the types of its arguments, `login(text, text)`.
        name: String,
    },
    /// Columns of a table.
    Columns {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
        /// The columns.
        columns: Vec<String>,
    },
    /// What a role creates from now on: default privileges.
    Future {
        /// Of which class.
        class: Class,
        /// In which schema; in all of the database if none is named.
        schema: Option<String>,
        /// Who creates it.
        creator: String,
    },
}

impl Target {
    /// A schema.
    pub fn schema(name: impl Into<String>) -> Self {
        Self::Schema(name.into())
    }

    /// Everything of a class that a schema has now.
    pub fn all(class: Class, schema: impl Into<String>) -> Self {
        Self::All { class, schema: schema.into() }
    }

    /// One object.
    pub fn named(class: Class, schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self::Named { class, schema: schema.into(), name: name.into() }
    }

    /// What a role creates in a schema from now on.
    pub fn future(class: Class, schema: impl Into<String>, creator: impl Into<String>) -> Self {
        Self::Future { class, schema: Some(schema.into()), creator: creator.into() }
    }

    /// The privileges that there are on it.
    pub fn allowed(&self) -> &'static [Privilege] {
        use Privilege::*;
        match self {
            Self::Database => &[Connect, Create, Temporary],
            Self::Schema(_) => &[Usage, Create],
            Self::Columns { .. } => &[Select, Insert, Update, References],
            Self::All { class, .. } | Self::Named { class, .. } | Self::Future { class, .. } => {
                class.allowed()
            }
        }
    }
}

/// Kinds of objects that privileges are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Tables, partitioned and foreign ones, views, materialized views.
    Tables,
    /// Sequences.
    Sequences,
    /// Functions, procedures and aggregates.
    Functions,
    /// Types and domains.
    Types,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Tables, Self::Sequences, Self::Functions, Self::Types];

    /// The key of a declaration, and the word of `ALTER DEFAULT PRIVILEGES` in lower case.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tables => "tables",
            Self::Sequences => "sequences",
            Self::Functions => "functions",
            Self::Types => "types",
        }
    }

    fn allowed(self) -> &'static [Privilege] {
        use Privilege::*;
        match self {
            Self::Tables => &[Select, Insert, Update, Delete, Truncate, References, Trigger],
            Self::Sequences => &[Usage, Select, Update],
            Self::Functions => &[Execute],
            Self::Types => &[Usage],
        }
    }
}

/// A privilege. `MAINTAIN` of PostgreSQL 17 is not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each is PostgreSQL's own word")]
pub enum Privilege {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    Usage,
    Execute,
    Create,
    Connect,
    Temporary,
}

impl Privilege {
    /// Every privilege.
    pub const ALL: [Self; 12] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::References,
        Self::Trigger,
        Self::Usage,
        Self::Execute,
        Self::Create,
        Self::Connect,
        Self::Temporary,
    ];

    /// PostgreSQL's word for it: `SELECT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
            Self::Truncate => "TRUNCATE",
            Self::References => "REFERENCES",
            Self::Trigger => "TRIGGER",
            Self::Usage => "USAGE",
            Self::Execute => "EXECUTE",
            Self::Create => "CREATE",
            Self::Connect => "CONNECT",
            Self::Temporary => "TEMPORARY",
        }
    }

    /// The privilege of this word, in capitals.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|privilege| privilege.as_str() == word)
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
