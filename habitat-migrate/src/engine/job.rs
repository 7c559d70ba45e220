//! What the engine carries out: a migration to be applied, or one to be taken back.

use std::borrow::Cow;
use std::collections::HashMap;

use habitat_migrate_catalog::{MigrationId, Settings, TransactionMode, normalise};

use crate::history::{Record, State};
use crate::plan::{Step, Undo};
use crate::tracker::{Direction, Mark, Tracker};

/// One migration's turn.
#[derive(Clone, Debug)]
pub(super) enum Job<'a> {
    /// It is applied, verified and recorded.
    Apply(Step<'a>),
    /// Its down script runs, and its record goes.
    Undo(Box<Undo<'a>>),
}

/// Who carries a job out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Worker {
    /// Many transactions to a message.
    Batch,
    /// Statement by statement, without a transaction.
    Journal,
}

impl<'a> Job<'a> {
    pub(super) fn worker(&self) -> Worker {
        match self.settings().transaction {
            TransactionMode::Wrapped => Worker::Batch,
            TransactionMode::None => Worker::Journal,
        }
    }

    /// Whether it was begun by an earlier run, and its end is not recorded.
    pub(super) fn resumes(&self) -> bool {
        match self {
            Self::Apply(step) => step.resumes,
            Self::Undo(undo) => undo.resumes,
        }
    }

    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::Apply(_) => Direction::Up,
            Self::Undo(_) => Direction::Down,
        }
    }

    pub(super) fn id(&self) -> &MigrationId {
        match self {
            Self::Apply(step) => step.migration.id(),
            Self::Undo(undo) => &undo.id,
        }
    }

    /// The file of the script.
    pub(super) fn path(&self) -> Cow<'_, str> {
        match self {
            Self::Apply(step) => step.migration.path().into(),
            Self::Undo(undo) => undo.path.as_str().into(),
        }
    }

    /// The script, as it is sent.
    pub(super) fn script(&self) -> Cow<'_, str> {
        match self {
            Self::Apply(step) => normalise(step.migration.script()),
            Self::Undo(undo) => normalise(&undo.script),
        }
    }

    /// The way in which the script runs.
    pub(super) fn settings(&self) -> &Settings {
        match self {
            Self::Apply(step) => step.migration.settings(),
            Self::Undo(undo) => &undo.settings,
        }
    }

    /// What must hold before it commits.
    pub(super) fn verify(&self) -> Option<&'a str> {
        match self {
            Self::Apply(step) => step.migration.verify(),
            Self::Undo(_) => None,
        }
    }

    /// The statement that records that it is done; it fails if its transaction is not the one that it began in.
    pub(super) fn record(&self, tracker: &Tracker) -> String {
        match self {
            Self::Apply(step) => tracker.record(step, Mark::Applied),
            Self::Undo(undo) => tracker.forget(&undo.id, "rollback", None),
        }
    }

    /// The statement that records that its script has ended its own transaction.
    pub(super) fn interrupted(&self, tracker: &Tracker) -> Option<String> {
        match self {
            Self::Apply(step) => Some(tracker.record(step, Mark::Interrupted)),
            Self::Undo(_) => None,
        }
    }

    /// Whether the records say that it is done.
    pub(super) fn is_done(&self, records: &HashMap<&MigrationId, &Record>) -> bool {
        let record = records.get(self.id());
        match self {
            Self::Apply(step) => record.is_some_and(|record| {
                record.state() == State::Applied
                    && (!step.again || record.checksum() == step.migration.checksum().to_string())
            }),
            Self::Undo(_) => record.is_none(),
        }
    }

    /// Whether it wants a message of its own: what is taken back is told one by one.
    pub(super) fn is_alone(&self) -> bool {
        matches!(self, Self::Undo(_))
    }
}
