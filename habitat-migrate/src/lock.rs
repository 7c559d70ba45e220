//! The lock that keeps two processes from migrating at once: its key, and the statements about it.
//!
//! It is an advisory lock on a number made of the tracker's name, so two services with trackers of their own
//! do not wait for each other. <https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>
//!
//! Between messages it belongs to an open transaction, so that a transaction pooler keeps the
//! session for us and a lost connection frees it. Within a message it belongs to the session, too: one
//! transaction commits and the next begins with nobody in between.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

use crate::client::Row;
use crate::event::Holder;
use crate::tracker::Tracker;

/// The advisory lock of one tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lock {
    key: i64,
}

impl Lock {
    pub(crate) fn of(tracker: &Tracker) -> Self {
        Self::named(tracker.table())
    }

    /// The lock of something else; a tracker's name is quoted, this one is not.
    pub(crate) fn named(name: &str) -> Self {
        let hash = Sha256::digest(format!("habitat-migrate {name}"));
        let mut key = [0; 8];
        key.copy_from_slice(&hash[..8]);
        Self { key: i64::from_be_bytes(key) }
    }

    /// Begins a transaction that holds the lock, if nobody else does.
    pub(crate) fn attempt(self) -> String {
        format!("{BEGIN}{}", self.take())
    }

    /// Takes the lock for a transaction that has begun, if nobody else has it.
    ///
    /// By a statement that asks for nothing else: it sees what was committed before it began, and
    /// its last holder may have committed since.
    pub(crate) fn take(self) -> String {
        format!("SELECT 'lock' AS \"habitat-migrate\", pg_catalog.pg_try_advisory_xact_lock({});\n", self.key)
    }

    /// Takes the lock for the session, if nobody else has it, as a condition.
    pub(crate) fn try_session(self) -> String {
        format!("pg_catalog.pg_try_advisory_lock({})", self.key)
    }

    /// Gives the lock to the session, and ends the transaction that has it.
    pub(crate) fn to_session(self) -> String {
        format!("SELECT pg_catalog.pg_advisory_lock({});\nCOMMIT;\n", self.key)
    }

    /// Begins a transaction that has the lock, and takes it from the session.
    pub(crate) fn to_transaction(self) -> String {
        format!(
            "{BEGIN}SELECT 'held' AS \"habitat-migrate\", pg_catalog.pg_try_advisory_xact_lock({0}), pg_catalog.pg_advisory_unlock({0});\n{STANDARD_STRINGS}",
            self.key
        )
    }

    /// Rolls back, and keeps the lock by a transaction if nobody else has it.
    pub(crate) fn retreat(self) -> String {
        format!(
            "ROLLBACK;\n{BEGIN}SELECT 'retreat' AS \"habitat-migrate\", \
             pg_catalog.pg_try_advisory_xact_lock({});\n{}{STANDARD_STRINGS}",
            self.key,
            self.unlock(),
        )
    }

    /// Takes the lock from the session; the last statement of a run.
    pub(crate) fn release(self) -> String {
        format!("SELECT 'held' AS \"habitat-migrate\", true, pg_catalog.pg_advisory_unlock({});\n", self.key)
    }

    /// Leaves nothing behind, whatever there is: an open transaction, a lock of the session.
    pub(crate) fn clear(self) -> String {
        format!("ROLLBACK;\n{}", self.unlock())
    }

    /// Takes the lock from the session, if it has it.
    fn unlock(self) -> String {
        format!(
            "SELECT pg_catalog.pg_advisory_unlock({}) FROM pg_catalog.pg_locks AS l \
             WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND {} LIMIT 1;\n",
            self.key,
            self.is_this(),
        )
    }

    /// Whether this session has the lock, as an expression.
    pub(crate) fn is_held(self) -> String {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_locks AS l \
             WHERE l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND l.granted AND {})",
            self.is_this(),
        )
    }

    /// Asks who holds the lock.
    pub(crate) fn holder(self) -> String {
        format!(
            "SELECT 'holder' AS \"habitat-migrate\", l.pid, a.application_name, pg_catalog.host(a.client_addr), \
             (EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) \
             COALESCE(a.xact_start, a.backend_start)) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 \
             FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a \
             ON a.pid OPERATOR(pg_catalog.=) l.pid WHERE l.granted AND {} LIMIT 1;\n",
            self.is_this(),
        )
    }

    /// Reads a row of [`Lock::holder`].
    pub(crate) fn read_holder(row: &Row) -> Option<Holder> {
        Some(Holder {
            pid: row.number(1)?,
            application: row.value(2).filter(|name| !name.is_empty()).map(str::to_owned),
            client: row.value(3).map(str::to_owned),
            age: row.number(4).map(Duration::from_micros),
        })
    }

    /// Whether row `l` of `pg_locks` is this lock; a key of 64 bits is shown there as two halves.
    /// <https://www.postgresql.org/docs/current/view-pg-locks.html>
    fn is_this(self) -> String {
        let bits = u64::from_be_bytes(self.key.to_be_bytes());
        let (high, low) = (bits >> 32, bits & 0xffff_ffff);
        format!(
            "l.locktype OPERATOR(pg_catalog.=) 'advisory' \
             AND l.classid OPERATOR(pg_catalog.=) {high}::pg_catalog.oid \
             AND l.objid OPERATOR(pg_catalog.=) {low}::pg_catalog.oid \
             AND l.objsubid OPERATOR(pg_catalog.=) 1 \
             AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d \
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())"
        )
    }
}

/// READ COMMITTED, whatever the default is: history has to be read as it is when the lock is taken.
///
/// DEFERRABLE means nothing at this level; it tells the engine's transactions from those that a script may begin.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, DEFERRABLE;\n";

/// The last statement of whatever comes before a message with scripts.
///
/// A message is cut into statements before any of it runs, by the setting that is in force when it arrives;
/// with the other one a backslash in a script would hide the end of a string from the catalog's checks.
pub(crate) const STANDARD_STRINGS: &str = "SET LOCAL standard_conforming_strings = on;\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r11_a_key_never_changes() {
        assert_eq!(Lock::of(&Tracker::new("public")).key, 2_081_980_201_992_077_390);
        assert_eq!(Lock::of(&Tracker::new("order")).key, -630_383_464_364_462_706);
        assert_eq!(Lock::named("provision").key, 1_786_020_324_407_398_787);
        assert_ne!(Lock::of(&Tracker::new("public")), Lock::of(&Tracker::new("billing")));
    }
}
