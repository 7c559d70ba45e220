//! A second run changes nothing.

use std::borrow::Cow;
use std::fmt;

use habitat_migrate_catalog::{Catalog, Checksum, Kind, Migration, MigrationId, Parts};

use super::Check;
use super::fault::{CheckError, Fault};
use super::ground::Ground;

/// What [`Check::repeatable`] has run twice.
#[derive(Clone, Debug)]
pub struct Repeatable {
    migrations: usize,
    repeated: Vec<MigrationId>,
}

impl Repeatable {
    /// How many migrations a second run found applied.
    pub fn migrations(&self) -> usize {
        self.migrations
    }

    /// The repeatable migrations, which ran again as if they had changed.
    pub fn repeated(&self) -> &[MigrationId] {
        &self.repeated
    }
}

impl fmt::Display for Repeatable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} applied once, {} repeated", self.migrations, self.repeated.len())
    }
}

pub(super) fn check(check: &Check<'_>) -> Result<Repeatable, CheckError> {
    let mut faults = Vec::new();
    let mut ground = Ground::new(check)?;
    let first = ground.migrate().map_err(|error| Fault::failed("it cannot be applied", &error))?;
    let (then, records) = (ground.state()?, ground.records()?);
    let second = ground.migrate().map_err(|error| Fault::failed("a second run fails", &error))?;
    if !second.is_unchanged() {
        let ids: Vec<String> = second.applied().iter().map(|applied| applied.id().to_string()).collect();
        faults.push(Fault::new(format!("a second run applies something again: {}", ids.join(", "))));
    }
    if ground.records()? != records {
        faults.push(Fault::new("a second run changes the tracker"));
    }
    if let Some((difference, rows)) = then.change(&ground.state()?, check) {
        faults.push(Fault::new("a second run changes the database:").with(difference, rows));
    }
    let mut repeated = Vec::new();
    let mut then = ground.state()?;
    for migration in check.migrations(Kind::Repeatable) {
        ground.use_catalog(&touched(&check.catalog, migration.id()));
        let outcome = ground.migrate();
        match outcome {
            Err(error) => faults.push(Fault::failed("it cannot run a second time", &error)),
            Ok(report) if report.applied().iter().all(|applied| applied.id() != migration.id()) => {
                faults.push(Fault::of(
                    migration.id(),
                    migration.path(),
                    "it does not run again when its text has changed",
                ));
            }
            Ok(_) => {}
        }
        if let Some((difference, rows)) = then.change(&ground.state()?, check) {
            let what = "run again, it changes what it made the first time:";
            faults.push(Fault::of(migration.id(), migration.path(), what).with(difference, rows));
        }
        // Back to the text of the file, which is a change as well.
        ground.use_catalog(&check.catalog);
        if let Err(error) = ground.migrate() {
            faults.push(Fault::failed("it cannot run a third time", &error));
        }
        then = ground.state()?;
        repeated.push(migration.id().clone());
    }
    CheckError::unless_empty(faults)?;
    Ok(Repeatable { migrations: first.applied().len(), repeated })
}

/// The catalog with another text of one of its migrations: a comment more, at its end.
fn touched(catalog: &Catalog, id: &MigrationId) -> Catalog {
    let migrations = catalog
        .migrations()
        .iter()
        .map(|migration| if migration.id() == id { with_comment(migration) } else { migration.clone() });
    Catalog::from_checked(migrations.collect(), catalog.folders().to_vec())
}

fn with_comment(migration: &Migration) -> Migration {
    let script = format!("{}\n-- Run again.\n", migration.script());
    let text = |text: &str| Cow::Owned(text.to_owned());
    Migration::from_parts(Parts {
        id: migration.id().clone(),
        kind: migration.kind(),
        path: text(migration.path()),
        description: text(migration.description()),
        checksum: Checksum::of(&script),
        script: Cow::Owned(script),
        down: migration.down().map(text),
        verify: migration.verify().map(text),
        requires: migration.requires().to_vec().into(),
        settings: migration.settings().clone(),
    })
}
