//! What a rollback means for a history: [`Undo`]s in order, or the reasons why not.

use std::borrow::Cow;
use std::collections::HashSet;

use habitat_migrate_catalog::{Catalog, MigrationId, Settings, TransactionMode};

use super::{Refusal, Refusals};
use crate::history::{History, Record, State};
use crate::policy::Rollback;

/// One migration to be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Undo<'c> {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
    pub(crate) script: Cow<'c, str>,
    pub(crate) settings: Settings,
    /// Whether an earlier run began it without a transaction, and did not come to its end.
    pub(crate) resumes: bool,
}

/// What is taken back, last applied first, so that whatever builds on a migration goes before it.
///
/// The scripts are those that were recorded when the migrations were applied: they fit what is there, and are there when the program is
/// older than the database. Where none was recorded, the catalog's is taken. What is to be applied again, has to be in the catalog.
///
/// # Errors
///
/// Every migration that cannot be taken back; nothing may be taken back then.
pub(crate) fn undo<'c>(
    catalog: &'c Catalog,
    history: &History,
    rollback: &Rollback,
    redo: bool,
) -> Result<Vec<Undo<'c>>, Refusals> {
    let mut refusals = Vec::new();
    let ours: HashSet<&str> = catalog.contexts().iter().map(|context| context.name()).collect();
    // What repeats is taken back by no script: it changes, or goes with what it stands on.
    let is_candidate = |record: &&Record| {
        ours.contains(record.id().context()) && record.state() != State::Replaced && !is_repeatable(record)
    };
    let applied: Vec<&Record> = history.records().iter().filter(is_candidate).collect();
    let chosen = chosen(&applied, rollback, &mut refusals);
    let mut steps = Vec::new();
    for record in chosen.into_iter().rev() {
        let id = record.id();
        let migration = catalog.get(id.context(), id.version());
        let begun = record.state() == State::Interrupted;
        let script = match (&record.down, migration.and_then(|migration| migration.down())) {
            (Some(recorded), _) => Some(Cow::Owned(recorded.clone())),
            (None, Some(own)) => Some(Cow::Borrowed(own)),
            (None, None) => None,
        };
        if redo && migration.is_none() {
            refusals.push(Refusal::Unknown { migration: id.clone() });
        }
        let Some(script) = script else {
            refusals.push(Refusal::NoDown { migration: id.clone(), known: migration.is_some() });
            continue;
        };
        let path = match migration {
            Some(migration) => super::beside(migration.path(), "down"),
            None => format!("{id} (the down script that the tracker keeps)"),
        };
        let mut settings = Settings::of_script(&script);
        let script = without_mark(script);
        if record.down.is_none() {
            // The migration's own script speaks for its down script.
            settings.transaction = migration.map(|m| m.settings().transaction).unwrap_or_default();
        }
        if begun && settings.transaction == TransactionMode::Wrapped {
            refusals.push(Refusal::Interrupted { migration: id.clone() });
        }
        steps.push(Undo { id: id.clone(), path, script, settings, resumes: begun });
    }
    if refusals.is_empty() { Ok(steps) } else { Err(Refusals::new(refusals)) }
}

/// The line with which the tracker keeps the down script of a migration without a transaction.
pub(crate) const ALONE: &str = "-- habitat: transaction none\n";

/// A down script as it is in its file.
fn without_mark(script: Cow<'_, str>) -> Cow<'_, str> {
    match script.strip_prefix(ALONE) {
        Some(rest) => Cow::Owned(rest.to_owned()),
        None => script,
    }
}

fn is_repeatable(record: &Record) -> bool {
    record.id().version().as_str().starts_with("R__")
}

/// The records to be taken back, first applied first.
fn chosen<'h>(applied: &[&'h Record], rollback: &Rollback, refusals: &mut Vec<Refusal>) -> Vec<&'h Record> {
    let from = match rollback {
        Rollback::Last => applied.len().saturating_sub(1),
        Rollback::Steps(steps) => applied.len().saturating_sub(*steps),
        Rollback::All => 0,
        Rollback::To(target) => match applied.iter().position(|record| record.id() == target) {
            Some(at) => return after(&applied[at..]),
            None => {
                refusals.push(Refusal::NoSuchTarget { target: target.clone() });
                applied.len()
            }
        },
    };
    applied[from..].to_vec()
}

/// What was applied after the first of these.
fn after<'h>(applied: &[&'h Record]) -> Vec<&'h Record> {
    applied.iter().skip(1).copied().collect()
}
