//! A migrated database for every test: the library's module `testing` side by side with the other ways.
//!
//! Each run is a process that runs many tests, or one, on a server that nobody else uses.

mod child;
mod ground;
mod ours;
mod plain;
mod report;
mod runs;
mod sqlx;
mod way;

use std::time::{SystemTime, UNIX_EPOCH};

use habitat_migrate::Catalog;

pub(crate) use child::run as child;

use crate::scripts::Script;
use crate::{Result, machine};

/// Measures everything; writes `docs/benchmarks-testing.md`, unless it was only to see that all runs.
pub(crate) fn run(extent: runs::Extent) -> Result<()> {
    let measured = runs::measure(extent)?;
    let text = report::render(&measured, &machine::equipment(&measured.server)?);
    println!("{text}");
    if extent == runs::Extent::Full { report::write(&text) } else { Ok(()) }
}

pub(crate) use runs::Extent;

/// The migrations of every test; those with another mark are others.
fn catalog(mark: &str) -> Result<Catalog> {
    let script = |script: &Script| (format!("{}.sql", script.stem()), format!("{}-- {mark}\n", script.sql()));
    Ok(Catalog::from_scripts("bench", Script::first(MIGRATIONS).iter().map(script))?)
}

/// What no other process says.
fn stamp() -> String {
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}_{:x}", std::process::id(), moment.as_nanos())
}

/// The argument that makes a process a child.
pub(crate) const CHILD: &str = "--testing-child";

/// How many migrations a test's database has.
const MIGRATIONS: usize = 30;
