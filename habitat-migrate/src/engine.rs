//! The engine: asks, takes the lock, applies a plan, and finds out what failed. One engine serves every client.

use std::time::{Duration, Instant};

use habitat_migrate_catalog::{Catalog, Compatibility, MigrationId};

use crate::client::{Client, Failure, Reply, ServerError};
use crate::error::{Cause, Error, Result};
use crate::event::{Event, Holder};
use crate::history::History;
use crate::lock::{BEGIN, Lock, STANDARD_STRINGS};
use crate::plan::{Plan, Wish};
use crate::policy::{NewerDatabase, Patience, Retry};
use crate::report::Report;
use crate::tracker::{COLUMNS, FORMAT, Presence, Probe, Probed, Rights, Standing, Tracker};

mod apply;
mod blockers;
mod failure;
mod job;
mod message;
mod needs;
mod retry;
mod rollback;
mod session;
mod settings;
mod verify;

use apply::Batch;
use job::Job;
use retry::Retries;
use session::Session;
use settings::Settings;

pub(crate) use rollback::{Undoing, rollback};
pub(crate) use settings::Limits;
pub(crate) use verify::verify;

/// What a run is to reach, and how.
pub(crate) struct Goal<'a> {
    pub(crate) catalog: &'a Catalog,
    pub(crate) tracker: Tracker,
    pub(crate) wish: Wish<'a>,
    pub(crate) patience: Patience,
    pub(crate) limits: Limits,
    pub(crate) retry: Retry,
    pub(crate) tell: &'a (dyn Fn(&Event) + Send + Sync),
}

/// Brings a database to where the goal's catalog wants it.
pub(crate) async fn migrate<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<Report> {
    let started = Instant::now();
    let mut run = Run::new(goal, client);
    let outcome = run.drive().await;
    run.report.elapsed = started.elapsed();
    let report = std::mem::take(&mut run.report);
    match outcome {
        Ok(()) => Ok(report),
        Err(cause) => Err(Error::new(cause, report)),
    }
}

/// Reads the tracker's rows; none where there is no tracker.
pub(crate) async fn history<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<History> {
    let mut run = Run::new(goal, client);
    run.known_history().await.map_err(|cause| Error::new(cause, Report::default()))
}

/// One run: what it has done so far.
struct Run<'a, C: Client> {
    goal: &'a Goal<'a>,
    lock: Lock,
    session: Session<'a, C>,
    report: Report,
    /// A migration that the server could not even parse, found before those ahead of it were applied.
    failed: Option<(MigrationId, Cause)>,
    retries: Retries,
}

/// What came of trying to take the lock.
enum Attempt {
    Taken { settings: Settings, presence: Presence, history: History },
    Busy,
}

/// Whether the plan was carried out.
enum Outcome {
    Done,
    /// Something came in between: read the history again.
    Again,
}

impl<'a, C: Client> Run<'a, C> {
    fn new(goal: &'a Goal<'a>, client: &'a mut C) -> Self {
        let lock = Lock::of(&goal.tracker);
        let session = Session::new(client, lock.clear());
        Self {
            goal,
            lock,
            session,
            report: Report::default(),
            failed: None,
            retries: Retries::new(goal.retry),
        }
    }

    async fn drive(&mut self) -> Result<(), Cause> {
        let started = Instant::now();
        let mut poll = self.goal.patience.poll;
        loop {
            let (probe, standing) = self.probe().await?;
            if self.is_current(probe) {
                return self.done();
            }
            if probe != Probe::Absent || standing == Standing::ReadOnly {
                // Look before taking the lock: it may be that nothing is pending, or that the plan is refused.
                let history =
                    if probe == Probe::Absent { History::default() } else { self.history().await? };
                let plan = self.plan(&history)?;
                if plan.pending().len() == 0 && self.environment(&history).is_none() {
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
                        Outcome::Done => return self.done(),
                        Outcome::Again => {}
                    }
                }
                Attempt::Busy => {
                    self.wait(started, poll).await?;
                    poll = (poll * 2).min(self.goal.patience.poll * 10);
                }
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
        let reply = match self.session.ask(&self.goal.tracker.probe(catalog, said)).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.tracker_failure("read the tracker", failure).await),
        };
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
        let Probe::Current { newer, compatibility } = probe else { return false };
        let allowed = compatibility == Compatibility::Compatible
            && (newer == 0 || self.goal.wish.policy.newer == NewerDatabase::AllowCompatible);
        if allowed {
            let applied = self.report.applied.len();
            self.report.present = self.goal.catalog.migrations().len().saturating_sub(applied);
            self.report.newer = newer;
        }
        allowed
    }

    async fn history(&mut self) -> Result<History, Cause> {
        match self.session.ask(&self.goal.tracker.history()).await {
            Ok(reply) => Ok(Tracker::read(&reply)),
            Err(failure) => Err(self.tracker_failure("read the tracker", failure).await),
        }
    }

    /// Plans, and takes note of what is there already.
    fn plan(&mut self, history: &History) -> Result<Plan<'a>, Cause> {
        let plan = Plan::of(self.goal.catalog, history, self.goal.wish).map_err(Cause::Refused)?;
        self.report.present = plan.already_applied().saturating_sub(self.report.applied.len());
        self.report.newer = plan.newer().len();
        Ok(plan)
    }

    /// Begins a transaction that holds the lock, and reads what is to be known under it.
    async fn attempt(&mut self, tracker: bool) -> Result<Attempt, Cause> {
        let goal = self.goal;
        let mut sql = self.lock.attempt(&format!("{}, {}", Settings::columns(), goal.tracker.presence()));
        sql.push_str(&Settings::query());
        if tracker {
            sql.push_str(&goal.tracker.history());
        }
        sql.push_str(STANDARD_STRINGS);
        let reply = match self.session.run(&sql).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.tracker_failure("take the lock", failure).await),
        };
        let row = reply.first("lock").filter(|row| row.is_true(1));
        let Some(row) = row else { return Ok(Attempt::Busy) };
        let settings = Settings::read(row, &reply);
        if settings.server_version < 140_000 {
            return Err(Cause::UnsupportedServer { version: settings.server_version });
        }
        let presence = Presence::read(row, 2 + Settings::COLUMNS);
        if presence.format > FORMAT {
            let table = goal.tracker.table().to_owned();
            return Err(Cause::NewerTracker { table, format: presence.format });
        }
        let history = match (presence.table, tracker) {
            (false, _) => History::default(),
            (true, true) => Tracker::read(&reply),
            // Somebody created it since it was asked for.
            (true, false) => self.history().await?,
        };
        Ok(Attempt::Taken { settings, presence, history })
    }

    /// Says who holds the lock, and waits a little.
    async fn wait(&mut self, started: Instant, poll: Duration) -> Result<(), Cause> {
        // Poll instead of waiting in the server: a waiting call holds a snapshot, and an index that the
        // lock's holder builds concurrently would wait for that snapshot for ever.
        let sql = format!("ROLLBACK;\n{}", self.lock.holder());
        let reply = match self.session.finish(&sql).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.tracker_failure("wait for the lock", failure).await),
        };
        let holder: Option<Holder> = reply.first("holder").and_then(Lock::read_holder);
        let waited = started.elapsed();
        self.report.waited = waited;
        if waited >= self.goal.patience.budget {
            return Err(Cause::LockTimeout { waited, holder });
        }
        tracing::info!(
            waited_ms = millis(waited),
            holder = holder.as_ref().map(tracing::field::display),
            "waiting"
        );
        (self.goal.tell)(&Event::Waiting { holder, waited });
        self.session.pause(jittered(poll)).await;
        self.report.waited = started.elapsed();
        Ok(())
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
            return self.prepare(&prelude).await;
        }
        tracing::info!(pending = steps.len(), "migrating");
        (self.goal.tell)(&Event::Planned { pending: steps.len() });
        let jobs: Vec<Job<'_>> = steps.into_iter().map(Job::Apply).collect();
        let prelude = format!("{}{}{prelude}", self.touch(presence), self.lock.to_session());
        Batch::new(self, &jobs, settings, prelude, !presence.table).apply_all().await
    }

    /// The statements that make the tracker what it has to be; none where it is.
    fn prelude(&self, presence: Presence, history: &History) -> String {
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
    fn touch(&self, presence: Presence) -> String {
        if presence.table { self.goal.tracker.touch() } else { String::new() }
    }

    /// Runs a prelude that no migration follows, and gives the lock back.
    async fn prepare(&mut self, prelude: &str) -> Result<Outcome, Cause> {
        if prelude.is_empty() {
            self.clear().await;
            return Ok(Outcome::Done);
        }
        let sql = format!("{}{prelude}{}", self.lock.to_session(), self.lock.release());
        match self.session.finish(&sql).await {
            Ok(_) => Ok(Outcome::Done),
            Err(failure) => Err(self.tracker_failure(WRITE, failure).await),
        }
    }

    /// The environment that is to be recorded, because the caller says it and the database does not.
    fn environment(&self, history: &History) -> Option<&'a str> {
        self.goal.wish.environment.filter(|_| history.environment().is_none())
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

    /// A statement about the tracker failed: finds out why, and cleans up.
    async fn tracker_failure(&mut self, doing: &'static str, failure: Failure) -> Cause {
        let error = match failure {
            Failure::Lost(words) => return Cause::ConnectionLost { words, under_way: Vec::new() },
            Failure::Server { error, .. } => error,
        };
        // In a failed transaction, which is the caller's to roll back.
        if error.code == "25P02" {
            return Cause::InTransaction;
        }
        if self.session.is_open() {
            self.clear().await;
        }
        // Undefined column: a table of this name is there, and it is not ours.
        if error.code == "42703" || error.code == "42883" {
            let shape = self.session.ask(&self.goal.tracker.shape()).await;
            if let Err(Failure::Server { error, .. }) = &shape {
                // The question has failed the transaction that the caller is in.
                if error.code == "25P02" {
                    return Cause::InTransaction;
                }
            }
            if let Ok(reply) = shape {
                let columns: Vec<String> = reply.rows("column").map(|row| row.text(1).to_owned()).collect();
                if !columns.is_empty()
                    && !COLUMNS.iter().all(|ours| columns.iter().any(|theirs| theirs == ours))
                {
                    let table = self.goal.tracker.table().to_owned();
                    return Cause::ForeignTracker { table, tool: owner_of(&columns), columns };
                }
            }
        }
        let remedy = self.remedy(doing, &error).await;
        Cause::Tracker { doing, error, remedy }
    }

    /// The statements that give this login the rights that it lacks.
    async fn remedy(&mut self, doing: &str, error: &ServerError) -> Option<String> {
        let grants = match error.code.as_str() {
            "42501" => self.rights().await?.grants(&self.goal.tracker, doing == WRITE),
            _ => return None,
        };
        (!grants.is_empty()).then(|| format!("as the owner or an administrator, run:\n{}", grants.join(" ")))
    }

    /// Which rights this login has on the tracker; none if the server does not tell.
    async fn rights(&mut self) -> Option<Rights> {
        let reply = self.session.ask(&self.goal.tracker.rights()).await.ok()?;
        reply.first("rights").map(Rights::read)
    }
}

/// Makes a commit that is not the last one of its message.
///
/// Nobody hears of it before the last one, which waits for the disk and for standbys as configured,
/// and with it for all before it: the log is written in order.
/// <https://www.postgresql.org/docs/current/wal-async-commit.html>
const LATER: &str = "SET LOCAL synchronous_commit = off;\n";

/// What a run was doing that a login may lack the right to, though it may read the tracker.
const WRITE: &str = "write the tracker";

/// Which tool's tracker a table of the same name with these columns is.
fn owner_of(columns: &[String]) -> Option<&'static str> {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    match columns.as_slice() {
        ["version"] => Some("Rails or dbmate"),
        ["version", "dirty"] => Some("golang-migrate"),
        ["version", "inserted_at"] => Some("Ecto"),
        ["version", "applied_at"] | ["version", "deployed_at", "deployed_by", "description"] => {
            Some("a script of your own")
        }
        _ => None,
    }
}

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
