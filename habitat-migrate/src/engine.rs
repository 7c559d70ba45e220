//! The engine: asks, takes the lock, applies a plan, and finds out what failed. One engine serves every client.

use std::time::{Duration, Instant};

use habitat_migrate_catalog::{Catalog, Compatibility, MigrationId};

use crate::client::{Client, Reply};
use crate::error::{Cause, Error, Result};
use crate::event::Event;
use crate::history::History;
use crate::lock::Lock;
use crate::plan::{Plan, Wish, stand};
use crate::policy::{NewerDatabase, Patience, Retry};
use crate::report::{Applied, Report};
use crate::tracker::{Presence, Probe, Probed, Standing, Tracker};

mod amend;
mod apply;
mod attempt;
mod backfill;
mod blockers;
mod code;
mod failure;
mod job;
mod journal;
mod message;
mod needs;
mod offline;
mod prelude;
mod retry;
mod rollback;
mod script;
mod session;
mod settings;
mod status;
mod trouble;
mod verify;

use apply::Batch;
use attempt::Attempt;
use job::{Job, Worker};
use journal::Journal;
use retry::Retries;
use session::Session;
use settings::Settings;

pub(crate) use amend::amend;
pub(crate) use backfill::{backfills, want};
#[cfg(feature = "provision")]
pub(crate) use blockers::{QUERY as BLOCKERS, concerns, read as read_blocker};
pub(crate) use offline::to_sql;
pub(crate) use rollback::{Undoing, rollback};
pub(crate) use settings::Limits;
pub(crate) use status::status;
pub(crate) use verify::verify;

/// What a run is to reach, and how.
pub(crate) struct Goal<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) tracker: Tracker,
    pub(crate) wish: Wish<'a>,
    pub(crate) patience: Patience,
    pub(crate) limits: Limits,
    pub(crate) retry: Retry,
    /// Whether the caller says that the connection is a session of its own.
    pub(crate) assume_session: bool,
    pub(crate) tell: &'a (dyn Fn(&Event) + Send + Sync),
}

/// Brings a database to where the goal's catalog wants it.
pub(crate) async fn migrate<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<Report> {
    let mut run = Run::new(goal, client);
    let outcome = run.drive().await;
    run.finish(outcome)
}

/// Reads the tracker's rows; none where there is no tracker.
pub(crate) async fn history<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<History> {
    let mut run = Run::new(goal, client);
    run.known_history().await.map_err(|cause| Error::new(cause, Report::default()))
}

/// One run: what it has done so far.
struct Run<'a, C: Client> {
    goal: &'a Goal<'a>,
    started: Instant,
    /// How long the next pause is, where another process holds the lock.
    poll: Duration,
    lock: Lock,
    session: Session<'a, C>,
    report: Report,
    /// A migration that the server could not even parse, found before those ahead of it were applied.
    failed: Option<(MigrationId, Cause)>,
    retries: Retries,
}

/// Whether the plan was carried out.
enum Outcome {
    Done,
    /// A backfill is paused: what stands behind it waits.
    Paused,
    /// Something came in between: read the history again.
    Again,
}

impl<'a, C: Client> Run<'a, C> {
    fn new(goal: &'a Goal<'a>, client: &'a mut C) -> Self {
        let lock = Lock::of(&goal.tracker);
        let session = Session::new(client, lock.clear());
        Self {
            goal,
            started: Instant::now(),
            poll: goal.patience.poll,
            lock,
            session,
            report: Report::default(),
            failed: None,
            retries: Retries::new(goal.retry),
        }
    }

    /// What the run comes to, with the report of what it did.
    fn finish(mut self, outcome: Result<(), Cause>) -> Result<Report> {
        let mut report = std::mem::take(&mut self.report);
        report.elapsed = self.started.elapsed();
        match outcome {
            Ok(()) => Ok(report),
            Err(cause) => Err(Error::new(cause, report)),
        }
    }

    async fn drive(&mut self) -> Result<(), Cause> {
        loop {
            let (probe, standing) = self.probe().await?;
            if self.is_current(probe) {
                return self.done();
            }
            if probe != Probe::Absent || standing == Standing::ReadOnly {
                // Look before taking the lock: it may be that nothing is pending, or that the plan is refused.
                let history =
                    if probe == Probe::Absent { self.purpose().await? } else { self.history().await? };
                let plan = self.plan(&history)?;
                let idle = plan.pending().len() == 0 && plan.stands().is_empty();
                // An environment that cannot be recorded now will be by a run that can.
                if idle && (self.environment(&history).is_none() || standing == Standing::ReadOnly) {
                    return self.done();
                }
                if standing == Standing::ReadOnly {
                    return Err(Cause::ReadOnly {
                        pending: plan.pending().map(|m| m.id().clone()).collect(),
                    });
                }
            }
            match self.attempt(probe != Probe::Absent).await? {
                Attempt::Taken { settings, presence, history } => {
                    match self.apply(settings, presence, &history).await? {
                        Outcome::Done | Outcome::Paused => return self.done(),
                        Outcome::Again => {}
                    }
                }
                Attempt::Busy => self.wait().await?,
            }
        }
    }

    /// Nothing is left to do, unless a migration was found that cannot be parsed.
    fn done(&mut self) -> Result<(), Cause> {
        match self.failed.take() {
            Some((_, cause)) => Err(cause),
            None => Ok(()),
        }
    }

    /// Asks whether anything is to be done, in one round trip.
    async fn probe(&mut self) -> Result<(Probe, Standing), Cause> {
        let (catalog, said) = (self.goal.catalog, self.goal.wish.environment);
        let reply = self.ask(READ, &self.goal.tracker.probe(catalog, said)).await?;
        match self.goal.tracker.probed(catalog, said, &reply) {
            Some(probed) if probed.in_transaction => Err(Cause::InTransaction),
            Some(Probed { probe, standing, .. }) => Ok((probe, standing)),
            None => Err(Cause::ConnectionLost {
                words: "the server did not answer the question".to_owned(),
                under_way: Vec::new(),
            }),
        }
    }

    /// Whether a probe says that there is nothing to do; takes note of what it found.
    fn is_current(&mut self, probe: Probe) -> bool {
        let Probe::Current { present, newer, compatibility } = probe else { return false };
        let allowed = compatibility == Compatibility::Compatible
            && (newer == 0 || self.goal.wish.policy.newer == NewerDatabase::AllowCompatible);
        if allowed {
            self.report.present = present.saturating_sub(self.report.applied.len());
            self.report.newer = newer;
        }
        allowed
    }

    async fn history(&mut self) -> Result<History, Cause> {
        self.ask(READ, &self.goal.tracker.history()).await.map(|reply| Tracker::read(&reply))
    }

    /// What a database is for that has no migration yet.
    async fn purpose(&mut self) -> Result<History, Cause> {
        self.ask(READ, &self.goal.tracker.purpose()).await.map(|reply| Tracker::read(&reply))
    }

    /// Plans, and takes note of what is there already.
    fn plan(&mut self, history: &History) -> Result<Plan<'a>, Cause> {
        let plan = Plan::of(self.goal.catalog, history, self.goal.wish).map_err(Cause::Refused)?;
        plan.fits(self.session.style()).map_err(Cause::Refused)?;
        self.report.present = plan.already_applied().saturating_sub(self.report.applied.len());
        self.report.newer = plan.newer().len();
        Ok(plan)
    }

    /// Carries out what is pending, under the lock.
    async fn apply(
        &mut self,
        settings: Settings,
        presence: Presence,
        history: &History,
    ) -> Result<Outcome, Cause> {
        let plan = match self.plan(history) {
            Ok(plan) => plan,
            Err(cause) => {
                self.clear().await;
                return Err(cause);
            }
        };
        if !plan.stands().is_empty() {
            let changes =
                amend::transaction(&self.goal.tracker, &stand(history, plan.stands(), self.goal.wish));
            let prelude = self.prelude(presence, history);
            return self.prepare(&format!("{prelude}{changes}"), WRITE).await.map(|_| Outcome::Again);
        }
        let mut steps = plan.into_steps();
        if let Some((failed, _)) = &self.failed {
            let ahead = steps.iter().position(|step| step.migration.id() == failed);
            steps.truncate(ahead.unwrap_or(steps.len()));
        }
        if let Err(cause) = self.check_needs(settings.server_version, &steps).await {
            self.clear().await;
            return Err(cause);
        }
        let prelude = self.prelude(presence, history);
        if steps.is_empty() {
            return self.prepare(&prelude, WRITE).await;
        }
        tracing::info!(pending = steps.len(), "migrating");
        (self.goal.tell)(&Event::Planned { pending: steps.len() });
        let values = self.goal.wish.values;
        let jobs: Vec<Job<'_>> = steps.into_iter().map(|step| Job::Apply(step, values)).collect();
        let prelude = format!("{}{}{prelude}", self.touch(presence), self.lock.to_session());
        self.carry_out(&jobs, settings, prelude, !presence.table).await
    }

    /// Carries out steps, each by the worker that it needs, under the lock that an open transaction holds; gives the lock back.
    ///
    /// A worker finds an open transaction that holds the lock, and leaves one where more is to come.
    async fn carry_out(
        &mut self,
        jobs: &[Job<'a>],
        settings: Settings,
        prelude: String,
        creates: bool,
    ) -> Result<Outcome, Cause> {
        let mut journals = self.check_journals(jobs).await?;
        let mut prelude = prelude;
        let mut rest = jobs;
        while let Some(first) = rest.first() {
            let count = rest.iter().take_while(|job| job.worker() == first.worker()).count();
            let (now, later) = rest.split_at(count);
            let more = !later.is_empty();
            let prelude = std::mem::take(&mut prelude);
            let outcome = match first.worker() {
                Worker::Batch => {
                    Batch::new(self, now, settings.clone(), prelude, creates).apply_all(more).await?
                }
                Worker::Journal => {
                    Journal::new(self, &mut journals, settings.clone(), prelude, creates)
                        .apply_all(now, more)
                        .await?
                }
                Worker::Code => self.call_all(now, &settings, &prelude, more).await?,
                Worker::Backfill => backfill::carry_out(self, now, &settings, prelude, more).await?,
            };
            if !matches!(outcome, Outcome::Done) {
                return Ok(outcome);
            }
            rest = later;
        }
        Ok(Outcome::Done)
    }

    /// Takes note that a step is committed.
    fn note_committed(&mut self, job: &Job<'a>, duration: Duration) {
        let id = job.id().clone();
        let duration_ms = millis(duration);
        let (event, done) = match job {
            Job::Apply(..) => {
                tracing::info!(migration = %id, duration_ms, "applied");
                (Event::Applied { migration: id.clone(), duration }, &mut self.report.applied)
            }
            Job::Undo(_) => {
                tracing::info!(migration = %id, duration_ms, "taken back");
                (Event::Undone { migration: id.clone(), duration }, &mut self.report.undone)
            }
        };
        (self.goal.tell)(&event);
        done.push(Applied { id, duration });
    }

    /// Sends a note to the tracker that is worth no error of its own.
    async fn note(&mut self, sql: &str) {
        if self.session.run(sql).await.is_err() {
            self.clear().await;
        }
    }

    /// Rolls back and gives the lock back; if that fails, the connection is gone and nothing is left.
    async fn clear(&mut self) {
        let _ = self.session.clear().await;
    }
}

/// Makes a commit that is not the last one of its message.
///
/// Nobody hears of it before the last one, which waits for the disk and for standbys as configured,
/// and with it for all before it: the log is written in order.
/// <https://www.postgresql.org/docs/current/wal-async-commit.html>
const LATER: &str = "SET LOCAL synchronous_commit = off;\n";

/// What a run was doing that a login may lack the right to.
const READ: &str = "read the tracker";

/// The same, though it may read the tracker.
const WRITE: &str = "write the tracker";

/// The same, where a record goes.
const TAKE_OUT: &str = "take a record out of the tracker";

/// Between half of a time and all of it, so that many processes do not ask at once.
fn jittered(time: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher};

    let random = std::hash::RandomState::new().build_hasher().finish();
    time / 2 + time.mul_f64((random % 1000) as f64 / 2000.0)
}

fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}

/// The names of steps.
fn names(jobs: &[Job<'_>]) -> Vec<MigrationId> {
    jobs.iter().map(|job| job.id().clone()).collect()
}

/// A reply's evidence that the lock was held to the end of its message.
fn is_held(reply: &Reply) -> bool {
    reply.first("held").is_some_and(|row| row.is_true(1) && row.is_true(2))
}
