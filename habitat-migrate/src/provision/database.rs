//! A database as it is declared: [`Database`], [`Schema`], [`Extension`], [`RowSecurity`].

use super::grant::Grant;
use super::role::{Setting, Value};

/// A database, and what is to be in it before migrations run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) encoding: Option<String>,
    pub(crate) collation: Option<String>,
    pub(crate) character_type: Option<String>,
    pub(crate) template: Option<String>,
    pub(crate) connection_limit: Option<u32>,
    pub(crate) settings: Vec<Setting>,
    pub(crate) schemas: Vec<Schema>,
    pub(crate) extensions: Vec<Extension>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) revokes: Vec<Grant>,
    pub(crate) row_security: Vec<RowSecurity>,
}

impl Database {
    /// A database as the server makes one.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            owner: None,
            encoding: None,
            collation: None,
            character_type: None,
            template: None,
            connection_limit: None,
            settings: Vec::new(),
            schemas: Vec::new(),
            extensions: Vec::new(),
            grants: Vec::new(),
            revokes: Vec::new(),
            row_security: Vec::new(),
        }
    }

    /// Who owns it. Default: whoever creates it, which is another one each time; declare it.
    #[must_use]
    pub fn owner(mut self, role: impl Into<String>) -> Self {
        self.owner = Some(role.into());
        self
    }

    /// Its encoding: `UTF8`. Default: the template's.
    #[must_use]
    pub fn encoding(mut self, name: impl Into<String>) -> Self {
        self.encoding = Some(name.into());
        self
    }

    /// `LC_COLLATE`: `en_US.UTF-8`. Default: the template's.
    #[must_use]
    pub fn collation(mut self, name: impl Into<String>) -> Self {
        self.collation = Some(name.into());
        self
    }

    /// `LC_CTYPE`. Default: what the collation is.
    #[must_use]
    pub fn character_type(mut self, name: impl Into<String>) -> Self {
        self.character_type = Some(name.into());
        self
    }

    /// The database that it is a copy of, when it is created. Default: `template0`, which is the same everywhere.
    #[must_use]
    pub fn template(mut self, name: impl Into<String>) -> Self {
        self.template = Some(name.into());
        self
    }

    /// How many connections it takes. Default: as many as the server.
    #[must_use]
    pub fn connection_limit(mut self, limit: u32) -> Self {
        self.connection_limit = Some(limit);
        self
    }

    /// A setting that sessions in it begin with.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.settings.push(Setting { name: name.into(), value: value.into(), database: None });
        self
    }

    /// Adds a schema.
    #[must_use]
    pub fn with_schema(mut self, schema: Schema) -> Self {
        self.schemas.push(schema);
        self
    }

    /// Adds an extension.
    #[must_use]
    pub fn with_extension(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    /// Adds a grant.
    #[must_use]
    pub fn with_grant(mut self, grant: Grant) -> Self {
        self.grants.push(grant);
        self
    }

    /// Adds what a role, or everybody, is not to have.
    #[must_use]
    pub fn with_revoke(mut self, grant: Grant) -> Self {
        self.revokes.push(grant);
        self
    }

    /// Adds a table whose row-level security is on.
    #[must_use]
    pub fn with_row_security(mut self, row_security: RowSecurity) -> Self {
        self.row_security.push(row_security);
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who is to own it.
    pub fn declared_owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Its schemas.
    pub fn schemas(&self) -> &[Schema] {
        &self.schemas
    }

    /// Its extensions.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// What roles are to have.
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// What roles are not to have.
    pub fn revokes(&self) -> &[Grant] {
        &self.revokes
    }

    /// The tables whose row-level security is to be on.
    pub fn row_security(&self) -> &[RowSecurity] {
        &self.row_security
    }
}

/// A schema: who owns it, and who is to own what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) objects_owner: Option<String>,
    pub(crate) migrated_by: Option<String>,
    pub(crate) created: Created,
}

impl Schema {
    /// A schema of this name; `order` is as good as any other.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            owner: None,
            objects_owner: None,
            migrated_by: None,
            created: Created::Here,
        }
    }

    /// Who owns it. Default: the database's owner.
    #[must_use]
    pub fn owner(mut self, role: impl Into<String>) -> Self {
        self.owner = Some(role.into());
        self
    }

    /// Who owns every table, view, sequence, function and type in it, whoever has created them.
    #[must_use]
    pub fn objects_owner(mut self, role: impl Into<String>) -> Self {
        self.objects_owner = Some(role.into());
        self
    }

    /// The role that migrates here, with a tracker in this schema: what environment this is gets recorded there, in a table of this role.
    #[must_use]
    pub fn migrated_by(mut self, role: impl Into<String>) -> Self {
        self.migrated_by = Some(role.into());
        self
    }

    /// Who creates it. What is declared of it holds once it is there: provision again behind the migrations that create it.
    #[must_use]
    pub fn created(mut self, created: Created) -> Self {
        self.created = created;
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who is to own it.
    pub fn declared_owner(&self) -> Option<&str> {
        self.owner.as_deref()
    }

    /// Who is to own what is in it.
    pub fn declared_objects_owner(&self) -> Option<&str> {
        self.objects_owner.as_deref()
    }
}

/// Who creates a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// This declaration.
    Here,
    /// A migration.
    ByMigrations,
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    pub(crate) name: String,
    pub(crate) schema: Option<String>,
}

impl Extension {
    /// An extension that the server has the files of.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), schema: None }
    }

    /// The schema that gets its objects. Default: `public`.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = Some(name.into());
        self
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A table whose rows are protected by policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowSecurity {
    pub(crate) schema: String,
    pub(crate) table: Option<String>,
    pub(crate) force: bool,
}

impl RowSecurity {
    /// Row-level security is enabled on this table, once it is there.
    pub fn enabled(schema: impl Into<String>, table: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: Some(table.into()), force: false }
    }

    /// Row-level security is enabled on every table of this schema.
    pub fn enabled_everywhere(schema: impl Into<String>) -> Self {
        Self { schema: schema.into(), table: None, force: false }
    }

    /// It holds the table's owner, too.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.force = true;
        self
    }

    /// The table's schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table; every one of the schema if none is named.
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }

    /// Whether it is to hold the owner, too.
    pub fn is_forced(&self) -> bool {
        self.force
    }
}
