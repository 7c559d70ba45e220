//! habitat-migrate, with both drivers.

use habitat_migrate::{Catalog, Migrator};

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session, runtime};
use crate::scripts::Script;
use crate::server::Address;

pub(crate) const CONTENDERS: [Contender; 2] = [
    Contender {
        name: "habitat-migrate, postgres",
        role: Role::Ours,
        load: |scripts| Ok(Box::new(Sync(migrator(scripts)?))),
    },
    Contender {
        name: "habitat-migrate, tokio-postgres",
        role: Role::Ours,
        load: |scripts| Ok(Box::new(Async(migrator(scripts)?))),
    },
];

fn migrator(scripts: &[Script]) -> Result<Migrator> {
    let files = scripts.iter().map(|script| (format!("{}.sql", script.stem()), script.sql()));
    Ok(Migrator::new(Catalog::from_scripts("bench", files)?))
}

struct Sync(Migrator);

impl Loaded for Sync {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(SyncSession { migrator: &self.0, client: address.connect()? }))
    }
}

struct SyncSession<'a> {
    migrator: &'a Migrator,
    client: postgres::Client,
}

impl Session for SyncSession<'_> {
    fn migrate(&mut self) -> Result<()> {
        self.migrator.migrate(&mut self.client)?;
        Ok(())
    }
}

struct Async(Migrator);

impl Loaded for Async {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        let runtime = runtime()?;
        let client = address.connect_async(&runtime)?;
        Ok(Box::new(AsyncSession { migrator: &self.0, runtime, client }))
    }
}

struct AsyncSession<'a> {
    migrator: &'a Migrator,
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Session for AsyncSession<'_> {
    fn migrate(&mut self) -> Result<()> {
        self.runtime.block_on(async { self.migrator.migrate(&mut self.client).await })?;
        Ok(())
    }
}
