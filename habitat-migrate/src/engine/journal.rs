//! Carries out what runs without a transaction: statement by statement, each recorded before and after.
//!
//! The lock belongs to the session meanwhile, and no transaction is open while a statement runs: an index that is built
//! concurrently waits for every older one. A later run goes on at the statement that failed.

use habitat_migrate_catalog::{Checksum, Unit, Work, units};

use super::job::Job;
use super::script::Script;
use super::settings::{Identity, Settings};
use super::{Outcome, Run, WRITE, is_held};
use crate::client::{Client, Failure, Reply};
use crate::error::{Cause, Kept};
use crate::event::Event;

mod check;
mod failure;
mod index;

pub(super) use check::Journals;

/// The worker: its session acts as the caller between statements, and as the script wants it during them.
pub(super) struct Journal<'r, 'a, C: Client> {
    run: &'r mut Run<'a, C>,
    journals: &'r mut Journals,
    settings: Settings,
    prelude: String,
    creates: bool,
}

/// One migration's turn.
struct Turn<'t, 'a> {
    job: &'t Job<'a>,
    script: &'t Script<'t>,
    units: Vec<Unit>,
    /// How many are done.
    done: usize,
    /// Who the script has made the session act as.
    theirs: Identity,
    /// Whether it acts so now.
    is_inside: bool,
    /// Whether `lock_timeout` is the engine's to set: neither the script's directives nor its statements speak of it.
    limits_locks: bool,
}

impl Turn<'_, '_> {
    fn kept(&self) -> Kept {
        Kept::Statements { done: self.done, of: self.units.len() }
    }

    /// Of the text in the file, without values of placeholders.
    fn checksum(&self, unit: &Unit) -> Checksum {
        Checksum::of(self.script.written(unit.code()))
    }
}

impl<'r, 'a, C: Client> Journal<'r, 'a, C> {
    /// The prelude goes in front of the first migration; it may create the tracker.
    pub(super) fn new(
        run: &'r mut Run<'a, C>,
        journals: &'r mut Journals,
        settings: Settings,
        prelude: String,
        creates: bool,
    ) -> Self {
        Self { run, journals, settings, prelude, creates }
    }

    /// Carries all out; where `more` is to come, an open transaction goes on to hold the lock.
    pub(super) async fn apply_all(mut self, jobs: &[Job<'a>], more: bool) -> Result<Outcome, Cause> {
        let lock = self.run.lock;
        // Whatever happens: settings of a session outlive its statements.
        self.run.session.clears_by(lock.clear() + &self.settings.restore());
        for (n, job) in jobs.iter().enumerate() {
            let more = more || n + 1 < jobs.len();
            if let Outcome::Again = self.apply(job, more).await? {
                return Ok(Outcome::Again);
            }
        }
        self.run.session.clears_by(lock.clear());
        Ok(Outcome::Done)
    }

    async fn apply(&mut self, job: &Job<'a>, more: bool) -> Result<Outcome, Cause> {
        (self.run.goal.tell)(&Event::Started { migration: job.id().clone() });
        let script = job.script();
        let mut turn = self.turn(job, &script);
        if let Some(outcome) = self.begin(&mut turn).await? {
            return Ok(outcome);
        }
        while turn.done < turn.units.len() {
            self.statement(&mut turn).await?;
        }
        self.verify(&turn).await?;
        self.finish(&turn, more).await?;
        Ok(Outcome::Done)
    }

    fn turn<'t>(&self, job: &'t Job<'a>, script: &'t Script<'t>) -> Turn<'t, 'a> {
        let settings = job.settings();
        let mut theirs = self.settings.identity();
        if let Some(role) = &settings.role {
            theirs.role = role.to_string();
        }
        let limits_locks =
            settings.lock_timeout.is_none() && !script.to_ascii_lowercase().contains("lock_timeout");
        // The text was cut before, when its progress was compared with it.
        let units = units(script).unwrap_or_default();
        let done = self.journals.of(job).map_or(0, |progress| progress.done.len());
        Turn { job, script, units, done, theirs, is_inside: false, limits_locks }
    }

    /// Takes the lock to the session, records that the migration begins, or takes up where an earlier run stopped.
    async fn begin(&mut self, turn: &mut Turn<'_, 'a>) -> Result<Option<Outcome>, Cause> {
        let tracker = &self.run.goal.tracker;
        let mut sql = match std::mem::take(&mut self.prelude) {
            prelude if prelude.is_empty() => self.run.lock.to_session(),
            prelude => prelude,
        };
        if !turn.job.resumes() {
            sql.push_str(OPEN);
            if !self.journals.table {
                sql.push_str(&tracker.create_progress());
            }
            sql.push_str(&turn.job.interrupted(tracker).unwrap_or_else(|| tracker.interrupt(turn.job.id())));
            sql.push_str(&tracker.begin_progress(turn.job.id(), turn.job.direction()));
            sql.push_str("COMMIT;\n");
        }
        sql.push_str(&self.settings.watch("SESSION"));
        sql.push_str(&self.run.goal.limits.timeouts_for("SESSION", turn.job.settings()));
        if let Err(failure) = self.run.session.run(&sql).await {
            return self.not_begun(turn, failure).await.map(Some);
        }
        self.journals.table |= !turn.job.resumes();
        self.enter(turn).await?;
        if turn.job.resumes() {
            self.take_up(turn).await?;
        }
        Ok(None)
    }

    /// Finds out whether the role is one that this login may take on, before a statement is blamed for it.
    async fn enter(&mut self, turn: &mut Turn<'_, 'a>) -> Result<(), Cause> {
        if turn.job.settings().role.is_none() {
            return Ok(());
        }
        let sql = turn.theirs.take_on() + &self.settings.identity().take_on();
        match self.run.session.run(&sql).await {
            Ok(_) => Ok(()),
            Err(failure) => Err(self.stop(turn, None, failure).await),
        }
    }

    /// Brings a session to where an earlier one was: sets what the script had set, and finds out what became of the statement
    /// that was under way.
    async fn take_up(&mut self, turn: &mut Turn<'_, 'a>) -> Result<(), Cause> {
        for n in 0..turn.done {
            let unit = turn.units[n].clone();
            if *unit.work() == Work::Session {
                self.act(turn, unit.code().start, &turn.script[unit.code()]).await?;
                self.leave(turn, "").await?;
            }
        }
        let under_way = self.journals.of(turn.job).and_then(|progress| progress.under_way.clone());
        let Some(under_way) = under_way else { return Ok(()) };
        let is_built = self.tidy(turn).await?;
        // The server may have come to the end of it when nobody listened any more.
        if let Some(unit) = turn.units.get(turn.done).cloned() {
            if is_built && turn.checksum(&unit).to_string() == under_way {
                self.after(turn, &unit).await?;
            }
        }
        Ok(())
    }

    /// Carries the next unit out, and records it.
    async fn statement(&mut self, turn: &mut Turn<'_, 'a>) -> Result<(), Cause> {
        let unit = turn.units[turn.done].clone();
        let event = Event::Statement {
            migration: turn.job.id().clone(),
            number: turn.done + 1,
            of: turn.units.len(),
        };
        tracing::info!("{event}");
        (self.run.goal.tell)(&event);
        loop {
            self.before(turn, &unit).await?;
            match self.send(turn, &unit).await {
                Ok(()) => break,
                Err((offset, failure)) => self.failed(turn, offset, failure).await?,
            }
        }
        self.check_indexes(turn, &unit).await?;
        self.after(turn, &unit).await?;
        self.run.retries.begin_anew();
        Ok(())
    }

    /// Records that a unit is about to be sent, if the lock is still this session's; what follows is the script's.
    async fn before(&mut self, turn: &mut Turn<'_, 'a>, unit: &Unit) -> Result<(), Cause> {
        let index = self.index_work(turn, unit).await?;
        let tracker = &self.run.goal.tracker;
        let held = self.run.lock.is_held();
        let before =
            tracker.before_statement(turn.job.id(), turn.done, turn.checksum(unit), index.as_ref(), &held);
        let mut sql = format!("{OPEN}{before}COMMIT;\n");
        if turn.limits_locks {
            sql.push_str(&match unit.work() {
                // It lets everybody pass while it waits, and leaves an invalid index where it gives up.
                Work::CreateIndex { .. } | Work::Reindex { .. } | Work::Concurrent => {
                    "SET lock_timeout = 0;\n".to_owned()
                }
                _ => self.run.goal.limits.timeouts_for("SESSION", turn.job.settings()),
            });
        }
        sql.push_str("SET standard_conforming_strings = on;\n");
        let reply = self.own(turn, &sql).await?;
        self.still_ours(&reply, "before").await?;
        self.act(turn, unit.code().start, "").await.map(drop)
    }

    /// Sends a unit's statements, each alone: the server runs several of one message in one transaction.
    async fn send(&mut self, turn: &Turn<'_, 'a>, unit: &Unit) -> Result<(), (usize, Failure)> {
        for statement in unit.statements() {
            if let Err(failure) = self.run.session.run(&turn.script[statement.code()]).await {
                return Err((statement.code().start, failure));
            }
        }
        Ok(())
    }

    /// Records that a unit is done.
    async fn after(&mut self, turn: &mut Turn<'_, 'a>, unit: &Unit) -> Result<(), Cause> {
        let tracker = &self.run.goal.tracker;
        let after = tracker.after_statement(turn.job.id(), turn.done, turn.checksum(unit));
        let reply = self.leave(turn, &after).await?;
        self.still_ours(&reply, "after").await?;
        turn.done += 1;
        Ok(())
    }

    /// Acts as the script wants; `sql` is run behind that, on behalf of the statement that begins at `start`.
    async fn act(&mut self, turn: &mut Turn<'_, 'a>, start: usize, sql: &str) -> Result<Reply, Cause> {
        turn.is_inside = true;
        match self.run.session.run(&(turn.theirs.take_on() + sql)).await {
            Ok(reply) => Ok(reply),
            Err(failure) => Err(self.stop(turn, Some(start), failure).await),
        }
    }

    /// Acts as the caller again, and remembers who the script acts as; `sql` is run behind that, in the same transaction.
    async fn leave(&mut self, turn: &mut Turn<'_, 'a>, sql: &str) -> Result<Reply, Cause> {
        let sql = format!("{OPEN}{WHO}{}{sql}COMMIT;\n", self.settings.identity().take_on());
        let reply = self.own(turn, &sql).await?;
        if let Some(row) = reply.first("theirs").filter(|_| std::mem::take(&mut turn.is_inside)) {
            turn.theirs = Identity { session: row.text(1).to_owned(), role: row.text(2).to_owned() };
        }
        Ok(reply)
    }

    /// Sends what is the engine's own.
    async fn own(&mut self, turn: &Turn<'_, 'a>, sql: &str) -> Result<Reply, Cause> {
        match self.run.session.run(sql).await {
            Ok(reply) => Ok(reply),
            Err(Failure::Lost(words)) => {
                Err(Cause::ConnectionLost { words, under_way: vec![turn.job.id().clone()] })
            }
            Err(failure) => Err(self.run.tracker_failure(WRITE, failure).await),
        }
    }

    /// Stops where a statement of the engine's own found that the lock is gone, or that somebody else goes on with the migration.
    async fn still_ours(&mut self, reply: &Reply, kind: &str) -> Result<(), Cause> {
        if reply.first(kind).is_some() {
            return Ok(());
        }
        self.run.clear().await;
        Err(Cause::LockLost)
    }

    /// Runs the verify script, in a transaction that writes nothing.
    async fn verify(&mut self, turn: &Turn<'_, 'a>) -> Result<(), Cause> {
        let (Job::Apply(step, _), Some(text)) = (turn.job, turn.job.verify()) else { return Ok(()) };
        // It must not see what the script has set, which no later session has.
        self.own(turn, &self.settings.restore()).await?;
        let findings = self.run.verify_one(step.migration, &text, self.settings.unit).await?;
        let Some(first) = findings.first() else { return Ok(()) };
        let detail = format!("verification failed: {}", first.returned());
        let id = turn.job.id().clone();
        self.run.clear().await;
        self.run.note(&self.run.goal.tracker.log("failure", &id, &detail)).await;
        Err(Cause::Unverified { id, findings, kept: turn.kept() })
    }

    /// Records that the migration is done, and passes the lock on.
    async fn finish(&mut self, turn: &Turn<'_, 'a>, more: bool) -> Result<(), Cause> {
        let tracker = &self.run.goal.tracker;
        let complete = match turn.job {
            Job::Apply(step, _) => tracker.complete_progress(step, turn.job.down().as_deref(), turn.done),
            Job::Undo(undo) => {
                let along = undo.along.iter().map(|id| tracker.forget(id, "rollback", None));
                tracker.complete_rollback(&undo.id, turn.done) + &along.collect::<String>()
            }
        };
        let lock = if more { self.run.lock.to_transaction() } else { self.run.lock.release() };
        let sql = format!("{OPEN}{}{complete}COMMIT;\n{lock}", self.settings.restore());
        let reply = self.own(turn, &sql).await?;
        let done = reply.first("applied").or(reply.first("undone")).map(|row| row.micros(3));
        let Some(duration) = done else {
            self.run.clear().await;
            return Err(Cause::LockLost);
        };
        self.run.note_committed(turn.job, duration);
        if !is_held(&reply) {
            self.run.clear().await;
            return Err(Cause::LockLost);
        }
        if !more {
            self.run.session.is_clean();
        }
        Ok(())
    }
}

/// Begins a transaction of the journal's own, whatever the script has set for the session.
const OPEN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE, DEFERRABLE;\n\
    SET LOCAL statement_timeout = 0;\nSET LOCAL lock_timeout = 0;\n";

/// Who the session acts as.
const WHO: &str =
    "SELECT 'theirs' AS \"habitat-migrate\", SESSION_USER, pg_catalog.current_setting('role');\n";
