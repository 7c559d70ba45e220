//! What a goal means for a catalog and a history: [`Plan`], or the reasons why not. Nothing here asks a server.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use habitat_migrate_catalog::{
    Catalog, Kind, Location, Migration, MigrationId, Placeholders, Template, Version, normalise,
};

use crate::history::{End, History, Record, State};
use crate::policy::{Changed, OutOfOrder, Policy};

mod change;
mod compare;
mod fit;
mod refusal;
#[cfg(test)]
mod tests;
mod undo;

pub(crate) use change::{Change, Link, Repair, repair, stand};
#[cfg(feature = "adopt")]
pub(crate) use change::{Deployed, Taken, take_over};
use compare::{compare, is_to_resume, may_stand_for};
pub(crate) use compare::{is_same, newer};
pub(crate) use fit::fit;
pub use refusal::{Refusal, Refusals};
pub(crate) use undo::{Text as UndoText, Undo, undo};

/// The steps that bring a database to where a catalog wants it.
#[derive(Clone, Debug)]
pub struct Plan<'c> {
    steps: Vec<Step<'c>>,
    present: usize,
    newer: Vec<MigrationId>,
    elsewhere: Vec<&'c Migration>,
    stands: Vec<&'c Migration>,
}

/// What is wanted of a plan.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wish<'a> {
    pub(crate) policy: Policy,
    /// What the caller says that the database is.
    pub(crate) environment: Option<&'a str>,
    /// Where to stop: nothing is applied that this one does not need.
    pub(crate) target: Option<&'a MigrationId>,
    /// The values of placeholders.
    pub(crate) values: Option<&'a Placeholders>,
}

impl<'c> Plan<'c> {
    /// Plans to apply everything that a catalog has and a history has not.
    ///
    /// # Errors
    ///
    /// Every reason for which the policy forbids it; nothing may be applied then.
    pub fn new(catalog: &'c Catalog, history: &History, policy: Policy) -> Result<Self, Refusals> {
        Self::of(catalog, history, Wish { policy, ..Wish::default() })
    }

    pub(crate) fn of(catalog: &'c Catalog, history: &History, wish: Wish<'_>) -> Result<Self, Refusals> {
        let mut refusals = Vec::new();
        let environment = environment(history, wish.environment, &mut refusals);
        let newer = compare(catalog, history, wish.policy, &mut refusals);
        let mut planner = Planner::new(history, wish.policy);
        let mut plan =
            Self { steps: Vec::new(), present: 0, newer, elsewhere: Vec::new(), stands: Vec::new() };
        let wanted = wish.target.map(|target| within(catalog, target, &mut refusals));
        // What was begun comes first: its place is taken, and nothing may be applied before it.
        let (begun, others): (Vec<_>, Vec<_>) = catalog.migrations().iter().partition(|m| planner.resumes(m));
        for migration in begun.into_iter().chain(others) {
            if planner.is_present(migration) {
                plan.present += 1;
            } else if planner.has_all_that_it_replaces(migration, &mut refusals) {
                unfilled(migration, wish.values, &mut refusals);
                plan.present += 1;
                plan.stands.push(migration);
                planner.done.insert(migration.id().clone());
            } else if !migration.is_for(environment) {
                plan.elsewhere.push(migration);
            } else if wanted.as_ref().is_none_or(|wanted| wanted.contains(migration.id())) {
                unfilled(migration, wish.values, &mut refusals);
                plan.steps.push(planner.step(migration, &mut refusals));
            }
        }
        if refusals.is_empty() { Ok(plan) } else { Err(Refusals::new(refusals)) }
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

    /// The migrations that this database does not get, because they are for other environments.
    pub fn elsewhere(&self) -> impl ExactSizeIterator<Item = &'c Migration> {
        self.elsewhere.iter().copied()
    }

    /// The migrations that stand for applied ones, which they replace: they count as applied.
    pub(crate) fn stands(&self) -> &[&'c Migration] {
        &self.stands
    }

    pub(crate) fn into_steps(self) -> Vec<Step<'c>> {
        self.steps
    }
}

/// One step: a migration, and where its record stands in its context.
#[derive(Clone, Debug)]
pub(crate) struct Step<'c> {
    pub(crate) migration: &'c Migration,
    /// Its place in its context's order; none for what stands outside of it.
    pub(crate) link: Option<End>,
    /// Whether it is recorded already: a repeatable migration that changed.
    pub(crate) again: bool,
    /// Whether an earlier run began it without a transaction, and did not come to its end.
    pub(crate) resumes: bool,
}

/// Makes steps, one behind the other.
struct Planner<'h> {
    policy: Policy,
    applied: HashMap<&'h MigrationId, &'h Record>,
    done: HashSet<MigrationId>,
    highest: HashMap<&'h str, &'h Version>,
    ends: HashMap<String, End>,
}

impl<'h> Planner<'h> {
    fn new(history: &'h History, policy: Policy) -> Self {
        let applied = history.by_id();
        let is_done = |record: &&&Record| record.state() != State::Interrupted;
        let done = applied.values().filter(is_done).map(|record| record.id().clone()).collect();
        let mut highest: HashMap<&str, &Version> = HashMap::new();
        for record in history.records().iter().filter(|record| record.ordinal.is_some()) {
            let version = highest.entry(record.id().context()).or_insert(record.id().version());
            *version = (*version).max(record.id().version());
        }
        let ends = history.ends().into_iter().map(|(context, end)| (context.to_owned(), end)).collect();
        Self { policy, applied, done, highest, ends }
    }

    /// Whether nothing is to be done about a migration; a repeatable one is done when its text was applied.
    fn is_present(&self, migration: &Migration) -> bool {
        match self.applied.get(migration.id()) {
            Some(_) if self.resumes(migration) => false,
            Some(record) if migration.kind() == Kind::Repeatable => {
                self.policy.changed == Changed::Ignore || is_same(migration, record.checksum())
            }
            Some(_) => true,
            None => false,
        }
    }

    /// Whether an earlier run began it without a transaction, and did not come to its end.
    fn resumes(&self, migration: &Migration) -> bool {
        self.applied.get(migration.id()).is_some_and(|record| is_to_resume(migration, record))
    }

    /// Whether a migration stands for others that are all applied. Those for which another one stood tell nothing: it may be gone.
    fn has_all_that_it_replaces(&self, migration: &Migration, refusals: &mut Vec<Refusal>) -> bool {
        let state = |id: &MigrationId| self.applied.get(id).map(|record| record.state());
        let (there, lacking): (Vec<MigrationId>, Vec<MigrationId>) = replaced(migration)
            .filter(|id| state(id) != Some(State::Replaced))
            .partition(|id| state(id).is_some());
        if self.resumes(migration) {
            return false;
        }
        if !there.is_empty() && !lacking.is_empty() {
            refusals.push(Refusal::PartlyReplaced { migration: migration.id().clone(), lacking });
            return false;
        }
        !there.is_empty()
    }

    fn step<'c>(&mut self, migration: &'c Migration, refusals: &mut Vec<Refusal>) -> Step<'c> {
        if migration.is_ordered() && self.policy.out_of_order == OutOfOrder::Refuse {
            if let Some(after) = self.highest.get(migration.context()).filter(|v| **v > migration.version()) {
                let after = MigrationId::new(migration.context().to_owned(), (*after).clone());
                refusals.push(Refusal::OutOfOrder { migration: migration.id().clone(), after });
            }
        }
        for required in migration.requires().iter().filter(|id| !self.done.contains(id)) {
            let (migration, required) = (migration.id().clone(), required.clone());
            refusals.push(Refusal::Requires { migration, required });
        }
        self.done.insert(migration.id().clone());
        let link = migration.is_ordered().then(|| self.link(migration));
        let resumes = self.resumes(migration);
        Step { migration, link, again: self.applied.contains_key(migration.id()), resumes }
    }

    /// Where the next record of its context stands; one that was begun keeps its place, with the checksum of now.
    fn link(&mut self, migration: &Migration) -> End {
        let end = self.ends.entry(migration.context().to_owned()).or_default();
        let checksum = migration.checksum().to_string();
        match self.applied.get(migration.id()) {
            // What counts twice does not count.
            Some(begun) => {
                end.digest =
                    end.digest.with(migration.context(), migration.version().as_str(), &begun.checksum)
            }
            None => end.ordinal += 1,
        }
        end.digest = end.digest.with(migration.context(), migration.version().as_str(), &checksum);
        *end
    }
}

/// What a migration stands for.
pub(crate) fn replaced(migration: &Migration) -> impl Iterator<Item = MigrationId> {
    let id = |version: &Version| MigrationId::new(migration.context().to_owned(), version.clone());
    migration.settings().replaces.iter().map(id)
}

/// Refuses a migration whose placeholders lack a value, or have one that does not fit.
fn unfilled(migration: &Migration, values: Option<&Placeholders>, refusals: &mut Vec<Refusal>) {
    let names = &migration.settings().placeholders;
    if names.is_empty() {
        return;
    }
    let none = Placeholders::default();
    let scripts =
        [(Some(migration.script()), "up"), (migration.down(), "down"), (migration.verify(), "verify")];
    for (script, role) in scripts.into_iter().filter_map(|(script, role)| Some((script?, role))) {
        let text = normalise(script);
        let Err(errors) = Template::of(&text, names).render(values.unwrap_or(&none)) else { continue };
        let path = if role == "up" { migration.path().to_owned() } else { beside(migration.path(), role) };
        for error in errors {
            let place = Location::at(&text, error.offset());
            refusals.push(Refusal::Placeholder {
                path: format!("{path}:{}:{}", place.line(), place.column()),
                what: error.to_string(),
            });
        }
    }
}

/// A script with the values of its placeholders, where each has one that fits; it is sent and kept like this.
fn filled<'s>(script: &'s str, names: &[Cow<'static, str>], values: Option<&Placeholders>) -> Cow<'s, str> {
    let text = normalise(script);
    if names.is_empty() {
        return text;
    }
    match Template::of(&text, names).render(values.unwrap_or(&Placeholders::default())) {
        Ok(rendered) => Cow::Owned(rendered.text().to_owned()),
        Err(_) => text.clone(),
    }
}

/// The environment that counts: the recorded one. What a caller says is recorded where nothing is, and else has to agree.
fn environment<'a>(
    history: &'a History,
    said: Option<&'a str>,
    refusals: &mut Vec<Refusal>,
) -> Option<&'a str> {
    match (history.environment(), said) {
        (Some(recorded), Some(said)) if recorded != said => {
            let (recorded, said) = (recorded.to_owned(), said.to_owned());
            refusals.push(Refusal::Environment { recorded, said });
            None
        }
        (recorded, said) => recorded.or(said),
    }
}

/// The target, what is before it in its context, and all that they require.
fn within<'a>(
    catalog: &'a Catalog,
    target: &'a MigrationId,
    refusals: &mut Vec<Refusal>,
) -> HashSet<&'a MigrationId> {
    if catalog.get(target.context(), target.version()).is_none() {
        refusals.push(Refusal::NoSuchTarget { target: target.clone() });
    }
    let mut wanted: HashSet<&MigrationId> = HashSet::new();
    wanted.insert(target);
    let mut ends: HashMap<&str, &Version> = HashMap::from([(target.context(), target.version())]);
    // What is required stands before what requires it.
    for migration in catalog.migrations().iter().rev() {
        let id = migration.id();
        let precedes = migration.kind() == Kind::Versioned
            && ends.get(id.context()).is_some_and(|end| id.version() <= *end);
        if precedes || wanted.contains(id) {
            for id in migration.requires().iter().chain([id]) {
                wanted.insert(id);
                let end = ends.entry(id.context()).or_insert(id.version());
                *end = (*end).max(id.version());
            }
        }
    }
    wanted
}

/// The file beside a migration's own that has its other script: `01_x.verify.sql` beside `01_x.sql`.
pub(crate) fn beside(path: &str, role: &str) -> String {
    match path.strip_suffix("up.sql").filter(|stem| stem.ends_with(['.', '/'])) {
        Some(stem) => format!("{stem}{role}.sql"),
        None => match path.strip_suffix(".sql") {
            Some(stem) => format!("{stem}.{role}.sql"),
            // A function has no file of its own.
            None => format!("{path} ({role})"),
        },
    }
}
