//! What tells whether somebody has changed the tracker by hand, beside the history.

use std::collections::HashMap;

use habitat_migrate_catalog::{MigrationId, Version};

use super::Tracker;
use crate::client::{Reply, Row};
use crate::sql::Literal;
use crate::status::{Audit, Log, Logged, Place};

/// What a login may do with the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogRight {
    Read,
    None,
    /// It is not there.
    Gone,
}

impl Tracker {
    /// Asks whether this login may read the log; null where there is none.
    pub(crate) fn log_right(&self) -> String {
        format!(
            "SELECT 'log' AS \"habitat-migrate\", pg_catalog.has_table_privilege(pg_catalog.to_regclass({}), 'SELECT');\n",
            Literal(&self.log)
        )
    }

    /// Reads what [`Tracker::log_right`] returned.
    pub(crate) fn read_log_right(reply: &Reply) -> LogRight {
        match reply.first("log").and_then(|row| row.value(1)) {
            Some("t") => LogRight::Read,
            Some(_) => LogRight::None,
            None => LogRight::Gone,
        }
    }

    /// Where each record stands by its own word, and the last event of each migration that made its record what it is.
    pub(crate) fn audit(&self, log: LogRight) -> String {
        let mut sql = format!(
            "SELECT 'place' AS \"habitat-migrate\", m.context, m.version, m.follows, m.digest, m.execution_time IS NOT NULL \
             FROM {} AS m;\n",
            self.table
        );
        if log == LogRight::Read {
            sql.push_str(&format!(
                "SELECT DISTINCT ON (l.context, l.version) 'logged' AS \"habitat-migrate\", l.context, l.version, l.event, l.checksum \
                 FROM {log} AS l WHERE l.event OPERATOR(pg_catalog.=) ANY ('{{{TELLING}}}'::pg_catalog.text[]) \
                 ORDER BY l.context, l.version, l.id DESC;\n",
                log = self.log,
            ));
        }
        sql
    }

    /// Reads what [`Tracker::audit`] returned.
    pub(crate) fn read_audit(log: LogRight, reply: &Reply) -> Audit {
        let place = |row: &Row| {
            let digest = row.value(4).map(str::to_owned);
            (id(row), Place { follows: row.number(3), digest, settled: row.is_true(5) })
        };
        let logged = |row: &Row| {
            let checksum = row.value(4).map(str::to_owned);
            (id(row), Logged { event: row.text(3).to_owned(), checksum })
        };
        let log = match log {
            LogRight::Read => Log::Last(reply.rows("logged").map(logged).collect::<HashMap<_, _>>()),
            LogRight::None => Log::Denied,
            LogRight::Gone => Log::Gone,
        };
        Audit { log, places: reply.rows("place").map(place).collect() }
    }
}

fn id(row: &Row) -> MigrationId {
    MigrationId::new(row.text(1).to_owned(), Version::new(row.text(2).to_owned()))
}

/// The events that put a record in, change it or take it out. Whatever else is noted down changes no record.
const TELLING: &str = "apply,rollback,baseline,mark,forget,accept,adopt,replace";
