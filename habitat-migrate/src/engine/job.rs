//! What the engine carries out: a migration to be applied, or one to be taken back.

use std::borrow::Cow;
use std::collections::HashMap;

use habitat_migrate_catalog::{MigrationId, Opaque, Placeholders, Settings, TransactionMode};

use super::script::{Filling, Script};
use crate::history::{Record, State};
use crate::plan::{Step, Undo, UndoText};
use crate::tracker::{Direction, Mark, Tracker};

/// One migration's turn.
#[derive(Clone, Debug)]
pub(super) enum Job<'a> {
    /// It is applied, verified and recorded.
    Apply(Step<'a>, Option<&'a Placeholders>),
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
    /// A transaction that the client's driver begins, around a function of the program.
    Code,
    /// Many messages, each with one batch of rows.
    Backfill,
}

/// Whether a script may have ended the transaction that it ran in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    May,
    /// It only defines objects.
    Cannot,
}

impl<'a> Job<'a> {
    pub(super) fn worker(&self) -> Worker {
        match self.settings().transaction {
            _ if self.function().is_some() => Worker::Code,
            TransactionMode::None => Worker::Journal,
            TransactionMode::Wrapped if self.is_backfill() => Worker::Backfill,
            TransactionMode::Wrapped => Worker::Batch,
        }
    }

    /// Whether it was begun by an earlier run, and its end is not recorded.
    pub(super) fn resumes(&self) -> bool {
        match self {
            Self::Apply(step, _) => step.resumes,
            Self::Undo(undo) => undo.resumes,
        }
    }

    pub(super) fn direction(&self) -> Direction {
        match self {
            Self::Apply(..) => Direction::Up,
            Self::Undo(_) => Direction::Down,
        }
    }

    /// The function that is called in place of a script.
    pub(super) fn function(&self) -> Option<Opaque> {
        match self {
            Self::Apply(step, _) => step.migration.code().map(|code| code.function),
            Self::Undo(undo) => undo.function,
        }
    }

    /// Whether its rows are filled in batch by batch.
    fn is_backfill(&self) -> bool {
        matches!(self, Self::Apply(step, _) if step.migration.settings().backfill.is_some())
    }

    /// Whether the migration is taken back.
    pub(super) fn is_undoing(&self) -> bool {
        matches!(self, Self::Undo(_))
    }

    pub(super) fn id(&self) -> &MigrationId {
        match self {
            Self::Apply(step, _) => step.migration.id(),
            Self::Undo(undo) => &undo.id,
        }
    }

    /// The file of the script.
    pub(super) fn path(&self) -> Cow<'_, str> {
        match self {
            Self::Apply(step, _) => step.migration.path().into(),
            Self::Undo(undo) => undo.path.as_str().into(),
        }
    }

    /// The script, as it is sent.
    pub(super) fn script(&self) -> Script<'_> {
        match self {
            Self::Apply(step, _) => Script::new(step.migration.script(), self.filling()),
            Self::Undo(undo) => match &undo.script {
                UndoText::File { script, .. } => Script::new(script, self.filling()),
                UndoText::Kept(text) => Script::kept(text),
            },
        }
    }

    fn filling(&self) -> Filling<'_> {
        match self {
            Self::Apply(step, values) => {
                Filling { names: &step.migration.settings().placeholders, values: *values }
            }
            Self::Undo(undo) => match &undo.script {
                UndoText::File { names, values, .. } => Filling { names, values: *values },
                UndoText::Kept(_) => Filling::NONE,
            },
        }
    }

    /// The way in which the script runs.
    pub(super) fn settings(&self) -> &Settings {
        match self {
            Self::Apply(step, _) => step.migration.settings(),
            Self::Undo(undo) => &undo.settings,
        }
    }

    /// Whether nothing of it but its script can outlast it in the session, and nothing follows that would notice its own settings.
    pub(super) fn leaves_nothing(&self) -> bool {
        let settings = self.settings();
        settings.role.is_none() && settings.statement_timeout.is_none() && self.verify().is_none()
    }

    /// What must hold before it commits.
    pub(super) fn verify(&self) -> Option<Script<'_>> {
        match self {
            Self::Apply(step, _) => step.migration.verify().map(|text| Script::new(text, self.filling())),
            Self::Undo(_) => None,
        }
    }

    /// The script that takes it back, as it is kept.
    pub(super) fn down(&self) -> Option<Script<'_>> {
        match self {
            Self::Apply(step, _) => step.migration.down().map(|text| Script::new(text, self.filling())),
            Self::Undo(_) => None,
        }
    }

    /// The statement that records that it is done; it fails if its transaction is not the one that it began in, where its script
    /// may have ended that.
    pub(super) fn record(&self, tracker: &Tracker, script: Ended) -> String {
        match self {
            Self::Apply(step, _) => {
                let mark = if script == Ended::Cannot { Mark::Defined } else { Mark::Applied };
                tracker.record(step, self.down().as_deref(), mark)
            }
            Self::Undo(undo) => {
                let along = undo.along.iter().map(|id| tracker.forget(id, "rollback", None));
                tracker.forget(&undo.id, "rollback", None) + &along.collect::<String>()
            }
        }
    }

    /// The statement that records that its script has ended its own transaction.
    pub(super) fn interrupted(&self, tracker: &Tracker) -> Option<String> {
        match self {
            Self::Apply(step, _) => Some(tracker.record(step, self.down().as_deref(), Mark::Interrupted)),
            Self::Undo(_) => None,
        }
    }

    /// Whether the records say that it is done.
    pub(super) fn is_done(&self, records: &HashMap<&MigrationId, &Record>) -> bool {
        let record = records.get(self.id());
        match self {
            Self::Apply(step, _) => record.is_some_and(|record| {
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
