//! A batch failed: finds out what is committed, and whether it is tried again with fewer rows.

use std::time::Instant;

use habitat_migrate_catalog::{Backfill, Excerpt, normalise};

use super::walk::{self, Filled};
use super::{AWAKE, Ahead, Filling, Went};
use crate::client::{Client, Failure, ServerError};
use crate::engine::message::{Message, Text};
use crate::engine::{WRITE, blockers};
use crate::error::{Cause, Failed, Hindered, Hindrance, Kept};
use crate::event::Blocker;
use crate::plan::beside;
use crate::tracker::{ELSEWHERE, Tracker};

impl<C: Client> Filling<'_, '_, C> {
    /// Cleans up behind a message that failed; goes on, or tells the place.
    pub(super) async fn failed(
        &mut self,
        message: &Message,
        filled: Option<&Filled>,
        failure: Failure,
        sent: Instant,
    ) -> Result<Went, Cause> {
        let took = sent.elapsed();
        let (error, completed) = match failure {
            Failure::Lost(words) => return Err(self.disconnected(words)),
            Failure::Server { error, completed } => (*error, completed),
        };
        let before = self.batches;
        match self.retreat().await {
            Ok(true) => {}
            Ok(false) => {
                self.run.clear().await;
                return Ok(Went::Again);
            }
            // The first error is the one that matters.
            Err(_) => return Err(self.disconnected(error.to_string())),
        }
        if error.message.contains(ELSEWHERE) {
            return Err(self.lost().await);
        }
        self.ahead = Ahead::Unknown;
        let verifies = message.texts().any(|(place, _)| matches!(place.text, Text::Verify(_)));
        let text = match message.find(&error, self.settings.unit, completed) {
            Some(place) => Some(place.text),
            // The client does not tell which statement it was.
            None if filled.is_some() || verifies => None,
            None => Some(Text::Migration),
        };
        let is_engine = matches!(text, Some(Text::Engine)) || self.is_about_tracker(&error);
        if error.code == "23505" && is_engine {
            // Another process has recorded it: what is left is planned anew.
            self.run.clear().await;
            return Ok(Went::Again);
        }
        if self.batches > before {
            return Ok(Went::On);
        }
        let is_late =
            error.code == "57014" && took >= walk::LONGEST && filled.is_some() && self.pace.size() > 1;
        if is_late && self.migration().settings().statement_timeout.is_none() {
            tracing::debug!(migration = %self.id(), size = self.pace.size(), "the batch took too long");
            self.pace.back_off();
            return Ok(Went::On);
        }
        let blockers = if error.code == "55P03" { self.blockers().await } else { Vec::new() };
        if self.run.retries.take(&error, self.id(), &blockers) {
            self.pace.back_off();
            self.run.pause().await;
            return Ok(Went::On);
        }
        if is_engine {
            self.run.clear().await;
            let remedy = self.run.remedy(WRITE, &error).await;
            return Err(Cause::Tracker { doing: WRITE, error: Box::new(error), remedy });
        }
        Err(self.told(error, text, filled, blockers).await)
    }

    /// Rolls back, keeps the lock if nobody else has it by now, and reads what is committed.
    async fn retreat(&mut self) -> Result<bool, Failure> {
        let tracker = self.tracker();
        let mut sql = self.run.lock.retreat();
        sql += AWAKE;
        sql += &tracker.backfill(self.id(), self.walk.columns());
        let reply = self.run.session.run(&sql).await?;
        let progress = Tracker::read_backfill(&reply, self.walk.columns());
        if let Some(progress) = progress {
            (self.cursor, self.rows, self.batches) = (progress.cursor, progress.rows, progress.batches);
        }
        Ok(reply.first("retreat").is_some_and(|row| row.is_true(1)))
    }

    fn is_about_tracker(&self, error: &ServerError) -> bool {
        error.schema.as_deref() == Some(self.tracker().schema())
            && error.table.as_deref().is_some_and(|table| table.starts_with("schema_migrations"))
    }

    /// Who may have been in the way.
    async fn blockers(&mut self) -> Vec<Blocker> {
        let Ok(reply) = self.run.session.run(blockers::QUERY).await else { return Vec::new() };
        let script = self.migration().script();
        let mut blockers: Vec<Blocker> = reply.rows("blocker").filter_map(blockers::read).collect();
        blockers.retain(|blocker| blockers::concerns(blocker, script));
        blockers
    }

    /// What failed for good, and where; notes it down.
    pub(super) async fn told(
        &mut self,
        error: ServerError,
        text: Option<Text>,
        filled: Option<&Filled>,
        blockers: Vec<Blocker>,
    ) -> Cause {
        self.run.clear().await;
        let note = self.tracker().log("failure", self.id(), &error.to_string());
        self.run.note(&note).await;
        let path = self.migration().path();
        let script = normalise(self.migration().script());
        let verify = self.migration().verify().map(normalise).unwrap_or_default();
        let (path, place) = match (text, filled) {
            (Some(Text::Verify(offset)), _) => (beside(path, "verify"), Some(Excerpt::at(&verify, offset))),
            (Some(Text::Script(offset)), Some(filled)) => {
                (path.to_owned(), Some(Excerpt::at(&script, filled.original(offset))))
            }
            (None, Some(_)) => {
                let statements = habitat_migrate_catalog::statements(&script).unwrap_or_default();
                let code = statements.iter().find(|statement| !statement.is_empty());
                (path.to_owned(), code.map(|statement| Excerpt::at(&script, statement.code().start)))
            }
            (None, None) => (beside(path, "verify"), None),
            _ => (path.to_owned(), Some(Excerpt::at(&script, Backfill::place(&script)))),
        };
        let attempts = self.run.retries.made(self.id());
        let (id, kept) = (self.id().clone(), Kept::Batches(self.batches));
        Cause::Migration(Box::new(Failed {
            id,
            path,
            place,
            error,
            attempts,
            blockers,
            undoing: false,
            kept,
        }))
    }

    /// The table is none that it can run on; leaves nothing behind.
    pub(super) async fn hindered(&mut self, hindrance: Hindrance) -> Cause {
        self.run.clear().await;
        let script = normalise(self.migration().script());
        Cause::Hindered(Box::new(Hindered {
            id: self.id().clone(),
            path: self.migration().path().to_owned(),
            place: Excerpt::at(&script, Backfill::place(&script)),
            hindrance,
        }))
    }

    /// Somebody else goes on with it, or may.
    pub(super) async fn lost(&mut self) -> Cause {
        self.run.clear().await;
        Cause::LockLost
    }

    pub(super) fn disconnected(&self, words: String) -> Cause {
        Cause::ConnectionLost { words, under_way: vec![self.id().clone()] }
    }
}
