//! What is tried again: a migration that met a lock, a deadlock or a conflict, as a whole; of one without a transaction, the statement.

use std::time::Duration;

use habitat_migrate_catalog::MigrationId;

use super::{Run, jittered};
use crate::client::{Client, ServerError};
use crate::event::{Blocker, Event};
use crate::policy::Retry;

/// How often the migration that fails has been tried again.
#[derive(Debug, Default)]
pub(super) struct Retries {
    policy: Retry,
    migration: Option<MigrationId>,
    made: u32,
    spent: Duration,
    next: Option<(Duration, Event)>,
}

impl Retries {
    pub(super) fn new(policy: Retry) -> Self {
        Self { policy, ..Self::default() }
    }

    /// Whether a failure passes by itself, and there is some of the budget left; takes it, then.
    pub(super) fn take(&mut self, error: &ServerError, id: &MigrationId, blockers: &[Blocker]) -> bool {
        if !PASSING.contains(&error.code.as_str()) {
            return false;
        }
        if self.migration.as_ref() != Some(id) {
            *self = Self { migration: Some(id.clone()), ..Self::new(self.policy) };
        }
        let pause = jittered(self.policy.pause.saturating_mul(1 << self.made.min(6)));
        if self.spent + pause > self.policy.budget {
            return false;
        }
        self.made += 1;
        self.spent += pause;
        let event = Event::Retrying {
            migration: id.clone(),
            attempt: self.made,
            error: Box::new(error.clone()),
            blockers: blockers.to_vec(),
            pause,
        };
        self.next = Some((pause, event));
        true
    }

    /// Something was done: the budget is whole again.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::new(self.policy);
    }

    /// How often a migration was tried again.
    pub(super) fn made(&self, id: &MigrationId) -> u32 {
        if self.migration.as_ref() == Some(id) { self.made } else { 0 }
    }
}

impl<C: Client> Run<'_, C> {
    /// Lets whoever is in the way finish, where something is to be tried again. Nobody waits for this process meanwhile.
    pub(super) async fn pause(&mut self) {
        let Some((pause, event)) = self.retries.next.take() else { return };
        tracing::warn!(pause_ms = super::millis(pause), "{event}");
        (self.goal.tell)(&event);
        self.session.pause(pause).await;
    }
}

/// `lock_not_available`, `deadlock_detected`, `serialization_failure`.
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
const PASSING: [&str; 3] = ["55P03", "40P01", "40001"];
