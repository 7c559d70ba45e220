//! A stand-in, to be replaced.

use std::sync::Arc;

use habitat_migrate_catalog::{Catalog, MigrationId, Version};
use postgres::Client;

use super::{Database, Server, ServerError};
use crate::migrator::Migrator;

/// A database for one test.
#[derive(Clone)]
pub struct TestDatabase(Arc<Inner>);

struct Inner {
    database: Database,
    role: Option<String>,
}

/// What goes wrong.
pub struct TestError(Box<dyn std::error::Error + Send + Sync>);

impl std::fmt::Debug for TestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::fmt::Display for TestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for TestError {}

impl From<ServerError> for TestError {
    fn from(error: ServerError) -> Self {
        Self(Box::new(error))
    }
}

/// Settings.
pub struct TestBuilder {
    catalog: Catalog,
    name: String,
    to: Option<String>,
    before: Option<String>,
    environment: Option<String>,
    placeholders: Vec<(String, String)>,
    fixtures: Vec<(String, String)>,
    role: Option<String>,
}

#[allow(missing_docs)]
impl TestBuilder {
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
    pub fn to(mut self, name: impl Into<String>) -> Self {
        self.to = Some(name.into());
        self
    }
    pub fn before(mut self, name: impl Into<String>) -> Self {
        self.before = Some(name.into());
        self
    }
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = Some(name.into());
        self
    }
    pub fn role(mut self, name: impl Into<String>) -> Self {
        self.role = Some(name.into());
        self
    }
    pub fn server_version(self, _version: impl Into<String>) -> Self {
        self
    }
    pub fn placeholder(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.placeholders.push((name.into(), value.into()));
        self
    }
    pub fn fixture(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.fixtures.push((name.into(), text.into()));
        self
    }
    pub fn create(self) -> Result<TestDatabase, TestError> {
        super::off_runtime(|| self.create_here())
    }
    fn create_here(self) -> Result<TestDatabase, TestError> {
        let server = Server::shared().map_err(|error| TestError(format!("{error:?}").into()))?;
        let short = self.name.rsplit("::").next().unwrap_or("test").to_owned();
        let database = server.create_database(&short)?;
        let mut client = database.connect()?;
        let find = |text: &str| {
            let all = self.catalog.migrations();
            all.iter()
                .position(|m| m.version() == &Version::new(text.to_owned()) || m.id().to_string() == text)
                .ok_or_else(|| TestError(format!("the catalog has no migration `{text}`").into()))
        };
        let target: Option<MigrationId> = match (&self.to, &self.before) {
            (Some(to), _) => Some(self.catalog.migrations()[find(to)?].id().clone()),
            (_, Some(before)) => {
                Some(self.catalog.migrations()[find(before)?.saturating_sub(1)].id().clone())
            }
            _ => None,
        };
        let mut migrator = Migrator::new(self.catalog.clone());
        if let Some(target) = target {
            migrator = migrator.target(target);
        }
        if let Some(environment) = self.environment {
            migrator = migrator.environment(environment);
        }
        for (k, v) in self.placeholders {
            migrator = migrator.placeholder(k, v);
        }
        migrator.migrate(&mut client).map_err(|error| TestError(error.to_string().into()))?;
        for (name, text) in self.fixtures {
            client
                .batch_execute(&text)
                .map_err(|error| TestError(format!("{name}:1:1: {error:?}").into()))?;
        }
        Ok(TestDatabase(Arc::new(Inner { database, role: self.role })))
    }
}

#[allow(missing_docs)]
impl TestDatabase {
    pub fn builder(catalog: &Catalog) -> TestBuilder {
        TestBuilder {
            catalog: catalog.clone(),
            name: String::new(),
            to: None,
            before: None,
            environment: None,
            placeholders: Vec::new(),
            fixtures: Vec::new(),
            role: None,
        }
    }
    pub fn name(&self) -> &str {
        self.0.database.name()
    }
    pub fn url(&self) -> String {
        self.0.database.url()
    }
    pub fn config(&self) -> postgres::Config {
        let mut config = self.0.database.config();
        if let Some(role) = &self.0.role {
            config.options(&format!("-c role={role}"));
        }
        config
    }
    pub fn tokio_config(&self) -> tokio_postgres::Config {
        let mut config: tokio_postgres::Config = self.url().parse().expect("our own");
        if let Some(role) = &self.0.role {
            config.options(format!("-c role={role}"));
        }
        config
    }
    pub fn connect(&self) -> Result<Client, TestError> {
        self.config().connect(postgres::NoTls).map_err(|error| TestError(Box::new(error)))
    }
    pub async fn connect_async(&self) -> Result<tokio_postgres::Client, TestError> {
        let connected = self.tokio_config().connect(tokio_postgres::NoTls).await;
        let (client, connection) = connected.map_err(|error| TestError(Box::new(error)))?;
        tokio::spawn(connection);
        Ok(client)
    }
    pub fn finish(self, passed: bool) {
        if !passed {
            eprintln!("database {} is kept", self.name());
        }
    }
}
