//! Takes over a database that another tool migrated: what is applied there is recorded, and nothing runs.
//!
//! ```no_run
//! # #[cfg(feature = "postgres")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use habitat_migrate::{Adopt, Catalog, Migrator};
//!
//! let migrator = Migrator::new(Catalog::from_directory("migrations")?);
//! let mut client = postgres::Client::connect("host=localhost user=app dbname=app", postgres::NoTls)?;
//! // What would be recorded, what does not match, and why.
//! println!("{}", migrator.adopt(&mut client, Adopt::dry_run())?);
//! // Record it, and go on behind it.
//! migrator.adopt(&mut client, Adopt::apply())?;
//! migrator.migrate(&mut client)?;
//! # Ok(()) }
//! # #[cfg(not(feature = "postgres"))] fn main() {}
//! ```
//!
//! The other tool's table is only read. Migrations are matched by their numbers, and by their names and checksums
//! where the tool keeps them. See `docs/adopting.md` for each tool.

use std::collections::BTreeSet;

mod checksum;
mod compare;
mod entry;
mod error;
mod flyway;
mod number;
mod query;
mod report;
mod table;
mod tool;

pub use checksum::Algorithm;
pub(crate) use compare::compare;
pub(crate) use entry::read as read_entries;
pub use error::{AdoptError, AdoptErrorKind};
pub(crate) use query::query as entries_query;
pub use report::{Adoption, AdoptionState, Difference, Matched, Mismatch, Proof};
pub(crate) use table::{Named, find as find_table, query as tables_query};
pub use tool::Tool;

/// How to adopt: whether to record anything, which table to read, what to accept.
///
/// ```
/// use habitat_migrate::Adopt;
///
/// let adopt = Adopt::apply().table("public", "our_migrations").accept(["20240501120000"]);
/// # let _ = adopt;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Adopt {
    mode: Mode,
    table: Option<Named>,
    context: Option<String>,
    accepted: BTreeSet<String>,
}

/// Whether to record what matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    DryRun,
    Apply,
}

impl Adopt {
    /// Compares, and writes nothing.
    pub fn dry_run() -> Self {
        Self { mode: Mode::DryRun, table: None, context: None, accepted: BTreeSet::new() }
    }

    /// Records what matches; all of it, or nothing where something does not match.
    pub fn apply() -> Self {
        Self { mode: Mode::Apply, ..Self::dry_run() }
    }

    /// Reads this table; without it, the one that has the name and the columns of a tool's history.
    pub fn table(mut self, schema: impl Into<String>, name: impl Into<String>) -> Self {
        self.table = Some(Named { schema: schema.into(), name: name.into() });
        self
    }

    /// Compares with this context of the catalog alone: for a catalog of several whose numbers are the same.
    pub fn context(mut self, name: impl Into<String>) -> Self {
        self.context = Some(name.into());
        self
    }

    /// Accepts what does not match about these versions, written as the other tool or the catalog writes them.
    ///
    /// Another script or another name is recorded as if it matched, what the catalog lacks is left out, and what is
    /// not applied stays pending. What failed cannot be accepted.
    pub fn accept<V: Into<String>>(mut self, versions: impl IntoIterator<Item = V>) -> Self {
        self.accepted.extend(versions.into_iter().map(Into::into));
        self
    }

    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn named(&self) -> Option<&Named> {
        self.table.as_ref()
    }
}
