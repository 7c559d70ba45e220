//! Finds out what failed, where, and what was kept.

use habitat_migrate_catalog::{Excerpt, normalise, statements};

use super::apply::Batch;
use super::{Outcome, WRITE};
use crate::client::{Client, Failure, ServerError};
use crate::error::{Cause, Failed};
use crate::history::State;
use crate::tracker::{ENDED, Probe};

impl<C: Client> Batch<'_, '_, C> {
    /// A message failed. Cleans up, reads what is committed, and tells the place; or finds that it is to be tried again.
    pub(super) async fn failed(&mut self, failure: Failure) -> Result<Outcome, Cause> {
        let (error, completed) = match failure {
            Failure::Lost(words) => {
                return Err(Cause::ConnectionLost { words, under_way: self.under_way() });
            }
            Failure::Server { error, completed } => (*error, completed),
        };
        self.run.clear().await;
        let place = self.message.find(&error, completed);
        let first = self.committed;
        let tracker = self.catch_up().await?;
        let in_script = place.is_some_and(|place| place.script.is_some());
        let refused = match tracker {
            // It is created in a transaction of its own, ahead of everything else.
            Probe::Absent if self.creates && !in_script => Some("create the tracker"),
            _ if error.code == "42501" && error.message.contains("schema_migrations") => Some(WRITE),
            _ => None,
        };
        if let Some(doing) = refused {
            let failure = Failure::Server { error: Box::new(error), completed };
            return Err(self.run.tracker_failure(doing, failure).await);
        }
        // Another process recorded it first, although this one had the lock: go on with what is left.
        if error.code == "23505" && error.object.as_deref().is_some_and(|o| o.contains("schema_migrations")) {
            return Ok(Outcome::Again);
        }
        let failing = place.map_or(self.committed, |place| place.step);
        let Some(step) = self.steps.get(failing) else {
            return Err(Cause::Tracker { doing: WRITE, error: Box::new(error), remedy: None });
        };
        let offset = match place {
            Some(place) => place.script,
            None => self.replay(failing, &error).await,
        };
        let script = normalise(step.migration.script());
        let (id, path) = (step.migration.id().clone(), step.migration.path().to_owned());
        let detail = error.to_string();
        let cause = if ended_itself(&error) {
            Cause::EndedItself { id, path }
        } else {
            let place = offset.map(|offset| Excerpt::at(&script, offset));
            Cause::Migration(Box::new(Failed { id, path, place, error }))
        };
        if failing > self.committed && failing > first {
            // PostgreSQL parses a message before it runs any of it: those ahead are still to be applied.
            self.run.failed = Some((step.migration.id().clone(), cause));
            return Ok(Outcome::Again);
        }
        self.note_failure(failing, &detail).await;
        Err(cause)
    }

    /// Reads which steps are committed: the message may have been refused as a whole.
    async fn catch_up(&mut self) -> Result<Probe, Cause> {
        let (probe, _) = self.run.probe().await?;
        if probe == Probe::Absent {
            return Ok(probe);
        }
        let history = self.run.history().await?;
        while let Some(step) = self.steps.get(self.committed) {
            let Some(record) = history.get(step.migration.id()) else { break };
            if record.state() != State::Applied {
                break;
            }
            self.note_committed(record.execution_time());
        }
        Ok(probe)
    }

    /// Finds the statement that failed, for a client that does not tell: runs them one by one, and rolls back.
    async fn replay(&mut self, failing: usize, error: &ServerError) -> Option<usize> {
        let step = &self.steps[failing];
        let script = normalise(step.migration.script());
        let prepare = format!(
            "BEGIN ISOLATION LEVEL READ COMMITTED;\n{}",
            self.run.goal.limits.prepare(step.migration)
        );
        self.run.session.run(&prepare).await.ok()?;
        let mut found = None;
        for statement in statements(&script).ok()?.iter().filter(|s| !s.is_empty()) {
            match self.run.session.run(&script[statement.range()]).await {
                Ok(_) => {}
                Err(Failure::Server { error: again, .. }) if again.code == error.code => {
                    found = Some(statement.code().start);
                    break;
                }
                Err(_) => break,
            }
        }
        self.run.clear().await;
        found
    }

    /// Notes the failure down in the log; that is worth no error of its own.
    async fn note_failure(&mut self, failing: usize, detail: &str) {
        let sql = self.run.goal.tracker.failed(self.steps[failing].migration.id(), detail);
        if self.run.session.ask(&sql).await.is_err() {
            self.run.clear().await;
        }
    }
}

/// Whether the engine's own statement found out that a script had ended its transaction.
fn ended_itself(error: &ServerError) -> bool {
    error.code == "22P02" && error.message.contains(ENDED)
}
