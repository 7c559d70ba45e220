//! The tracker: the tables that tell which migrations a database has, and every statement about them.
//!
//! Statements name schemas everywhere, `pg_catalog` included: a function or an operator of the same name
//! that stands first on the search path must not be called in their place.
//! <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>

use chrono::DateTime;
use habitat_migrate_catalog::{Catalog, Compatibility, Context, MigrationId, Version};

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

/// What the first question of a run found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Probed {
    pub(crate) probe: Probe,
    pub(crate) standing: Standing,
    /// Whether the caller has begun a transaction.
    pub(crate) in_transaction: bool,
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
        let ends = self.ends(catalog);
        format!(
            "SELECT 'probe' AS \"habitat-migrate\", CASE WHEN pg_catalog.to_regclass({table}) IS NOT NULL \
             THEN pg_catalog.query_to_xml({ends}, false, true, '') END, \
             pg_catalog.current_setting('transaction_read_only'), \
             pg_catalog.transaction_timestamp(), pg_catalog.statement_timestamp();\n",
            table = Literal(&self.table),
            ends = Literal(&ends),
        )
    }

    /// For each context the row that the catalog's last one must be, and those beyond it.
    ///
    /// It costs the same however many migrations there are: each row carries the digest over its
    /// context's rows up to it, and its foreign key to the row before it keeps rows from being taken out
    /// in between. No function and no aggregate: a boot comes on a new connection, where every name that is
    /// looked up for the first time costs as much as a row.
    fn ends(&self, catalog: &Catalog) -> String {
        let row = |(n, context): (usize, &Context)| {
            format!(
                "SELECT {n} AS c, m.ordinal AS o, m.digest AS d, m.state AS s, m.breaking AS b FROM {table} AS m \
                 WHERE m.context OPERATOR(pg_catalog.=) {name} AND m.ordinal OPERATOR(pg_catalog.>=) {count}",
                table = self.table,
                name = Literal(context.name()),
                count = context.count(),
            )
        };
        let rows: Vec<String> = wanted(catalog).enumerate().map(row).collect();
        match rows.is_empty() {
            // A catalog without versioned migrations has no end.
            true => format!("SELECT m.ordinal AS o FROM {} AS m WHERE false", self.table),
            false => rows.join(" UNION ALL "),
        }
    }

    /// Reads what [`Tracker::probe`] returned; none if the reply has no such row.
    pub(crate) fn probed(&self, catalog: &Catalog, reply: &Reply) -> Option<Probed> {
        let row = reply.first("probe")?;
        let probe = match row.value(1) {
            None => Probe::Absent,
            Some(xml) => read_ends(catalog, xml),
        };
        let standing = if row.text(2) == "on" { Standing::ReadOnly } else { Standing::Writable };
        // Outside of a transaction each message begins one of its own, at the time at which it arrives.
        Some(Probed { probe, standing, in_transaction: row.value(3) != row.value(4) })
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
             \x20 run_order pg_catalog.int8 GENERATED ALWAYS AS IDENTITY,\n\
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
             \x20 library pg_catalog.text NOT NULL,\n\
             \x20 CHECK (event OPERATOR(pg_catalog.<>) 'apply' OR execution_time IS NOT NULL)\n\
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
    /// The row's `xmin` is the transaction that inserted it; where that is another one, `ENDED` is no number.
    /// The log takes no apply without a time, so a record that the script has removed fails it, too.
    /// <https://www.postgresql.org/docs/current/ddl-system-columns.html>
    pub(crate) fn finish(&self, step: &Apply<'_>) -> String {
        format!(
            "UPDATE {table} AS m SET execution_time = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) m.deployed_at, \
             state = pg_catalog.left('applied', CASE WHEN m.xmin OPERATOR(pg_catalog.=) \
             pg_catalog.pg_current_xact_id_if_assigned()::pg_catalog.xid THEN '7' ELSE '{ENDED}' END::pg_catalog.int4) \
             WHERE m.context OPERATOR(pg_catalog.=) {context} AND m.version OPERATOR(pg_catalog.=) {version} \
             RETURNING 'applied' AS \"habitat-migrate\", {micros};\n\
             INSERT INTO {log} (event, context, version, checksum, execution_time, library) \
             VALUES ('apply', {context}, {version}, '{checksum}', (SELECT m.execution_time FROM {table} AS m \
             WHERE m.context OPERATOR(pg_catalog.=) {context} AND m.version OPERATOR(pg_catalog.=) {version}), '{library}');\n",
            table = self.table,
            log = self.log,
            context = Literal(step.migration.context()),
            version = Literal(step.migration.version().as_str()),
            checksum = step.migration.checksum(),
            library = LIBRARY,
            micros = micros("m.execution_time"),
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
fn wanted(catalog: &Catalog) -> impl Iterator<Item = &Context> {
    catalog.contexts().iter().filter(|context| context.count() > 0)
}

/// A time or an interval as microseconds, whatever `DateStyle` and `IntervalStyle` are.
fn micros(column: &str) -> String {
    format!("(EXTRACT(epoch FROM {column}) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8")
}

/// Compares the rows of [`Tracker::ends`] with the catalog.
fn read_ends(catalog: &Catalog, xml: &str) -> Probe {
    let mut matching = 0;
    let mut newer = 0;
    let mut compatibility = Compatibility::Compatible;
    for row in xml.split("</row>") {
        let value = |name: &str| {
            let (_, rest) = row.split_once(&format!("<{name}>"))?;
            rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
        };
        let number = |name| value(name).and_then(|value| value.parse::<usize>().ok());
        let (Some(context), Some(ordinal)) = (number("c"), number("o")) else { continue };
        let Some(context) = wanted(catalog).nth(context) else { return Probe::Different };
        let applied = value("s") == Some("applied");
        if ordinal > context.count() {
            newer += 1;
            if !applied || value("b") != Some("false") {
                compatibility = Compatibility::Breaking;
            }
        } else if applied && value("d") == Some(context.digest().to_string().as_str()) {
            matching += 1;
        }
    }
    let current = matching == wanted(catalog).count();
    if current { Probe::Current { newer, compatibility } } else { Probe::Different }
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
