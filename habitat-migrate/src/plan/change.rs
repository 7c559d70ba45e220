//! Changes to the tracker that run no migration: repairs, baselines, adoption, squashed histories.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use habitat_migrate_catalog::{Catalog, Digest, Kind, Migration, MigrationId, Version};

use super::{Planner, Refusal, Refusals, Step, Wish, filled, replaced, unfilled};
use crate::history::{History, Record, State};
use crate::policy::{OutOfOrder, Policy};

/// What is changed in the tracker.
#[derive(Clone, Debug)]
pub(crate) enum Change<'c> {
    /// A migration counts as applied although this library did not run it.
    Record {
        step: Step<'c>,
        /// The script that takes it back.
        down: Option<Cow<'c, str>>,
        /// Those in whose place it stands, also in the order of time.
        instead: Vec<MigrationId>,
        event: &'static str,
        deployed: Deployed,
        why: String,
    },
    /// An interrupted migration counts as applied.
    Complete { id: MigrationId, why: String },
    /// A record goes.
    Forget { id: MigrationId, why: String },
    /// A record stands outside of the order from now on: another migration stands for it.
    Replace { id: MigrationId, by: MigrationId },
    /// A record's checksum is another one now.
    Accept { id: MigrationId, checksum: String, why: String },
    /// The records of a context, from one place on, are put in a new order.
    Order { context: String, from: u32, links: Vec<Link> },
}

impl Change<'_> {
    /// The migration whose record it changes; none where it only puts records in order.
    pub(crate) fn id(&self) -> Option<&MigrationId> {
        match self {
            Self::Record { step, .. } => Some(step.migration.id()),
            Self::Complete { id, .. }
            | Self::Forget { id, .. }
            | Self::Replace { id, .. }
            | Self::Accept { id, .. } => Some(id),
            Self::Order { .. } => None,
        }
    }
}

/// When and by whom a migration was applied, where another tool has kept it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deployed {
    /// A `timestamptz` as the server writes it.
    pub(crate) at: Option<String>,
    pub(crate) by: Option<String>,
    pub(crate) took: Option<Duration>,
}

/// A migration that another tool applied.
#[cfg(feature = "adopt")]
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) id: MigrationId,
    pub(crate) deployed: Deployed,
    pub(crate) why: String,
}

/// Records what another tool applied, in the catalog's order; what is recorded by now is left as it is.
#[cfg(feature = "adopt")]
pub(crate) fn take_over<'c>(
    catalog: &'c Catalog,
    history: &History,
    taken: &[Taken],
    wish: Wish<'_>,
) -> Result<Vec<Change<'c>>, Refusals> {
    let mut refusals = Vec::new();
    super::environment(history, wish.environment, &mut refusals);
    let by_id: HashMap<&MigrationId, &Taken> = taken.iter().map(|taken| (&taken.id, taken)).collect();
    let mut planner = Planner::new(history, Policy { out_of_order: OutOfOrder::Apply, ..Policy::default() });
    let mut changes = Vec::new();
    for migration in catalog.migrations().iter().filter(|m| history.get(m.id()).is_none()) {
        let Some(taken) = by_id.get(migration.id()) else { continue };
        unfilled(migration, wish.values, &mut refusals);
        let (deployed, why) = (taken.deployed.clone(), taken.why.clone());
        let step = planner.step(migration, &mut Vec::new());
        let down = kept(migration, wish);
        changes.push(Change::Record { step, down, instead: Vec::new(), event: "adopt", deployed, why });
    }
    if refusals.is_empty() { Ok(changes) } else { Err(Refusals::new(refusals)) }
}

/// Where a record stands in its context.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) version: Version,
    pub(crate) checksum: String,
    pub(crate) ordinal: u32,
    pub(crate) digest: Digest,
}

/// A repair of the tracker by hand.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Repair<'a> {
    /// This migration and all before it in the catalog count as applied.
    Baseline(&'a MigrationId),
    /// One migration counts as applied.
    MarkApplied(&'a MigrationId),
    /// One migration counts as not applied.
    Forget(&'a MigrationId),
    /// The text that the catalog has counts as the one that was applied.
    Accept(&'a MigrationId),
}

/// What a repair changes.
///
/// # Errors
///
/// Why it is not possible.
pub(crate) fn repair<'c>(
    catalog: &'c Catalog,
    history: &History,
    repair: Repair<'_>,
    why: &str,
    wish: Wish<'_>,
) -> Result<Vec<Change<'c>>, Refusals> {
    let mut refusals = Vec::new();
    super::environment(history, wish.environment, &mut refusals);
    if !refusals.is_empty() {
        return Err(Refusals::new(refusals));
    }
    let why = why.to_owned();
    match repair {
        Repair::Baseline(id) => baseline(catalog, history, id, &why, wish),
        Repair::MarkApplied(id) => match history.get(id) {
            Some(record) if record.state() == State::Interrupted => {
                Ok(vec![Change::Complete { id: id.clone(), why }])
            }
            Some(_) => Err(Refusal::Recorded { migration: id.clone() }.into()),
            None => mark(catalog, history, id, &why, wish),
        },
        Repair::Forget(id) => match history.get(id) {
            Some(_) => {
                let mut changes = vec![Change::Forget { id: id.clone(), why }];
                changes.extend(order(
                    history,
                    id,
                    |record| record.id() != id,
                    |record| record.checksum().to_owned(),
                ));
                Ok(changes)
            }
            None => Err(Refusal::NotRecorded { migration: id.clone() }.into()),
        },
        Repair::Accept(id) => match (history.get(id), catalog.get(id.context(), id.version())) {
            (None, _) => Err(Refusal::NotRecorded { migration: id.clone() }.into()),
            (_, None) => Err(Refusal::Unknown { migration: id.clone() }.into()),
            (Some(record), Some(migration)) => {
                let built = migration.checksum().to_string();
                let recorded = record.checksum().to_owned();
                let checksum = |record: &Record| {
                    if record.id() == id { built.clone() } else { record.checksum().to_owned() }
                };
                let mut changes: Vec<_> = order(history, id, |_| true, checksum).into_iter().collect();
                let (id, why) = (id.clone(), format!("{why}; it was {recorded}"));
                changes.push(Change::Accept { id, checksum: built, why });
                Ok(changes)
            }
        },
    }
}

fn baseline<'c>(
    catalog: &'c Catalog,
    history: &History,
    id: &MigrationId,
    why: &str,
    wish: Wish<'_>,
) -> Result<Vec<Change<'c>>, Refusals> {
    let ours =
        |record: &&Record| catalog.contexts().iter().any(|context| context.name() == record.id().context());
    if let Some(record) = history.records().iter().find(ours) {
        return Err(Refusal::Recorded { migration: record.id().clone() }.into());
    }
    let mut refusals = Vec::new();
    let within = super::within(catalog, id, &mut refusals);
    let environment = super::environment(history, wish.environment, &mut refusals);
    if !refusals.is_empty() {
        return Err(Refusals::new(refusals));
    }
    // The one that is named counts as applied in any case; what else this database does not get, it has not.
    let is_there = |m: &&Migration| {
        m.kind() == Kind::Versioned && within.contains(m.id()) && (m.is_for(environment) || m.id() == id)
    };
    let migrations: Vec<&Migration> = catalog.migrations().iter().filter(is_there).collect();
    record(history, &migrations, "baseline", why, wish)
}

/// Records one migration; it stands for those that it replaces, where they are applied.
fn mark<'c>(
    catalog: &'c Catalog,
    history: &History,
    id: &MigrationId,
    why: &str,
    wish: Wish<'_>,
) -> Result<Vec<Change<'c>>, Refusals> {
    let Some(migration) = catalog.get(id.context(), id.version()) else {
        return Err(Refusal::Unknown { migration: id.clone() }.into());
    };
    let mut refusals = Vec::new();
    let stands = Planner::new(history, wish.policy).has_all_that_it_replaces(migration, &mut refusals);
    unfilled(migration, wish.values, &mut refusals);
    match refusals.is_empty() {
        false => Err(Refusals::new(refusals)),
        true if stands => Ok(stand(history, &[migration], wish)),
        true => record(history, &[migration], "mark", why, wish),
    }
}

/// Records migrations behind what is there.
fn record<'c>(
    history: &History,
    migrations: &[&'c Migration],
    event: &'static str,
    why: &str,
    wish: Wish<'_>,
) -> Result<Vec<Change<'c>>, Refusals> {
    let mut refusals = Vec::new();
    let mut planner = Planner::new(history, Policy { out_of_order: OutOfOrder::Apply, ..Policy::default() });
    let mut changes = Vec::new();
    for migration in migrations {
        unfilled(migration, wish.values, &mut refusals);
        // What it requires may be there without a record: that is what the caller says.
        let step = planner.step(migration, &mut Vec::new());
        changes.push(Change::Record {
            step,
            down: kept(migration, wish),
            instead: Vec::new(),
            event,
            deployed: Deployed::default(),
            why: why.to_owned(),
        });
    }
    if refusals.is_empty() { Ok(changes) } else { Err(Refusals::new(refusals)) }
}

/// The down script of a migration as the tracker keeps it: with the values of its placeholders.
fn kept<'c>(migration: &'c Migration, wish: Wish<'_>) -> Option<Cow<'c, str>> {
    Some(filled(migration.down()?, &migration.settings().placeholders, wish.values))
}

/// Lets migrations stand for those that they replace, whose records stay, outside of the order.
pub(crate) fn stand<'c>(history: &History, stands: &[&'c Migration], wish: Wish<'_>) -> Vec<Change<'c>> {
    let mut changes = Vec::new();
    let mut orders: HashMap<&str, Vec<(&Version, String)>> = HashMap::new();
    for migration in stands {
        let context = migration.context();
        let gone: HashSet<MigrationId> = replaced(migration).collect();
        let rows = orders.entry(context).or_insert_with(|| in_order(history, context));
        let first = rows.iter().position(|(version, _)| gone.iter().any(|id| id.version() == *version));
        rows.insert(first.unwrap_or(rows.len()), (migration.version(), migration.checksum().to_string()));
        rows.retain(|(version, _)| !gone.iter().any(|id| id.version() == *version));
        let step = Step { migration, link: None, again: false, resumes: false };
        changes.push(Change::Record {
            step,
            down: kept(migration, wish),
            instead: replaced(migration).collect(),
            event: "replace",
            deployed: Deployed::default(),
            why: "it stands for migrations that are applied".to_owned(),
        });
        let by = migration.id();
        changes.extend(replaced(migration).map(|id| Change::Replace { id, by: by.clone() }));
    }
    for (context, rows) in orders {
        let links = links(context, rows.into_iter());
        changes.push(Change::Order { context: context.to_owned(), from: 1, links });
    }
    changes
}

/// The records of a context, in their order.
fn in_order<'h>(history: &'h History, context: &str) -> Vec<(&'h Version, String)> {
    let mut records: Vec<&Record> =
        history.records().iter().filter(|r| r.id().context() == context && r.ordinal.is_some()).collect();
    records.sort_by_key(|record| record.ordinal);
    records.into_iter().map(|record| (record.id().version(), record.checksum().to_owned())).collect()
}

/// Puts the records of a context in order from the place of `id` on; nothing where it has no place.
pub(crate) fn order<'c>(
    history: &History,
    id: &MigrationId,
    stays: impl Fn(&Record) -> bool,
    checksum: impl Fn(&Record) -> String,
) -> Option<Change<'c>> {
    let from = history.get(id)?.ordinal?;
    let mut records: Vec<&Record> = history
        .records()
        .iter()
        .filter(|r| r.id().context() == id.context() && r.ordinal.is_some())
        .collect();
    records.sort_by_key(|record| record.ordinal);
    let rows = records.into_iter().filter(|record| stays(record)).map(|r| (r.id().version(), checksum(r)));
    let links = links(id.context(), rows);
    let links = links.into_iter().filter(|link| link.ordinal >= from).collect();
    Some(Change::Order { context: id.context().to_owned(), from, links })
}

/// The links of a context's records, which are given in order.
pub(super) fn links<'r>(context: &str, rows: impl Iterator<Item = (&'r Version, String)>) -> Vec<Link> {
    let mut digest = Digest::EMPTY;
    let mut links = Vec::new();
    for (ordinal, (version, checksum)) in (1..).zip(rows) {
        digest = digest.with(context, version.as_str(), &checksum);
        links.push(Link { version: version.clone(), checksum, ordinal, digest });
    }
    links
}
