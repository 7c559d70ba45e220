//! What the tracker's tables look like: their format, and the way from an older one.

use super::Tracker;
use super::record::LIBRARY;
use crate::sql::{Ident, Literal};

/// The format that this library writes; the tables' comments name it.
pub(crate) const FORMAT: u32 = 2;

impl Tracker {
    /// Creates the schema, where it is not there.
    pub(crate) fn create_schema(&self) -> String {
        format!("CREATE SCHEMA {};\n", Ident(&self.schema))
    }

    /// Creates the tables. The columns that a person looks for come first.
    ///
    /// Nothing here is checked or filled in by the table that the engine's own statements can say: a check and a default
    /// are read, parsed and prepared anew for every row, which a first boot of a thousand migrations feels.
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
             \x20 ordinal pg_catalog.int4,\n\
             \x20 follows pg_catalog.int4,\n\
             \x20 digest pg_catalog.text COLLATE pg_catalog.\"C\",\n\
             \x20 down pg_catalog.text,\n\
             \x20 PRIMARY KEY (context, version),\n\
             \x20 UNIQUE (context, ordinal),\n\
             \x20 CONSTRAINT schema_migrations_follows_fkey FOREIGN KEY (context, follows) REFERENCES {table} (context, ordinal)\n\
             );\n\
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
             {comments}{created}",
            comments = self.comments(),
            created = self.changed("create"),
        )
    }

    /// Brings the tables from an older format to this one, row by row as they are.
    pub(crate) fn upgrade(&self, from: u32) -> String {
        let (table, log) = (&self.table, &self.log);
        let mut sql = String::new();
        if from < 2 {
            // A script that takes a migration back is kept; what repeats, and what only some environments have, stands
            // outside of the order. See `create` for the checks.
            sql.push_str(&format!(
                "ALTER TABLE {table} ADD COLUMN down pg_catalog.text, ALTER COLUMN ordinal DROP NOT NULL, \
                 ALTER COLUMN digest DROP NOT NULL, DROP CONSTRAINT schema_migrations_check;\n\
                 ALTER TABLE {log} DROP CONSTRAINT schema_migrations_log_check;\n"
            ));
        }
        sql.push_str(&self.comments());
        sql.push_str(&self.changed("upgrade"));
        sql
    }

    /// Records which environment the database belongs to, where nothing is recorded; creates the table that keeps it.
    pub(crate) fn record_environment(&self, name: &str, there: bool) -> String {
        let table = &self.environments;
        let create = self.create_environments();
        let create = if there { "" } else { create.as_str() };
        format!(
            "{create}INSERT INTO {table} (name) VALUES ({name}) ON CONFLICT (singular) DO UPDATE SET name = EXCLUDED.name, \
             recorded_at = EXCLUDED.recorded_at, recorded_by = EXCLUDED.recorded_by;\n\
             INSERT INTO {log} (event, detail, library) VALUES ('environment', {name}, '{LIBRARY}');\n",
            log = self.log,
            name = Literal(name),
        )
    }

    /// Records which environment the database belongs to where the tracker is not there yet, and lets everybody read it.
    #[cfg(feature = "provision")]
    pub(crate) fn declare_environment(&self, name: &str, there: bool) -> String {
        let table = &self.environments;
        let create = if there { String::new() } else { self.create_environments() };
        format!(
            "{create}GRANT SELECT ON {table} TO PUBLIC;\nINSERT INTO {table} (name) VALUES ({});\n",
            Literal(name)
        )
    }

    fn create_environments(&self) -> String {
        let table = &self.environments;
        format!(
            "CREATE TABLE {table} (\n\
             \x20 name pg_catalog.text NOT NULL,\n\
             \x20 recorded_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 recorded_by pg_catalog.text NOT NULL DEFAULT SESSION_USER,\n\
             \x20 singular pg_catalog.bool PRIMARY KEY DEFAULT true CHECK (singular)\n\
             );\n\
             COMMENT ON TABLE {table} IS 'habitat-migrate: the environment that this database belongs to';\n"
        )
    }

    /// The format of the table, as an expression: what its comment says; where somebody took that away, what its columns tell.
    pub(crate) fn format(&self) -> String {
        let table = Literal(&self.table);
        format!(
            "COALESCE(pg_catalog.substring(pg_catalog.obj_description(pg_catalog.to_regclass({table}), 'pg_class'), \
             'habitat-migrate, format ([0-9]{{1,9}})')::pg_catalog.int4, CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_attribute AS a \
             WHERE a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({table}) AND NOT a.attisdropped \
             AND a.attname OPERATOR(pg_catalog.=) 'down') THEN 2 ELSE 1 END)"
        )
    }

    fn comments(&self) -> String {
        let (table, log) = (&self.table, &self.log);
        format!(
            "COMMENT ON TABLE {table} IS 'habitat-migrate, format {FORMAT}: the migrations that this database has';\n\
             COMMENT ON COLUMN {table}.digest IS 'identifies the rows of this context up to this one';\n\
             COMMENT ON COLUMN {table}.down IS 'the script that takes the migration back, as it was when it was applied';\n\
             COMMENT ON TABLE {log} IS 'habitat-migrate, format {FORMAT}: everything that was done, append-only';\n"
        )
    }
}
