//! refinery, with both drivers.

use ::refinery::{Migration, Runner};

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session, runtime};
use crate::scripts::Script;
use crate::server::Address;

pub(crate) const CONTENDERS: [Contender; 2] = [
    Contender {
        name: "refinery, postgres",
        role: Role::Peer,
        load: |scripts| Ok(Box::new(Sync(runner(scripts)?))),
    },
    Contender {
        name: "refinery, tokio-postgres",
        role: Role::Peer,
        load: |scripts| Ok(Box::new(Async(runner(scripts)?))),
    },
];

fn runner(scripts: &[Script]) -> Result<Runner> {
    let migration = |script: &Script| {
        Migration::unapplied(&format!("V{}__{}", script.number(), script.table()), &script.sql())
    };
    let migrations: std::result::Result<Vec<_>, _> = scripts.iter().map(migration).collect();
    Ok(Runner::new(&migrations?))
}

struct Sync(Runner);

impl Loaded for Sync {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(SyncSession { runner: &self.0, client: address.connect()? }))
    }
}

struct SyncSession<'a> {
    runner: &'a Runner,
    client: postgres::Client,
}

impl Session for SyncSession<'_> {
    fn migrate(&mut self) -> Result<()> {
        self.runner.run(&mut self.client)?;
        Ok(())
    }
}

struct Async(Runner);

impl Loaded for Async {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        let runtime = runtime()?;
        let client = address.connect_async(&runtime)?;
        Ok(Box::new(AsyncSession { runner: &self.0, runtime, client }))
    }
}

struct AsyncSession<'a> {
    runner: &'a Runner,
    runtime: tokio::runtime::Runtime,
    client: tokio_postgres::Client,
}

impl Session for AsyncSession<'_> {
    fn migrate(&mut self) -> Result<()> {
        self.runtime.block_on(self.runner.run_async(&mut self.client))?;
        Ok(())
    }
}
