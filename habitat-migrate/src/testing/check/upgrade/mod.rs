//! A database with rows in it is brought to the end: [`Upgrade`].

mod dump;
mod fill;

use habitat_migrate_catalog::Catalog;
use postgres::Client;

use crate::report::Report;

use super::super::database::Database;
use super::super::rows::RowCounts;
use super::super::{ServerError, off_runtime};
use super::Check;
use super::fault::{CheckError, Fault};
use super::ground::{Ground, Owner, is_named};

pub use fill::Unfilled;

/// Where an upgrade begins.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Start {
    /// At a migration of the catalog: `04_people_core` or `people:04_people_core`, and whatever comes before it.
    Version(String),
    /// With a database as `pg_dump` prints it, in its plain format. Roles that it names must be there.
    Dump(String),
}

/// A test of migrations on a database that has rows: brought to a start, filled with made-up rows, and migrated to the end.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::Catalog;
/// use habitat_migrate::testing::{Start, upgrade_from};
///
/// let catalog = Catalog::from_directory("migrations")?;
/// let upgraded = upgrade_from(&catalog, Start::Version("03_members".to_owned())).rows(50).run()?;
/// assert_eq!(upgraded.before().get("public.members"), Some(50));
/// upgraded.expect_rows_kept();
/// # Ok(()) }
/// ```
///
/// Every table that is empty gets rows: in the order of foreign keys, with values that fit their types, labels of enums, and, where those are simple, their
/// CHECK constraints. Identity and generated columns and those that a sequence fills are left to the server. The same seed gives the same rows.
/// What could not be made up is told by [`Upgraded::unfilled`].
#[derive(Clone)]
pub struct Upgrade<'a> {
    check: Check<'a>,
    start: Start,
    rows: usize,
    seed: u32,
}

/// An upgrade of these migrations from a start, with the defaults: see [`Upgrade`].
pub fn upgrade_from(catalog: &Catalog, start: Start) -> Upgrade<'static> {
    Check::of(catalog).upgrade_from(start)
}

impl<'a> Check<'a> {
    /// An upgrade with these settings. For a dump, [`schema`](Self::schema) names where its tracker is.
    #[must_use]
    pub fn upgrade_from(self, start: Start) -> Upgrade<'a> {
        Upgrade { check: self, start, rows: 10, seed: 1 }
    }
}

impl Upgrade<'_> {
    /// How many rows each table gets. Default: 10.
    #[must_use]
    pub fn rows(mut self, count: usize) -> Self {
        self.rows = count;
        self
    }

    /// Other rows. Default: 1.
    #[must_use]
    pub fn seed(mut self, seed: u32) -> Self {
        self.seed = seed;
        self
    }

    /// Does it.
    ///
    /// # Errors
    /// The start cannot be reached, a migration fails on the rows, or a foreign key does not hold when all of them are applied.
    pub fn run(&self) -> Result<Upgraded, CheckError> {
        off_runtime(|| self.run_here())
    }

    fn run_here(&self) -> Result<Upgraded, CheckError> {
        let mut ground = Ground::new(&self.check)?;
        match &self.start {
            Start::Version(name) => {
                let migration = self.check.versioned().find(|migration| is_named(migration, name));
                let unknown = || Fault::new(format!("there is no migration {name} to start from"));
                let id = migration.ok_or_else(unknown)?.id();
                ground
                    .migrate_to(id)
                    .map_err(|error| Fault::failed("the start cannot be reached", &error))?;
            }
            Start::Dump(text) => dump::restore(&mut ground.client, text)?,
        }
        let unfilled = fill::fill(&mut ground.client, &self.check.schema, self.rows, self.seed)?;
        let before = RowCounts::of(&mut ground.client, &self.check.schema)?;
        let failed = |error| Fault::failed("it cannot be applied to a database with rows", &error);
        let report = ground.migrate().map_err(failed)?;
        let after = RowCounts::of(&mut ground.client, &self.check.schema)?;
        let faults = fill::orphans(&mut ground.client)?;
        CheckError::unless_empty(faults.into_iter().map(Fault::new).collect())?;
        let (client, database, owner) = ground.into_parts();
        drop(client);
        Ok(Upgraded { before, after, report, unfilled, database, _owner: owner })
    }
}

/// A database that was brought to the end with rows in it. It is gone with this value.
pub struct Upgraded {
    before: RowCounts,
    after: RowCounts,
    report: Report,
    unfilled: Vec<Unfilled>,
    database: Database,
    _owner: Option<Owner>,
}

impl Upgraded {
    /// How many rows each table had before.
    pub fn before(&self) -> &RowCounts {
        &self.before
    }

    /// How many it has now.
    pub fn after(&self) -> &RowCounts {
        &self.after
    }

    /// What was applied to the rows.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The tables that got fewer rows than they should, and the columns that got no value.
    pub fn unfilled(&self) -> &[Unfilled] {
        &self.unfilled
    }

    /// A connection to the database, to look at the rows.
    ///
    /// # Errors
    /// The server is gone.
    pub fn connect(&self) -> Result<Client, ServerError> {
        self.database.connect()
    }

    /// The tables that have fewer rows than before, or are not there any more, in words.
    pub fn lost(&self) -> Vec<String> {
        let lost = |(table, then): (&str, u64)| match self.after.get(table) {
            Some(now) if now >= then => None,
            Some(now) => Some(format!("table {table}: {then} rows before, {now} now")),
            None if then == 0 => None,
            None => Some(format!("table {table}: {then} rows before, and now it is not there")),
        };
        self.before.iter().filter_map(lost).collect()
    }

    /// Every row is there that was there before, by their number in each table.
    ///
    /// # Panics
    /// With the tables that have lost rows.
    #[track_caller]
    pub fn expect_rows_kept(&self) -> &Self {
        let lost = self.lost();
        assert!(lost.is_empty(), "the migrations lose rows:\n    {}", lost.join("\n    "));
        self
    }

    /// Every table got as many rows as it should, and every column values.
    ///
    /// # Panics
    /// With the tables and columns that did not.
    #[track_caller]
    pub fn expect_filled(&self) -> &Self {
        let lines: Vec<String> = self.unfilled.iter().map(ToString::to_string).collect();
        assert!(lines.is_empty(), "not every table could be filled:\n    {}", lines.join("\n    "));
        self
    }
}
