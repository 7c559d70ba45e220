//! Up, down and up again.

use std::fmt;

use habitat_migrate_catalog::{Migration, MigrationId};

use crate::plan::beside;
use crate::policy::Rollback;

use super::fault::{CheckError, Fault};
use super::ground::{Ground, State, is_named};
use super::{Check, has_down};

/// What [`Check::reversible`] has gone through.
#[derive(Clone, Debug)]
pub struct Reversible {
    migrations: usize,
    irreversible: Vec<MigrationId>,
}

impl Reversible {
    /// How many migrations were applied, taken back and applied again.
    pub fn migrations(&self) -> usize {
        self.migrations
    }

    /// Those without a down script, which were applied only.
    pub fn irreversible(&self) -> &[MigrationId] {
        &self.irreversible
    }
}

impl fmt::Display for Reversible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} taken back and applied again, {} irreversible",
            self.migrations,
            self.irreversible.len()
        )
    }
}

pub(super) fn check(check: &Check<'_>) -> Result<Reversible, CheckError> {
    let mut faults = Vec::new();
    for name in &check.allowed {
        match check.versioned().find(|migration| is_named(migration, name)) {
            None => faults
                .push(Fault::new(format!("there is no migration {name} to be allowed to be irreversible"))),
            Some(migration) if has_down(migration) => {
                let what = "it has a down script, and need not be allowed to be irreversible";
                faults.push(Fault::of(migration.id(), migration.path(), what));
            }
            Some(_) => {}
        }
    }
    let may_lack = |migration: &Migration| check.allowed.iter().any(|name| is_named(migration, name));
    let lacking = check.versioned().filter(|migration| !has_down(migration));
    faults.extend(lacking.filter(|migration| !may_lack(migration)).map(no_down));
    faults.extend(unlike(check)?);
    CheckError::unless_empty(faults)?;
    Ok(summary(check))
}

pub(super) fn summary(check: &Check<'_>) -> Reversible {
    let (down, none): (Vec<_>, Vec<_>) = check.versioned().partition(|migration| has_down(migration));
    Reversible { migrations: down.len(), irreversible: none.into_iter().map(|m| m.id().clone()).collect() }
}

pub(super) fn no_down(migration: &Migration) -> Fault {
    let file = beside(migration.path(), "down");
    let what = format!(
        "it has no down script; write {file}, or allow it: `allow_irreversible({:?})`",
        migration.version().as_str()
    );
    Fault::of(migration.id(), migration.path(), what)
}

/// What down scripts leave that should not be so.
pub(super) fn unlike(check: &Check<'_>) -> Result<Vec<Fault>, CheckError> {
    let mut faults = Vec::new();
    let mut ground = Ground::new(check)?;
    let mut then = ground.state()?;
    for migration in check.versioned() {
        if let Err(error) = ground.migrate_to(migration.id()) {
            faults.push(Fault::failed("it cannot be applied", &error));
            return Ok(faults);
        }
        let after = ground.state()?;
        if has_down(migration) {
            let found = there_and_back(check, &mut ground, migration, (&then, &after))?;
            if !found.is_empty() {
                faults.extend(found);
                ground = Ground::new(check)?;
                if let Err(error) = ground.migrate_through(migration.id()) {
                    faults.push(Fault::failed("it cannot be applied to another database", &error));
                    return Ok(faults);
                }
            }
        }
        then = after;
    }
    if faults.is_empty() {
        faults.extend(all_of_them(check)?);
    }
    Ok(faults)
}

/// Takes one migration back and applies it again.
fn there_and_back(
    check: &Check<'_>,
    ground: &mut Ground<'_>,
    migration: &Migration,
    (before, after): (&State, &State),
) -> Result<Vec<Fault>, CheckError> {
    let fault = |what: &str| Fault::of(migration.id(), beside(migration.path(), "down"), what);
    if let Err(error) = ground.rollback(Rollback::Last) {
        return Ok(vec![Fault::failed("its down script fails", &error)]);
    }
    if let Some((difference, rows)) = before.change(&ground.state()?, check) {
        // Whatever goes wrong on the way up again comes of this.
        let what = "its down script does not bring back what was there before:";
        return Ok(vec![fault(what).with(difference, rows)]);
    }
    if let Err(error) = ground.migrate_to(migration.id()) {
        return Ok(vec![Fault::failed("it cannot be applied again behind its own down script", &error)]);
    }
    let change = after.change(&ground.state()?, check);
    let what = "applied again behind its down script, it leaves something else:";
    Ok(change.map(|(difference, rows)| fault(what).with(difference, rows)).into_iter().collect())
}

/// Everything up at once, down as far as there are down scripts, and up again.
fn all_of_them(check: &Check<'_>) -> Result<Vec<Fault>, CheckError> {
    let mut faults = Vec::new();
    let mut ground = Ground::new(check)?;
    let start = ground.state()?;
    if let Err(error) = ground.migrate() {
        return Ok(vec![Fault::failed("they cannot be applied at once", &error)]);
    }
    let complete = ground.state()?;
    let last_to_stay = check.versioned().filter(|migration| !has_down(migration)).last();
    let rollback = match last_to_stay {
        Some(migration) => Rollback::To(migration.id().clone()),
        None => Rollback::All,
    };
    if let Err(error) = ground.rollback(rollback) {
        return Ok(vec![Fault::failed("they cannot be taken back together", &error)]);
    }
    // What repeatable migrations make is taken back by nobody.
    let repeats = check.migrations(habitat_migrate_catalog::Kind::Repeatable).next().is_some();
    if last_to_stay.is_none() && !repeats {
        if let Some((difference, rows)) = start.change(&ground.state()?, check) {
            faults.push(
                Fault::new("all of them taken back do not leave an empty database:").with(difference, rows),
            );
        }
    }
    match ground.migrate() {
        Err(error) => {
            faults.push(Fault::failed("they cannot be applied again when all of them are taken back", &error))
        }
        Ok(_) => {
            if let Some((difference, rows)) = complete.change(&ground.state()?, check) {
                let what = "all of them taken back and applied again leave something else:";
                faults.push(Fault::new(what).with(difference, rows));
            }
        }
    }
    Ok(faults)
}
