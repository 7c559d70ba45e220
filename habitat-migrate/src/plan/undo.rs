//! What a rollback means for a history: [`Undo`]s in order, or the reasons why not.

use std::borrow::Cow;
use std::collections::HashSet;

use habitat_migrate_catalog::{Catalog, MigrationId, Opaque, Settings, TransactionMode};

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
    /// The function that is called in place of a script.
    pub(crate) function: Option<Opaque>,
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
        let function = migration.and_then(|migration| migration.code()?.down);
        let script = match (&record.down, migration.and_then(|migration| migration.down())) {
            (Some(recorded), _) => Some(Cow::Owned(recorded.clone())),
            (None, Some(own)) => Some(Cow::Borrowed(own)),
            (None, None) => function.map(|_| Cow::Borrowed("")),
        };
        if record.state() == State::Interrupted {
            refusals.push(Refusal::Interrupted { migration: id.clone() });
        }
        if redo && migration.is_none() {
            refusals.push(Refusal::Unknown { migration: id.clone() });
        }
        let Some(script) = script else {
            refusals.push(Refusal::NoDown { migration: id.clone(), known: migration.is_some() });
            continue;
        };
        let function = function.filter(|_| script.is_empty());
        let path = match migration {
            Some(migration) if function.is_some() => migration.path().to_owned(),
            Some(migration) => super::beside(migration.path(), "down"),
            None => format!("{id} (the down script that the tracker keeps)"),
        };
        let settings = Settings::of_script(&script);
        if settings.transaction == TransactionMode::None {
            refusals.push(Refusal::Unsupported { path: path.clone(), what: "runs without a transaction" });
        }
        steps.push(Undo { id: id.clone(), path, script, settings, function });
    }
    if refusals.is_empty() { Ok(steps) } else { Err(Refusals::new(refusals)) }
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
