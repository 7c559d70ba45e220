//! The statements that write: records, and the log.

use habitat_migrate_catalog::{Compatibility, MigrationId};

use super::format::FORMAT;
use super::{Tracker, micros};
use crate::plan::Step;
use crate::sql::Literal;

/// How a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// The migration is done, if its transaction is still the one that it began in; else the statement fails.
    Applied,
    /// The migration is done, and its script cannot have ended its transaction: there is no need to ask.
    Defined,
    /// Its script has ended its own transaction, and what there is of it, nobody knows; or it runs without one, and its progress tells.
    Interrupted,
}

impl Tracker {
    /// Records a migration, with the script that takes it back. Whoever comes second fails on a unique key.
    ///
    /// It is one INSERT of a row and no more, since that is most of what a small migration costs besides itself: how long it took, the
    /// reference to the row before it, and its row in the log come with [`Tracker::settle`].
    ///
    /// The engine's transactions are DEFERRABLE, which means nothing at their level of isolation; a transaction that a script begins
    /// is not, so that `ENDED`, which is no number, is what the server complains about.
    /// <https://www.postgresql.org/docs/current/sql-set-transaction.html>
    pub(crate) fn record(&self, step: &Step<'_>, down: Option<&str>, mark: Mark) -> String {
        self.insert(step, down, mark, None)
    }

    /// [`Tracker::record`], at another place in the order of time than the last one.
    pub(super) fn insert(
        &self,
        step: &Step<'_>,
        down: Option<&str>,
        mark: Mark,
        time: Option<&str>,
    ) -> String {
        let migration = step.migration;
        let state = match mark {
            Mark::Interrupted => "'interrupted'".to_owned(),
            Mark::Defined => "'applied'".to_owned(),
            Mark::Applied => format!(
                "pg_catalog.left('applied', CASE WHEN pg_catalog.current_setting('transaction_deferrable') \
                 OPERATOR(pg_catalog.=) 'on' THEN '7' ELSE '{ENDED}' END::pg_catalog.int4)"
            ),
        };
        let (ordinal, digest) = match &step.link {
            None => ("NULL".to_owned(), "NULL".to_owned()),
            Some(link) => (link.ordinal.to_string(), format!("'{}'", link.digest)),
        };
        let down = down.map_or("NULL".to_owned(), |down| Literal(down).to_string());
        let (column, overriding, time) = match time {
            None => ("", "", String::new()),
            Some(time) => (", run_order", " OVERRIDING SYSTEM VALUE", format!(", {time}")),
        };
        let insert = format!(
            "INSERT INTO {table} (version, description, context, deployed_at, deployed_by, state, checksum, breaking, \
             ordinal, digest, down{column}){overriding} VALUES ({version}, {description}, {context}, pg_catalog.clock_timestamp(), \
             SESSION_USER, {state}, '{checksum}', {breaking}, {ordinal}, {digest}, {down}{time})",
            table = self.table,
            version = Literal(migration.version().as_str()),
            description = Literal(migration.description()),
            context = Literal(migration.context()),
            checksum = migration.checksum(),
            breaking = migration.settings().compatibility == Compatibility::Breaking,
        );
        if !step.again {
            return insert + ";\n";
        }
        insert
            + " ON CONFLICT (context, version) DO UPDATE SET description = EXCLUDED.description, \
               deployed_at = EXCLUDED.deployed_at, deployed_by = EXCLUDED.deployed_by, execution_time = NULL, \
               state = EXCLUDED.state, checksum = EXCLUDED.checksum, breaking = EXCLUDED.breaking, \
               run_order = DEFAULT;\n"
    }

    /// Completes the records that lack their times, chains and logs them, and returns them; the last statement before a message's last COMMIT.
    ///
    /// A migration took as long as it was from the one before, or from `since`, an expression, to its record. One that an earlier
    /// run recorded and did not come to settle, since its process was killed in between, is logged now, its time unknown.
    pub(crate) fn settle(&self, since: &str) -> String {
        format!(
            "WITH timed AS (\
             SELECT m.context, m.version, m.execution_time IS NULL AND m.state OPERATOR(pg_catalog.=) 'applied' AS fresh, \
             CASE WHEN m.deployed_at OPERATOR(pg_catalog.>=) s.since THEN m.deployed_at OPERATOR(pg_catalog.-) \
             COALESCE(pg_catalog.lag(m.deployed_at) OVER (ORDER BY m.run_order), s.since) ELSE pg_catalog.make_interval() END AS took \
             FROM {table} AS m CROSS JOIN (SELECT {since} AS since OFFSET 0) AS s \
             WHERE m.deployed_at OPERATOR(pg_catalog.>=) s.since OR m.execution_time IS NULL), \
             settled AS (UPDATE {table} AS m SET execution_time = GREATEST(t.took, pg_catalog.make_interval()), \
             {CHAINED} FROM timed AS t \
             WHERE t.fresh AND m.execution_time IS NULL AND m.context OPERATOR(pg_catalog.=) t.context \
             AND m.version OPERATOR(pg_catalog.=) t.version RETURNING m.*), \
             logged AS (INSERT INTO {log} (logged_at, event, context, version, checksum, execution_time, library) \
             SELECT s.deployed_at, 'apply', s.context, s.version, s.checksum, s.execution_time, '{LIBRARY}' \
             FROM settled AS s ORDER BY s.run_order) \
             SELECT 'applied' AS \"habitat-migrate\", s.context, s.version, {micros} FROM settled AS s ORDER BY s.run_order;\n",
            table = self.table,
            log = self.log,
            micros = micros("s.execution_time"),
        )
    }

    /// Selects a row if a migration is still to be applied, or to be taken back.
    pub(crate) fn still_to_do(&self, id: &MigrationId, undoing: bool) -> String {
        format!(
            "SELECT 'still to do' AS \"habitat-migrate\" WHERE {not} EXISTS (SELECT FROM {table} AS m \
             WHERE m.context OPERATOR(pg_catalog.=) {context} AND m.version OPERATOR(pg_catalog.=) {version});\n",
            not = if undoing { "" } else { "NOT" },
            table = self.table,
            context = Literal(id.context()),
            version = Literal(id.version().as_str()),
        )
    }

    /// Writes nothing; it fails where this login may not write.
    pub(crate) fn touch(&self) -> String {
        let (table, log) = (&self.table, &self.log);
        format!(
            "UPDATE {table} SET execution_time = NULL WHERE false;\n\
             INSERT INTO {table} (version, description, context, state, checksum) SELECT '', '', '', '', '' WHERE false;\n\
             INSERT INTO {log} (event, library) SELECT '', '' WHERE false;\n"
        )
    }

    /// Removes nothing; it fails where this login may not take records out.
    pub(crate) fn touch_removal(&self) -> String {
        format!("DELETE FROM {} WHERE false;\n", self.table)
    }

    /// When the message arrived, or when the tracker was created behind that, as an expression.
    pub(crate) fn since_change(&self) -> String {
        format!(
            "(SELECT GREATEST(pg_catalog.transaction_timestamp(), pg_catalog.max(l.logged_at)) FROM {} AS l \
             WHERE l.event OPERATOR(pg_catalog.=) 'create')",
            self.log
        )
    }

    /// Takes a record out, and logs it; it fails if the transaction is not the one that the engine began.
    pub(crate) fn forget(&self, id: &MigrationId, event: &str, detail: Option<&str>) -> String {
        format!(
            "WITH gone AS (DELETE FROM {table} AS m WHERE m.context OPERATOR(pg_catalog.=) {context} \
             AND m.version OPERATOR(pg_catalog.=) {version} RETURNING m.context, m.version, m.checksum) \
             INSERT INTO {log} AS l (event, context, version, checksum, execution_time, detail, library) \
             SELECT {event}, g.context, g.version, g.checksum, \
             pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.transaction_timestamp(), {detail}, \
             pg_catalog.left('{LIBRARY}', CASE WHEN pg_catalog.current_setting('transaction_deferrable') \
             OPERATOR(pg_catalog.=) 'on' THEN '100' ELSE '{ENDED}' END::pg_catalog.int4) FROM gone AS g \
             RETURNING 'undone' AS \"habitat-migrate\", l.context, l.version, {micros};\n",
            table = self.table,
            log = self.log,
            context = Literal(id.context()),
            version = Literal(id.version().as_str()),
            event = Literal(event),
            detail = detail.map_or("NULL".to_owned(), |detail| Literal(detail).to_string()),
            micros = micros("l.execution_time"),
        )
    }

    /// Notes down that the tracker is there, or has another format.
    pub(super) fn changed(&self, event: &str) -> String {
        let log = &self.log;
        format!(
            "INSERT INTO {log} (event, detail, library) VALUES ('{event}', 'format {FORMAT}', '{LIBRARY}');\n"
        )
    }

    /// Notes down something in the log.
    pub(crate) fn log(&self, event: &str, id: &MigrationId, detail: &str) -> String {
        format!(
            "INSERT INTO {log} (event, context, version, detail, library) \
             VALUES ({event}, {context}, {version}, {detail}, '{LIBRARY}');\n",
            log = self.log,
            event = Literal(event),
            context = Literal(id.context()),
            version = Literal(id.version().as_str()),
            detail = Literal(detail),
        )
    }
}

/// What the server complains about when a script has ended the transaction that it ran in.
pub(crate) const ENDED: &str = "the script ended its own transaction";

/// A record's reference to the one before it: what stands in between cannot go unnoticed.
pub(super) const CHAINED: &str = "follows = CASE WHEN m.ordinal OPERATOR(pg_catalog.>) 1 \
    THEN m.ordinal OPERATOR(pg_catalog.-) 1 END";

pub(super) const LIBRARY: &str = concat!("habitat-migrate ", env!("CARGO_PKG_VERSION"));
