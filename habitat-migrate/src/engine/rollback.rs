//! Takes migrations back.

use std::collections::HashSet;

use habitat_migrate_catalog::MigrationId;

use super::job::Job;
use super::{Attempt, Goal, Outcome, READ, Run};
use crate::client::Client;
use crate::error::{Cause, Result};
use crate::event::Event;
use crate::history::History;
use crate::plan::{Undo, fit, undo};
use crate::policy::Rollback;
use crate::report::Report;
use crate::tracker::{Probe, Tracker};

/// What is to be taken back, and who says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Undoing<'a> {
    pub(crate) rollback: &'a Rollback,
    /// The database's name, as the caller gave it.
    pub(crate) confirmed: Option<&'a str>,
    /// Whether it is to be applied again.
    pub(crate) redo: bool,
}

/// Takes migrations back, last applied first.
pub(crate) async fn rollback<C: Client>(
    goal: &Goal<'_>,
    client: &mut C,
    undoing: Undoing<'_>,
) -> Result<Report> {
    let mut run = Run::new(goal, client);
    let outcome = run.undo(undoing).await;
    run.finish(outcome)
}

impl<'a, C: Client> Run<'a, C> {
    async fn undo(&mut self, undoing: Undoing<'_>) -> std::result::Result<(), Cause> {
        // Decided once: what another process does meanwhile does not add to it.
        let mut chosen: Option<HashSet<MigrationId>> = None;
        loop {
            if self.probe().await?.0 == Probe::Absent {
                return Ok(());
            }
            let (settings, presence, history) = match self.attempt(true).await? {
                Attempt::Taken { settings, presence, history } => (settings, presence, history),
                Attempt::Busy => {
                    self.wait().await?;
                    continue;
                }
            };
            let history = match presence.format {
                1 => history,
                _ => self.with_scripts(history).await?,
            };
            let mut steps = match self.steps(&history, undoing).await {
                Ok(steps) => steps,
                Err(cause) => {
                    self.clear().await;
                    return Err(cause);
                }
            };
            let chosen = chosen.get_or_insert_with(|| steps.iter().map(|undo| undo.id.clone()).collect());
            steps.retain(|undo| chosen.contains(&undo.id));
            self.report.present = history.records().len().saturating_sub(steps.len());
            if steps.is_empty() {
                self.clear().await;
                return Ok(());
            }
            tracing::info!(steps = steps.len(), "rolling back");
            (self.goal.tell)(&Event::Planned { pending: steps.len() });
            let jobs: Vec<Job<'_>> = steps.into_iter().map(|undo| Job::Undo(Box::new(undo))).collect();
            let prelude = [
                self.touch(presence),
                self.goal.tracker.touch_removal(),
                self.lock.to_session(),
                self.prelude(presence, &history),
            ]
            .concat();
            match self.carry_out(&jobs, settings, prelude, false).await? {
                Outcome::Done | Outcome::Paused => return Ok(()),
                Outcome::Again => {}
            }
        }
    }

    /// Adds the down scripts that were recorded.
    async fn with_scripts(&mut self, history: History) -> std::result::Result<History, Cause> {
        let reply = self.run(READ, &self.goal.tracker.scripts()).await?;
        Ok(Tracker::read_scripts(history, &reply))
    }

    /// Checks everything before the first statement.
    async fn steps(
        &mut self,
        history: &History,
        undoing: Undoing<'_>,
    ) -> std::result::Result<Vec<Undo<'a>>, Cause> {
        if history.environment() == Some(PRODUCTION) {
            let name = self.database().await?;
            if undoing.confirmed != Some(name.as_str()) {
                return Err(Cause::Unconfirmed { database: name });
            }
        }
        let wish = self.goal.wish;
        let steps =
            undo(self.goal.catalog, history, undoing.rollback, undoing.redo, wish).map_err(Cause::Refused)?;
        let functions = steps.iter().map(|undo| (&undo.id, undo.path.as_str().into(), undo.function));
        fit(self.session.style(), functions).map_err(Cause::Refused)?;
        Ok(steps)
    }

    /// The name of the database.
    pub(super) async fn database(&mut self) -> std::result::Result<String, Cause> {
        let sql = "SELECT 'database' AS \"habitat-migrate\", pg_catalog.current_database();\n";
        let reply = self.run("tell its name", sql).await?;
        Ok(reply.first("database").map(|row| row.text(1).to_owned()).unwrap_or_default())
    }
}

/// The environment in which nothing is taken back by mistake.
const PRODUCTION: &str = "production";
