//! What a run tells while it goes on: [`Event`].

use std::fmt;
use std::time::Duration;

use habitat_migrate_catalog::MigrationId;

use crate::backfill::grouped;
use crate::server::ServerError;

/// Something that happened during a run, given to the callback of `Migrator::on_event`.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Another process migrates; this one polls until it is done.
    Waiting {
        /// Who holds the lock, as far as this login may see.
        holder: Option<Holder>,
        /// For how long this process has waited by now.
        waited: Duration,
    },
    /// The plan is made and the lock is held.
    Planned {
        /// How many migrations will be applied.
        pending: usize,
    },
    /// A migration is about to be sent to the server.
    Started {
        /// Which one.
        migration: MigrationId,
    },
    /// A statement of a migration without a transaction is about to be sent.
    Statement {
        /// Which migration.
        migration: MigrationId,
        /// Which of its statements, counted from 1; a transaction that the script begins and ends counts as one.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// An invalid index was dropped that an earlier attempt at a statement had left.
    InvalidIndexDropped {
        /// Which migration made it.
        migration: MigrationId,
        /// Its name, with its schema.
        index: String,
    },
    /// A migration and its record are committed.
    Applied {
        /// Which one.
        migration: MigrationId,
        /// How long it took, by the server's clock.
        duration: Duration,
    },
    /// A migration was taken back, and its record is gone.
    Undone {
        /// Which one.
        migration: MigrationId,
        /// How long it took, by the server's clock.
        duration: Duration,
    },
    /// A migration met a lock, a deadlock or a conflict; nothing of it was kept, and it is tried again after a pause. Of a migration without
    /// a transaction this is the statement.
    Retrying {
        /// Which one.
        migration: MigrationId,
        /// Which attempt failed, counted from 1.
        attempt: u32,
        /// What the server said.
        error: Box<ServerError>,
        /// Who may have been in the way.
        blockers: Vec<Blocker>,
        /// How long the pause is.
        pause: Duration,
    },
    /// A batch of a backfill is committed.
    Backfill {
        /// Which one.
        migration: MigrationId,
        /// How many rows of the table are done by now, by all runs.
        rows: u64,
        /// About how many there are, where the table has been analysed.
        estimate: Option<u64>,
        /// How many batches are done by now, by all runs.
        batches: u64,
    },
    /// The connection was lost and a new one is opened; only for runs by connection string.
    Reconnecting,
}

/// One line for a person: `applied people:04_people_core (29.3 ms)`.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting { holder: Some(holder), waited } => {
                write!(f, "waiting for {holder}; {:.1} s by now", waited.as_secs_f64())
            }
            Self::Waiting { holder: None, waited } => {
                write!(f, "waiting for another process; {:.1} s by now", waited.as_secs_f64())
            }
            Self::Planned { pending: 1 } => f.write_str("1 migration is pending"),
            Self::Planned { pending } => write!(f, "{pending} migrations are pending"),
            Self::Started { migration } => write!(f, "applying {migration}"),
            Self::Statement { migration, number, of } => {
                write!(f, "{migration}, statement {number} of {of}")
            }
            Self::InvalidIndexDropped { migration, index } => {
                write!(f, "dropped the invalid index {index} that an earlier attempt at {migration} left")
            }
            Self::Applied { migration, duration } => {
                write!(f, "applied {migration} ({:.1} ms)", duration.as_secs_f64() * 1e3)
            }
            Self::Undone { migration, duration } => {
                write!(f, "took {migration} back ({:.1} ms)", duration.as_secs_f64() * 1e3)
            }
            Self::Retrying { migration, attempt, error, blockers, pause } => {
                write!(f, "attempt {attempt} at {migration}: {error}")?;
                blockers.iter().try_for_each(|blocker| write!(f, "; {blocker}"))?;
                write!(f, "; again in {:.1} s", pause.as_secs_f64())
            }
            Self::Backfill { migration, rows, estimate, .. } => {
                write!(f, "backfilling {migration}: {}", grouped(*rows))?;
                estimate.iter().try_for_each(|rows| write!(f, " of about {}", grouped(*rows)))?;
                f.write_str(" rows")
            }
            Self::Reconnecting => f.write_str("the connection was lost; connecting again"),
        }
    }
}

/// The session that holds the lock, from `pg_stat_activity`.
///
/// Without membership in `pg_read_all_stats` a login sees only the process id of other roles' sessions.
/// <https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-ACTIVITY-VIEW>
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holder {
    /// The server process of that session.
    pub pid: i32,
    /// Its `application_name`.
    pub application: Option<String>,
    /// Its client's address; none for a Unix socket.
    pub client: Option<String>,
    /// For how long its transaction has been open, or its session where no transaction is.
    pub age: Option<Duration>,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        if let Some(application) = &self.application {
            write!(f, " ({application})")?;
        }
        if let Some(client) = &self.client {
            write!(f, " from {client}")?;
        }
        if let Some(age) = self.age {
            write!(f, ", open for {:.1} s", age.as_secs_f64())?;
        }
        Ok(())
    }
}

/// A session that holds a lock on a table which the failing script names.
///
/// Without membership in `pg_read_all_stats` a login sees only the process id of other roles' sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocker {
    /// The session.
    pub session: Holder,
    /// Its state: `idle in transaction`, `active`.
    pub state: Option<String>,
    /// The table, with its schema.
    pub relation: String,
    /// The lock's mode: `AccessShareLock`.
    pub mode: String,
}

/// `process 4711 (billing), open for 12.3 s, idle in transaction, holds AccessShareLock on public.users`
impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.session)?;
        if let Some(state) = &self.state {
            write!(f, ", {state}")?;
        }
        write!(f, ", holds {} on {}", self.mode, self.relation)
    }
}
