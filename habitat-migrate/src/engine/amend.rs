//! Changes the tracker without running a migration.

use habitat_migrate_catalog::Catalog;

use super::{Attempt, Goal, Outcome, Run, TAKE_OUT, WRITE};
use crate::client::Client;
use crate::error::{Cause, Result};
use crate::history::History;
use crate::lock::BEGIN;
use crate::plan::{Change, Refusals};
use crate::report::Report;
use crate::tracker::Tracker;

/// Decides on changes, given what the database has.
pub(crate) type Decide<'a> =
    &'a (dyn Fn(&'a Catalog, &History) -> std::result::Result<Vec<Change<'a>>, Refusals> + Send + Sync);

/// Changes the tracker, under the lock and in one transaction.
pub(crate) async fn amend<'a, C: Client>(
    goal: &'a Goal<'a>,
    client: &'a mut C,
    decide: Decide<'a>,
) -> Result<Report> {
    let mut run = Run::new(goal, client);
    let outcome = run.amend(decide).await;
    run.finish(outcome)
}

impl<'a, C: Client> Run<'a, C> {
    async fn amend(&mut self, decide: Decide<'a>) -> std::result::Result<(), Cause> {
        loop {
            let there = self.probe().await?.0 != crate::tracker::Probe::Absent;
            match self.attempt(there).await? {
                Attempt::Busy => self.wait().await?,
                Attempt::Taken { presence, history, .. } => {
                    let changes = match decide(self.goal.catalog, &history) {
                        Ok(changes) => changes,
                        Err(refusals) => {
                            self.clear().await;
                            return Err(Cause::Refused(refusals));
                        }
                    };
                    let prelude = self.prelude(presence, &history);
                    let sql = transaction(&self.goal.tracker, &changes);
                    let forgets = changes.iter().any(|change| matches!(change, Change::Forget { .. }));
                    let doing = if forgets { TAKE_OUT } else { WRITE };
                    let _: Outcome = self.prepare(&format!("{prelude}{sql}"), doing).await?;
                    self.report.repaired = changes.iter().filter_map(Change::id).cloned().collect();
                    return Ok(());
                }
            }
        }
    }
}

/// The changes as one transaction; empty where there is none.
pub(super) fn transaction(tracker: &Tracker, changes: &[Change<'_>]) -> String {
    let statements: String = changes.iter().map(|change| tracker.change(change)).collect();
    if statements.is_empty() { statements } else { format!("{BEGIN}{statements}COMMIT;\n") }
}
