//! What a login may do with a tracker, and the statements that let it do more: [`Rights`].

use super::Tracker;
use crate::client::Row;
use crate::sql::{Ident, Literal};

/// The rights that a login has on a tracker, and where that is.
#[derive(Clone, Debug)]
pub(crate) struct Rights {
    login: String,
    database: String,
    schema: bool,
    table: bool,
    usage: bool,
    select: bool,
    write: bool,
    log: bool,
    delete: bool,
    environments: bool,
    create: bool,
    /// Whether the table of the backfills may be written to, if it is there.
    backfill: Option<bool>,
}

impl Rights {
    /// Reads the row of [`Tracker::rights`].
    pub(crate) fn read(row: &Row) -> Self {
        Self {
            login: row.text(1).to_owned(),
            database: row.text(2).to_owned(),
            schema: row.is_true(3),
            table: row.is_true(4),
            usage: row.is_true(5),
            select: row.is_true(6),
            write: row.is_true(7),
            log: row.is_true(8),
            delete: row.is_true(9),
            environments: row.is_true(10),
            create: row.is_true(11),
            backfill: row.value(12).map(|_| row.is_true(12)),
        }
    }

    /// The statements that give what is lacking: to create the tracker, to read it, or to write to it as well.
    pub(crate) fn grants(&self, tracker: &Tracker, write: bool, delete: bool) -> Vec<String> {
        let login = Ident(&self.login);
        let (schema, table, log) = (Ident(&tracker.schema), &tracker.table, &tracker.log);
        if !self.schema {
            return vec![format!("GRANT CREATE ON DATABASE {} TO {login};", Ident(&self.database))];
        }
        // Since PostgreSQL 15 only the database's owner may create tables in `public`.
        // <https://www.postgresql.org/docs/15/release-15.html#id-1.11.6.22.4>
        if !self.table {
            return vec![format!("GRANT USAGE, CREATE ON SCHEMA {schema} TO {login};")];
        }
        let mut grants = Vec::new();
        if !self.usage {
            grants.push(format!("GRANT USAGE ON SCHEMA {schema} TO {login};"));
        }
        if write && !self.write {
            grants.push(format!("GRANT SELECT, INSERT, UPDATE ON {table} TO {login};"));
        } else if !self.select {
            grants.push(format!("GRANT SELECT ON {table} TO {login};"));
        }
        if delete && !self.delete {
            grants.push(format!("GRANT DELETE ON {table} TO {login};"));
        }
        if write && !self.log {
            grants.push(format!("GRANT SELECT, INSERT ON {log} TO {login};"));
        }
        if !self.environments {
            grants.push(format!("GRANT SELECT ON {} TO {login};", tracker.environments));
        }
        // What a backfill needs besides, if it is not one of these that are lacking.
        if write && grants.is_empty() {
            match self.backfill {
                Some(false) => {
                    let table = tracker.backfill_table();
                    grants.push(format!("GRANT SELECT, INSERT, UPDATE ON {table} TO {login};"));
                }
                None if !self.create => grants.push(format!("GRANT CREATE ON SCHEMA {schema} TO {login};")),
                _ => {}
            }
        }
        grants
    }
}

impl Tracker {
    /// Asks which rights this login has on the tracker; null where there is nothing to have a right on.
    ///
    /// By the catalog's rows: a function that takes a name fails where the schema may not be used.
    pub(crate) fn rights(&self) -> String {
        let table = |name: &str| {
            format!(
                "(SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relnamespace OPERATOR(pg_catalog.=) n.oid \
                 AND c.relname OPERATOR(pg_catalog.=) '{name}')"
            )
        };
        let [migrations, log, environments] =
            ["schema_migrations", "schema_migrations_log", "schema_migrations_environment"].map(table);
        let backfill = table("schema_migrations_backfill");
        format!(
            "SELECT 'rights' AS \"habitat-migrate\", CURRENT_USER, d.datname, n.oid IS NOT NULL, {migrations} IS NOT NULL, \
             pg_catalog.has_schema_privilege(n.oid, 'USAGE'), \
             pg_catalog.has_table_privilege({migrations}, 'SELECT'), \
             pg_catalog.has_table_privilege({migrations}, 'INSERT') AND pg_catalog.has_table_privilege({migrations}, 'UPDATE'), \
             pg_catalog.has_table_privilege({log}, 'SELECT') AND pg_catalog.has_table_privilege({log}, 'INSERT'), \
             pg_catalog.has_table_privilege({migrations}, 'DELETE'), \
             COALESCE(pg_catalog.has_table_privilege({environments}, 'SELECT'), true), \
             pg_catalog.has_schema_privilege(n.oid, 'CREATE'), pg_catalog.has_table_privilege({backfill}, 'SELECT') \
             AND pg_catalog.has_table_privilege({backfill}, 'INSERT') AND pg_catalog.has_table_privilege({backfill}, 'UPDATE') \
             FROM pg_catalog.pg_database AS d LEFT JOIN pg_catalog.pg_namespace AS n \
             ON n.nspname OPERATOR(pg_catalog.=) {schema} \
             WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database();\n",
            schema = Literal(&self.schema),
        )
    }
}
