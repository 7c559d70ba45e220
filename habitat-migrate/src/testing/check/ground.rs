//! A fresh database to check migrations in, and what it looks like.

use habitat_migrate_catalog::{Catalog, Migration, MigrationId};
use postgres::{Client, NoTls};

use crate::error::Error;
use crate::migrator::Migrator;
use crate::policy::Rollback;
use crate::report::Report;
use crate::sql::Ident;

use super::super::database::Database;
use super::super::rows::RowCounts;
use super::super::server::Server;
use super::super::snapshot::{SchemaDiff, SchemaSnapshot};
use super::fault::CheckError;
use super::{Check, ColumnOrder, Login};

/// A database, gone with this value; then its owner goes, too.
pub(super) struct Ground<'a> {
    pub(super) client: Client,
    migrator: Migrator,
    check: &'a Check<'a>,
    database: Database,
    owner: Option<Owner>,
}

/// What a database looks like to whoever compares.
#[derive(Clone)]
pub(super) struct State {
    schema: SchemaSnapshot,
    rows: RowCounts,
}

impl<'a> Ground<'a> {
    pub(super) fn new(check: &'a Check<'a>) -> Result<Self, CheckError> {
        Self::with(check, &check.catalog)
    }

    /// Ground for another catalog.
    pub(super) fn with(check: &'a Check<'a>, catalog: &Catalog) -> Result<Self, CheckError> {
        let server = match check.server {
            Some(server) => server,
            None => Server::shared()?,
        };
        let database = server.create_database("check")?;
        let mut client = database.connect()?;
        let owner = match check.login {
            Login::Superuser => None,
            Login::Owner => {
                let owner = Owner::of(&database, &mut client)?;
                client = database.config().user(&owner.name).connect(NoTls)?;
                Some(owner)
            }
        };
        // There before the first snapshot, as it stays when everything is taken back.
        client.batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS {}", Ident(&check.schema)))?;
        let migrator = migrator(check, catalog);
        Ok(Self { client, migrator, check, database, owner })
    }

    /// What is left when the client is dropped: the database, then its owner.
    pub(super) fn into_parts(self) -> (Client, Database, Option<Owner>) {
        (self.client, self.database, self.owner)
    }

    /// Applies all of this catalog from here on.
    pub(super) fn use_catalog(&mut self, catalog: &Catalog) {
        self.migrator = migrator(self.check, catalog);
    }

    pub(super) fn migrate(&mut self) -> Result<Report, Error> {
        self.migrator.migrate(&mut self.client)
    }

    /// Applies what comes up to a migration, and nothing behind it.
    pub(super) fn migrate_to(&mut self, target: &MigrationId) -> Result<Report, Error> {
        self.migrator.clone().target(target.clone()).migrate(&mut self.client)
    }

    /// Applies every migration of the check up to one, in the catalog's order.
    pub(super) fn migrate_through(&mut self, last: &MigrationId) -> Result<(), Error> {
        let check = self.check;
        for migration in check.versioned() {
            self.migrate_to(migration.id())?;
            if migration.id() == last {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn rollback(&mut self, rollback: Rollback) -> Result<Report, Error> {
        self.migrator.rollback(&mut self.client, rollback)
    }

    pub(super) fn verify(&mut self) -> Result<Vec<crate::finding::Finding>, Error> {
        self.migrator.verify(&mut self.client)
    }

    /// The rows of the tracker, as text.
    pub(super) fn records(&mut self) -> Result<Vec<String>, CheckError> {
        let sql =
            format!("SELECT t::text FROM {}.schema_migrations t ORDER BY t::text", Ident(&self.check.schema));
        Ok(self.client.query(&sql, &[])?.iter().map(|row| row.get(0)).collect())
    }

    pub(super) fn state(&mut self) -> Result<State, CheckError> {
        let mut schema = SchemaSnapshot::of(&mut self.client)?.without_tracker(&self.check.schema);
        if let Some(owner) = &self.owner {
            // Each ground has another one.
            schema = schema.with_role_named(&owner.name, "owner");
        }
        let rows = RowCounts::of(&mut self.client, &self.check.schema)?;
        Ok(State { schema, rows })
    }
}

impl State {
    /// How a later state differs from this one, if it does.
    pub(super) fn change(&self, later: &Self, check: &Check<'_>) -> Option<(SchemaDiff, Vec<String>)> {
        let mut difference = self.schema.diff(&later.schema);
        if check.order == ColumnOrder::Free {
            difference = difference.without_order_of_columns();
        }
        let rows = self.rows.changes(&later.rows);
        (!difference.is_empty() || !rows.is_empty()).then_some((difference, rows))
    }
}

/// A login that owns a database and may do nothing else.
pub(super) struct Owner {
    name: String,
    maintenance: postgres::Config,
}

impl Owner {
    fn of(database: &Database, client: &mut Client) -> Result<Self, CheckError> {
        let name = format!("{}_owner", database.name());
        let mut maintenance = database.config();
        maintenance.dbname("postgres");
        client.batch_execute(&format!("CREATE ROLE {} LOGIN", Ident(&name)))?;
        let owner = Self { name, maintenance };
        client.batch_execute(&format!(
            "ALTER DATABASE {} OWNER TO {}",
            Ident(database.name()),
            Ident(&owner.name)
        ))?;
        Ok(owner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // It owns nothing any more; if it does, it stays.
        if let Ok(mut client) = self.maintenance.connect(NoTls) {
            let _ = client.batch_execute(&format!("DROP ROLE IF EXISTS {}", Ident(&self.name)));
        }
    }
}

fn migrator(check: &Check<'_>, catalog: &Catalog) -> Migrator {
    let migrator = Migrator::new(catalog.clone()).schema(&check.schema).environment(&check.environment);
    migrator.placeholders(check.placeholders.clone())
}

/// Whether the name that somebody wrote is this migration's: `03_seed` or `treasury:03_seed`.
pub(super) fn is_named(migration: &Migration, name: &str) -> bool {
    migration.version().as_str() == name || migration.id().to_string() == name
}
