//! The tracker: the tables that tell which migrations a database has, and every statement about them.
//!
//! Statements name schemas everywhere, `pg_catalog` included: a function or an operator of the same name
//! that stands first on the search path must not be called in their place.
//! <https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH>

use chrono::DateTime;
use habitat_migrate_catalog::{Catalog, Compatibility, Context, Migration, MigrationId, Version};

use crate::client::{Reply, Row};
use crate::history::{History, Record, State};
use crate::sql::{Ident, Literal};

mod audit;
mod backfill;
mod change;
mod format;
mod offline;
mod progress;
mod record;
mod rights;
mod shape;

pub(crate) use backfill::{Bound, ELSEWHERE};
pub(crate) use format::FORMAT;
pub(crate) use progress::{Direction, FoundIndex, IndexWork, Progress, indexes_there};
pub(crate) use record::{ENDED, Mark};
pub(crate) use rights::Rights;
pub(crate) use shape::Shape;

/// Where the tracker's tables are, and the statements about them.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    schema: String,
    table: String,
    log: String,
    environments: String,
    progress: String,
}

/// What [`Tracker::probe`] found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// There is no tracker.
    Absent,
    /// The catalog is applied, exactly: what of it such a database gets. The database has `newer` migrations more in its contexts.
    Current { present: usize, newer: usize, compatibility: Compatibility },
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

/// What there is of the tracker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Presence {
    pub(crate) table: bool,
    pub(crate) schema: bool,
    pub(crate) environments: bool,
    /// The format of the table, if it is there.
    pub(crate) format: u32,
}

impl Presence {
    /// Reads what [`Tracker::presence`] selects, from this column on.
    pub(crate) fn read(row: &Row, column: usize) -> Self {
        Self {
            table: row.is_true(column),
            schema: row.is_true(column + 1),
            format: row.number(column + 2).unwrap_or_default(),
            environments: row.is_true(column + 3),
        }
    }
}

impl Tracker {
    pub(crate) fn new(schema: &str) -> Self {
        let table = format!("{}.schema_migrations", Ident(schema));
        let log = format!("{}.schema_migrations_log", Ident(schema));
        let environments = format!("{}.schema_migrations_environment", Ident(schema));
        let progress = format!("{}.schema_migrations_progress", Ident(schema));
        Self { schema: schema.to_owned(), table, log, environments, progress }
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
    pub(crate) fn probe(&self, catalog: &Catalog, said: Option<&str>) -> String {
        let mut sql = format!(
            "SELECT 'probe' AS \"habitat-migrate\", {ends}, pg_catalog.current_setting('transaction_read_only'), \
             pg_catalog.transaction_timestamp(), pg_catalog.statement_timestamp()",
            ends = if_there(&self.table, &self.ends(catalog)),
        );
        if said.is_some() || unordered(catalog).any(|m| !m.settings().environments.is_empty()) {
            sql.push_str(", ");
            sql.push_str(&self.environment());
        }
        sql + ";\n"
    }

    /// For each context the row that the catalog's last one must be, and those beyond it; and the rows of what stands outside of the order.
    ///
    /// It costs the same however many migrations there are: each row carries the digest over its
    /// context's rows up to it, and its foreign key to the row before it keeps rows from being taken out
    /// in between. No function and no aggregate: a boot comes on a new connection, where every name that is
    /// looked up for the first time costs as much as a row.
    fn ends(&self, catalog: &Catalog) -> String {
        let context = |(n, context): (usize, &Context)| {
            format!(
                "SELECT {n} AS c, m.ordinal AS o, m.digest AS d, m.state AS s, m.breaking AS b FROM {table} AS m \
                 WHERE m.context OPERATOR(pg_catalog.=) {name} AND m.ordinal OPERATOR(pg_catalog.>=) {count}",
                table = self.table,
                name = Literal(context.name()),
                count = context.count(),
            )
        };
        let migration = |(n, migration): (usize, &Migration)| {
            format!(
                "SELECT {n} AS c, 0 AS o, m.checksum AS d, m.state AS s, m.breaking AS b FROM {table} AS m \
                 WHERE m.context OPERATOR(pg_catalog.=) {context} AND m.version OPERATOR(pg_catalog.=) {version}",
                table = self.table,
                context = Literal(migration.context()),
                version = Literal(migration.version().as_str()),
            )
        };
        let mut rows: Vec<String> = wanted(catalog).enumerate().map(context).collect();
        rows.extend((rows.len()..).zip(unordered(catalog)).map(migration));
        match rows.is_empty() {
            // A catalog without migrations has no end.
            true => format!("SELECT m.ordinal AS o FROM {} AS m WHERE false", self.table),
            false => rows.join(" UNION ALL "),
        }
    }

    /// The environment that the database is recorded to belong to, as an expression.
    fn environment(&self) -> String {
        let query = format!("SELECT e.name AS e FROM {} AS e", self.environments);
        if_there(&self.environments, &query)
    }

    /// Reads what [`Tracker::probe`] returned; none if the reply has no such row.
    pub(crate) fn probed(&self, catalog: &Catalog, said: Option<&str>, reply: &Reply) -> Option<Probed> {
        let row = reply.first("probe")?;
        let recorded = row.value(5).and_then(|xml| element(xml, "e"));
        let probe = match row.value(1) {
            None => Probe::Absent,
            // It is to be recorded, or refused.
            Some(_) if said.is_some() && said != recorded => Probe::Different,
            Some(xml) => read_ends(catalog, recorded, xml),
        };
        let standing = if row.text(2) == "on" { Standing::ReadOnly } else { Standing::Writable };
        // Outside of a transaction each message begins one of its own, at the time at which it arrives.
        Some(Probed { probe, standing, in_transaction: row.value(3) != row.value(4) })
    }

    /// All rows, in the order in which they were applied.
    pub(crate) fn history(&self) -> String {
        format!(
            "SELECT 'record' AS \"habitat-migrate\", m.context, m.version, m.description, m.checksum, m.ordinal, m.state, \
             m.breaking, {deployed_at}, m.deployed_by, {execution_time} FROM {table} AS m ORDER BY m.run_order;\n{environment}",
            environment = self.purpose(),
            deployed_at = micros("m.deployed_at"),
            execution_time = micros("m.execution_time"),
            table = self.table,
        )
    }

    /// The recorded environment, which may be there before any migration is.
    pub(crate) fn purpose(&self) -> String {
        format!("SELECT 'environment' AS \"habitat-migrate\", {};\n", self.environment())
    }

    /// Reads what [`Tracker::history`] or [`Tracker::purpose`] returned.
    pub(crate) fn read(reply: &Reply) -> History {
        let environment = reply.first("environment").and_then(|row| element(row.value(1)?, "e"));
        History::new(reply.rows("record").map(record).collect())
            .with_environment(environment.map(str::to_owned))
    }

    /// The down scripts that were recorded.
    pub(crate) fn scripts(&self) -> String {
        format!(
            "SELECT 'script' AS \"habitat-migrate\", m.context, m.version, m.down FROM {} AS m WHERE m.down IS NOT NULL;\n",
            self.table
        )
    }

    /// Adds what [`Tracker::scripts`] returned to a history.
    pub(crate) fn read_scripts(history: History, reply: &Reply) -> History {
        let scripts = reply.rows("script").map(|row| {
            (
                MigrationId::new(row.text(1).to_owned(), Version::new(row.text(2).to_owned())),
                row.text(3).to_owned(),
            )
        });
        history.with_scripts(scripts.collect())
    }

    /// What the engine wants to know once it holds the lock: see [`Presence`].
    pub(crate) fn presence(&self) -> String {
        format!(
            "pg_catalog.to_regclass({0}) IS NOT NULL, pg_catalog.to_regnamespace({1}) IS NOT NULL, \
             {3}, pg_catalog.to_regclass({2}) IS NOT NULL",
            Literal(&self.table),
            Literal(&Ident(&self.schema).to_string()),
            Literal(&self.environments),
            self.format(),
        )
    }
}

/// The contexts with an order.
fn wanted(catalog: &Catalog) -> impl Iterator<Item = &Context> {
    catalog.contexts().iter().filter(|context| context.count() > 0)
}

/// A time or an interval as microseconds, whatever `DateStyle` and `IntervalStyle` are.
fn micros(column: &str) -> String {
    format!("(EXTRACT(epoch FROM {column}) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8")
}

/// The migrations that stand outside of their context's order.
fn unordered(catalog: &Catalog) -> impl Iterator<Item = &Migration> {
    catalog.migrations().iter().filter(|migration| !migration.is_ordered())
}

/// The rows of a query as XML, if the table that it reads is there.
fn if_there(table: &str, query: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.to_regclass({}) IS NOT NULL THEN pg_catalog.query_to_xml({}, false, true, '') END",
        Literal(table),
        Literal(query)
    )
}

/// The text of an XML element.
pub(crate) fn element<'x>(xml: &'x str, name: &str) -> Option<&'x str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    rest.split_once(&format!("</{name}>")).map(|(value, _)| value)
}

/// Compares the rows of [`Tracker::ends`] with the catalog.
fn read_ends(catalog: &Catalog, environment: Option<&str>, xml: &str) -> Probe {
    let contexts: Vec<&Context> = wanted(catalog).collect();
    let extra: Vec<&Migration> = unordered(catalog).collect();
    let mut matching = 0;
    let mut there = 0;
    let mut newer = 0;
    let mut compatibility = Compatibility::Compatible;
    for row in xml.split("</row>") {
        let number = |name| element(row, name).and_then(|value| value.parse::<usize>().ok());
        let (Some(n), Some(ordinal)) = (number("c"), number("o")) else { continue };
        let applied = element(row, "s") == Some("applied");
        let is = |text: String| applied && element(row, "d") == Some(text.as_str());
        match contexts.get(n) {
            Some(context) if ordinal > context.count() => {
                newer += 1;
                if !applied || element(row, "b") != Some("false") {
                    compatibility = Compatibility::Breaking;
                }
            }
            Some(context) => matching += usize::from(is(context.digest().to_string())),
            None => {
                let Some(migration) = extra.get(n - contexts.len()) else { return Probe::Different };
                if !is(migration.checksum().to_string()) {
                    return Probe::Different;
                }
                there += usize::from(migration.is_for(environment));
            }
        }
    }
    let wanted = extra.iter().filter(|migration| migration.is_for(environment)).count();
    if matching < contexts.len() || there < wanted {
        return Probe::Different;
    }
    let present = contexts.iter().map(|context| context.count()).sum::<usize>() + there;
    Probe::Current { present, newer, compatibility }
}

fn record(row: &Row) -> Record {
    let micros: i64 = row.number(8).unwrap_or_default();
    Record {
        id: MigrationId::new(row.text(1).to_owned(), Version::new(row.text(2).to_owned())),
        description: row.text(3).to_owned(),
        checksum: row.text(4).to_owned(),
        ordinal: row.number(5),
        state: match row.text(6) {
            "applied" => State::Applied,
            "replaced" => State::Replaced,
            _ => State::Interrupted,
        },
        compatibility: if row.is_true(7) { Compatibility::Breaking } else { Compatibility::Compatible },
        deployed_at: DateTime::from_timestamp_micros(micros).unwrap_or_default(),
        deployed_by: row.text(9).to_owned(),
        execution_time: row.micros(10),
        down: None,
    }
}
