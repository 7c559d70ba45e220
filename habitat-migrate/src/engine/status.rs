//! Reads where a database stands.

use super::{Goal, READ, Run};
use crate::client::Client;
use crate::error::{Cause, Error, Result};
use crate::history::History;
use crate::report::Report;
use crate::status::{Audit, Status};
use crate::tracker::{Probe, Tracker};

/// Tells where a database stands, and writes nothing.
pub(crate) async fn status<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<Status> {
    let mut run = Run::new(goal, client);
    let outcome = run.read().await;
    let (history, audit) = outcome.map_err(|cause| Error::new(cause, Report::default()))?;
    Ok(Status::of(goal.catalog, &history, &audit, goal.wish.environment))
}

impl<C: Client> Run<'_, C> {
    /// Reads the records and the log as they are at one time: somebody may be migrating.
    async fn read(&mut self) -> std::result::Result<(History, Audit), Cause> {
        if self.probe().await?.0 == Probe::Absent {
            return Ok((History::default(), Audit::nothing()));
        }
        let tracker = &self.goal.tracker;
        let right = Tracker::read_log_right(&self.ask(READ, &tracker.log_right()).await?);
        let sql = format!("{SNAPSHOT}{}{}COMMIT;\n", tracker.history(), tracker.audit(right));
        match self.session.finish(&sql).await {
            Ok(reply) => Ok((Tracker::read(&reply), Tracker::read_audit(right, &reply))),
            Err(failure) => Err(self.tracker_failure(READ, failure).await),
        }
    }
}

/// One snapshot for all statements.
/// <https://www.postgresql.org/docs/current/transaction-iso.html#XACT-REPEATABLE-READ>
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\n";
