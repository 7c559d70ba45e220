//! Fills large tables in, batch by batch: the cursor and the rows of a batch commit together.
//!
//! Between two messages an open transaction holds the lock, as in any run; it has read the tracker and nothing else, so it holds neither
//! a snapshot nor a lock on the table, however long the pause is.

use std::time::{Duration, Instant};

use habitat_migrate_catalog::{Backfill, Migration, MigrationId, normalise};

use super::job::{Ended, Job};
use super::message::{Message, Text};
use super::script::Script;
use super::settings::{Limits, Settings};
use super::{LATER, Outcome, Run, WRITE, is_held, millis, verify};
use crate::backfill::BackfillState;
use crate::client::{Client, Failure, Reply};
use crate::error::{Cause, Hindrance, Kept};
use crate::event::Event;
use crate::lock::BEGIN;
use crate::plan::{Step, is_same};
use crate::report::Applied;
use crate::tracker::{Bound, Tracker};

mod control;
mod pace;
mod trouble;
mod walk;

use pace::{Pace, Tail};
use walk::{Filled, Walk};

pub(crate) use control::{backfills, want};

/// Carries backfills out, one after the other; where `more` is to come, an open transaction goes on to hold the lock.
pub(super) async fn carry_out<'a, C: Client>(
    run: &mut Run<'a, C>,
    jobs: &[Job<'a>],
    settings: &Settings,
    prelude: String,
    more: bool,
) -> Result<Outcome, Cause> {
    let mut prelude = prelude;
    for (n, job) in jobs.iter().enumerate() {
        let Job::Apply(step, _) = job else { continue };
        let Some(declared) = &step.migration.settings().backfill else { continue };
        let more = more || n + 1 < jobs.len();
        let worker = Filling::new(run, step, declared, settings);
        let outcome = worker.carry_out(std::mem::take(&mut prelude), more).await?;
        if !matches!(outcome, Outcome::Done) {
            return Ok(outcome);
        }
    }
    Ok(Outcome::Done)
}

/// A backfill on its way.
struct Filling<'r, 'a, C: Client> {
    run: &'r mut Run<'a, C>,
    step: &'r Step<'a>,
    walk: Walk<'a>,
    settings: &'r Settings,
    digest: String,
    /// The key of the last row that is done.
    cursor: Vec<String>,
    rows: u64,
    batches: u64,
    estimate: Option<u64>,
    ahead: Ahead,
    pace: Pace,
    tail: Tail,
}

/// What is known of the rows behind the cursor.
enum Ahead {
    /// It is to be looked up.
    Unknown,
    /// There are some: so many steps lead up to these.
    Rows(Vec<Bound>),
    /// There are none.
    Nothing,
}

/// What came of a message.
enum Went {
    On,
    Paused,
    /// Another process has the lock now.
    Again,
}

impl<'r, 'a, C: Client> Filling<'r, 'a, C> {
    fn new(
        run: &'r mut Run<'a, C>,
        step: &'r Step<'a>,
        declared: &'a Backfill,
        settings: &'r Settings,
    ) -> Self {
        Self {
            run,
            step,
            walk: Walk(declared),
            settings,
            digest: step.migration.checksum().to_string(),
            cursor: Vec::new(),
            rows: 0,
            batches: 0,
            estimate: None,
            ahead: Ahead::Unknown,
            pace: Pace::new(declared.batch),
            tail: Tail::default(),
        }
    }

    fn migration(&self) -> &'a Migration {
        self.step.migration
    }

    fn id(&self) -> &'a MigrationId {
        self.step.migration.id()
    }

    fn tracker(&self) -> &'a Tracker {
        &self.run.goal.tracker
    }

    async fn carry_out(mut self, prelude: String, more: bool) -> Result<Outcome, Cause> {
        (self.run.goal.tell)(&Event::Started { migration: self.id().clone() });
        let mut went = self.begin(prelude).await?;
        loop {
            match went {
                Went::On => {}
                Went::Paused => return Ok(self.paused().await),
                Went::Again => return Ok(Outcome::Again),
            }
            if self.tail.is_over() {
                self.ahead = Ahead::Nothing;
            }
            went = match &self.ahead {
                Ahead::Unknown => self.look().await?,
                Ahead::Rows(bounds) => match self.pace.pick(bounds) {
                    Some(bound) => self.batch(bound).await?,
                    None => self.look().await?,
                },
                Ahead::Nothing => match self.finish(more).await? {
                    Went::On => return Ok(Outcome::Done),
                    went => went,
                },
            };
        }
    }

    /// Makes the row that keeps the cursor, or reads how far it came.
    async fn begin(&mut self, prelude: String) -> Result<Went, Cause> {
        let tracker = self.tracker();
        let mut sql = String::new();
        if !prelude.is_empty() {
            sql = prelude + &self.run.lock.to_transaction();
        }
        let reply = self.engine(&(sql + &tracker.backfill_presence())).await?;
        let there = reply.first("backfills").is_some_and(|row| row.is_true(1));
        let mut sql = if there { String::new() } else { tracker.create_backfills() };
        sql += &tracker.begin_backfill(self.id(), &self.digest, &self.walk.words());
        sql += &tracker.backfill(self.id(), self.walk.columns());
        sql += &self.run.lock.to_session();
        sql += &self.run.lock.to_transaction();
        let reply = self.engine(&sql).await?;
        let progress = Tracker::read_backfill(&reply, self.walk.columns());
        let Some(progress) = progress.filter(|_| is_held(&reply)) else { return Err(self.lost().await) };
        let elsewhere = progress.walks != self.walk.words();
        if elsewhere || !is_same(self.migration(), &progress.digest) {
            let (rows, recorded) = (progress.rows, progress.digest);
            return Err(self.hindered(Hindrance::Changed { rows, recorded, elsewhere }).await);
        }
        (self.cursor, self.rows, self.batches) = (progress.cursor, progress.rows, progress.batches);
        if progress.state == BackfillState::Paused {
            return Ok(Went::Paused);
        }
        self.check_table().await?;
        tracing::info!(migration = %self.id(), rows = self.rows, estimate = self.estimate, "backfilling");
        Ok(Went::On)
    }

    /// Checks the table and its key, as the migration's role sees them.
    async fn check_table(&mut self) -> Result<(), Cause> {
        let sql = self.limits().prepare(self.migration().settings()) + &self.walk.facts();
        let reply = match self.run.session.run(&sql).await {
            Ok(reply) => reply,
            Err(Failure::Lost(words)) => return Err(self.disconnected(words)),
            Err(Failure::Server { error, .. }) => {
                return Err(self.told(*error, Some(Text::Migration), None, Vec::new()).await);
            }
        };
        match self.walk.read_facts(&reply) {
            Ok(estimate) => self.estimate = estimate,
            Err(hindrance) => return Err(self.hindered(hindrance).await),
        }
        Ok(())
    }

    /// Sends what is the engine's own.
    async fn engine(&mut self, sql: &str) -> Result<Reply, Cause> {
        match self.run.session.run(sql).await {
            Ok(reply) => Ok(reply),
            Err(Failure::Lost(words)) => Err(self.disconnected(words)),
            Err(failure) => Err(self.run.tracker_failure(WRITE, failure).await),
        }
    }

    /// Looks how many rows there are behind the cursor.
    async fn look(&mut self) -> Result<Went, Cause> {
        let mut message = Message::default();
        let sizes = self.pace.sizes();
        message.push(0, Text::Migration, &self.limits().prepare(self.migration().settings()));
        message.push(0, Text::Migration, &self.walk.find(&self.cursor, &sizes));
        let sent = Instant::now();
        match self.run.session.run(message.sql()).await {
            Ok(reply) => {
                let bounds = self.walk.read_bounds(&reply);
                self.found(bounds, &sizes, Ahead::Nothing);
                Ok(Went::On)
            }
            Err(failure) => self.failed(&message, None, failure, sent).await,
        }
    }

    /// Takes note of what is ahead; `otherwise` where there is nothing.
    fn found(&mut self, bounds: Vec<Bound>, sizes: &[u64], otherwise: Ahead) {
        let rows = bounds.last().map_or(0, |bound| bound.rows);
        self.tail.found(rows, sizes.first().copied().unwrap_or(1));
        self.ahead = if bounds.is_empty() { otherwise } else { Ahead::Rows(bounds) };
    }

    /// One batch: moves the cursor, finds out what is behind it, and changes the rows, last of all, so that nobody waits
    /// for them longer than that takes.
    async fn batch(&mut self, bound: Bound) -> Result<Went, Cause> {
        if bound.key == self.cursor {
            return Err(self.hindered(Hindrance::Unstable).await);
        }
        let tracker = self.tracker();
        let script = normalise(self.migration().script());
        let filled = Filled::new(&script, &self.walk.range(&self.cursor, &bound.key));
        let sizes = self.pace.sizes();
        let mut message = Message::default();
        message.push(0, Text::Engine, &self.run.lock.to_session());
        message.push(0, Text::Engine, BEGIN);
        message.push(0, Text::Engine, &tracker.advance(self.id(), &self.digest, &self.cursor, &bound));
        message.push(0, Text::Migration, &self.limits().prepare(self.migration().settings()));
        message.push(0, Text::Migration, &self.walk.find(&bound.key, &sizes));
        message.push(0, Text::Migration, &self.brief().timeouts(self.migration().settings()));
        message.push(0, Text::Script(0), &filled.text);
        message.push(0, Text::Migration, "\n;\nSET CONSTRAINTS ALL IMMEDIATE;\n");
        message.push(0, Text::Session, &self.settings.restore());
        // Should the server crash, a batch is gone together with its cursor; the record's commit waits for all before it.
        message.push(0, Text::Engine, LATER);
        message.push(0, Text::Migration, "COMMIT;\n");
        message.push(0, Text::Engine, &self.run.lock.to_transaction());
        message.push(0, Text::Engine, AWAKE);
        message.push(0, Text::Engine, &tracker.backfill(self.id(), self.walk.columns()));
        let sent = Instant::now();
        let reply = match self.run.session.run(message.sql()).await {
            Ok(reply) => reply,
            Err(failure) => return self.failed(&message, Some(&filled), failure, sent).await,
        };
        let progress = Tracker::read_backfill(&reply, self.walk.columns());
        let Some(progress) = progress.filter(|_| is_held(&reply)) else { return Err(self.lost().await) };
        self.cursor = bound.key;
        self.tail.passed(bound.rows);
        self.pace.adapt(bound.rows, progress.took);
        let bounds = self.walk.read_bounds(&reply);
        self.found(bounds, &sizes, Ahead::Unknown);
        self.run.retries.begin_anew();
        self.tell(progress.rows, progress.batches);
        match progress.state {
            BackfillState::Running => self.rest(progress.took).await,
            _ => Ok(Went::Paused),
        }
    }

    /// Tells how far it is.
    fn tell(&mut self, rows: u64, batches: u64) {
        (self.rows, self.batches) = (rows, batches);
        let size = self.pace.size();
        tracing::debug!(migration = %self.id(), rows, batches, size, "backfilling");
        (self.run.goal.tell)(&Event::Backfill {
            migration: self.id().clone(),
            rows,
            estimate: self.estimate.map(|estimate| estimate.max(rows)),
            batches,
        });
    }

    /// Leaves the server to others for as long as the migration declares; sees then whether it is to be paused.
    async fn rest(&mut self, took: Duration) -> Result<Went, Cause> {
        let pause = pace::pause(self.walk.0.throttle, took);
        if pause.is_zero() {
            return Ok(Went::On);
        }
        self.run.session.pause(pause).await;
        let sql = self.tracker().backfill(self.id(), self.walk.columns());
        let reply = self.engine(&sql).await?;
        match Tracker::read_backfill(&reply, self.walk.columns()) {
            Some(progress) if progress.state == BackfillState::Running => Ok(Went::On),
            Some(_) => Ok(Went::Paused),
            None => Err(self.lost().await),
        }
    }

    /// Verifies and records it, in one transaction.
    async fn finish(&mut self, more: bool) -> Result<Went, Cause> {
        let tracker = self.tracker();
        let mut message = Message::default();
        message.push(0, Text::Engine, &self.run.lock.to_session());
        message.push(0, Text::Engine, BEGIN);
        message.push(0, Text::Engine, &tracker.finish_backfill(self.id(), &self.cursor));
        let sent = Instant::now();
        let job = Job::Apply(self.step.clone(), self.run.goal.wish.values);
        if let Some(script) = job.verify() {
            verify::push(&mut message, 0, &script, self.run.goal.limits);
            let reply = match self.run.session.run(message.sql()).await {
                Ok(reply) => reply,
                Err(failure) => return self.failed(&message, None, failure, sent).await,
            };
            self.check(&reply, &script).await?;
            message.clear();
        }
        message.push(0, Text::Engine, &job.record(tracker, Ended::May));
        message.push(0, Text::Engine, &tracker.settle(&tracker.since_backfill(self.id())));
        message.push(0, Text::Engine, "COMMIT;\n");
        let end = if more { self.run.lock.to_transaction() } else { self.run.lock.release() };
        message.push(0, Text::Engine, &end);
        let outcome = match more {
            true => self.run.session.run(message.sql()).await,
            false => self.run.session.finish(message.sql()).await,
        };
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => return self.failed(&message, None, failure, sent).await,
        };
        let id = self.id().clone();
        let is_this =
            |row: &&crate::client::Row| (row.text(1), row.text(2)) == (id.context(), id.version().as_str());
        let duration = reply.rows("applied").find(is_this).map(|row| row.micros(3)).unwrap_or_default();
        tracing::info!(migration = %id, duration_ms = millis(duration), rows = self.rows, "applied");
        (self.run.goal.tell)(&Event::Applied { migration: id.clone(), duration });
        self.run.report.applied.push(Applied { id, duration });
        match is_held(&reply) {
            true => Ok(Went::On),
            false => Err(self.lost().await),
        }
    }

    /// Leaves a backfill unrecorded whose verify script does not prove it; its batches stay.
    async fn check(&mut self, reply: &Reply, script: &Script<'_>) -> Result<(), Cause> {
        let findings = verify::findings(reply, self.migration(), script);
        let Some(first) = findings.first() else { return Ok(()) };
        let detail = format!("verification failed: {}", first.returned());
        self.run.clear().await;
        self.run.note(&self.tracker().log("failure", self.id(), &detail)).await;
        Err(Cause::Unverified { id: self.id().clone(), findings, kept: Kept::Batches(self.batches) })
    }

    /// Gives the lock back, and says why nothing behind it is applied.
    async fn paused(&mut self) -> Outcome {
        self.run.clear().await;
        tracing::warn!(migration = %self.id(), rows = self.rows, "the backfill is paused");
        self.run.report.paused = Some(self.id().clone());
        Outcome::Paused
    }

    /// How long statements may take besides those of the script.
    fn limits(&self) -> Limits {
        self.run.goal.limits
    }

    /// How long the script may take and wait, so that others do not wait for long; one row takes as long as it takes.
    fn brief(&self) -> Limits {
        let Limits { lock_timeout, statement_timeout } = self.limits();
        let least =
            |limit: Option<Duration>, most: Duration| Some(limit.map_or(most, |limit| limit.min(most)));
        Limits {
            lock_timeout: least(lock_timeout, walk::PATIENCE),
            statement_timeout: match self.pace.size() {
                1 => statement_timeout,
                _ => least(statement_timeout, walk::LONGEST),
            },
        }
    }
}

/// The pause between two batches is no idleness that a server should end.
const AWAKE: &str = "SET LOCAL idle_in_transaction_session_timeout = 0;\n";
