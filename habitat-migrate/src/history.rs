//! The rows of the tracker, as values: [`History`] and its [`Record`]s.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use habitat_migrate_catalog::{Compatibility, Digest, MigrationId};

/// The migrations that a database has, in the order in which they were applied.
#[derive(Clone, Debug, Default)]
pub struct History {
    records: Vec<Record>,
    environment: Option<String>,
}

impl History {
    pub(crate) fn new(records: Vec<Record>) -> Self {
        Self { records, environment: None }
    }

    pub(crate) fn with_environment(self, environment: Option<String>) -> Self {
        Self { environment, ..self }
    }

    /// Gives each record the down script that was kept with it.
    pub(crate) fn with_scripts(mut self, mut scripts: HashMap<MigrationId, String>) -> Self {
        for record in &mut self.records {
            record.down = scripts.remove(&record.id);
        }
        self
    }

    /// The environment that the database is recorded to belong to: `production`, `test`.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// All records, first applied first.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The record of one migration.
    pub fn get(&self, id: &MigrationId) -> Option<&Record> {
        self.records.iter().find(|record| record.id() == id)
    }

    pub(crate) fn by_id(&self) -> HashMap<&MigrationId, &Record> {
        self.records.iter().map(|record| (record.id(), record)).collect()
    }

    /// Where each context stands: the ordinal of its last record and the digest over all of its records.
    pub(crate) fn ends(&self) -> HashMap<&str, End> {
        let mut ends: HashMap<&str, End> = HashMap::new();
        for record in &self.records {
            let Some(ordinal) = record.ordinal else { continue };
            let end = ends.entry(record.id.context()).or_default();
            end.ordinal = end.ordinal.max(ordinal);
            end.digest = end.digest.with(record.id.context(), record.id.version().as_str(), &record.checksum);
        }
        ends
    }
}

/// One row of `schema_migrations`.
#[derive(Clone, Debug)]
pub struct Record {
    pub(crate) id: MigrationId,
    pub(crate) description: String,
    pub(crate) checksum: String,
    pub(crate) ordinal: Option<u32>,
    pub(crate) state: State,
    pub(crate) compatibility: Compatibility,
    pub(crate) deployed_at: DateTime<Utc>,
    pub(crate) deployed_by: String,
    pub(crate) execution_time: Duration,
    pub(crate) down: Option<String>,
}

impl Record {
    /// Which migration it is.
    pub fn id(&self) -> &MigrationId {
        &self.id
    }

    /// One line on what the migration does.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The checksum of the text that was applied, with its algorithm: `sha256:…`.
    pub fn checksum(&self) -> &str {
        &self.checksum
    }

    /// How far the migration came.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether older binaries may run on the schema that it left.
    pub fn compatibility(&self) -> Compatibility {
        self.compatibility
    }

    /// When it was done, by the server's clock.
    pub fn deployed_at(&self) -> DateTime<Utc> {
        self.deployed_at
    }

    /// The role that applied it.
    pub fn deployed_by(&self) -> &str {
        &self.deployed_by
    }

    /// How long it took, by the server's clock; zero where nobody knows: it was recorded without being run, say.
    pub fn execution_time(&self) -> Duration {
        self.execution_time
    }
}

/// How far a migration came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It is applied, wholly.
    Applied,
    /// It began and its end is not recorded: it runs without a transaction, and the next run goes on with it; or its script ended the
    /// transaction that it ran in.
    Interrupted,
    /// Another migration stands for it.
    Replaced,
}

/// Where a context's history ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub(crate) ordinal: u32,
    pub(crate) digest: Digest,
}

impl Default for End {
    fn default() -> Self {
        Self { ordinal: 0, digest: Digest::EMPTY }
    }
}
