//! The server that everything is measured on, and its databases.

use std::cell::Cell;
use std::time::Duration;

use habitat_migrate::testing;
use habitat_wire::{Proxy, Target};
use postgres::config::Host;
use postgres::{Client, Config, NoTls};

use crate::Result;

/// Puts the server's data on a memory file system, for machines whose disk is shared with others.
const MEMORY: &str = "HABITAT_BENCH_MEMORY";

/// A durable server of the benchmark's own, or the one that `HABITAT_TEST_DATABASE_URL` names.
pub(crate) struct Server {
    address: Address,
    databases: Cell<usize>,
    /// Stops when the value goes.
    _own: Option<testing::Server>,
}

/// Where the data of a server of the benchmark's own is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Disk,
    Memory,
}

impl Server {
    pub(crate) fn start() -> Result<Self> {
        match std::env::var("HABITAT_TEST_DATABASE_URL") {
            Ok(url) => Self::new(&url.parse()?, None),
            Err(_) if std::env::var_os(MEMORY).is_some() => Self::start_on(Place::Memory),
            Err(_) => Self::start_on(Place::Disk),
        }
    }

    /// One of the benchmark's own, which waits for its disk or its memory at each commit.
    pub(crate) fn start_on(place: Place) -> Result<Self> {
        let builder = testing::Server::builder();
        let own = match place {
            Place::Disk => builder.durable().start()?,
            Place::Memory => {
                let durable = ["fsync", "synchronous_commit", "full_page_writes"];
                durable.iter().fold(builder, |builder, name| builder.setting(*name, "on")).start()?
            }
        };
        Self::new(&own.config(), Some(own))
    }

    fn new(config: &Config, own: Option<testing::Server>) -> Result<Self> {
        Ok(Self { address: Address::of(config)?, databases: Cell::new(0), _own: own })
    }

    /// Creates an empty database; it goes when the value does.
    pub(crate) fn create_database(&self) -> Result<Database> {
        self.databases.set(self.databases.get() + 1);
        let name = format!("habitat_bench_{}_{}", std::process::id(), self.databases.get());
        self.address.connect()?.batch_execute(&format!("CREATE DATABASE {name}"))?;
        let address = Address { database: name, ..self.address.clone() };
        Ok(Database { server: self.address.clone(), address })
    }

    /// Starts a proxy to the server.
    pub(crate) fn proxy(&self, each_way: Duration) -> Result<Proxy> {
        let target = Target::host(&self.address.host, self.address.port)?;
        Ok(Proxy::to(target).latency(each_way).start()?)
    }

    /// The answer to a query of one value.
    pub(crate) fn ask(&self, query: &str) -> Result<String> {
        Ok(self.address.connect()?.query_one(query, &[])?.get(0))
    }
}

/// A database of the server, dropped with the value.
pub(crate) struct Database {
    server: Address,
    address: Address,
}

impl Database {
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Lets commits not wait for the disk while `seed` runs, then leaves the database at rest.
    pub(crate) fn seed(&self, seed: impl FnOnce() -> Result<()>) -> Result<()> {
        let name = &self.address.database;
        let mut admin = self.server.connect()?;
        admin.batch_execute(&format!("ALTER DATABASE {name} SET synchronous_commit = off"))?;
        seed()?;
        // Else autovacuum would do it while others are being measured.
        self.address.connect()?.batch_execute("VACUUM (ANALYZE)")?;
        admin.batch_execute(&format!("ALTER DATABASE {name} RESET synchronous_commit"))?;
        Ok(admin.batch_execute("CHECKPOINT")?)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let drop = format!("DROP DATABASE {} WITH (FORCE)", self.address.database);
        let dropped = self.server.connect().and_then(|mut admin| Ok(admin.batch_execute(&drop)?));
        if let Err(error) = dropped {
            eprintln!("{drop}: {error}");
        }
    }
}

/// Where a contender connects.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    user: String,
    password: Option<String>,
    database: String,
}

impl Address {
    fn of(config: &Config) -> Result<Self> {
        let host = match config.get_hosts().first().ok_or("the server has no host")? {
            Host::Tcp(name) => name.clone(),
            Host::Unix(directory) => directory.to_str().ok_or("the socket's folder is no UTF-8")?.to_owned(),
        };
        Ok(Self {
            host,
            port: config.get_ports().first().copied().unwrap_or(5432),
            user: config.get_user().unwrap_or("postgres").to_owned(),
            password: config.get_password().map(|text| String::from_utf8_lossy(text).into_owned()),
            database: config.get_dbname().unwrap_or("postgres").to_owned(),
        })
    }

    /// The same database through a proxy.
    pub(crate) fn through(&self, proxy: &Proxy) -> Self {
        Self { host: proxy.config_host().to_owned(), port: proxy.port(), ..self.clone() }
    }

    /// A URL that libpq and sqlx read alike, for a socket's folder as well as for a host name.
    pub(crate) fn url(&self) -> String {
        let Self { host, port, user, database, .. } = self;
        let password = self.password.as_ref().map(|text| format!("&password={text}")).unwrap_or_default();
        format!("postgresql:///{database}?host={host}&port={port}&user={user}{password}")
    }

    pub(crate) fn connect(&self) -> Result<Client> {
        Ok(Config::from(self.config()).connect(NoTls)?)
    }

    /// Connects with tokio-postgres; `runtime` drives the connection whenever it is in use.
    pub(crate) fn connect_async(&self, runtime: &tokio::runtime::Runtime) -> Result<tokio_postgres::Client> {
        let config = self.config();
        runtime.block_on(async {
            let (client, connection) = config.connect(NoTls).await?;
            tokio::spawn(connection);
            Ok(client)
        })
    }

    fn config(&self) -> tokio_postgres::Config {
        let mut config = tokio_postgres::Config::new();
        config.host(&self.host).port(self.port).user(&self.user).dbname(&self.database);
        if let Some(password) = &self.password {
            config.password(password);
        }
        config
    }
}
