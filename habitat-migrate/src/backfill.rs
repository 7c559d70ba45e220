//! How far a batched backfill has come: [`Backfill`].

use std::fmt;

use chrono::{DateTime, Utc};
use habitat_migrate_catalog::MigrationId;

/// A migration with `-- habitat: backfill …`, as the tracker knows it: it fills a large table in, batch by batch.
///
/// Each batch is a transaction of its own that changes the rows and moves the cursor; so whenever the process dies, no batch is
/// left out and none runs twice.
#[derive(Clone, Debug)]
pub struct Backfill {
    pub(crate) id: MigrationId,
    pub(crate) state: BackfillState,
    pub(crate) table: String,
    pub(crate) rows: u64,
    pub(crate) batches: u64,
    pub(crate) cursor: Option<String>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
}

/// Whether a backfill goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackfillState {
    /// It is under way, or goes on with the next `migrate`.
    Running,
    /// Nobody goes on with it until it is resumed.
    Paused,
    /// It has come to the end of its table, and its migration is recorded.
    Done,
}

impl Backfill {
    /// The migration.
    pub fn migration(&self) -> &MigrationId {
        &self.id
    }

    /// Whether it goes on.
    pub fn state(&self) -> BackfillState {
        self.state
    }

    /// The table that it walks and the key by which it does, as SQL: `"users" ("id")`.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// How many rows of the table are behind the cursor, changed or not.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many batches are committed.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// The key of the last row of the last batch, its columns separated by commas; none before the first batch.
    pub fn cursor(&self) -> Option<&str> {
        self.cursor.as_deref()
    }

    /// When it began, by the server's clock.
    pub fn started_at(&self) -> DateTime<Utc> {
        self.started_at
    }

    /// When its last batch was committed, or its state was set, by the server's clock.
    pub fn updated_at(&self) -> DateTime<Utc> {
        self.updated_at
    }
}

/// `app:0007_slugs: running, 120,000 rows in 24 batches, up to 120000`
impl fmt::Display for Backfill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            BackfillState::Running => "running",
            BackfillState::Paused => "paused",
            BackfillState::Done => "done",
        };
        let (rows, batches) = (grouped(self.rows), grouped(self.batches));
        write!(f, "{}: {state}, {rows} rows in {batches} batches", self.id)?;
        self.cursor.iter().try_for_each(|cursor| write!(f, ", up to {cursor}"))
    }
}

/// What a person who looks after a backfill asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Pause,
    Resume,
    Restart,
}

/// A number with its digits in groups of three: `2,000,000`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn digits_stand_in_groups_of_three() {
        assert_eq!([0, 999, 1_000, 2_000_000].map(grouped), ["0", "999", "1,000", "2,000,000"]);
    }
}
