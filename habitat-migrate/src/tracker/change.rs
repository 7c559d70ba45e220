//! The statements of [`Change`]s.

use std::fmt::Write as _;

use super::record::{CHAINED, LIBRARY};
use super::{Mark, Tracker};
use crate::plan::{Change, Link};
use crate::sql::Literal;

impl Tracker {
    /// The statements that make a change, and log it.
    pub(crate) fn change(&self, change: &Change<'_>) -> String {
        let table = &self.table;
        match change {
            Change::Record { step, down, instead, event, deployed, why } => {
                let time = (!instead.is_empty()).then(|| self.time_of(instead));
                let mut sql = self.insert(step, down.as_deref(), Mark::Applied, time.as_deref());
                let id = step.migration.id();
                let took = deployed.took.unwrap_or_default().as_micros();
                let mut known = vec![format!("execution_time = '{took} microseconds'::pg_catalog.interval")];
                known.push(CHAINED.to_owned());
                known.extend(
                    deployed
                        .at
                        .as_ref()
                        .map(|at| format!("deployed_at = {}::pg_catalog.timestamptz", Literal(at))),
                );
                known.extend(deployed.by.as_ref().map(|by| format!("deployed_by = {}", Literal(by))));
                let _ =
                    writeln!(sql, "UPDATE {table} AS m SET {} WHERE {};", known.join(", "), this("m", id));
                sql + &self.logged(event, id, why)
            }
            Change::Complete { id, why } => format!(
                "UPDATE {table} AS m SET state = 'applied', execution_time = pg_catalog.make_interval(), \
                 {CHAINED} WHERE {};\n{}",
                this("m", id),
                self.logged("mark", id, why)
            ),
            Change::Forget { id, why } => {
                format!("{}{}", self.unlink(id), self.forget(id, "forget", Some(why)))
            }
            Change::Replace { id, by } => format!(
                "UPDATE {table} AS m SET state = 'replaced' WHERE {};\n{}",
                this("m", id),
                self.logged("replace", id, &format!("{by} stands for it"))
            ),
            Change::Accept { id, checksum, why } => format!(
                "UPDATE {table} AS m SET checksum = {} WHERE {};\n{}",
                Literal(checksum),
                this("m", id),
                self.logged("accept", id, why)
            ),
            Change::Order { context, from, links } => self.order(context, *from, links),
        }
    }

    /// The place in the order of time of the last of some records, as an expression.
    fn time_of(&self, ids: &[habitat_migrate_catalog::MigrationId]) -> String {
        let these: Vec<String> = ids.iter().map(|id| this("n", id)).collect();
        format!("(SELECT pg_catalog.max(n.run_order) FROM {} AS n WHERE {})", self.table, these.join(" OR "))
    }

    /// Takes the records behind one out of their order, so that it can go.
    fn unlink(&self, id: &habitat_migrate_catalog::MigrationId) -> String {
        format!(
            "UPDATE {table} AS m SET follows = NULL, ordinal = NULL WHERE m.context OPERATOR(pg_catalog.=) {context} \
             AND m.ordinal OPERATOR(pg_catalog.>=) (SELECT n.ordinal FROM {table} AS n WHERE {this});\n",
            table = self.table,
            context = Literal(id.context()),
            this = this("n", id),
        )
    }

    /// Puts records in order: first out of it, since each place is there once.
    fn order(&self, context: &str, from: u32, links: &[Link]) -> String {
        let (table, context) = (&self.table, Literal(context));
        let mut sql = format!(
            "UPDATE {table} AS m SET follows = NULL, ordinal = NULL WHERE m.context OPERATOR(pg_catalog.=) {context} \
             AND m.ordinal OPERATOR(pg_catalog.>=) {from};\n"
        );
        for Link { version, checksum, ordinal, digest } in links {
            let follows = if *ordinal > 1 { (ordinal - 1).to_string() } else { "NULL".to_owned() };
            let _ = writeln!(
                sql,
                "UPDATE {table} AS m SET ordinal = {ordinal}, follows = {follows}, digest = '{digest}', checksum = {checksum} \
                 WHERE m.context OPERATOR(pg_catalog.=) {context} AND m.version OPERATOR(pg_catalog.=) {version};",
                checksum = Literal(checksum),
                version = Literal(version.as_str()),
            );
        }
        sql
    }

    /// Logs a change of a record, with the checksum that it has now.
    fn logged(&self, event: &str, id: &habitat_migrate_catalog::MigrationId, why: &str) -> String {
        format!(
            "INSERT INTO {log} (event, context, version, checksum, detail, library) \
             SELECT {event}, m.context, m.version, m.checksum, {why}, '{LIBRARY}' FROM {table} AS m WHERE {this};\n",
            log = self.log,
            table = self.table,
            event = Literal(event),
            why = Literal(why),
            this = this("m", id),
        )
    }
}

/// Whether a row is a migration's.
fn this(row: &str, id: &habitat_migrate_catalog::MigrationId) -> String {
    format!(
        "{row}.context OPERATOR(pg_catalog.=) {} AND {row}.version OPERATOR(pg_catalog.=) {}",
        Literal(id.context()),
        Literal(id.version().as_str())
    )
}
