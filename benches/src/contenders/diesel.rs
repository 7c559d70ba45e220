//! diesel_migrations over libpq.

use ::diesel::{Connection, PgConnection};
use diesel_migrations::{
    EmbeddedMigration, EmbeddedMigrations, EmbeddedName, MigrationHarness, TomlMetadataWrapper,
};

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session};
use crate::scripts::Script;
use crate::server::Address;

pub(crate) const CONTENDERS: [Contender; 1] =
    [Contender { name: "diesel", role: Role::Peer, load: |scripts| Ok(Box::new(Diesel::load(scripts))) }];

/// What `embed_migrations!` expands to; its file-based source would read the files within the measured call.
struct Diesel(&'static [EmbeddedMigration]);

impl Diesel {
    fn load(scripts: &[Script]) -> Self {
        // Embedded migrations are static; a benchmark can leak its few sets of them.
        let migration = |script: &Script| {
            let name = EmbeddedName::new(script.stem().leak());
            EmbeddedMigration::new(script.sql().leak(), None, name, TomlMetadataWrapper::new(true))
        };
        Self(scripts.iter().map(migration).collect::<Vec<_>>().leak())
    }
}

impl Loaded for Diesel {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(DieselSession { migrations: self.0, client: PgConnection::establish(&address.url())? }))
    }
}

struct DieselSession {
    migrations: &'static [EmbeddedMigration],
    client: PgConnection,
}

impl Session for DieselSession {
    fn migrate(&mut self) -> Result<()> {
        self.client.run_pending_migrations(EmbeddedMigrations::new(self.migrations))?;
        Ok(())
    }
}
