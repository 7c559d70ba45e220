//! Everything that running a set of migrations can tell about it.

use std::fmt;

use habitat_migrate_catalog::MigrationId;

use super::fault::{CheckError, Fault};
use super::ground::{Ground, State};
use super::{Check, Demand, has_down, repeatable, reversible};

/// What [`Check::validate`] has gone through.
#[derive(Clone, Debug)]
pub struct Validation {
    reversible: reversible::Reversible,
    repeatable: repeatable::Repeatable,
    stops: Vec<MigrationId>,
}

impl Validation {
    /// What was taken back and applied again.
    pub fn reversible(&self) -> &reversible::Reversible {
        &self.reversible
    }

    /// What was run twice.
    pub fn repeatable(&self) -> &repeatable::Repeatable {
        &self.repeatable
    }

    /// The versions from which a database was brought to the end in a second run.
    pub fn stops(&self) -> &[MigrationId] {
        &self.stops
    }
}

impl fmt::Display for Validation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}; {}; {} of them as a second run's start",
            self.repeatable,
            self.reversible,
            self.stops.len()
        )
    }
}

pub(super) fn check(check: &Check<'_>) -> Result<Validation, CheckError> {
    let mut faults = demands(check);
    let mut ground = Ground::new(check)?;
    // Nothing else can be found out about migrations that cannot be applied.
    if let Err(error) = ground.migrate() {
        faults.push(Fault::failed("it cannot be applied", &error));
        return Err(CheckError::of(faults));
    }
    match ground.verify() {
        Err(error) => faults.push(Fault::failed("the verify scripts cannot be run", &error)),
        Ok(findings) => faults.extend(findings.iter().map(|finding| {
            let what = format!("its verify script fails when everything is applied: {}", finding.returned());
            let (path, line, column) = finding.location();
            Fault::of(finding.migration(), format!("{path}:{line}:{column}"), what)
        })),
    }
    let complete = ground.state()?;
    drop(ground);
    faults.extend(reversible::unlike(check)?);
    let repeatable = match repeatable::check(check) {
        Ok(repeatable) => Some(repeatable),
        Err(error) => {
            faults.extend(error.into_faults());
            None
        }
    };
    let stops = stops(check);
    for stop in &stops {
        faults.extend(in_two_runs(check, stop, &complete)?);
    }
    match repeatable {
        Some(repeatable) if faults.is_empty() => {
            Ok(Validation { reversible: reversible::summary(check), repeatable, stops })
        }
        _ => Err(CheckError::of(faults)),
    }
}

/// The scripts that are asked for and not there.
fn demands(check: &Check<'_>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for migration in check.versioned() {
        let is_allowed = check.allowed.iter().any(|name| super::ground::is_named(migration, name));
        if check.demands.contains(&Demand::Down) && !has_down(migration) && !is_allowed {
            faults.push(reversible::no_down(migration));
        }
        if check.demands.contains(&Demand::Verify) && migration.verify().is_none() {
            let file = crate::plan::beside(migration.path(), "verify");
            let what = format!("it has no verify script; write {file}");
            faults.push(Fault::of(migration.id(), migration.path(), what));
        }
    }
    faults
}

/// The versions to go on from: all but the last, or some of them, evenly spread.
fn stops(check: &Check<'_>) -> Vec<MigrationId> {
    let mut all: Vec<&MigrationId> = check.versioned().map(|migration| migration.id()).collect();
    all.pop();
    let count = check.stops.min(all.len());
    (0..count).filter_map(|n| all.get(n * all.len() / count)).map(|id| (*id).clone()).collect()
}

/// Stops at a version, and goes on in another run.
fn in_two_runs(check: &Check<'_>, stop: &MigrationId, complete: &State) -> Result<Vec<Fault>, CheckError> {
    let mut ground = Ground::new(check)?;
    if let Err(error) = ground.migrate_to(stop).and_then(|_| ground.migrate()) {
        return Ok(vec![Fault::failed(
            &format!("a database that stopped at {stop} cannot be brought to the end"),
            &error,
        )]);
    }
    let Some((difference, rows)) = complete.change(&ground.state()?, check) else { return Ok(Vec::new()) };
    let what = format!("a database that stopped at {stop} does not become what one run makes:");
    Ok(vec![Fault::new(what).with(difference, rows)])
}
