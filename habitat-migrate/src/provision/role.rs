//! A role as it is declared: [`Role`], [`Membership`], [`Setting`], [`Password`].

use std::path::PathBuf;

/// A role: what it may do on the whole server, and whose member it is.
///
/// A new one can do nothing, not even log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    pub(crate) name: String,
    pub(crate) login: bool,
    pub(crate) superuser: bool,
    pub(crate) createdb: bool,
    pub(crate) createrole: bool,
    pub(crate) bypass_rls: bool,
    pub(crate) replication: bool,
    pub(crate) inherit: bool,
    pub(crate) connection_limit: Option<u32>,
    pub(crate) valid_until: Option<String>,
    pub(crate) password: Option<Password>,
    pub(crate) member_of: Vec<Membership>,
    pub(crate) settings: Vec<Setting>,
}

impl Role {
    /// A role that cannot log in.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            login: false,
            superuser: false,
            createdb: false,
            createrole: false,
            bypass_rls: false,
            replication: false,
            inherit: true,
            connection_limit: None,
            valid_until: None,
            password: None,
            member_of: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// It may log in.
    #[must_use]
    pub fn login(mut self) -> Self {
        self.login = true;
        self
    }

    /// It may create databases.
    #[must_use]
    pub fn createdb(mut self) -> Self {
        self.createdb = true;
        self
    }

    /// It may create roles.
    #[must_use]
    pub fn createrole(mut self) -> Self {
        self.createrole = true;
        self
    }

    /// DANGER: no right and no policy holds it. No application needs this.
    #[must_use]
    pub fn dangerously_superuser(mut self) -> Self {
        self.superuser = true;
        self
    }

    /// DANGER: it sees and changes every row of every table that it has rights on, whatever row-level security says.
    #[must_use]
    pub fn dangerously_bypass_row_level_security(mut self) -> Self {
        self.bypass_rls = true;
        self
    }

    /// DANGER: it may read all of the server's data by replication.
    #[must_use]
    pub fn dangerously_replication(mut self) -> Self {
        self.replication = true;
        self
    }

    /// It has the rights of the roles whose member it is only after `SET ROLE`.
    #[must_use]
    pub fn no_inherit(mut self) -> Self {
        self.inherit = false;
        self
    }

    /// How many connections it may have at once. Default: as many as it likes.
    #[must_use]
    pub fn connection_limit(mut self, limit: u32) -> Self {
        self.connection_limit = Some(limit);
        self
    }

    /// Until when its password is good, as PostgreSQL reads a time: `2027-01-01 00:00:00+00`.
    #[must_use]
    pub fn valid_until(mut self, time: impl Into<String>) -> Self {
        self.valid_until = Some(time.into());
        self
    }

    /// Where its password comes from.
    #[must_use]
    pub fn password(mut self, password: Password) -> Self {
        self.password = Some(password);
        self
    }

    /// Makes it a member of another role.
    #[must_use]
    pub fn member_of(mut self, membership: Membership) -> Self {
        self.member_of.push(membership);
        self
    }

    /// A setting that its sessions begin with, in every database.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.push(Setting { name: name.into(), value: value.into(), database: None });
        self
    }

    /// A setting that its sessions in one database begin with.
    #[must_use]
    pub fn setting_in(
        mut self,
        database: impl Into<String>,
        name: impl Into<String>,
        value: impl Into<Value>,
    ) -> Self {
        let database = Some(database.into());
        self.settings.push(Setting { name: name.into(), value: value.into(), database });
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it may log in.
    pub fn can_login(&self) -> bool {
        self.login
    }

    /// Whether it is declared to be a superuser.
    pub fn is_superuser(&self) -> bool {
        self.superuser
    }

    /// Whether it is declared to stand above row-level security.
    pub fn bypasses_row_level_security(&self) -> bool {
        self.bypass_rls || self.superuser
    }

    /// Where its password comes from, if the declaration says so.
    pub fn password_source(&self) -> Option<&Password> {
        self.password.as_ref()
    }

    /// The roles whose member it is.
    pub fn memberships(&self) -> &[Membership] {
        &self.member_of
    }

    /// What its sessions begin with.
    pub fn settings(&self) -> &[Setting] {
        &self.settings
    }
}

/// Where a role's password comes from. The password itself never stands in a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Password {
    /// An environment variable of the program.
    Variable(String),
    /// A file that holds it.
    File(PathBuf),
    /// Made of random bytes when the role has none, and written to this file.
    Generate(PathBuf),
}

/// Being a member of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    pub(crate) role: String,
    pub(crate) admin: bool,
    pub(crate) inherit: Option<bool>,
    pub(crate) set: bool,
}

impl Membership {
    /// A member of a role as PostgreSQL makes one: it has the role's rights and may become it.
    pub fn of(role: impl Into<String>) -> Self {
        Self { role: role.into(), admin: false, inherit: None, set: true }
    }

    /// It may make others members, too.
    #[must_use]
    pub fn admin(mut self) -> Self {
        self.admin = true;
        self
    }

    /// It has the role's rights without `SET ROLE`, whatever the member's own attribute says. PostgreSQL 16 and later.
    #[must_use]
    pub fn inherit(mut self) -> Self {
        self.inherit = Some(true);
        self
    }

    /// It has the role's rights only after `SET ROLE`. Before PostgreSQL 16 that is the member's own attribute, for all of its memberships.
    #[must_use]
    pub fn no_inherit(mut self) -> Self {
        self.inherit = Some(false);
        self
    }

    /// It cannot become the role. PostgreSQL 16 and later.
    #[must_use]
    pub fn no_set(mut self) -> Self {
        self.set = false;
        self
    }

    /// The role whose member it is.
    pub fn role(&self) -> &str {
        &self.role
    }
}

/// A setting that sessions begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub(crate) name: String,
    pub(crate) value: Value,
    pub(crate) database: Option<String>,
}

impl Setting {
    /// Its name: `search_path`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// In which database; in all if none is named.
    pub fn database(&self) -> Option<&str> {
        self.database.as_deref()
    }
}

/// A setting's value: one text, or a list of them, as `search_path` has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// One value: `5s`.
    One(String),
    /// A list, in order.
    List(Vec<String>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::One(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::One(text)
    }
}

impl From<Vec<String>> for Value {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl<const N: usize> From<[&str; N]> for Value {
    fn from(list: [&str; N]) -> Self {
        Self::List(list.map(str::to_owned).to_vec())
    }
}
