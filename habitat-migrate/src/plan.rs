//! What a goal means for a catalog and a history: [`Plan`], or the reasons why not. Nothing here asks a server.

use std::collections::{HashMap, HashSet};
use std::fmt;

use habitat_migrate_catalog::{
    Catalog, Compatibility, Digest, Kind, Migration, MigrationId, TransactionMode, Version,
};

use crate::history::{History, Record, State};
use crate::policy::{Changed, Missing, NewerDatabase, OutOfOrder, Policy};

#[cfg(test)]
mod tests;

/// The steps that bring a database to where a catalog wants it.
#[derive(Clone, Debug)]
pub struct Plan<'c> {
    steps: Vec<Apply<'c>>,
    present: usize,
    newer: Vec<MigrationId>,
}

impl<'c> Plan<'c> {
    /// Plans to apply everything that a catalog has and a history has not.
    ///
    /// # Errors
    ///
    /// Every reason for which the policy forbids it; nothing may be applied then.
    pub fn new(catalog: &'c Catalog, history: &History, policy: Policy) -> Result<Self, Refusals> {
        let mut refusals = unsupported(catalog);
        let newer = compare(catalog, history, policy, &mut refusals);
        let applied = history.by_id();
        let is_done = |record: &&&Record| record.state() == State::Applied;
        let mut done: HashSet<&MigrationId> =
            applied.values().filter(is_done).map(|record| record.id()).collect();
        let present = catalog.migrations().iter().filter(|m| done.contains(m.id())).count();
        let highest = highest_versions(history);
        let mut ends = history.ends();
        let mut steps = Vec::new();
        for migration in catalog.migrations().iter().filter(|m| !applied.contains_key(m.id())) {
            if let Some(after) = highest.get(migration.context()).filter(|v| **v > migration.version()) {
                if migration.kind() == Kind::Versioned && policy.out_of_order == OutOfOrder::Refuse {
                    let after = MigrationId::new(migration.context().to_owned(), (*after).clone());
                    refusals.push(Refusal::OutOfOrder { migration: migration.id().clone(), after });
                }
            }
            for required in migration.requires().iter().filter(|id| !done.contains(id)) {
                refusals.push(Refusal::Requires {
                    migration: migration.id().clone(),
                    required: required.clone(),
                });
            }
            done.insert(migration.id());
            let end = ends.entry(migration.context()).or_default();
            end.ordinal += 1;
            let checksum = migration.checksum().to_string();
            end.digest = end.digest.with(migration.context(), migration.version().as_str(), &checksum);
            steps.push(Apply { migration, ordinal: end.ordinal, digest: end.digest });
        }
        if refusals.is_empty() { Ok(Self { steps, present, newer }) } else { Err(Refusals(refusals)) }
    }

    /// The migrations that will be applied, in order.
    pub fn pending(&self) -> impl ExactSizeIterator<Item = &'c Migration> {
        self.steps.iter().map(|step| step.migration)
    }

    /// The migrations that the database has beyond the catalog, in the catalog's contexts.
    pub fn newer(&self) -> &[MigrationId] {
        &self.newer
    }

    /// How many of the catalog's migrations are applied already.
    pub fn already_applied(&self) -> usize {
        self.present
    }

    pub(crate) fn into_steps(self) -> Vec<Apply<'c>> {
        self.steps
    }
}

/// One step: a migration, and where its record stands in its context.
#[derive(Clone, Debug)]
pub(crate) struct Apply<'c> {
    pub(crate) migration: &'c Migration,
    pub(crate) ordinal: u32,
    pub(crate) digest: Digest,
}

/// Compares what is applied with the catalog; returns what is newer.
fn compare(
    catalog: &Catalog,
    history: &History,
    policy: Policy,
    refusals: &mut Vec<Refusal>,
) -> Vec<MigrationId> {
    let known: HashMap<&MigrationId, &Migration> =
        catalog.migrations().iter().map(|migration| (migration.id(), migration)).collect();
    let mut last: HashMap<&str, &Version> = HashMap::new();
    for migration in catalog.migrations().iter().filter(|m| m.kind() == Kind::Versioned) {
        let version = last.entry(migration.context()).or_insert(migration.version());
        *version = (*version).max(migration.version());
    }
    let settled = settled(catalog, history);
    let mut newer = Vec::new();
    for record in history.records() {
        let id = record.id();
        // A context that the catalog does not have belongs to another program.
        let Some(last) = last.get(id.context()) else { continue };
        if record.state() == State::Interrupted {
            refusals.push(Refusal::Interrupted { migration: id.clone() });
        }
        match known.get(id) {
            Some(migration)
                if policy.changed == Changed::Refuse && !is_same(migration, record.checksum()) =>
            {
                refusals.push(Refusal::Changed {
                    migration: id.clone(),
                    path: migration.path().to_owned(),
                    recorded: record.checksum().to_owned(),
                    built: migration.checksum().to_string(),
                });
            }
            Some(_) => {}
            None if id.version() > *last || settled.contains(id.context()) => {
                newer.push(id.clone());
                if record.compatibility() == Compatibility::Breaking {
                    refusals.push(Refusal::Breaking { migration: id.clone() });
                } else if policy.newer == NewerDatabase::Refuse {
                    refusals.push(Refusal::Newer { migration: id.clone() });
                }
            }
            None if policy.missing == Missing::Refuse => {
                refusals.push(Refusal::Missing { migration: id.clone() });
            }
            None => {}
        }
    }
    newer
}

/// The contexts whose first records are exactly the catalog's migrations: all others came later, from newer
/// programs, even where their versions are lower. It is what the tracker's digests tell without reading its rows.
fn settled<'c>(catalog: &'c Catalog, history: &History) -> HashSet<&'c str> {
    let applied = history.by_id();
    let counts: HashMap<&str, usize> = catalog.contexts().iter().map(|c| (c.name(), c.count())).collect();
    let mut settled: HashSet<&str> = counts.keys().copied().collect();
    for migration in catalog.migrations().iter().filter(|m| m.kind() == Kind::Versioned) {
        let count = counts.get(migration.context()).copied().unwrap_or_default();
        if applied.get(migration.id()).is_none_or(|record| record.ordinal as usize > count) {
            settled.remove(migration.context());
        }
    }
    settled
}

/// Whether the applied text is the migration's text, or an earlier one that it accepts.
fn is_same(migration: &Migration, recorded: &str) -> bool {
    let accepted = migration.settings().accepts.iter();
    accepted.chain([&migration.checksum()]).any(|checksum| checksum.to_string() == recorded)
}

fn highest_versions(history: &History) -> HashMap<&str, &Version> {
    let mut highest: HashMap<&str, &Version> = HashMap::new();
    for record in history.records() {
        let version = highest.entry(record.id().context()).or_insert(record.id().version());
        *version = (*version).max(record.id().version());
    }
    highest
}

/// What the engine cannot do yet must stop it before it begins.
fn unsupported(catalog: &Catalog) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for migration in catalog.migrations() {
        let settings = migration.settings();
        let uses = [
            (migration.kind() == Kind::Repeatable, "is repeatable"),
            (migration.down().is_some(), "has a down script"),
            (migration.verify().is_some(), "has a verify script"),
            (settings.transaction == TransactionMode::None, "runs without a transaction"),
            (!settings.environments.is_empty(), "is for certain environments"),
            (!settings.needs.is_empty(), "declares what it needs of the server"),
            (!settings.placeholders.is_empty(), "has placeholders"),
            (!settings.replaces.is_empty(), "replaces others"),
        ];
        let uses = uses.into_iter().filter(|(uses, _)| *uses);
        refusals
            .extend(uses.map(|(_, what)| Refusal::Unsupported { path: migration.path().to_owned(), what }));
    }
    refusals
}

/// Every reason why a plan may not be carried out.
#[derive(Clone, Debug)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// The reasons; there is at least one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Refusal> {
        self.0.iter()
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, refusal) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            refusal.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusals {}

/// One reason why a plan may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// An applied migration has another text now.
    Changed {
        /// Which one.
        migration: MigrationId,
        /// Its file.
        path: String,
        /// The checksum that was recorded.
        recorded: String,
        /// The checksum that it has now.
        built: String,
    },
    /// An applied migration is not in the catalog, although later ones are.
    Missing {
        /// Which one.
        migration: MigrationId,
    },
    /// A pending migration is below an applied one of its context.
    OutOfOrder {
        /// The pending one.
        migration: MigrationId,
        /// The applied one with the highest version.
        after: MigrationId,
    },
    /// The database has a later migration, and the policy refuses such databases.
    Newer {
        /// Which one.
        migration: MigrationId,
    },
    /// The database has a later migration that older programs must not run on.
    Breaking {
        /// Which one.
        migration: MigrationId,
    },
    /// A required migration of another owner is not applied.
    Requires {
        /// Which migration requires it.
        migration: MigrationId,
        /// What it requires.
        required: MigrationId,
    },
    /// A migration began and its end is not recorded: its script ended the transaction that it ran in.
    Interrupted {
        /// Which one.
        migration: MigrationId,
    },
    /// The migration uses something that this version of the library does not do yet.
    Unsupported {
        /// Its file.
        path: String,
        /// What it uses.
        what: &'static str,
    },
}

impl Refusal {
    /// What to do about it; a second line, where there is one, is to be copied.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Changed { recorded, .. } => {
                return format!(
                    "restore the file and put the change into a new migration; or, if the applied text is good as well, \
                     add this line to the file:\n-- habitat: accepts {recorded}"
                );
            }
            Self::Missing { .. } => {
                "restore the file; if it is gone for good, migrate with `Missing::Ignore`"
            }
            Self::OutOfOrder { .. } => {
                "give it a number above the applied ones, or migrate with `OutOfOrder::Apply`"
            }
            Self::Newer { .. } | Self::Breaking { .. } => "deploy a program that has this migration",
            Self::Requires { .. } => "let the program that owns the required migration migrate first",
            Self::Interrupted { .. } => {
                "find out by hand how far it came, complete it or undo it, and delete its row \
                 or set its state to 'applied'"
            }
            Self::Unsupported { .. } => "it was refused before anything ran; remove it for now",
        };
        advice.to_owned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { migration, path, .. } => {
                write!(f, "{migration} has changed since it was applied ({path})")
            }
            Self::Missing { migration } => {
                write!(
                    f,
                    "{migration} is applied and this program does not have it, although it has later ones"
                )
            }
            Self::OutOfOrder { migration, after } => {
                write!(f, "{migration} is pending, but {after} is applied already")
            }
            Self::Newer { migration } => {
                write!(f, "the database has {migration}, which is newer than this program")
            }
            Self::Breaking { migration } => {
                write!(
                    f,
                    "the database has {migration}, which is newer than this program and breaks older ones"
                )
            }
            Self::Requires { migration, required } => {
                write!(f, "{migration} requires {required}, which is not applied")
            }
            Self::Interrupted { migration } => {
                write!(
                    f,
                    "{migration} began and its end is not recorded: its script ended its own transaction"
                )
            }
            Self::Unsupported { path, what } => {
                write!(f, "{path} {what}, which this version of habitat-migrate does not support yet")
            }
        }
    }
}
