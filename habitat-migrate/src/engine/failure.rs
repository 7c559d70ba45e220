//! Finds out what failed, where, and what was kept.

use habitat_migrate_catalog::statements;

use super::apply::{Batch, pieces};
use super::job::Job;
use super::message::{Message, Place, Text};
use super::{Outcome, TAKE_OUT, WRITE, blockers, verify};
use crate::client::{Client, Failure, ServerError};
use crate::error::{Cause, Failed, Kept};
use crate::event::Blocker;
use crate::plan::beside;
use crate::tracker::{ENDED, Presence, Tracker};

/// What is found after a failure.
#[derive(Default)]
struct Aftermath {
    /// Whether there is a tracker.
    tracker: bool,
    /// Whether the failing script had ended the transaction that it ran in.
    ended: bool,
    /// Who may have been in the way of a statement that waited for a lock for too long.
    blockers: Vec<Blocker>,
}

impl<C: Client> Batch<'_, '_, C> {
    /// A message failed. Cleans up, reads what is committed, and tells the place; or finds that it is to be tried again.
    pub(super) async fn failed(&mut self, failure: Failure) -> Result<Outcome, Cause> {
        let (error, completed) = match failure {
            Failure::Lost(words) => return Err(self.lost(words)),
            Failure::Server { error, completed } => (*error, completed),
        };
        let before = self.committed;
        let aftermath = match self.retreat(&error).await {
            Ok(aftermath) => aftermath,
            // The first error is the one that matters.
            Err(_) => return Err(self.lost(error.to_string())),
        };
        let mut place = self.message.find(&error, self.settings.unit, completed);
        if place.is_none() && !aftermath.ended {
            place = self.replay(&error).await;
        }
        self.run.clear().await;
        let progress = self.committed > before;
        if progress {
            let settle = self.run.goal.tracker.settle(&self.since());
            self.run.note(&settle).await;
        }
        match self.judge(error, place, aftermath, progress) {
            Ok(Outcome::Again) => {
                self.run.pause().await;
                Ok(Outcome::Again)
            }
            Ok(outcome) => Ok(outcome),
            Err(cause) => Err(self.complete(cause).await),
        }
    }

    /// When the message that failed was sent, by the server's clock.
    fn since(&self) -> String {
        let micros = self.sent.elapsed().as_micros();
        format!(
            "(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) '{micros} microseconds'::pg_catalog.interval)"
        )
    }

    fn lost(&self, words: String) -> Cause {
        Cause::ConnectionLost { words, under_way: self.under_way() }
    }

    /// Rolls back, keeps the lock if it can be kept, and reads what is committed: the message may have been refused as a whole.
    async fn retreat(&mut self, error: &ServerError) -> Result<Aftermath, Failure> {
        // In a transaction that has failed nothing is answered; where something is, the script has ended it.
        let ended = match self.run.session.run("SELECT 'open' AS \"habitat-migrate\";\n").await {
            Ok(_) => true,
            Err(Failure::Server { .. }) => false,
            Err(lost) => return Err(lost),
        };
        let tracker = &self.run.goal.tracker;
        // By statements of their own, for the reason that `Lock::take` tells.
        let look = format!("SELECT 'found' AS \"habitat-migrate\", {};\n", tracker.presence());
        let reply = self.run.session.run(&(self.run.lock.retreat() + &look)).await?;
        let presence = reply.first("found").map(|row| Presence::read(row, 1)).unwrap_or_default();
        let mut aftermath = Aftermath { tracker: presence.table, ended, ..Aftermath::default() };
        if presence.table {
            let mut history = Tracker::read(&self.run.session.run(&tracker.history()).await?);
            if self.jobs.get(self.committed).is_some_and(|job| job.is_done(&history.by_id())) {
                // For how long these took; it is rolled back, and done again once everything is clean.
                let sql = format!("{}{}", tracker.settle(&self.since()), tracker.history());
                history = Tracker::read(&self.run.session.run(&sql).await?);
            }
            let records = history.by_id();
            while let Some(job) = self.jobs.get(self.committed).filter(|job| job.is_done(&records)) {
                let took = records.get(job.id()).map(|record| record.execution_time());
                self.note_committed(took.unwrap_or_default());
            }
        }
        if error.code == "55P03" {
            let waited = self.sent.elapsed();
            let reply = self.run.session.run(blockers::QUERY).await?;
            let script = self.jobs.get(self.committed).map(|job| job.script().to_owned()).unwrap_or_default();
            aftermath.blockers = reply.rows("blocker").filter_map(blockers::read).collect();
            // Who has begun since waited behind the migration, and was let in when it gave up.
            aftermath.blockers.retain(|blocker| {
                // Without an age it is a session that may not be looked at, or one whose transaction has just ended.
                let was_before = blocker.session.age.map_or(blocker.state.is_none(), |age| age >= waited);
                was_before && blockers::concerns(blocker, &script)
            });
        }
        Ok(aftermath)
    }

    /// Decides what a failure means.
    fn judge(
        &mut self,
        error: ServerError,
        place: Option<Place>,
        aftermath: Aftermath,
        progress: bool,
    ) -> Result<Outcome, Cause> {
        let text = place.map_or(Text::Migration, |place| place.text);
        let failing = place.map_or(self.committed, |place| place.step);
        // Another process was first although this one had the lock; or all steps of the message are committed,
        // and only the end of it failed. What is left is planned anew.
        if progress && failing < self.committed || self.is_race(&error, text, &aftermath, progress) {
            return Ok(Outcome::Again);
        }
        let Some(job) = self.jobs.get(failing) else { return Err(self.refused(error, &aftermath)) };
        let (id, path) = (job.id().clone(), job.path().into_owned());
        let error = job.script().conceal_error(&error);
        if aftermath.ended && failing == self.committed || error.message.contains(ENDED) {
            return Err(Cause::EndedItself { id, path, error: Box::new(error) });
        }
        if failing == self.committed && self.run.retries.take(&error, &id, &aftermath.blockers) {
            return Ok(Outcome::Again);
        }
        let (path, place) = match text {
            Text::Engine | Text::Session => return Err(self.refused(error, &aftermath)),
            Text::Migration if place.is_none() && self.is_about_tracker(&error, &aftermath) => {
                return Err(self.refused(error, &aftermath));
            }
            Text::Migration => (path, None),
            Text::Script(offset) => (path, Some(job.script().excerpt(offset))),
            Text::Verify(offset) => {
                (beside(&path, "verify"), job.verify().map(|verify| verify.excerpt(offset)))
            }
        };
        let attempts = self.run.retries.made(&id);
        let undoing = matches!(job, Job::Undo(_));
        let failed = Failed {
            id: id.clone(),
            path,
            place,
            error,
            attempts,
            blockers: aftermath.blockers,
            undoing,
            kept: Kept::Nothing,
        };
        let cause = Cause::Migration(Box::new(failed));
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
        let undoing = matches!(self.jobs.first(), Some(Job::Undo(_)));
        let doing = match self.creates && !aftermath.tracker {
            true => CREATE,
            false if undoing => TAKE_OUT,
            false => WRITE,
        };
        Cause::Tracker { doing, error: Box::new(error), remedy: None }
    }

    /// Finds the statement that failed, for a client that does not tell: runs them one by one, and rolls back.
    ///
    /// Under the lock that was kept; not what would not fail again. A script that has ended its own
    /// transaction would do so once more.
    async fn replay(&mut self, error: &ServerError) -> Option<Place> {
        let job = self.jobs.get(self.committed)?;
        let passing = ["57014", "55P03", "40P01", "40001"].contains(&error.code.as_str());
        if passing || error.message.contains(ENDED) {
            return None;
        }
        let script = job.script();
        // What earlier messages held did not fail, and goes in large pieces again.
        let start = self.message.script_start(self.committed).unwrap_or(script.len());
        self.run.session.run(&self.run.goal.limits.prepare(job.settings())).await.ok()?;
        for (_, piece) in pieces(&script[..start]) {
            self.run.session.run(piece).await.ok()?;
        }
        let rest = &script[start..];
        for statement in statements(rest).ok()?.iter().filter(|statement| !statement.is_empty()) {
            let text = Text::Script(start + statement.code().start);
            match self.again(&rest[statement.range()], error).await {
                Again::Passed => {}
                Again::Failed => return Some(Place { step: self.committed, text }),
                Again::Differently => return None,
            }
        }
        let mut message = Message::default();
        message.push(0, Text::Engine, "SET CONSTRAINTS ALL IMMEDIATE;\n");
        message.push(0, Text::Session, &self.settings.restore());
        self.run.session.run(message.sql()).await.ok()?;
        message.clear();
        verify::push(&mut message, self.committed, &job.verify()?, self.run.goal.limits);
        for (place, text) in message.texts() {
            match self.again(text, error).await {
                Again::Passed => {}
                Again::Failed => return Some(place),
                Again::Differently => return None,
            }
        }
        None
    }

    /// Runs a statement that may be the one that failed.
    async fn again(&mut self, sql: &str, error: &ServerError) -> Again {
        match self.run.session.run(sql).await {
            Ok(_) => Again::Passed,
            Err(Failure::Server { error: again, .. })
                if (&again.code, &again.message) == (&error.code, &error.message) =>
            {
                Again::Failed
            }
            Err(_) => Again::Differently,
        }
    }

    /// Notes a failed migration down in the log, which is worth no error of its own; adds what helps against a refusal.
    async fn complete(&mut self, cause: Cause) -> Cause {
        let (id, detail) = match &cause {
            Cause::Migration(failed) => (&failed.id, failed.error.to_string()),
            Cause::EndedItself { id, error, .. } => {
                // So that nobody runs it again over what it has left.
                let tracker = &self.run.goal.tracker;
                let job = self.jobs.get(self.committed).filter(|job| job.id() == id);
                if let Some(record) = job.and_then(|job| job.interrupted(tracker)) {
                    self.run.note(&record).await;
                }
                (id, error.to_string())
            }
            Cause::Tracker { doing, error, .. } => {
                let remedy = self.run.remedy(doing, error).await;
                return Cause::Tracker { doing, error: error.clone(), remedy };
            }
            _ => return cause,
        };
        let note = self.run.goal.tracker.log("failure", id, &detail);
        self.run.note(&note).await;
        cause
    }
}

/// How a statement did that may be the one that failed.
enum Again {
    Passed,
    Failed,
    Differently,
}

/// What a run was doing that a login may lack the right to.
const CREATE: &str = "create the tracker";
