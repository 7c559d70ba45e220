//! What a failure in the middle of a journal means.

use super::super::message::{Message, Text};
use super::super::{Outcome, WRITE, blockers};
use super::{Journal, Turn};
use crate::client::{Client, Failure, ServerError};
use crate::error::{Cause, Failed};
use crate::event::Blocker;

impl<'a, C: Client> Journal<'_, 'a, C> {
    /// The message failed that begins a migration: nothing of it was sent.
    pub(super) async fn not_begun(
        &mut self,
        turn: &Turn<'_, 'a>,
        failure: Failure,
    ) -> Result<Outcome, Cause> {
        let error = match failure {
            Failure::Lost(words) => {
                return Err(Cause::ConnectionLost { words, under_way: vec![turn.job.id().clone()] });
            }
            Failure::Server { error, .. } => error,
        };
        // Another process recorded it, or created the tracker, although this one had the lock: neither goes round for ever.
        let recorded = error.code == "23505"
            && error.schema.as_deref() == Some(self.run.goal.tracker.schema())
            && error.table.as_deref() == Some("schema_migrations");
        if recorded || self.creates && matches!(error.code.as_str(), "42P06" | "42P07" | "23505") {
            self.run.clear().await;
            return Ok(Outcome::Again);
        }
        Err(self.run.tracker_failure(WRITE, Failure::Server { error, completed: None }).await)
    }

    /// A statement failed that begins at `offset`: the error, unless it is to be tried again.
    pub(super) async fn failed(
        &mut self,
        turn: &mut Turn<'_, 'a>,
        offset: usize,
        failure: Failure,
    ) -> Result<(), Cause> {
        let Failure::Server { error, .. } = failure else {
            return Err(self.stop(turn, Some(offset), failure).await);
        };
        if turn.units.get(turn.done).is_some_and(|unit| unit.statements().len() > 1) {
            // A transaction of the script's own.
            self.own(turn, "ROLLBACK;\n").await?;
        }
        let blockers = match error.code.as_str() {
            "55P03" => self.blockers(turn, offset).await?,
            _ => Vec::new(),
        };
        if !self.run.retries.take(&error, turn.job.id(), &blockers) {
            return Err(self.report(turn, Some(offset), *error, blockers).await);
        }
        // The lock stays with the session.
        self.run.pause().await;
        self.tidy(turn).await.map(drop)
    }

    async fn blockers(&mut self, turn: &mut Turn<'_, 'a>, offset: usize) -> Result<Vec<Blocker>, Cause> {
        let reply = self.leave(turn, blockers::QUERY).await?;
        let end = turn.units.get(turn.done).map_or(offset, |unit| unit.code().end);
        let statement = &turn.script[offset..end];
        let blockers = reply.rows("blocker").filter_map(blockers::read);
        Ok(blockers.filter(|blocker| blockers::concerns(blocker, statement)).collect())
    }

    /// Ends the run because of a failure that nothing can be done about.
    pub(super) async fn stop(
        &mut self,
        turn: &Turn<'_, 'a>,
        offset: Option<usize>,
        failure: Failure,
    ) -> Cause {
        match failure {
            Failure::Lost(words) => Cause::ConnectionLost { words, under_way: vec![turn.job.id().clone()] },
            // Where in a message of the engine's own is of no interest.
            Failure::Server { error, .. } => {
                let error = ServerError { position: None, ..*error };
                self.report(turn, offset, error, Vec::new()).await
            }
        }
    }

    /// Leaves the session clean, and makes the error; `offset` is where the statement begins.
    async fn report(
        &mut self,
        turn: &Turn<'_, 'a>,
        offset: Option<usize>,
        error: ServerError,
        blockers: Vec<Blocker>,
    ) -> Cause {
        self.run.clear().await;
        let error = turn.script.conceal_error(&error);
        let id = turn.job.id().clone();
        let note = self.run.goal.tracker.log("failure", &id, &error.to_string());
        self.run.note(&note).await;
        let place = offset.map(|offset| turn.script.excerpt(self.place(turn, offset, &error)));
        Cause::Migration(Box::new(Failed {
            attempts: self.run.retries.made(&id),
            undoing: matches!(turn.job, super::Job::Undo(_)),
            path: turn.job.path().into_owned(),
            kept: turn.kept(),
            id,
            place,
            error,
            blockers,
        }))
    }

    /// Where in the script the server means.
    fn place(&self, turn: &Turn<'_, 'a>, offset: usize, error: &ServerError) -> usize {
        let mut message = Message::default();
        message.push(0, Text::Script(offset), &turn.script[offset..]);
        match message.find(error, self.settings.unit, None).map(|place| place.text) {
            Some(Text::Script(at)) => at,
            _ => offset,
        }
    }
}
