//! Sends the steps of a plan, many to a message.

use std::time::{Duration, Instant};

use habitat_migrate_catalog::{normalise, statements};

use super::message::{Message, Text};
use super::settings::Settings;
use super::{LATER, Outcome, Run, is_held, millis, names};
use crate::client::{Client, Reply};
use crate::error::Cause;
use crate::event::Event;
use crate::lock::BEGIN;
use crate::plan::Apply;
use crate::report::Applied;

/// The steps of a plan on their way to the server, and how many of them are known to be committed.
pub(super) struct Batch<'r, 'a, C: Client> {
    pub(super) run: &'r mut Run<'a, C>,
    pub(super) steps: &'r [Apply<'a>],
    pub(super) settings: Settings,
    pub(super) message: Message,
    pub(super) committed: usize,
    pub(super) creates: bool,
    prelude: String,
    size: usize,
}

impl<'r, 'a, C: Client> Batch<'r, 'a, C> {
    /// The prelude goes in front of the first step; it may create the tracker.
    pub(super) fn new(
        run: &'r mut Run<'a, C>,
        steps: &'r [Apply<'a>],
        settings: Settings,
        prelude: String,
        creates: bool,
    ) -> Self {
        let message = Message::default();
        Self { run, steps, settings, message, committed: 0, creates, prelude, size: FIRST }
    }

    pub(super) async fn apply_all(mut self) -> Result<Outcome, Cause> {
        let mut waiting = 0;
        for (n, step) in self.steps.iter().enumerate() {
            self.begin(n, step, waiting == 0);
            let script = normalise(step.migration.script());
            for (offset, piece) in pieces(&script) {
                self.message.push(n, Text::Script(offset), piece);
                if self.message.len() >= LARGE && offset + piece.len() < script.len() {
                    // The rest follows in the same transaction; the server is not asked to hold it all at once.
                    if let Some(outcome) = self.send(Then::GoOn).await? {
                        return Ok(outcome);
                    }
                }
            }
            waiting += 1;
            let last = n + 1 == self.steps.len();
            // A message that ends in the middle of a large script does not wait for the disk, so that begins another.
            let large_next = self.steps.get(n + 1).is_some_and(|next| next.migration.script().len() > LARGE);
            let closes = last || large_next || waiting >= self.size || self.message.len() >= LARGE;
            self.message.push(n, Text::Script(script.len()), "\n;\n");
            self.end(n, step, closes);
            if closes {
                let then = if last { Then::Stop } else { Then::HoldOn };
                if let Some(outcome) = self.send(then).await? {
                    return Ok(outcome);
                }
                waiting = 0;
            }
        }
        Ok(Outcome::Done)
    }

    fn begin(&mut self, n: usize, step: &Apply<'_>, first: bool) {
        let goal = self.run.goal;
        if first {
            let prelude = match std::mem::take(&mut self.prelude) {
                prelude if prelude.is_empty() => self.run.lock.to_session(),
                prelude => prelude,
            };
            self.message.push(n, Text::Engine, &prelude);
        }
        self.message.push(n, Text::Engine, BEGIN);
        self.message.push(n, Text::Engine, &goal.tracker.begin(step));
        self.message.push(n, Text::Migration, &goal.limits.prepare(step.migration));
        (goal.tell)(&Event::Started { migration: step.migration.id().clone() });
    }

    fn end(&mut self, n: usize, step: &Apply<'_>, closes: bool) {
        // What the script deferred is checked now, while the transaction is there to be rolled back and
        // its session to give the lock back.
        self.message.push(n, Text::Migration, "SET CONSTRAINTS ALL IMMEDIATE;\n");
        self.message.push(n, Text::Session, &self.settings.restore());
        self.message.push(n, Text::Engine, &self.run.goal.tracker.finish(step));
        if !closes {
            self.message.push(n, Text::Engine, LATER);
        }
        self.message.push(n, Text::Migration, "COMMIT;\n");
    }

    /// Sends the message; gives an outcome where the steps must not go on.
    async fn send(&mut self, then: Then) -> Result<Option<Outcome>, Cause> {
        let steps = self.message.steps();
        let last = steps.end - 1;
        match then {
            Then::GoOn => {}
            Then::HoldOn => self.message.push(last, Text::Engine, &self.run.lock.to_transaction()),
            Then::Stop => self.message.push(last, Text::Engine, &self.run.lock.release()),
        }
        let started = Instant::now();
        let outcome = match then {
            Then::Stop => self.run.session.finish(self.message.sql()).await,
            _ => self.run.session.run(self.message.sql()).await,
        };
        let reply = match outcome {
            Ok(reply) => reply,
            Err(failure) => return self.failed(failure).await.map(Some),
        };
        self.note_applied(&reply);
        self.message.clear();
        if !matches!(then, Then::GoOn) {
            if !is_held(&reply) {
                self.run.clear().await;
                return Err(Cause::LockLost);
            }
            self.adapt(started.elapsed(), steps.len());
        }
        Ok(None)
    }

    /// Takes note of the steps that a reply shows to be committed.
    fn note_applied(&mut self, reply: &Reply) {
        for row in reply.rows("applied") {
            self.note_committed(row.micros(1));
        }
    }

    /// Takes note that the next step is committed.
    pub(super) fn note_committed(&mut self, duration: Duration) {
        let Some(step) = self.steps.get(self.committed) else { return };
        let id = step.migration.id().clone();
        tracing::info!(migration = %id, duration_ms = millis(duration), "applied");
        (self.run.goal.tell)(&Event::Applied { migration: id.clone(), duration });
        self.run.report.applied.push(Applied { id, duration });
        self.committed += 1;
    }

    /// Sends as many at once as take some two seconds: so events come, and a failure, a lost connection or
    /// a cancelled run wastes little, while round trips hardly count.
    fn adapt(&mut self, took: Duration, steps: usize) {
        let fitting = TARGET.as_micros() * steps as u128 / took.as_micros().max(1);
        let fitting = usize::try_from(fitting).unwrap_or(MOST);
        self.size = fitting.min(self.size * GROWTH).clamp(1, MOST);
    }

    /// What is under way and not known to be committed.
    pub(super) fn under_way(&self) -> Vec<habitat_migrate_catalog::MigrationId> {
        names(&self.steps[self.committed..self.message.steps().end.max(self.committed)])
    }
}

/// What comes behind a message.
#[derive(Clone, Copy)]
enum Then {
    /// The rest of the same script.
    GoOn,
    /// More steps: an open transaction keeps the lock.
    HoldOn,
    /// Nothing: the lock is given back.
    Stop,
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
