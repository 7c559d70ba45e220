//! Takes the lock, or waits a little.

use std::fmt::Write as _;

use super::settings::Settings;
use super::{Run, jittered, millis};
use crate::client::Client;
use crate::error::Cause;
use crate::event::{Event, Holder};
use crate::history::History;
use crate::lock::{Lock, STANDARD_STRINGS};
use crate::tracker::{FORMAT, Presence, Tracker};

/// What came of trying to take the lock.
pub(super) enum Attempt {
    Taken { settings: Settings, presence: Presence, history: History },
    Busy,
}

impl<C: Client> Run<'_, C> {
    /// Begins a transaction that holds the lock, and reads what is to be known under it.
    pub(super) async fn attempt(&mut self, tracker: bool) -> Result<Attempt, Cause> {
        let goal = self.goal;
        let mut sql = self.lock.attempt();
        let (settings, presence) = (Settings::columns(), goal.tracker.presence());
        let _ = writeln!(sql, "SELECT 'found' AS \"habitat-migrate\", {settings}, {presence};");
        sql.push_str(&Settings::query());
        if tracker {
            sql.push_str(&goal.tracker.history());
        }
        sql.push_str(STANDARD_STRINGS);
        let reply = self.run("take the lock", &sql).await?;
        let held = reply.first("lock").is_some_and(|row| row.is_true(1));
        let Some(row) = reply.first("found").filter(|_| held) else { return Ok(Attempt::Busy) };
        let settings = Settings::read(row, &reply);
        if settings.server_version < 140_000 {
            return Err(Cause::UnsupportedServer { version: settings.server_version });
        }
        let presence = Presence::read(row, 1 + Settings::COLUMNS);
        if presence.format > FORMAT {
            let table = goal.tracker.table().to_owned();
            return Err(Cause::NewerTracker { table, format: presence.format });
        }
        let history = match (presence.table, tracker) {
            // Whoever made the database ready for migrations has recorded what it is for.
            (false, _) if presence.environments => self.purpose().await?,
            (false, _) => History::default(),
            (true, true) => Tracker::read(&reply),
            // Somebody created it since it was asked for.
            (true, false) => self.history().await?,
        };
        Ok(Attempt::Taken { settings, presence, history })
    }

    /// Says who holds the lock, and waits a little.
    pub(super) async fn wait(&mut self) -> Result<(), Cause> {
        // Poll instead of waiting in the server: a waiting call holds a snapshot, and an index that the
        // lock's holder builds concurrently would wait for that snapshot for ever.
        let sql = format!("ROLLBACK;\n{}", self.lock.holder());
        let reply = match self.session.finish(&sql).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.tracker_failure("wait for the lock", failure).await),
        };
        let holder: Option<Holder> = reply.first("holder").and_then(Lock::read_holder);
        let waited = self.started.elapsed();
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
        self.session.pause(jittered(self.poll)).await;
        self.poll = (self.poll * 2).min(self.goal.patience.poll * 10);
        self.report.waited = self.started.elapsed();
        Ok(())
    }
}
