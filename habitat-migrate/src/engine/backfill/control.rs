//! Backfills as a person sees them: lists, pauses, resumes and restarts them from any connection, without the lock.

use habitat_migrate_catalog::MigrationId;

use crate::backfill::{Backfill, BackfillState, Wanted};
use crate::client::Client;
use crate::engine::{Goal, READ, Run, WRITE};
use crate::error::{Cause, Error, Result};
use crate::report::Report;
use crate::tracker::{Probe, Tracker};

/// Lists the backfills that were begun, those that began last first.
pub(crate) async fn backfills<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<Vec<Backfill>> {
    let mut run = Run::new(goal, client);
    run.backfills().await.map_err(|cause| Error::new(cause, Report::default()))
}

/// Pauses, resumes or restarts a backfill, and tells how it is then.
pub(crate) async fn want<C: Client>(
    goal: &Goal<'_>,
    client: &mut C,
    id: &MigrationId,
    wanted: Wanted,
) -> Result<Backfill> {
    let mut run = Run::new(goal, client);
    run.want(id, wanted).await.map_err(|cause| Error::new(cause, Report::default()))
}

impl<C: Client> Run<'_, C> {
    async fn backfills(&mut self) -> std::result::Result<Vec<Backfill>, Cause> {
        if self.probe().await?.0 == Probe::Absent {
            return Ok(Vec::new());
        }
        let there = self.ask(READ, &self.goal.tracker.backfill_presence()).await?;
        if !there.first("backfills").is_some_and(|row| row.is_true(1)) {
            return Ok(Vec::new());
        }
        let reply = self.ask(READ, &self.goal.tracker.backfills()).await?;
        Ok(Tracker::read_backfills(&reply))
    }

    async fn want(&mut self, id: &MigrationId, wanted: Wanted) -> std::result::Result<Backfill, Cause> {
        match self.backfills().await?.into_iter().find(|backfill| backfill.migration() == id) {
            None => {
                Err(Cause::Invalid(format!("there is no backfill {id} in this database: it has not begun")))
            }
            Some(backfill) if backfill.state() == BackfillState::Done => {
                Err(Cause::Invalid(format!("the backfill {id} is done")))
            }
            Some(backfill) => {
                let reply = self.ask(WRITE, &self.goal.tracker.want_backfill(id, wanted)).await?;
                Ok(Tracker::read_backfills(&reply).pop().unwrap_or(backfill))
            }
        }
    }
}
