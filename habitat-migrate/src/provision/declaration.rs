//! What a server is to have before migrations run: [`Declaration`]. It is a plain value; a TOML file or a program makes one.

use std::fmt;

use super::connection_declared::ConnectionFile;
use super::database::Database;
use super::role::Role;

/// What one environment of a system is to have: its databases and its roles.
///
/// ```
/// use habitat_migrate::provision::{Database, Declaration, Environment, Grant, Kind, Privilege, Role, Schema, Target};
///
/// let declaration = Declaration::new(Environment::new("tst", Kind::Test))
///     .with_role(Role::new("shop_owner"))
///     .with_role(Role::new("shop_app").login().setting("search_path", ["shop"]))
///     .with_database(
///         Database::new("shop-tst")
///             .owner("shop_owner")
///             .with_schema(Schema::new("shop").owner("shop_owner"))
///             .with_grant(Grant::to("shop_app", Target::schema("shop"), [Privilege::Usage])),
///     );
/// assert_eq!(declaration.roles().len(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    pub(crate) environment: Environment,
    pub(crate) roles: Vec<Role>,
    pub(crate) databases: Vec<Database>,
    pub(crate) connection_files: Vec<ConnectionFile>,
}

impl Declaration {
    /// Nothing yet, for an environment.
    pub fn new(environment: Environment) -> Self {
        Self { environment, roles: Vec::new(), databases: Vec::new(), connection_files: Vec::new() }
    }

    /// Adds a role.
    #[must_use]
    pub fn with_role(mut self, role: Role) -> Self {
        self.roles.push(role);
        self
    }

    /// Adds a database.
    #[must_use]
    pub fn with_database(mut self, database: Database) -> Self {
        self.databases.push(database);
        self
    }

    /// Which environment it is for.
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The roles.
    pub fn roles(&self) -> &[Role] {
        &self.roles
    }

    /// The databases.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The role of this name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// The database of this name.
    pub fn database(&self, name: &str) -> Option<&Database> {
        self.databases.iter().find(|database| database.name == name)
    }
}

/// An environment: the name that templates use, and what may be done there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

impl Environment {
    /// An environment of a name of your own: `tst`, `qua`.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { name: name.into(), kind }
    }

    /// The name that stands for `{env}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What may be done there; its word is what the database is recorded as.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

/// What may be done in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A database may be dropped and created again, if its name is given in confirmation.
    Test,
    /// What is missing is created, nothing is dropped.
    Development,
    /// Nothing is dropped, and any change wants the database's name in confirmation.
    Staging,
    /// As staging.
    Production,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Test, Self::Development, Self::Staging, Self::Production];

    /// `test`, `development`, `staging` or `production`: what [`Migrator::environment`](crate::Migrator::environment) understands, too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Development => "development",
            Self::Staging => "staging",
            Self::Production => "production",
        }
    }

    /// The kind of this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Whether a change wants the name of each database in confirmation.
    pub(crate) fn wants_confirmation(self) -> bool {
        matches!(self, Self::Staging | Self::Production)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
