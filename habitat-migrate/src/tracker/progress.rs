//! How far a migration came that runs without a transaction: the table, and every statement about it.
//!
//! Statements of scripts are kept as checksums: what a script says may be a secret.

use habitat_migrate_catalog::{Checksum, Compatibility, MigrationId, Version};

use super::record::{CHAINED, LIBRARY};
use super::{Tracker, micros};
use crate::client::Reply;
use crate::plan::Step;
use crate::sql::Literal;

/// How far a migration came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) direction: Direction,
    /// The checksums of what is done, in order.
    pub(crate) done: Vec<String>,
    /// The checksum of what was sent, and whose end is not recorded.
    pub(crate) under_way: Option<String>,
}

/// Whether a migration is being applied or taken back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    #[default]
    Up,
    Down,
}

impl Direction {
    fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What is known before a statement runs that may leave an invalid index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IndexWork {
    /// `create` or `reindex`.
    pub(crate) kind: &'static str,
    /// The tables whose indexes it may be about, as an array of object identifiers; none for all.
    pub(crate) relations: Option<String>,
    /// The index's name, where the statement gives it.
    pub(crate) name: Option<String>,
    /// The indexes that are there before, as such an array.
    pub(crate) before: String,
}

/// An index that a statement may have left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundIndex {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) is_valid: bool,
    /// Whether it was not there before the statement.
    pub(crate) is_new: bool,
}

impl Tracker {
    /// The table that tells how far migrations came; where none is under way it is empty.
    pub(crate) fn progress(&self) -> &str {
        &self.progress
    }

    /// Creates the table, where it is not there.
    pub(crate) fn create_progress(&self) -> String {
        let table = &self.progress;
        format!(
            "CREATE TABLE {table} (\n\
             \x20 context pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 version pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL,\n\
             \x20 direction pg_catalog.text NOT NULL,\n\
             \x20 done pg_catalog.text[] NOT NULL,\n\
             \x20 under_way pg_catalog.text,\n\
             \x20 index_work pg_catalog.text,\n\
             \x20 index_relations pg_catalog.oid[],\n\
             \x20 index_name pg_catalog.text,\n\
             \x20 indexes_before pg_catalog.oid[],\n\
             \x20 spent pg_catalog.interval NOT NULL,\n\
             \x20 started_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 updated_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),\n\
             \x20 PRIMARY KEY (context, version)\n\
             );\n\
             COMMENT ON TABLE {table} IS 'habitat-migrate: how far migrations came that run without a transaction';\n\
             COMMENT ON COLUMN {table}.done IS 'the checksums of the statements that are done';\n\
             COMMENT ON COLUMN {table}.under_way IS 'the checksum of the statement whose end is not recorded';\n"
        )
    }

    /// Reads how far migrations came.
    pub(crate) fn read_progress(&self) -> String {
        format!(
            "SELECT 'progress' AS \"habitat-migrate\", p.context, p.version, p.direction, p.under_way, \
             pg_catalog.array_to_string(p.done, ' ') FROM {} AS p;\n",
            self.progress
        )
    }

    /// Reads what [`Tracker::read_progress`] returned.
    pub(crate) fn progresses(reply: &Reply) -> Vec<(MigrationId, Progress)> {
        let progress = |row: &crate::client::Row| {
            let id = MigrationId::new(row.text(1).to_owned(), Version::new(row.text(2).to_owned()));
            let direction = if row.text(3) == "down" { Direction::Down } else { Direction::Up };
            let under_way = row.value(4).map(str::to_owned);
            let done = row.text(5).split_whitespace().map(str::to_owned).collect();
            (id, Progress { direction, done, under_way })
        };
        reply.rows("progress").map(progress).collect()
    }

    /// Notes down that a migration begins: nothing of it is done.
    pub(crate) fn begin_progress(&self, id: &MigrationId, direction: Direction) -> String {
        format!(
            "INSERT INTO {} (context, version, direction, done, spent) VALUES ({}, {}, '{}', '{{}}', \
             pg_catalog.make_interval());\n",
            self.progress,
            Literal(id.context()),
            Literal(id.version().as_str()),
            direction.word(),
        )
    }

    /// Marks a record as one of a migration that is being taken back.
    pub(crate) fn interrupt(&self, id: &MigrationId) -> String {
        format!("UPDATE {} AS m SET state = 'interrupted' WHERE {};\n", self.table, is_of("m", id))
    }

    /// Notes down that a statement is about to be sent; it returns a row only if `held`, an expression, is true and what is done is
    /// what this process thinks.
    pub(crate) fn before_statement(
        &self,
        id: &MigrationId,
        done: usize,
        statement: Checksum,
        index: Option<&IndexWork>,
        held: &str,
    ) -> String {
        let text = |value: Option<&str>| value.map_or("NULL".to_owned(), |value| Literal(value).to_string());
        let array = |value: Option<&str>| format!("{}::pg_catalog.oid[]", text(value));
        format!(
            "UPDATE {table} AS p SET under_way = '{statement}', index_work = {work}, index_relations = {relations}, \
             index_name = {name}, indexes_before = {before}, updated_at = pg_catalog.clock_timestamp() \
             WHERE {is_of} AND {is_at} AND {held} RETURNING 'before' AS \"habitat-migrate\";\n",
            table = self.progress,
            work = text(index.map(|index| index.kind)),
            relations = array(index.and_then(|index| index.relations.as_deref())),
            name = text(index.and_then(|index| index.name.as_deref())),
            before = array(index.map(|index| index.before.as_str())),
            is_of = is_of("p", id),
            is_at = is_at(done),
        )
    }

    /// Notes down that a statement is done.
    pub(crate) fn after_statement(&self, id: &MigrationId, done: usize, statement: Checksum) -> String {
        format!(
            "UPDATE {table} AS p SET done = pg_catalog.array_append(p.done, '{statement}'::pg_catalog.text), \
             under_way = NULL, index_work = NULL, index_relations = NULL, index_name = NULL, indexes_before = NULL, \
             spent = p.spent OPERATOR(pg_catalog.+) (pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.updated_at), \
             updated_at = pg_catalog.clock_timestamp() WHERE {is_of} AND {is_at} RETURNING 'after' AS \"habitat-migrate\";\n",
            table = self.progress,
            is_of = is_of("p", id),
            is_at = is_at(done),
        )
    }

    /// Records that a migration is applied, all of whose statements are done, logs it, and returns it.
    pub(crate) fn complete_progress(&self, step: &Step<'_>, down: Option<&str>, done: usize) -> String {
        let migration = step.migration;
        let id = migration.id();
        let digest = step.link.as_ref().map_or("NULL".to_owned(), |link| format!("'{}'", link.digest));
        let down = down.map_or("NULL".to_owned(), |down| Literal(down).to_string());
        format!(
            "WITH gone AS (DELETE FROM {progress} AS p WHERE {is_of} AND {is_at} RETURNING p.context, p.version, p.spent), \
             done AS (UPDATE {table} AS m SET state = 'applied', description = {description}, checksum = '{checksum}', \
             breaking = {breaking}, digest = {digest}, down = {down}, deployed_at = pg_catalog.clock_timestamp(), \
             deployed_by = SESSION_USER, execution_time = g.spent, {CHAINED} FROM gone AS g \
             WHERE m.context OPERATOR(pg_catalog.=) g.context AND m.version OPERATOR(pg_catalog.=) g.version RETURNING m.*), \
             logged AS (INSERT INTO {log} (logged_at, event, context, version, checksum, execution_time, library) \
             SELECT d.deployed_at, 'apply', d.context, d.version, d.checksum, d.execution_time, '{LIBRARY}' FROM done AS d) \
             SELECT 'applied' AS \"habitat-migrate\", d.context, d.version, {micros} FROM done AS d;\n",
            progress = self.progress,
            table = self.table,
            log = self.log,
            is_of = is_of("p", id),
            is_at = is_at(done),
            description = Literal(migration.description()),
            checksum = migration.checksum(),
            breaking = migration.settings().compatibility == Compatibility::Breaking,
            micros = micros("d.execution_time"),
        )
    }

    /// Takes the record of a migration out, all of whose down script is done, logs it, and returns it.
    pub(crate) fn complete_rollback(&self, id: &MigrationId, done: usize) -> String {
        format!(
            "WITH gone AS (DELETE FROM {progress} AS p WHERE {is_of} AND {is_at} RETURNING p.context, p.version, p.spent), \
             removed AS (DELETE FROM {table} AS m USING gone AS g WHERE m.context OPERATOR(pg_catalog.=) g.context \
             AND m.version OPERATOR(pg_catalog.=) g.version RETURNING m.context, m.version, m.checksum, g.spent) \
             INSERT INTO {log} AS l (event, context, version, checksum, execution_time, library) \
             SELECT 'rollback', r.context, r.version, r.checksum, r.spent, '{LIBRARY}' FROM removed AS r \
             RETURNING 'undone' AS \"habitat-migrate\", l.context, l.version, {micros};\n",
            progress = self.progress,
            table = self.table,
            log = self.log,
            is_of = is_of("p", id),
            is_at = is_at(done),
            micros = micros("l.execution_time"),
        )
    }

    /// Asks for the indexes that the statement which is under way has left, or found under its name.
    ///
    /// Whatever another session builds at this moment is invalid, too, and not ours.
    /// <https://www.postgresql.org/docs/current/progress-reporting.html#CREATE-INDEX-PROGRESS-REPORTING>
    pub(crate) fn left_indexes(&self, id: &MigrationId) -> String {
        format!(
            "SELECT 'index' AS \"habitat-migrate\", n.nspname, c.relname, i.indisvalid, f.is_new \
             FROM {progress} AS p CROSS JOIN pg_catalog.pg_index AS i \
             JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
             JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
             CROSS JOIN LATERAL (SELECT i.indexrelid OPERATOR(pg_catalog.<>) ALL (p.indexes_before) AS is_new) AS f \
             WHERE {is_of} AND (p.index_relations IS NULL OR i.indrelid OPERATOR(pg_catalog.=) ANY (p.index_relations)) \
             AND CASE p.index_work WHEN 'create' THEN CASE WHEN p.index_name IS NULL THEN f.is_new \
             ELSE c.relname OPERATOR(pg_catalog.=) p.index_name::pg_catalog.name END \
             ELSE f.is_new AND NOT i.indisvalid AND c.relname OPERATOR(pg_catalog.~) '_cc(new|old)[0-9]*$' END \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index AS b \
             WHERE b.index_relid OPERATOR(pg_catalog.=) i.indexrelid) ORDER BY c.relname;\n",
            progress = self.progress,
            is_of = is_of("p", id),
        )
    }

    /// Reads what [`Tracker::left_indexes`] returned.
    pub(crate) fn found_indexes(reply: &Reply) -> Vec<FoundIndex> {
        let found = |row: &crate::client::Row| FoundIndex {
            schema: row.text(1).to_owned(),
            name: row.text(2).to_owned(),
            is_valid: row.is_true(3),
            is_new: row.is_true(4),
        };
        reply.rows("index").map(found).collect()
    }
}

/// Asks, in the session of the script, what tables a statement is about that builds indexes, and which indexes they have.
///
/// `name` is quoted; it may be that of an index or of a table, of which partitions are part, and tables of large values.
pub(crate) fn indexes_there(name: Option<&str>) -> String {
    let Some(name) = name else {
        return "SELECT 'indexes' AS \"habitat-migrate\", NULL, ARRAY(SELECT i.indexrelid FROM pg_catalog.pg_index AS i \
                WHERE NOT i.indisvalid);\n"
            .to_owned();
    };
    format!(
        "WITH named AS (SELECT COALESCE((SELECT i.indrelid FROM pg_catalog.pg_index AS i \
         WHERE i.indexrelid OPERATOR(pg_catalog.=) r.oid), r.oid) AS oid FROM (SELECT pg_catalog.to_regclass({name})::pg_catalog.oid AS oid) AS r), \
         parts AS (SELECT n.oid FROM named AS n WHERE n.oid IS NOT NULL UNION SELECT t.relid::pg_catalog.oid \
         FROM named AS n CROSS JOIN LATERAL pg_catalog.pg_partition_tree(n.oid::pg_catalog.regclass) AS t), \
         tables AS (SELECT p.oid FROM parts AS p UNION SELECT c.reltoastrelid FROM parts AS p \
         JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) p.oid WHERE c.reltoastrelid OPERATOR(pg_catalog.<>) 0) \
         SELECT 'indexes' AS \"habitat-migrate\", ARRAY(SELECT t.oid FROM tables AS t), ARRAY(SELECT i.indexrelid \
         FROM pg_catalog.pg_index AS i JOIN tables AS t ON t.oid OPERATOR(pg_catalog.=) i.indrelid);\n",
        name = Literal(name),
    )
}

/// Whether a row is that of a migration.
fn is_of(row: &str, id: &MigrationId) -> String {
    format!(
        "{row}.context OPERATOR(pg_catalog.=) {} AND {row}.version OPERATOR(pg_catalog.=) {}",
        Literal(id.context()),
        Literal(id.version().as_str())
    )
}

/// Whether as much is done as this process thinks: nobody else goes on with it.
fn is_at(done: usize) -> String {
    format!("pg_catalog.cardinality(p.done) OPERATOR(pg_catalog.=) {done}")
}
