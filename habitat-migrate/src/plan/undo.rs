//! What a rollback means for a history: [`Undo`]s in order, or the reasons why not.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use habitat_migrate_catalog::{
    Catalog, Migration, MigrationId, Opaque, Placeholders, Settings, TransactionMode,
};

use super::{Refusal, Refusals, Wish, filled, is_to_resume, may_stand_for, replaced, unfilled};
use crate::history::{History, Record, State};
use crate::policy::Rollback;

/// One migration to be taken back.
#[derive(Clone, Debug)]
pub(crate) struct Undo<'c> {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
    pub(crate) script: Text<'c>,
    pub(crate) settings: Settings,
    /// Whether an earlier run began it without a transaction, and did not come to its end.
    pub(crate) resumes: bool,
    /// The function that is called in place of a script.
    pub(crate) function: Option<Opaque>,
    /// The records that go with its own: it stands for them.
    pub(crate) along: Vec<MigrationId>,
}

/// A down script.
#[derive(Clone)]
pub(crate) enum Text<'c> {
    /// As it is in the file, with placeholders that have values.
    File { script: &'c str, names: &'c [Cow<'static, str>], values: Option<&'c Placeholders> },
    /// As it was recorded, with the values in it.
    Kept(String),
}

/// Values may be secret: the text is not shown.
impl std::fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::File { .. } => "File",
            Self::Kept(_) => "Kept",
        })
    }
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
    wish: Wish<'c>,
) -> Result<Vec<Undo<'c>>, Refusals> {
    let mut refusals = Vec::new();
    super::environment(history, wish.environment, &mut refusals);
    let ours: HashSet<&str> = catalog.contexts().iter().map(|context| context.name()).collect();
    // What repeats is taken back by no script: it changes, or goes with what it stands on.
    let is_candidate = |record: &&Record| {
        ours.contains(record.id().context()) && record.state() != State::Replaced && !is_repeatable(record)
    };
    let applied = in_order(catalog, history.records().iter().filter(is_candidate).collect());
    let chosen = chosen(&applied, rollback, &mut refusals);
    let mut steps = Vec::new();
    for record in chosen.into_iter().rev() {
        let id = record.id();
        let migration = catalog.get(id.context(), id.version());
        let function = migration.and_then(|migration| migration.code()?.down);
        let script = match (script(record, migration, wish, &mut refusals), function) {
            (None, Some(_)) => Some(Text::Kept(String::new())),
            (script, _) => script,
        };
        if migration.is_none() && (redo || is_in_place_of_others(catalog, history, record)) {
            refusals.push(Refusal::Unknown { migration: id.clone() });
        }
        let Some(script) = script else {
            refusals.push(Refusal::NoDown { migration: id.clone(), known: migration.is_some() });
            continue;
        };
        let function = function.filter(|_| matches!(&script, Text::Kept(text) if text.is_empty()));
        let path = match migration {
            Some(migration) if function.is_some() => migration.path().to_owned(),
            Some(migration) => super::beside(migration.path(), "down"),
            None => format!("{id} (the down script that the tracker keeps)"),
        };
        let text = match &script {
            Text::File { script, .. } => script,
            Text::Kept(text) => text.as_str(),
        };
        let mut settings = Settings::of_script(text);
        settings.transaction = TransactionMode::of_down(text);
        let resumes = record.state() == State::Interrupted;
        if resumes && settings.transaction == TransactionMode::Wrapped {
            let is_begun = migration.is_some_and(|migration| is_to_resume(migration, record));
            refusals.push(match is_begun {
                true => Refusal::HalfApplied { migration: id.clone() },
                false => Refusal::Interrupted { migration: id.clone() },
            });
        }
        let is_along = |id: &MigrationId| history.get(id).is_some_and(|r| r.state() == State::Replaced);
        let along = migration.into_iter().flat_map(replaced).filter(is_along).collect();
        steps.push(Undo { id: id.clone(), path, script, settings, resumes, function, along });
    }
    if refusals.is_empty() { Ok(steps) } else { Err(Refusals::new(refusals)) }
}

/// The script that takes a migration back: the one that was kept, where it was.
///
/// Where the catalog's is the same, it is taken instead: the server's errors are told by the places of its file.
fn script<'c>(
    record: &Record,
    migration: Option<&'c Migration>,
    wish: Wish<'c>,
    refusals: &mut Vec<Refusal>,
) -> Option<Text<'c>> {
    let own = migration.and_then(|migration| Some((migration, migration.down()?)));
    let file = own.map(|(migration, script)| {
        let names = &migration.settings().placeholders;
        (migration, Text::File { script, names, values: wish.values }, filled(script, names, wish.values))
    });
    match (&record.down, file) {
        (Some(kept), Some((_, file, text))) if *kept == text => Some(file),
        (Some(kept), _) => Some(Text::Kept(kept.clone())),
        (None, Some((migration, file, _))) => {
            unfilled(migration, wish.values, refusals);
            Some(file)
        }
        (None, None) => None,
    }
}

/// Whether a record that this program does not know stands for migrations that it knows: what goes with it, it cannot tell.
fn is_in_place_of_others(catalog: &Catalog, history: &History, record: &Record) -> bool {
    let number = |id: &MigrationId| {
        let number = id.version().number();
        (number.len(), number.to_owned())
    };
    let first = |replaced: &MigrationId| {
        let others = history.records().iter().filter(|r| {
            r.state() == State::Applied && r.ordinal.is_some() && r.id().context() == replaced.context()
        });
        others
            .map(|r| r.id())
            .filter(|id| number(id) >= number(replaced))
            .min_by_key(|id| number(id))
            .cloned()
    };
    let known = |id: &&MigrationId| catalog.get(id.context(), id.version()).is_some();
    may_stand_for(history, record).filter(known).any(|id| first(id).as_ref() == Some(record.id()))
}

/// The records in the order in which they were applied, but none before what it requires, or what precedes it in its context: one that
/// stands for others has the time of the last of them.
fn in_order<'h>(catalog: &Catalog, records: Vec<&'h Record>) -> Vec<&'h Record> {
    let place: HashMap<&MigrationId, usize> = records.iter().enumerate().map(|(n, r)| (r.id(), n)).collect();
    let ordinals: HashMap<(&str, u32), usize> =
        records.iter().enumerate().filter_map(|(n, r)| Some(((r.id().context(), r.ordinal?), n))).collect();
    let needs = |record: &Record| -> Vec<usize> {
        let id = record.id();
        let before =
            record.ordinal.and_then(|ordinal| ordinals.get(&(id.context(), ordinal.checked_sub(1)?)));
        let requires = catalog.get(id.context(), id.version()).map(|m| m.requires()).unwrap_or_default();
        requires.iter().filter_map(|id| place.get(id)).chain(before).copied().collect()
    };
    let mut seen = vec![false; records.len()];
    let mut ordered = Vec::with_capacity(records.len());
    for start in 0..records.len() {
        let mut stack = vec![(start, false)];
        while let Some((n, is_ready)) = stack.pop() {
            if is_ready {
                ordered.push(records[n]);
            } else if !std::mem::replace(&mut seen[n], true) {
                stack.push((n, true));
                stack.extend(needs(records[n]).into_iter().map(|n| (n, false)));
            }
        }
    }
    ordered
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
