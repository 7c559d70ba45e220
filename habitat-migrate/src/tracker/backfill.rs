//! The statements about backfills: how far each has come.

use std::time::Duration;

use chrono::DateTime;
use habitat_migrate_catalog::{MigrationId, Version};

use super::{Tracker, micros};
use crate::backfill::{Backfill, BackfillState, Wanted};
use crate::client::{Reply, Row};
use crate::sql::{Ident, Literal};

/// How far a backfill has come, as its worker reads it.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) state: BackfillState,
    /// The checksum of the text that its batches ran.
    pub(crate) digest: String,
    /// The table and the key that it walks.
    pub(crate) walks: String,
    pub(crate) rows: u64,
    pub(crate) batches: u64,
    /// The key of the last row of the last batch; empty before the first.
    pub(crate) cursor: Vec<String>,
    /// How long the message that asked has taken by then, by the server's clock.
    pub(crate) took: Duration,
}

/// One batch's step: how many rows, and up to which key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) rows: u64,
    pub(crate) key: Vec<String>,
}

impl Tracker {
    pub(super) fn backfill_table(&self) -> String {
        format!("{}.schema_migrations_backfill", Ident(&self.schema))
    }

    /// Asks whether the table is there.
    pub(crate) fn backfill_presence(&self) -> String {
        format!(
            "SELECT 'backfills' AS \"habitat-migrate\", pg_catalog.to_regclass({}) IS NOT NULL;\n",
            Literal(&self.backfill_table())
        )
    }

    /// Creates the table. The columns that a person looks for come first.
    pub(crate) fn create_backfills(&self) -> String {
        let table = self.backfill_table();
        format!(
            "CREATE TABLE {table} (\n\
             \x20 version pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 context pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 state pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL DEFAULT 'running',\n\
             \x20 rows pg_catalog.int8 NOT NULL DEFAULT 0,\n\
             \x20 batches pg_catalog.int8 NOT NULL DEFAULT 0,\n\
             \x20 cursor pg_catalog.text[] COLLATE pg_catalog.\"C\" NOT NULL DEFAULT '{{}}',\n\
             \x20 started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 walks pg_catalog.text NOT NULL,\n\
             \x20 digest pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 PRIMARY KEY (context, version)\n\
             );\n\
             COMMENT ON TABLE {table} IS 'habitat-migrate: how far each batched backfill has come';\n\
             COMMENT ON COLUMN {table}.cursor IS 'the key of the last row of the last batch that is committed';\n"
        )
    }

    /// Makes the row of a backfill; one that is done begins anew, since its migration is not recorded any more.
    pub(crate) fn begin_backfill(&self, id: &MigrationId, digest: &str, walks: &str) -> String {
        format!(
            "INSERT INTO {table} AS b (context, version, walks, digest) VALUES ({context}, {version}, {walks}, {digest}) \
             ON CONFLICT (context, version) DO UPDATE SET walks = EXCLUDED.walks, digest = EXCLUDED.digest, \
             state = CASE WHEN b.state OPERATOR(pg_catalog.=) 'paused' THEN 'paused' ELSE 'running' END, \
             rows = 0, batches = 0, cursor = '{{}}', started_at = EXCLUDED.started_at, updated_at = EXCLUDED.updated_at \
             WHERE b.state OPERATOR(pg_catalog.=) 'done' OR b.batches OPERATOR(pg_catalog.=) 0;\n",
            table = self.backfill_table(),
            context = Literal(id.context()),
            version = Literal(id.version().as_str()),
            walks = Literal(walks),
            digest = Literal(digest),
        )
    }

    /// Asks how far a backfill has come whose key has so many columns.
    pub(crate) fn backfill(&self, id: &MigrationId, columns: usize) -> String {
        let cursor: String = (1..=columns).map(|n| format!(", b.cursor[{n}]")).collect();
        format!(
            "SELECT 'backfill' AS \"habitat-migrate\", b.state, b.digest, b.walks, b.rows, b.batches, {took}{cursor} \
             FROM {table} AS b WHERE {is_this};\n",
            took = micros(
                "(pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) pg_catalog.statement_timestamp())"
            ),
            table = self.backfill_table(),
            is_this = is_this(id),
        )
    }

    /// Reads what [`Tracker::backfill`] returned; none where there is no such backfill.
    pub(crate) fn read_backfill(reply: &Reply, columns: usize) -> Option<Progress> {
        let row = reply.first("backfill")?;
        let cursor = (0..columns).filter_map(|n| row.value(7 + n).map(str::to_owned));
        Some(Progress {
            state: state(row.text(1)),
            digest: row.text(2).to_owned(),
            walks: row.text(3).to_owned(),
            rows: row.number(4).unwrap_or_default(),
            batches: row.number(5).unwrap_or_default(),
            took: row.micros(6),
            cursor: cursor.collect(),
        })
    }

    /// Moves the cursor, if it is where this worker left it; else the statement fails, and its batch with it.
    pub(crate) fn advance(&self, id: &MigrationId, digest: &str, from: &[String], to: &Bound) -> String {
        let set = format!(
            "cursor = {}, rows = b.rows OPERATOR(pg_catalog.+) {}, batches = b.batches OPERATOR(pg_catalog.+) 1, digest = {}",
            array(&to.key),
            to.rows,
            Literal(digest),
        );
        self.move_on(id, from, &set)
    }

    /// Notes down that a backfill has come to its end, if its cursor is where this worker left it; else the statement fails.
    pub(crate) fn finish_backfill(&self, id: &MigrationId, from: &[String]) -> String {
        self.move_on(id, from, "state = 'done'")
    }

    fn move_on(&self, id: &MigrationId, from: &[String], set: &str) -> String {
        format!(
            "WITH moved AS (UPDATE {table} AS b SET {set}, updated_at = pg_catalog.clock_timestamp() WHERE {is_this} \
             AND b.state OPERATOR(pg_catalog.<>) 'done' AND b.cursor OPERATOR(pg_catalog.=) {from} RETURNING b.rows, b.batches) \
             SELECT 'moved' AS \"habitat-migrate\", pg_catalog.max(m.rows), pg_catalog.max(m.batches), \
             pg_catalog.left('moved', CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) 1 THEN '5' ELSE '{ELSEWHERE}' \
             END::pg_catalog.int4) FROM moved AS m;\n",
            table = self.backfill_table(),
            is_this = is_this(id),
            from = array(from),
        )
    }

    /// When a backfill began, as an expression.
    pub(crate) fn since_backfill(&self, id: &MigrationId) -> String {
        format!("(SELECT b.started_at FROM {} AS b WHERE {})", self.backfill_table(), is_this(id))
    }

    /// Asks for all backfills, those that began last first.
    pub(crate) fn backfills(&self) -> String {
        self.list("true")
    }

    /// Pauses, resumes or restarts a backfill that is not done, logs it, and asks for it.
    pub(crate) fn want_backfill(&self, id: &MigrationId, wanted: Wanted) -> String {
        let (table, is_this) = (self.backfill_table(), is_this(id));
        let (event, from, set) = match wanted {
            Wanted::Pause => ("pause", "running", "state = 'paused'"),
            Wanted::Resume => ("resume", "paused", "state = 'running'"),
            Wanted::Restart => (
                "restart",
                "",
                "rows = 0, batches = 0, cursor = '{}', started_at = pg_catalog.clock_timestamp()",
            ),
        };
        let from = match from {
            "" => "b.state OPERATOR(pg_catalog.<>) 'done'".to_owned(),
            from => format!("b.state OPERATOR(pg_catalog.=) '{from}'"),
        };
        format!(
            "UPDATE {table} AS b SET {set}, updated_at = pg_catalog.clock_timestamp() WHERE {is_this} AND {from};\n\
             {log}{asked}",
            log = self.log(event, id, "by hand"),
            asked = self.list(&is_this),
        )
    }

    fn list(&self, which: &str) -> String {
        format!(
            "SELECT 'backfill' AS \"habitat-migrate\", b.context, b.version, b.state, b.walks, b.rows, b.batches, \
             NULLIF(pg_catalog.array_to_string(b.cursor, ', '), ''), {started_at}, {updated_at} \
             FROM {table} AS b WHERE {which} ORDER BY b.started_at DESC, b.context, b.version;\n",
            started_at = micros("b.started_at"),
            updated_at = micros("b.updated_at"),
            table = self.backfill_table(),
        )
    }

    /// Reads what [`Tracker::backfills`] returned.
    pub(crate) fn read_backfills(reply: &Reply) -> Vec<Backfill> {
        reply.rows("backfill").map(read).collect()
    }
}

fn read(row: &Row) -> Backfill {
    let time =
        |column| DateTime::from_timestamp_micros(row.number(column).unwrap_or_default()).unwrap_or_default();
    Backfill {
        id: MigrationId::new(row.text(1).to_owned(), Version::new(row.text(2).to_owned())),
        state: state(row.text(3)),
        table: row.text(4).to_owned(),
        rows: row.number(5).unwrap_or_default(),
        batches: row.number(6).unwrap_or_default(),
        cursor: row.value(7).map(str::to_owned),
        started_at: time(8),
        updated_at: time(9),
    }
}

fn state(text: &str) -> BackfillState {
    match text {
        "done" => BackfillState::Done,
        "running" => BackfillState::Running,
        // Whatever a later version means by it, this one does not go on.
        _ => BackfillState::Paused,
    }
}

fn is_this(id: &MigrationId) -> String {
    format!(
        "b.context OPERATOR(pg_catalog.=) {} AND b.version OPERATOR(pg_catalog.=) {}",
        Literal(id.context()),
        Literal(id.version().as_str())
    )
}

/// A key as an array of texts.
fn array(key: &[String]) -> String {
    let texts: Vec<String> = key.iter().map(|text| Literal(text).to_string()).collect();
    format!("ARRAY[{}]::pg_catalog.text[]", texts.join(", "))
}

/// What the server complains about when the cursor is not where this worker left it.
pub(crate) const ELSEWHERE: &str = "the backfill goes on elsewhere";
