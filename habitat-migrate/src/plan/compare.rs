//! Compares what a database has with what a catalog has.

use std::collections::{HashMap, HashSet};

use habitat_migrate_catalog::{
    Catalog, Compatibility, Kind, Migration, MigrationId, TransactionMode, Version,
};

use super::{Refusal, replaced};
use crate::history::{History, Record, State};
use crate::policy::{Changed, Missing, NewerDatabase, Policy};

/// Compares what is applied with the catalog; returns what is newer.
pub(super) fn compare(
    catalog: &Catalog,
    history: &History,
    policy: Policy,
    refusals: &mut Vec<Refusal>,
) -> Vec<MigrationId> {
    let known: HashMap<&MigrationId, &Migration> =
        catalog.migrations().iter().map(|migration| (migration.id(), migration)).collect();
    let mut last: HashMap<&str, &Version> = HashMap::new();
    for migration in catalog.migrations().iter().filter(|m| m.is_ordered()) {
        let version = last.entry(migration.context()).or_insert(migration.version());
        *version = (*version).max(migration.version());
    }
    let settled = settled(catalog, history);
    let replaced: HashSet<MigrationId> = catalog.migrations().iter().flat_map(replaced).collect();
    let mut newer = Vec::new();
    for record in history.records() {
        let id = record.id();
        // A context that the catalog does not have belongs to another program.
        let Some(last) = last.get(id.context()) else { continue };
        if known.get(id).is_some_and(|migration| is_to_resume(migration, record)) {
            // Which of its statements may have changed, its progress tells.
            continue;
        }
        if record.state() == State::Interrupted {
            refusals.push(Refusal::Interrupted { migration: id.clone() });
        }
        // Another migration stands for it, or will.
        if record.state() == State::Replaced || replaced.contains(id) {
            continue;
        }
        match known.get(id) {
            // It runs again.
            Some(migration) if migration.kind() == Kind::Repeatable => {}
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
            // It repeats, or only some environments have it: no later one was built on it.
            None if record.ordinal.is_none() => {}
            None if id.version() > *last
                || settled.contains(id.context())
                || may_stand_for(history, record).any(|id| known.contains_key(id)) =>
            {
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

/// What the database has from newer programs, whatever the policy says of it.
pub(crate) fn newer(catalog: &Catalog, history: &History) -> Vec<MigrationId> {
    compare(catalog, history, Policy::default(), &mut Vec::new())
}

/// The contexts whose first records are exactly the catalog's migrations: all others came later, from newer
/// programs, even where their versions are lower. It is what the tracker's digests tell without reading its rows.
fn settled<'c>(catalog: &'c Catalog, history: &History) -> HashSet<&'c str> {
    let applied = history.by_id();
    let counts: HashMap<&str, usize> = catalog.contexts().iter().map(|c| (c.name(), c.count())).collect();
    let mut settled: HashSet<&str> = counts.keys().copied().collect();
    for migration in catalog.migrations().iter().filter(|m| m.is_ordered()) {
        let count = counts.get(migration.context()).copied().unwrap_or_default();
        if applied
            .get(migration.id())
            .is_none_or(|record| record.ordinal.is_none_or(|ordinal| ordinal as usize > count))
        {
            settled.remove(migration.context());
        }
    }
    settled
}

/// Whether a migration without a transaction was begun, and did not come to its end: another run goes on with it.
pub(super) fn is_to_resume(migration: &Migration, record: &Record) -> bool {
    record.state() == State::Interrupted && migration.settings().transaction == TransactionMode::None
}

/// The migrations for which a record may stand: a program that has these and not the record is older than it.
pub(super) fn may_stand_for<'h>(
    history: &'h History,
    record: &'h Record,
) -> impl Iterator<Item = &'h MigrationId> {
    fn number(record: &Record) -> (usize, &str) {
        let number = record.id().version().number();
        (number.len(), number)
    }
    let is_below = move |other: &&Record| {
        other.state() == State::Replaced
            && other.id().context() == record.id().context()
            && number(other) <= number(record)
    };
    history.records().iter().filter(is_below).map(Record::id)
}

/// Whether the applied text is the migration's text, or an earlier one that it accepts.
pub(crate) fn is_same(migration: &Migration, recorded: &str) -> bool {
    let accepted = migration.settings().accepts.iter();
    accepted.chain([&migration.checksum()]).any(|checksum| checksum.to_string() == recorded)
}
