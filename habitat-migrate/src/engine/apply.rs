//! Sends the steps of a plan, many to a message.

use std::time::{Duration, Instant};

use habitat_migrate_catalog::{MigrationId, is_definition, statements};

use super::job::{Ended, Job};
use super::message::{Message, Text};
use super::settings::Settings;
use super::{LATER, Outcome, Run, is_held, names, verify};
use crate::client::{Client, Reply};
use crate::error::{Cause, Kept};
use crate::event::Event;
use crate::lock::BEGIN;

/// The steps of a plan on their way to the server, and how many of them are known to be committed.
pub(super) struct Batch<'r, 'a, C: Client> {
    pub(super) run: &'r mut Run<'a, C>,
    pub(super) jobs: &'r [Job<'a>],
    pub(super) settings: Settings,
    pub(super) message: Message,
    pub(super) committed: usize,
    pub(super) creates: bool,
    /// When the message that is under way was sent.
    pub(super) sent: Instant,
    prelude: String,
    size: usize,
}

impl<'r, 'a, C: Client> Batch<'r, 'a, C> {
    /// The prelude goes in front of the first step; it may create the tracker.
    pub(super) fn new(
        run: &'r mut Run<'a, C>,
        jobs: &'r [Job<'a>],
        settings: Settings,
        prelude: String,
        creates: bool,
    ) -> Self {
        let message = Message::default();
        let sent = Instant::now();
        Self { run, jobs, settings, message, committed: 0, creates, sent, prelude, size: FIRST }
    }

    /// Carries all out; where `more` is to come, an open transaction goes on to hold the lock.
    pub(super) async fn apply_all(mut self, more: bool) -> Result<Outcome, Cause> {
        let mut waiting = 0;
        for (n, job) in self.jobs.iter().enumerate() {
            let script = job.script();
            // What is taken back is removed from the records, by a statement that asks in any case.
            let is_definition = !job.is_undoing() && script.len() <= LARGE && is_definition(&script);
            let is_quick = is_definition && !builds_indexes(&script);
            self.begin(n, job, waiting == 0, is_quick);
            let mut is_spread = false;
            for (offset, piece) in pieces(&script) {
                self.message.push(n, Text::Script(offset), piece);
                if self.message.len() >= LARGE && offset + piece.len() < script.len() {
                    // The rest follows in the same transaction; the server is not asked to hold it all at once.
                    is_spread = true;
                    if let Some(outcome) = self.send(Then::GoOn).await? {
                        return Ok(outcome);
                    }
                }
            }
            self.message.push(n, Text::Script(script.len()), "\n;\n");
            waiting += 1;
            let last = n + 1 == self.jobs.len();
            let next = self.jobs.get(n + 1);
            // A message that ends in the middle of a large script does not wait for the disk, so that begins another; so does
            // what follows one, for its duration's sake.
            let alone = is_spread
                || job.is_alone()
                || next.is_some_and(|next| next.script().len() > LARGE || next.is_alone());
            let sends = last || alone || waiting >= self.size || self.message.len() >= LARGE;
            // A script that only defines objects leaves nothing behind; an event trigger's leavings go with the message's end.
            if sends || !(is_definition && job.leaves_nothing()) {
                // What the script deferred is checked now, while the transaction is there to be rolled back and
                // its session to give the lock back.
                self.message.push(n, Text::Migration, "SET CONSTRAINTS ALL IMMEDIATE;\n");
                self.message.push(n, Text::Session, &self.settings.restore());
            }
            if let Some(text) = job.verify() {
                verify::push(&mut self.message, n, &text, self.run.goal.limits);
                if let Some(outcome) = self.send(Then::Verify).await? {
                    return Ok(outcome);
                }
            }
            let ended = if is_definition { Ended::Cannot } else { Ended::May };
            self.end(n, job, ended, sends || next.is_some_and(|next| next.verify().is_some()));
            if sends {
                let then = if last && !more { Then::Stop } else { Then::HoldOn };
                if let Some(outcome) = self.send(then).await? {
                    return Ok(outcome);
                }
                waiting = 0;
            }
        }
        Ok(Outcome::Done)
    }

    /// Begins the step's transaction. One that is quick has a script that only makes entries in the server's catalogs: it waits
    /// for nothing longer than for a lock, and does not end its transaction.
    fn begin(&mut self, n: usize, job: &Job<'_>, first: bool, is_quick: bool) {
        let goal = self.run.goal;
        if first {
            let prelude = match std::mem::take(&mut self.prelude) {
                prelude if prelude.is_empty() => self.run.lock.to_session(),
                prelude => prelude,
            };
            self.message.push(n, Text::Engine, &prelude);
        }
        self.message.push(n, Text::Engine, if is_quick { BEGIN_QUICK } else { BEGIN });
        if !is_quick || !goal.limits.waits_briefly(job.settings()) {
            self.message.push(n, Text::Engine, &self.settings.watch("LOCAL"));
        }
        self.message.push(n, Text::Migration, &goal.limits.prepare(job.settings()));
        (goal.tell)(&Event::Started { migration: job.id().clone() });
    }

    /// Records the step, and commits it; `settles` where its message's reply will tell of it.
    fn end(&mut self, n: usize, job: &Job<'_>, ended: Ended, settles: bool) {
        self.message.push(n, Text::Engine, &job.record(&self.run.goal.tracker, ended));
        match settles {
            true => {
                // The first message may have done something else before its first step, which the log knows.
                let since =
                    if self.creates { self.run.goal.tracker.since_change() } else { SINCE.to_owned() };
                self.message.push(n, Text::Engine, &self.run.goal.tracker.settle(&since));
            }
            false => self.message.push(n, Text::Engine, LATER),
        }
        self.message.push(n, Text::Migration, "COMMIT;\n");
    }

    /// Sends the message; gives an outcome where the steps must not go on.
    async fn send(&mut self, then: Then) -> Result<Option<Outcome>, Cause> {
        let steps = self.message.steps();
        let last = steps.end - 1;
        match then {
            Then::GoOn | Then::Verify => {}
            Then::HoldOn => self.message.push(last, Text::Engine, &self.run.lock.to_transaction()),
            Then::Stop => self.message.push(last, Text::Engine, &self.run.lock.release()),
        }
        self.sent = Instant::now();
        let outcome = match then {
            Then::Stop => self.run.session.finish(self.message.sql()).await,
            _ => self.run.session.run(self.message.sql()).await,
        };
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => return self.failed(failure).await.map(Some),
        };
        self.note_done(&reply);
        self.message.clear();
        match then {
            Then::GoOn => {}
            Then::Verify => self.check(last, &reply).await?,
            Then::HoldOn | Then::Stop => {
                if !is_held(&reply) {
                    self.run.clear().await;
                    return Err(Cause::LockLost);
                }
                self.adapt(self.sent.elapsed(), steps.len());
            }
        }
        Ok(None)
    }

    /// Rolls a migration back whose verify script does not prove it.
    async fn check(&mut self, n: usize, reply: &Reply) -> Result<(), Cause> {
        let Job::Apply(step, _) = &self.jobs[n] else { return Ok(()) };
        let Some(script) = self.jobs[n].verify() else { return Ok(()) };
        let findings = verify::findings(reply, step.migration, &script);
        drop(script);
        let Some(first) = findings.first() else { return Ok(()) };
        let detail = format!("verification failed: {}", first.returned());
        let id = step.migration.id().clone();
        self.run.clear().await;
        self.run.note(&self.run.goal.tracker.log("failure", &id, &detail)).await;
        Err(Cause::Unverified { id, findings, kept: Kept::Nothing })
    }

    /// Takes note of the steps that a reply shows to be committed.
    fn note_done(&mut self, reply: &Reply) {
        for row in reply.rows("applied").chain(reply.rows("undone")) {
            let next = self.jobs.get(self.committed).map(Job::id);
            // An earlier run's record may be settled along with this one's.
            if next.is_some_and(|id| (id.context(), id.version().as_str()) == (row.text(1), row.text(2))) {
                self.note_committed(row.micros(3));
            }
        }
    }

    /// Takes note that the next step is committed.
    pub(super) fn note_committed(&mut self, duration: Duration) {
        let Some(job) = self.jobs.get(self.committed) else { return };
        self.committed += 1;
        self.run.note_committed(job, duration);
    }

    /// Sends as many at once as take some two seconds: so events come, and a failure, a lost connection or
    /// a cancelled run wastes little, while round trips hardly count.
    fn adapt(&mut self, took: Duration, steps: usize) {
        let fitting = TARGET.as_micros() * steps as u128 / took.as_micros().max(1);
        let fitting = usize::try_from(fitting).unwrap_or(MOST);
        self.size = fitting.min(self.size * GROWTH).clamp(1, MOST);
    }

    /// What is under way and not known to be committed.
    pub(super) fn under_way(&self) -> Vec<MigrationId> {
        names(&self.jobs[self.committed..self.message.steps().end.max(self.committed)])
    }
}

/// What comes behind a message.
#[derive(Clone, Copy)]
enum Then {
    /// The rest of the same script.
    GoOn,
    /// The end of the same step, if it is what its verify script says.
    Verify,
    /// More steps: an open transaction keeps the lock.
    HoldOn,
    /// Nothing: the lock is given back.
    Stop,
}

/// Whether a script may build an index, which takes as long as its table is large.
fn builds_indexes(script: &str) -> bool {
    script.as_bytes().windows(5).any(|word| word.eq_ignore_ascii_case(b"index"))
}

/// Cuts a large script between its statements, so that a message stays small; a small one is sent as it is.
pub(super) fn pieces(script: &str) -> Vec<(usize, &str)> {
    if script.len() <= LARGE {
        return vec![(0, script)];
    }
    let mut pieces = Vec::new();
    let mut start = 0;
    for statement in statements(script).unwrap_or_default() {
        let end = statement.range().end;
        if end - start >= LARGE {
            pieces.push((start, &script[start..end]));
            start = end;
        }
    }
    if start < script.len() {
        pieces.push((start, &script[start..]));
    }
    pieces
}

/// As [`BEGIN`], where nobody asks later whether this transaction is still the one.
const BEGIN_QUICK: &str = "BEGIN ISOLATION LEVEL READ COMMITTED;\n";
/// All transactions of a message begin at the time at which it arrives.
pub(super) const SINCE: &str = "pg_catalog.transaction_timestamp()";
/// How many migrations the first message has.
const FIRST: usize = 16;
/// How many migrations a message has at the most.
const MOST: usize = 512;
/// From how many bytes on a message is sent as it is.
const LARGE: usize = 512 * 1024;
/// How many times as many migrations the next message has at the most.
const GROWTH: usize = 8;
/// How long a message is to take.
const TARGET: Duration = Duration::from_secs(2);
