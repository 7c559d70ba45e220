//! What goes in front of the first step: it makes the tracker what it has to be.

use super::{LATER, Outcome, Run};
use crate::client::Client;
use crate::error::Cause;
use crate::history::History;
use crate::lock::BEGIN;
use crate::tracker::{FORMAT, Presence};

impl<'a, C: Client> Run<'a, C> {
    /// The statements that make the tracker what it has to be; none where it is.
    pub(super) fn prelude(&self, presence: Presence, history: &History) -> String {
        let tracker = &self.goal.tracker;
        let mut sql = String::new();
        if !presence.table {
            if !presence.schema {
                sql.push_str(&tracker.create_schema());
            }
            sql.push_str(&tracker.create());
        } else if presence.format < FORMAT {
            sql.push_str(&tracker.upgrade(presence.format));
        }
        if let Some(environment) = self.environment(history) {
            sql.push_str(&tracker.record_environment(environment, presence.environments));
        }
        if sql.is_empty() { sql } else { format!("{BEGIN}{sql}{LATER}COMMIT;\n") }
    }

    /// What fails before anything is run, where this login may not record what it runs.
    pub(super) fn touch(&self, presence: Presence) -> String {
        if presence.table { self.goal.tracker.touch() } else { String::new() }
    }

    /// Runs a prelude that no migration follows, and gives the lock back.
    pub(super) async fn prepare(&mut self, prelude: &str, doing: &'static str) -> Result<Outcome, Cause> {
        if prelude.is_empty() {
            self.clear().await;
            return Ok(Outcome::Done);
        }
        let sql = format!("{}{prelude}{}", self.lock.to_session(), self.lock.release());
        match self.session.finish(&sql).await {
            Ok(_) => Ok(Outcome::Done),
            Err(failure) => Err(self.tracker_failure(doing, failure).await),
        }
    }

    /// The environment that is to be recorded, because the caller says it and the database does not.
    pub(super) fn environment(&self, history: &History) -> Option<&'a str> {
        self.goal.wish.environment.filter(|_| history.environment().is_none())
    }
}
