//! Where a database stands: [`Status`]. Made of a catalog and of what was read, it asks no server.

use std::collections::HashSet;

use habitat_migrate_catalog::{Catalog, Compatibility, Kind, Migration, MigrationId, TransactionMode};

use crate::history::{History, Record, State};
use crate::plan::{is_same, newer, replaced};

mod drift;
mod table;

pub use drift::Drift;
pub(crate) use drift::{Audit, Log, Logged, Place};
pub(crate) use table::{took, word};

/// Where a database stands, migration by migration, and whether its tracker is what the log of it says.
///
/// `{}` is a table for a terminal of 80 columns:
/// ```text
/// applied      shop:01_items            2026-03-01 09:12    4.1 ms  app
/// pending      shop:02_orders
///
/// 1 applied, 1 pending; environment: production
/// the tracker's rows are those that its log tells of
/// ```
#[derive(Clone, Debug)]
pub struct Status {
    entries: Vec<Entry>,
    environment: Option<String>,
    drift: Vec<Drift>,
    log: LogAccess,
}

/// One migration, of the program or of the database.
#[derive(Clone, Debug)]
pub struct Entry {
    id: MigrationId,
    description: String,
    stage: Stage,
    record: Option<Record>,
}

/// How far a migration is in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// It is applied, with the text that the program has or accepts.
    Applied,
    /// The program has it and the database has not.
    Pending,
    /// The program has another text than the one that was applied.
    Changed {
        /// The checksum of the text that was applied.
        recorded: String,
        /// The checksum of the text that the program has.
        built: String,
    },
    /// It is repeatable, and has another text than when it ran last: it runs again.
    RunsAgain {
        /// The checksum of the text that ran last.
        recorded: String,
        /// The checksum of the text that the program has.
        built: String,
    },
    /// The next run records it without running it: it stands for migrations that are applied.
    StandsIn,
    /// The database has it, and the program, which has the others of its context, has not.
    Missing,
    /// The database has it from a newer program; what is breaking keeps this one from booting.
    Newer(Compatibility),
    /// It runs without a transaction, and some of its statements are done: the next run goes on, and drops an invalid index that
    /// it has left.
    HalfDone,
    /// It began and its end is not recorded: a person has to look.
    Interrupted,
    /// Another migration stands for it.
    Replaced,
    /// It is for other environments: this database does not get it.
    Elsewhere,
    /// It is of a context that the program does not have: another program's.
    Foreign,
}

/// Whether the tracker's log could be compared with its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogAccess {
    /// It was.
    Read,
    /// This login may not read it: rows that were added, removed or altered by hand stay unseen.
    Denied,
}

impl Status {
    /// Compares a catalog with what was read; `said` is the environment that the caller names.
    pub(crate) fn of(catalog: &Catalog, history: &History, audit: &Audit, said: Option<&str>) -> Self {
        let environment = history.environment().or(said);
        let drift = drift::find(catalog, history, audit);
        let log = if audit.is_denied() { LogAccess::Denied } else { LogAccess::Read };
        Self {
            entries: entries(catalog, history, environment),
            environment: history.environment().map(str::to_owned),
            drift,
            log,
        }
    }

    /// What the database has, in the order of application; behind it what it has not, in the order in which it will be applied.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The environment that the database is recorded to belong to.
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Where the tracker's rows are not what its log and they themselves tell: somebody has changed them by hand.
    ///
    /// What only the log can tell is lacking where this login may not read it: see [`Status::log`].
    pub fn drift(&self) -> &[Drift] {
        &self.drift
    }

    /// Whether the log could be read.
    pub fn log(&self) -> LogAccess {
        self.log
    }

    /// Whether a run would find nothing to do and nothing to refuse, with the default policies. Drift does not count.
    pub fn is_current(&self) -> bool {
        self.entries.iter().all(|entry| match &entry.stage {
            Stage::Applied | Stage::Replaced | Stage::Elsewhere | Stage::Foreign => true,
            Stage::Newer(compatibility) => *compatibility == Compatibility::Compatible,
            // It repeats, or only some environments have it: no later one was built on it.
            Stage::Missing => entry.record.as_ref().is_some_and(|record| record.ordinal.is_none()),
            _ => false,
        })
    }
}

impl Stage {
    /// Whether the next run applies it, from its beginning.
    pub(crate) fn is_pending(&self) -> bool {
        matches!(self, Self::Pending | Self::RunsAgain { .. } | Self::StandsIn)
    }
}

impl Entry {
    /// Which migration it is.
    pub fn id(&self) -> &MigrationId {
        &self.id
    }

    /// One line on what the migration does.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// How far it is.
    pub fn stage(&self) -> &Stage {
        &self.stage
    }

    /// When it was applied, by whom, and how long it took; none where it is not recorded.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_ref()
    }
}

/// Whether a run goes on with a migration that an earlier one has begun.
fn resumes(migration: &Migration) -> bool {
    migration.settings().transaction == TransactionMode::None
}

/// One entry for each migration of either side.
fn entries(catalog: &Catalog, history: &History, environment: Option<&str>) -> Vec<Entry> {
    let recorded = history.by_id();
    let gone: HashSet<MigrationId> = catalog.migrations().iter().flat_map(replaced).collect();
    let newer: HashSet<MigrationId> = newer(catalog, history).into_iter().collect();
    let mut entries = Vec::new();
    for record in history.records() {
        let migration = catalog.get(record.id().context(), record.id().version());
        let stage = match migration {
            Some(migration) if record.state() == State::Interrupted && resumes(migration) => Stage::HalfDone,
            _ if record.state() == State::Interrupted => Stage::Interrupted,
            _ if record.state() == State::Replaced || gone.contains(record.id()) => Stage::Replaced,
            Some(migration) => recorded_stage(migration, record),
            None if newer.contains(record.id()) => Stage::Newer(record.compatibility()),
            None if catalog.contexts().iter().any(|c| c.name() == record.id().context()) => Stage::Missing,
            None => Stage::Foreign,
        };
        let description = record.description().to_owned();
        entries.push(Entry { id: record.id().clone(), description, stage, record: Some(record.clone()) });
    }
    for migration in catalog.migrations().iter().filter(|m| !recorded.contains_key(m.id())) {
        let mut stood_for = replaced(migration).peekable();
        let stands = stood_for.peek().is_some() && stood_for.all(|id| recorded.contains_key(&id));
        let stage = match () {
            () if stands => Stage::StandsIn,
            () if !migration.is_for(environment) => Stage::Elsewhere,
            () => Stage::Pending,
        };
        let description = migration.description().to_owned();
        entries.push(Entry { id: migration.id().clone(), description, stage, record: None });
    }
    entries
}

/// How far a migration is that both sides have.
fn recorded_stage(migration: &Migration, record: &Record) -> Stage {
    if is_same(migration, record.checksum()) {
        return Stage::Applied;
    }
    let (recorded, built) = (record.checksum().to_owned(), migration.checksum().to_string());
    match migration.kind() {
        Kind::Repeatable => Stage::RunsAgain { recorded, built },
        _ => Stage::Changed { recorded, built },
    }
}
