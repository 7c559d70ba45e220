//! The tracker: the tables that tell which migrations a database has, and every statement about them.
//!
//! Statements name schemas everywhere, `pg_catalog` included: a function or an operator of the same name
//! that stands first on the search path must not be called in their place.
//! <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>

use std::fmt::Write as _;

use chrono::DateTime;
use habitat_migrate_catalog::{Catalog, Compatibility, MigrationId, Version};

use crate::client::{Reply, Row};
use crate::history::{History, Record, State};
use crate::plan::Apply;
use crate::sql::{Ident, Literal};

mod rights;

pub(crate) use rights::Rights;

/// Where the tracker's tables are, and the statements about them.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    schema: String,
    table: String,
    log: String,
}

/// What [`Tracker::probe`] found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// There is no tracker.
    Absent,
    /// The catalog is applied, exactly; the database has `newer` migrations more in its contexts.
    Current { newer: usize, compatibility: Compatibility },
    /// Something differs.
    Different,
}

/// Whether the server takes writes from this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It does.
    Writable,
    /// It only replays another server's, or `default_transaction_read_only` is on.
    ReadOnly,
}

/// The columns that [`Tracker::history`] reads; a table that lacks one is somebody else's.
pub(crate) const COLUMNS: [&str; 13] = [
    "context",
    "version",
    "description",
    "checksum",
    "deployed_at",
    "deployed_by",
    "execution_time",
    "state",
    "breaking",
    "run_order",
    "ordinal",
    "follows",
    "digest",
];

impl Tracker {
    pub(crate) fn new(schema: &str) -> Self {
        let table = format!("{}.schema_migrations", Ident(schema));
        let log = format!("{}.schema_migrations_log", Ident(schema));
        Self { schema: schema.to_owned(), table, log }
    }

    /// The schema's name, as it is.
    pub(crate) fn schema(&self) -> &str {
        &self.schema
    }

    /// The table's name, quoted.
    pub(crate) fn table(&self) -> &str {
        &self.table
    }

    /// Asks in one SELECT whether anything is to be done.
    ///
    /// It must not fail where there is no tracker, since the server would log an error at every first boot.
    /// A query over a table that may not exist has to be given as text, and `query_to_xml` is the one
    /// function that runs such a query within a SELECT.
    /// <https://www.postgresql.org/docs/current/functions-xml.html#FUNCTIONS-XML-MAPPING>
    pub(crate) fn probe(&self, catalog: &Catalog) -> String {
        let verdict = self.verdict(catalog);
        format!(
            "SELECT 'probe' AS \"habitat-migrate\", CASE WHEN pg_catalog.to_regclass({table}) IS NOT NULL THEN \
             pg_catalog.query_to_xml({verdict}, false, true, '')::pg_catalog.text END, \
             pg_catalog.current_setting('transaction_read_only') OPERATOR(pg_catalog.=) 'on', \
             pg_catalog.transaction_timestamp() OPERATOR(pg_catalog.<>) pg_catalog.statement_timestamp();\n",
            table = Literal(&self.table),
            verdict = Literal(&verdict),
        )
    }

    /// One row of text: how many contexts are as the catalog has them, how many migrations are newer,
    /// and whether one of those is breaking.
    ///
    /// It costs the same however many migrations there are: each row carries the digest over its
    /// context's rows up to it, and its foreign key to the row before it keeps rows from
    /// being taken out in between.
    fn verdict(&self, catalog: &Catalog) -> String {
        let mut sql = String::from(
            "SELECT pg_catalog.concat(pg_catalog.count(m.ordinal), ' ', pg_catalog.sum(n.newer), ' ', \
             pg_catalog.bool_or(n.breaking)) AS v FROM (VALUES ",
        );
        if wanted(catalog).next().is_none() {
            sql.push_str("(''::pg_catalog.text, 0, ''::pg_catalog.text)");
        }
        for (n, context) in wanted(catalog).enumerate() {
            let comma = if n > 0 { ", " } else { "" };
            let (name, count, digest) = (Literal(context.name()), context.count(), context.digest());
            let _ = write!(sql, "{comma}({name}::pg_catalog.text, {count}, '{digest}'::pg_catalog.text)");
        }
        let table = &self.table;
        let _ = write!(
            sql,
            ") AS w (context, ordinal, digest) LEFT JOIN {table} AS m \
             ON m.context OPERATOR(pg_catalog.=) w.context AND m.ordinal OPERATOR(pg_catalog.=) w.ordinal \
             AND m.digest OPERATOR(pg_catalog.=) w.digest AND m.state OPERATOR(pg_catalog.=) 'applied' \
             CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS newer, \
             pg_catalog.bool_or(l.breaking OR l.state OPERATOR(pg_catalog.<>) 'applied') AS breaking FROM {table} AS l \
             WHERE l.context OPERATOR(pg_catalog.=) w.context AND l.ordinal OPERATOR(pg_catalog.>) w.ordinal) AS n"
        );
        sql
    }

    /// Reads what [`Tracker::probe`] returned; none if the reply has no such row.
    pub(crate) fn probed(&self, catalog: &Catalog, reply: &Reply) -> Option<(Probe, Standing, bool)> {
        let row = reply.first("probe")?;
        let standing = if row.is_true(2) { Standing::ReadOnly } else { Standing::Writable };
        let probe = match row.value(1) {
            None => Probe::Absent,
            Some(xml) => read_verdict(xml, wanted(catalog).count()).unwrap_or(Probe::Different),
        };
        Some((probe, standing, row.is_true(3)))
    }

    /// All rows, in the order in which they were applied.
    pub(crate) fn history(&self) -> String {
        format!(
            "SELECT 'record' AS \"habitat-migrate\", m.context, m.version, m.description, m.checksum, m.ordinal, m.state, \
             m.breaking, {deployed_at}, m.deployed_by, {execution_time} FROM {table} AS m ORDER BY m.run_order;\n",
            deployed_at = micros("m.deployed_at"),
            execution_time = micros("m.execution_time"),
            table = self.table,
        )
    }

    /// Reads what [`Tracker::history`] returned.
    pub(crate) fn read(reply: &Reply) -> History {
        History::new(reply.rows("record").map(record).collect())
    }

    /// The columns of a table of the tracker's name, to tell whose it is.
    pub(crate) fn shape(&self) -> String {
        format!(
            "SELECT 'column' AS \"habitat-migrate\", a.attname FROM pg_catalog.pg_attribute AS a \
             WHERE a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({}) \
             AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum;\n",
            Literal(&self.table),
        )
    }

    /// What the engine wants to know once it holds the lock: whether the tracker and its schema are there.
    pub(crate) fn presence(&self) -> String {
        format!(
            "pg_catalog.to_regclass({}) IS NOT NULL, pg_catalog.to_regnamespace({}) IS NOT NULL",
            Literal(&self.table),
            Literal(&Ident(&self.schema).to_string()),
        )
    }

    /// Creates the schema, where it is not there.
    pub(crate) fn create_schema(&self) -> String {
        format!("CREATE SCHEMA {};\n", Ident(&self.schema))
    }

    /// Creates the tables. The columns that a person looks for come first.
    pub(crate) fn create(&self) -> String {
        let (table, log) = (&self.table, &self.log);
        format!(
            "CREATE TABLE {table} (\n\
             \x20 version pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 description pg_catalog.text NOT NULL,\n\
             \x20 context pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 deployed_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 deployed_by pg_catalog.text NOT NULL DEFAULT SESSION_USER,\n\
             \x20 execution_time pg_catalog.interval,\n\
             \x20 state pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 checksum pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 breaking pg_catalog.bool NOT NULL DEFAULT false,\n\
             \x20 run_order pg_catalog.int8 GENERATED ALWAYS AS IDENTITY UNIQUE,\n\
             \x20 ordinal pg_catalog.int4 NOT NULL,\n\
             \x20 follows pg_catalog.int4,\n\
             \x20 digest pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 PRIMARY KEY (context, version),\n\
             \x20 UNIQUE (context, ordinal),\n\
             \x20 CONSTRAINT schema_migrations_follows_fkey FOREIGN KEY (context, follows) REFERENCES {table} (context, ordinal),\n\
             \x20 CHECK (ordinal OPERATOR(pg_catalog.=) pg_catalog.int4pl(COALESCE(follows, 0), 1))\n\
             );\n\
             COMMENT ON TABLE {table} IS 'habitat-migrate, format 1: the migrations that this database has';\n\
             COMMENT ON COLUMN {table}.digest IS 'identifies the rows of this context up to this one';\n\
             CREATE TABLE {log} (\n\
             \x20 id pg_catalog.int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,\n\
             \x20 logged_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 event pg_catalog.text NOT NULL,\n\
             \x20 context pg_catalog.text,\n\
             \x20 version pg_catalog.text,\n\
             \x20 checksum pg_catalog.text,\n\
             \x20 execution_time pg_catalog.interval,\n\
             \x20 detail pg_catalog.text,\n\
             \x20 role pg_catalog.text NOT NULL DEFAULT SESSION_USER,\n\
             \x20 client pg_catalog.inet DEFAULT pg_catalog.inet_client_addr(),\n\
             \x20 application pg_catalog.text DEFAULT pg_catalog.current_setting('application_name'),\n\
             \x20 library pg_catalog.text NOT NULL\n\
             );\n\
             COMMENT ON TABLE {log} IS 'habitat-migrate, format 1: everything that was done, append-only';\n"
        )
    }

    /// Records that a migration begins. Whoever comes second waits here, and then fails on the primary key.
    pub(crate) fn begin(&self, step: &Apply<'_>) -> String {
        let migration = step.migration;
        format!(
            "INSERT INTO {table} (version, description, context, state, checksum, breaking, ordinal, follows, digest) \
             VALUES ({version}, {description}, {context}, 'interrupted', '{checksum}', {breaking}, {ordinal}, {follows}, '{digest}');\n",
            table = self.table,
            version = Literal(migration.version().as_str()),
            description = Literal(migration.description()),
            context = Literal(migration.context()),
            checksum = migration.checksum(),
            breaking = migration.settings().compatibility == Compatibility::Breaking,
            ordinal = step.ordinal,
            follows = if step.ordinal > 1 { (step.ordinal - 1).to_string() } else { "NULL".to_owned() },
            digest = step.digest,
        )
    }

    /// Records that a migration is done, if its transaction is still the one that it began in; else it fails.
    ///
    /// The row's `xmin` is the transaction that inserted it.
    /// <https://www.postgresql.org/docs/current/ddl-system-columns.html>
    pub(crate) fn finish(&self, step: &Apply<'_>) -> String {
        format!(
            "WITH done AS (UPDATE {table} AS m SET state = 'applied', \
             execution_time = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) m.deployed_at \
             WHERE m.context OPERATOR(pg_catalog.=) {context} AND m.version OPERATOR(pg_catalog.=) {version} \
             AND m.xmin OPERATOR(pg_catalog.=) pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid \
             RETURNING m.context, m.version, m.checksum, m.execution_time), \
             logged AS (INSERT INTO {log} (event, context, version, checksum, execution_time, library) \
             SELECT 'apply', d.context, d.version, d.checksum, d.execution_time, '{library}' FROM done AS d \
             RETURNING execution_time) \
             SELECT 'applied' AS \"habitat-migrate\", pg_catalog.max({micros}), \
             CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.=) 1 THEN '1' ELSE '{ENDED}' END::pg_catalog.int4 \
             FROM logged AS d;\n",
            table = self.table,
            log = self.log,
            context = Literal(step.migration.context()),
            version = Literal(step.migration.version().as_str()),
            library = LIBRARY,
            micros = micros("d.execution_time"),
        )
    }

    /// Notes down that a migration failed.
    pub(crate) fn failed(&self, id: &MigrationId, detail: &str) -> String {
        format!(
            "INSERT INTO {log} (event, context, version, detail, library) \
             VALUES ('failure', {context}, {version}, {detail}, '{library}');\n",
            log = self.log,
            context = Literal(id.context()),
            version = Literal(id.version().as_str()),
            detail = Literal(detail),
            library = LIBRARY,
        )
    }
}

/// What the server complains about when a script has ended the transaction that it ran in.
pub(crate) const ENDED: &str = "the script ended its own transaction";

const LIBRARY: &str = concat!("habitat-migrate ", env!("CARGO_PKG_VERSION"));

/// The contexts with versioned migrations.
fn wanted(catalog: &Catalog) -> impl Iterator<Item = &habitat_migrate_catalog::Context> {
    catalog.contexts().iter().filter(|context| context.count() > 0)
}

/// A time or an interval as microseconds, whatever `DateStyle` and `IntervalStyle` are.
fn micros(column: &str) -> String {
    format!("(EXTRACT(epoch FROM {column}) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8")
}

fn read_verdict(xml: &str, contexts: usize) -> Option<Probe> {
    let (_, rest) = xml.split_once("<v>")?;
    let (verdict, _) = rest.split_once("</v>")?;
    let mut words = verdict.split(' ');
    let matching: usize = words.next()?.parse().ok()?;
    let newer = words.next()?.parse().ok()?;
    let breaking = words.next()?.starts_with('t');
    let compatibility = if breaking { Compatibility::Breaking } else { Compatibility::Compatible };
    Some(if matching == contexts { Probe::Current { newer, compatibility } } else { Probe::Different })
}

fn record(row: &Row) -> Record {
    let micros: i64 = row.number(8).unwrap_or_default();
    Record {
        id: MigrationId::new(row.text(1).to_owned(), Version::new(row.text(2).to_owned())),
        description: row.text(3).to_owned(),
        checksum: row.text(4).to_owned(),
        ordinal: row.number(5).unwrap_or_default(),
        state: if row.text(6) == "applied" { State::Applied } else { State::Interrupted },
        compatibility: if row.is_true(7) { Compatibility::Breaking } else { Compatibility::Compatible },
        deployed_at: DateTime::from_timestamp_micros(micros).unwrap_or_default(),
        deployed_by: row.text(9).to_owned(),
        execution_time: row.micros(10),
    }
}
