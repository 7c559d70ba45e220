//! What one would write by hand.

use std::sync::Mutex;

use habitat_migrate::Migrator;
use postgres::{Client, Config, NoTls};

use super::way::{COUNT, ROW, Test, check};
use crate::Result;

/// A copy of a template that is migrated before anything is measured.
pub(super) struct Clone(Server);

impl Clone {
    pub(super) fn new(address: &str) -> Result<Self> {
        Ok(Self(Server::new(address)?))
    }

    /// Makes the template, and says that nobody is in it any more.
    pub(super) fn prepare(address: &str) -> Result<()> {
        let server = Server::new(address)?;
        server.with(|maintenance| Ok(maintenance.batch_execute(&format!("CREATE DATABASE {TEMPLATE}"))?))?;
        Migrator::new(super::catalog("")?).migrate(&mut server.connect(TEMPLATE)?)?;
        // By the flag, not the name, is a template one that nobody can connect to by mistake.
        let close = format!("ALTER DATABASE {TEMPLATE} ALLOW_CONNECTIONS false");
        server.with(|maintenance| Ok(maintenance.batch_execute(&close)?))
    }
}

impl Test for Clone {
    fn run(&self, name: &str) -> Result<()> {
        self.0.test(name, &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"), |_| Ok(()))
    }
}

/// A new database, migrated by this library.
pub(super) struct Scratch {
    server: Server,
    migrator: Migrator,
}

impl Scratch {
    pub(super) fn new(address: &str) -> Result<Self> {
        Ok(Self { server: Server::new(address)?, migrator: Migrator::new(super::catalog("")?) })
    }
}

impl Test for Scratch {
    fn run(&self, name: &str) -> Result<()> {
        self.server.test(name, &format!("CREATE DATABASE {name}"), |client| {
            self.migrator.migrate(client)?;
            Ok(())
        })
    }
}

/// A server, and the connections to it that no test is using.
struct Server {
    config: Config,
    spares: Mutex<Vec<Client>>,
}

impl Server {
    fn new(address: &str) -> Result<Self> {
        Ok(Self { config: address.parse()?, spares: Mutex::default() })
    }

    fn connect(&self, database: &str) -> Result<Client> {
        Ok(self.config.clone().dbname(database).connect(NoTls)?)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Client) -> Result<T>) -> Result<T> {
        let spare = self.spares.lock().map_err(|_| "another test panicked")?.pop();
        let mut client = spare.map_or_else(|| self.connect("postgres"), Ok)?;
        let done = work(&mut client);
        self.spares.lock().map_err(|_| "another test panicked")?.push(client);
        done
    }

    fn test(&self, name: &str, create: &str, fill: impl FnOnce(&mut Client) -> Result<()>) -> Result<()> {
        self.with(|maintenance| {
            maintenance.batch_execute(create)?;
            let mut client = self.connect(name)?;
            fill(&mut client)?;
            client.execute(ROW, &[])?;
            check(client.query_one(COUNT, &[])?.get(0))?;
            drop(client);
            Ok(maintenance.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"))?)
        })
    }
}

const TEMPLATE: &str = "bench_template";
