//! What a migration that failed leaves: [`Kept`].

use std::fmt;

use habitat_migrate_catalog::{Excerpt, MigrationId};

/// What a migration that failed leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is rolled back.
    Nothing,
    /// It runs without a transaction, and so many of its statements are done.
    Statements { done: usize, of: usize },
    /// It is a backfill, of which so many batches stay.
    Batches(u64),
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing | Self::Batches(0) => f.write_str("nothing of it was kept"),
            Self::Batches(1) => f.write_str("the batch before it is kept"),
            Self::Batches(n) => write!(f, "the {n} batches before it are kept"),
            Self::Statements { done: 0, of: 1 } => f.write_str("its one statement is not done"),
            Self::Statements { done: 0, of } => write!(f, "none of its {of} statements is done"),
            Self::Statements { done: 1, of } => write!(f, "statement 1 of {of} is done"),
            Self::Statements { done, of } => write!(f, "statements 1 to {done} of {of} are done"),
        }
    }
}

/// An index that is not valid although the statement that builds it has succeeded.
#[derive(Debug)]
pub(crate) struct InvalidIndex {
    pub(crate) id: MigrationId,
    pub(crate) path: String,
    pub(crate) place: Excerpt,
    /// Its name with its schema, quoted.
    pub(crate) index: String,
    /// Whether the statement made it.
    pub(crate) is_new: bool,
    pub(crate) kept: Kept,
}

impl InvalidIndex {
    /// What to do next.
    pub(super) fn next(&self) -> String {
        match self.is_new {
            true => "run migrate again: it is dropped and built anew".to_owned(),
            false => format!(
                "find out who left it; then run this and migrate again:\nDROP INDEX CONCURRENTLY {};",
                self.index
            ),
        }
    }
}

/// `migration app:02_index stopped: the index "public"."i" is invalid after its statement; statement 1 of 2 is done`
impl fmt::Display for InvalidIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = if self.is_new { "after" } else { "since before" };
        let (id, index, kept) = (&self.id, &self.index, self.kept);
        write!(f, "migration {id} stopped: the index {index} is invalid {since} its statement; {kept}")
    }
}
