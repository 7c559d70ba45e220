//! What a rollback means for a history: [`Undo`]s in order, or the reasons why not.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use habitat_migrate_catalog::{
    Catalog, Migration, MigrationId, Settings, Template, TransactionMode, normalise,
};

use super::{Refusal, Refusals, Wish, unfilled};
use crate::history::{History, Record, State};
use crate::policy::Rollback;

/// One migration to be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Undo<'c> {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
    pub(crate) script: Cow<'c, str>,
    pub(crate) settings: Settings,
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
    wish: Wish<'_>,
) -> Result<Vec<Undo<'c>>, Refusals> {
    let mut refusals = Vec::new();
    let ours: HashSet<&str> = catalog.contexts().iter().map(|context| context.name()).collect();
    // What repeats is taken back by no script: it changes, or goes with what it stands on.
    let is_candidate = |record: &&Record| {
        ours.contains(record.id().context()) && record.state() != State::Replaced && !is_repeatable(record)
    };
    let applied = in_place(history.records().iter().filter(is_candidate).collect());
    let chosen = chosen(&applied, rollback, &mut refusals);
    let mut steps = Vec::new();
    for record in chosen.into_iter().rev() {
        let id = record.id();
        let migration = catalog.get(id.context(), id.version());
        let script = match (&record.down, migration.and_then(|migration| migration.down())) {
            (Some(recorded), _) => Some(Cow::Owned(recorded.clone())),
            (None, Some(own)) => Some(filled(own, migration, wish, &mut refusals)),
            (None, None) => None,
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
        let path = match migration {
            Some(migration) => super::beside(migration.path(), "down"),
            None => format!("{id} (the down script that the tracker keeps)"),
        };
        let settings = Settings::of_script(&script);
        if TransactionMode::of_down(&script) == TransactionMode::None {
            refusals.push(Refusal::Unsupported { path: path.clone(), what: "runs without a transaction" });
        }
        steps.push(Undo { id: id.clone(), path, script, settings });
    }
    if refusals.is_empty() { Ok(steps) } else { Err(Refusals::new(refusals)) }
}

/// A script of the catalog with the values of its placeholders.
fn filled<'c>(
    script: &'c str,
    migration: Option<&Migration>,
    wish: Wish<'_>,
    refusals: &mut Vec<Refusal>,
) -> Cow<'c, str> {
    let Some(migration) = migration.filter(|m| !m.settings().placeholders.is_empty()) else {
        return script.into();
    };
    unfilled(migration, wish.values, refusals);
    let text = normalise(script);
    let rendered = wish.values.and_then(|values| {
        let rendered = Template::of(&text, &migration.settings().placeholders).render(values).ok()?;
        Some(rendered.text().to_owned())
    });
    rendered.map_or(script.into(), Cow::Owned)
}

/// The records of a context in its order: one that stands for others was recorded last, and stands where they stood.
fn in_place(mut applied: Vec<&Record>) -> Vec<&Record> {
    let mut ordered: HashMap<&str, Vec<&Record>> = HashMap::new();
    for record in applied.iter().filter(|record| record.ordinal.is_some()) {
        ordered.entry(record.id().context()).or_default().push(record);
    }
    ordered.values_mut().for_each(|records| records.sort_by_key(|record| Reverse(record.ordinal)));
    for record in applied.iter_mut().filter(|record| record.ordinal.is_some()) {
        let next = ordered.get_mut(record.id().context()).and_then(Vec::pop);
        *record = next.unwrap_or(record);
    }
    applied
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
