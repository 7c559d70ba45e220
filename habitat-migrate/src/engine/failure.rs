//! Finds out what failed, where, and what was kept.

use habitat_migrate_catalog::{Excerpt, normalise, statements};

use super::apply::{Batch, pieces};
use super::message::{Place, Text};
use super::{Outcome, WRITE};
use crate::client::{Client, Failure, ServerError};
use crate::error::{Cause, Failed};
use crate::history::{History, State};
use crate::tracker::{ENDED, Tracker};

/// What the tracker says after a failure.
struct Aftermath {
    /// Whether there is a tracker.
    tracker: bool,
    /// How the first step that is not committed is recorded, if it is.
    next: Option<State>,
}

impl<C: Client> Batch<'_, '_, C> {
    /// A message failed. Cleans up, reads what is committed, and tells the place; or finds that it is to be tried again.
    pub(super) async fn failed(&mut self, failure: Failure) -> Result<Outcome, Cause> {
        let (error, completed) = match failure {
            Failure::Lost(words) => return Err(self.lost(words)),
            Failure::Server { error, completed } => (*error, completed),
        };
        let before = self.committed;
        let aftermath = match self.retreat().await {
            Ok(aftermath) => aftermath,
            // The first error is the one that matters.
            Err(_) => return Err(self.lost(error.to_string())),
        };
        let mut place = self.message.find(&error, self.settings.unit, completed);
        if place.is_none() && aftermath.next.is_none() {
            place = self.replay(&error).await;
        }
        self.run.clear().await;
        match self.judge(error, place, &aftermath, self.committed > before) {
            Ok(outcome) => Ok(outcome),
            Err(cause) => Err(self.complete(cause).await),
        }
    }

    fn lost(&self, words: String) -> Cause {
        Cause::ConnectionLost { words, under_way: self.under_way() }
    }

    /// Rolls back, keeps the lock if it can be kept, and reads what is committed: the message may have been refused as a whole.
    async fn retreat(&mut self) -> Result<Aftermath, Failure> {
        let tracker = &self.run.goal.tracker;
        let reply = self.run.session.run(&self.run.lock.retreat(&tracker.presence())).await?;
        let present = reply.first("retreat").is_some_and(|row| row.is_true(2));
        let history = match present {
            true => Tracker::read(&self.run.session.run(&tracker.history()).await?),
            false => History::default(),
        };
        let recorded = history.by_id();
        while let Some(step) = self.steps.get(self.committed) {
            match recorded.get(step.migration.id()) {
                Some(record) if record.state() == State::Applied => {
                    self.note_committed(record.execution_time())
                }
                other => return Ok(Aftermath { tracker: present, next: other.map(|record| record.state()) }),
            }
        }
        Ok(Aftermath { tracker: present, next: None })
    }

    /// Decides what a failure means.
    fn judge(
        &mut self,
        error: ServerError,
        place: Option<Place>,
        aftermath: &Aftermath,
        progress: bool,
    ) -> Result<Outcome, Cause> {
        let text = place.map_or(Text::Migration, |place| place.text);
        let failing = place.map_or(self.committed, |place| place.step);
        if aftermath.next == Some(State::Interrupted) {
            let migration = self.steps[self.committed].migration;
            let (id, path) = (migration.id().clone(), migration.path().to_owned());
            return Err(Cause::EndedItself { id, path, error: Box::new(error) });
        }
        // Another process was first although this one had the lock; or all steps of the message are committed,
        // and only the end of it failed. What is left is planned anew.
        if progress && failing < self.committed || self.is_race(&error, text, aftermath, progress) {
            return Ok(Outcome::Again);
        }
        let Some(step) = self.steps.get(failing) else { return Err(self.refused(error, aftermath)) };
        let offset = match text {
            Text::Engine | Text::Session => return Err(self.refused(error, aftermath)),
            Text::Migration if place.is_none() && self.is_about_tracker(&error, aftermath) => {
                return Err(self.refused(error, aftermath));
            }
            Text::Migration => None,
            Text::Script(offset) => Some(offset),
        };
        let script = normalise(step.migration.script());
        let (id, path) = (step.migration.id().clone(), step.migration.path().to_owned());
        let place = offset.map(|offset| Excerpt::at(&script, offset));
        let cause = Cause::Migration(Box::new(Failed { id: id.clone(), path, place, error }));
        if failing > self.committed {
            // PostgreSQL parses a message before it runs any of it: those ahead are still to be applied.
            self.run.failed = Some((id, cause));
            return Ok(Outcome::Again);
        }
        Err(cause)
    }

    /// Whether another process recorded a migration, or created the tracker, in between.
    fn is_race(&self, error: &ServerError, text: Text, aftermath: &Aftermath, progress: bool) -> bool {
        if matches!(text, Text::Script(_)) {
            return false;
        }
        let recorded = ["schema_migrations_pkey", "schema_migrations_context_ordinal_key"];
        let conflict = error.code == "23505"
            && error.schema.as_deref() == Some(self.run.goal.tracker.schema())
            && error.constraint.as_deref().is_some_and(|constraint| recorded.contains(&constraint));
        // Neither goes round for ever: the record is there now, or the tracker is.
        conflict && progress
            || self.creates && aftermath.tracker && matches!(error.code.as_str(), "42P06" | "42P07" | "23505")
    }

    /// Whether an error without a place is about the tracker rather than the migration.
    fn is_about_tracker(&self, error: &ServerError, aftermath: &Aftermath) -> bool {
        self.creates && !aftermath.tracker
            || error.code == "42501" && error.message.contains(" schema_migrations")
            || error.schema.as_deref() == Some(self.run.goal.tracker.schema())
                && error.table.as_deref().is_some_and(|table| table.starts_with("schema_migrations"))
    }

    /// The server refused what the engine does on its own behalf.
    fn refused(&self, error: ServerError, aftermath: &Aftermath) -> Cause {
        let doing = if self.creates && !aftermath.tracker { CREATE } else { WRITE };
        Cause::Tracker { doing, error: Box::new(error), remedy: None }
    }

    /// Finds the statement that failed, for a client that does not tell: runs them one by one, and rolls back.
    ///
    /// Under the lock that was kept; not what would not fail again. A script that has ended its own
    /// transaction would do so once more.
    async fn replay(&mut self, error: &ServerError) -> Option<Place> {
        let step = self.steps.get(self.committed)?;
        let passing = ["57014", "55P03", "40P01", "40001"].contains(&error.code.as_str());
        if passing || error.message.contains(ENDED) {
            return None;
        }
        let script = normalise(step.migration.script());
        // What earlier messages held did not fail, and goes in large pieces again.
        let start = self.message.script_start(self.committed).unwrap_or(script.len());
        self.run.session.run(&self.run.goal.limits.prepare(step.migration)).await.ok()?;
        for (_, piece) in pieces(&script[..start]) {
            self.run.session.run(piece).await.ok()?;
        }
        let rest = &script[start..];
        for statement in statements(rest).ok()?.iter().filter(|statement| !statement.is_empty()) {
            match self.run.session.run(&rest[statement.range()]).await {
                Ok(_) => {}
                Err(Failure::Server { error: again, .. })
                    if (&again.code, &again.message) == (&error.code, &error.message) =>
                {
                    let text = Text::Script(start + statement.code().start);
                    return Some(Place { step: self.committed, text });
                }
                Err(_) => break,
            }
        }
        None
    }

    /// Notes a failed migration down in the log, which is worth no error of its own; adds what helps against a refusal.
    async fn complete(&mut self, cause: Cause) -> Cause {
        let (id, detail) = match &cause {
            Cause::Migration(failed) => (&failed.id, failed.error.to_string()),
            Cause::EndedItself { id, error, .. } => (id, error.to_string()),
            Cause::Tracker { doing, error, .. } => {
                let remedy = self.run.remedy(doing, error).await;
                return Cause::Tracker { doing, error: error.clone(), remedy };
            }
            _ => return cause,
        };
        if self.run.session.run(&self.run.goal.tracker.failed(id, &detail)).await.is_err() {
            self.run.clear().await;
        }
        cause
    }
}

/// What a run was doing that a login may lack the right to.
const CREATE: &str = "create the tracker";
