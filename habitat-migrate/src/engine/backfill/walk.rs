//! The way through a table by its key: what a batch's bounds are, and how they read in its script.

use std::ops::Range;
use std::time::Duration;

use habitat_migrate_catalog::Backfill;

use crate::client::{Reply, Row};
use crate::error::Hindrance;
use crate::sql::{Ident, Literal};
use crate::tracker::Bound;

/// The table and the key of a backfill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a>(pub(super) &'a Backfill);

impl Walk<'_> {
    pub(super) fn columns(self) -> usize {
        self.0.key.len()
    }

    fn table(self) -> String {
        match &self.0.schema {
            Some(schema) => format!("{}.{}", Ident(schema), Ident(&self.0.table)),
            None => Ident(&self.0.table).to_string(),
        }
    }

    /// What it walks: `"app"."users" ("id")`.
    pub(super) fn words(self) -> String {
        format!("{} ({})", self.table(), self.key("").join(", "))
    }

    /// The key's columns, quoted, each behind this prefix.
    fn key(self, prefix: &str) -> Vec<String> {
        self.0.key.iter().map(|column| format!("{prefix}{}", Ident(column))).collect()
    }

    /// Asks what is to be known of the table and its key before the first batch.
    pub(super) fn facts(self) -> String {
        let table = self.table();
        let table = format!("pg_catalog.to_regclass({})", Literal(&table));
        let names: Vec<String> = self.0.key.iter().map(|column| Literal(column).to_string()).collect();
        let names = format!("ARRAY[{}]::pg_catalog.text[]", names.join(", "));
        // The bounds are compared by operators of pg_catalog, which order the types that it has; another type's own order
        // may be another one.
        format!(
            "SELECT 'walked' AS \"habitat-migrate\", {table} IS NOT NULL, EXISTS (SELECT FROM pg_catalog.pg_index AS i \
             JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indexrelid \
             JOIN pg_catalog.pg_am AS m ON m.oid OPERATOR(pg_catalog.=) c.relam \
             WHERE i.indrelid OPERATOR(pg_catalog.=) {table} AND i.indisvalid AND i.indpred IS NULL \
             AND m.amname OPERATOR(pg_catalog.=) 'btree' \
             AND (i.indkey::pg_catalog.int2[])[0:{last}] OPERATOR(pg_catalog.=) ARRAY(SELECT a.attnum \
             FROM pg_catalog.unnest({names}) WITH ORDINALITY AS k (name, n) JOIN pg_catalog.pg_attribute AS a \
             ON a.attname::pg_catalog.text OPERATOR(pg_catalog.=) k.name WHERE a.attrelid OPERATOR(pg_catalog.=) {table} \
             ORDER BY k.n)), (SELECT pg_catalog.sum(c.reltuples::pg_catalog.float8)::pg_catalog.int8 \
             FROM pg_catalog.pg_class AS c WHERE c.reltuples OPERATOR(pg_catalog.>) 0 AND c.relkind OPERATOR(pg_catalog.<>) 'p' \
             AND (c.oid OPERATOR(pg_catalog.=) {table} OR c.oid OPERATOR(pg_catalog.=) ANY (SELECT p.relid::pg_catalog.oid \
             FROM pg_catalog.pg_partition_tree({table}) AS p)));\n\
             SELECT 'column' AS \"habitat-migrate\", k.name, a.attnum IS NOT NULL, a.attnotnull, \
             COALESCE(b.typnamespace, t.typnamespace) OPERATOR(pg_catalog.=) 'pg_catalog'::pg_catalog.regnamespace \
             OR COALESCE(b.typtype, t.typtype) OPERATOR(pg_catalog.=) 'e', \
             pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.unnest({names}) WITH ORDINALITY AS k (name, n) \
             LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) {table} \
             AND a.attname::pg_catalog.text OPERATOR(pg_catalog.=) k.name AND NOT a.attisdropped \
             LEFT JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.atttypid \
             LEFT JOIN pg_catalog.pg_type AS b ON b.oid OPERATOR(pg_catalog.=) t.typbasetype ORDER BY k.n;\n",
            last = self.columns() - 1,
        )
    }

    /// Reads what [`Walk::facts`] returned: about how many rows there are, if anybody has counted.
    pub(super) fn read_facts(self, reply: &Reply) -> Result<Option<u64>, Hindrance> {
        let Some(walked) = reply.first("walked").filter(|row| row.is_true(1)) else {
            return Err(Hindrance::NoTable(self.table()));
        };
        let column = |row: &Row| match row {
            row if !row.is_true(2) => Some(Hindrance::NoColumn(row.text(1).to_owned())),
            row if !row.is_true(3) => Some(Hindrance::Nullable(row.text(1).to_owned())),
            row if !row.is_true(4) => Some(Hindrance::Type(row.text(1).to_owned(), row.text(5).to_owned())),
            _ => None,
        };
        match reply.rows("column").find_map(column) {
            Some(hindrance) => Err(hindrance),
            None if !walked.is_true(2) => Err(Hindrance::NoIndex(self.words())),
            None => Ok(walked.number(3)),
        }
    }

    /// Asks for the keys to which steps of these sizes lead from the cursor, and for the last one where fewer rows are ahead.
    ///
    /// As JSON values are written, so that no setting of the session changes how a time reads.
    pub(super) fn find(self, after: &[String], sizes: &[u64]) -> String {
        let (key, names) =
            (self.key("t."), (1..=self.columns()).map(|n| format!("k{n}")).collect::<Vec<_>>());
        let selected: Vec<String> =
            key.iter().zip(&names).map(|(key, name)| format!("{key} AS {name}")).collect();
        let texts: String = names
            .iter()
            .map(|name| format!(", pg_catalog.to_jsonb(f.{name}) OPERATOR(pg_catalog.#>>) '{{}}'"))
            .collect();
        let names = names.join(", ");
        let sizes: Vec<String> = sizes.iter().map(u64::to_string).collect();
        format!(
            "SELECT 'bound' AS \"habitat-migrate\", f.n{texts} FROM (SELECT pg_catalog.row_number() OVER (ORDER BY {names}) AS n, \
             pg_catalog.count(*) OVER () AS total, {names} FROM (SELECT {selected} FROM {table} AS t WHERE {ahead} \
             ORDER BY {key} LIMIT {limit}) AS s) AS f WHERE f.n OPERATOR(pg_catalog.=) f.total \
             OR f.n OPERATOR(pg_catalog.=) ANY ('{{{sizes}}}'::pg_catalog.int8[]) ORDER BY f.n;\n",
            selected = selected.join(", "),
            table = self.table(),
            ahead = compare(&key, ">", after).unwrap_or_else(|| "true".to_owned()),
            key = key.join(", "),
            limit = sizes.first().map_or("1", String::as_str),
            sizes = sizes.join(","),
        )
    }

    /// Reads what [`Walk::find`] returned, the smallest step first.
    pub(super) fn read_bounds(self, reply: &Reply) -> Vec<Bound> {
        let bound = |row: &Row| {
            let key = (0..self.columns()).map(|n| row.text(2 + n).to_owned()).collect();
            Bound { rows: row.number(1).unwrap_or_default(), key }
        };
        reply.rows("bound").map(bound).collect()
    }

    /// The predicate that holds for the rows of a batch, and for no others.
    pub(super) fn range(self, after: &[String], upto: &[String]) -> String {
        let prefix = self.0.alias.as_ref().map(|alias| format!("{}.", Ident(alias))).unwrap_or_default();
        let key = self.key(&prefix);
        let bounds = [compare(&key, ">", after), compare(&key, "<=", upto)];
        format!("({})", bounds.into_iter().flatten().collect::<Vec<_>>().join(" AND "))
    }
}

/// Compares a key with a place in the table; none at its beginning.
fn compare(key: &[String], operator: &str, place: &[String]) -> Option<String> {
    let values: Vec<String> = place.iter().map(|text| Literal(text).to_string()).collect();
    match (key, values.as_slice()) {
        (_, []) => None,
        ([key], [value]) => Some(format!("{key} OPERATOR(pg_catalog.{operator}) {value}")),
        _ => Some(format!(
            "ROW({}) OPERATOR(pg_catalog.{operator}) ROW({})",
            key.join(", "),
            values.join(", ")
        )),
    }
}

/// A script with its `${range}` filled in, and the way back to the place in the file.
#[derive(Debug)]
pub(super) struct Filled {
    pub(super) text: String,
    /// Where each range stands here, and in the script.
    ranges: Vec<(Range<usize>, Range<usize>)>,
}

impl Filled {
    pub(super) fn new(script: &str, range: &str) -> Self {
        let mut filled = Self { text: String::new(), ranges: Vec::new() };
        let mut done = 0;
        for place in Backfill::ranges(script) {
            filled.text.push_str(&script[done..place.start]);
            let start = filled.text.len();
            filled.text.push_str(range);
            filled.ranges.push((start..filled.text.len(), place.clone()));
            done = place.end;
        }
        filled.text.push_str(&script[done..]);
        filled
    }

    /// The place in the script of a place in the text.
    pub(super) fn original(&self, offset: usize) -> usize {
        match self.ranges.iter().rev().find(|(here, _)| here.start <= offset) {
            None => offset,
            Some((here, there)) if offset < here.end => there.start,
            Some((here, there)) => there.end + (offset - here.end),
        }
    }
}

/// How long the script of one batch may run, where the migration does not say so itself: it is tried again with fewer rows.
pub(super) const LONGEST: Duration = Duration::from_millis(200);

/// How long it waits for a row that somebody else has locked, while it has locked others itself.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use habitat_migrate_catalog::Throttle;

    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|value| (*value).to_owned()).collect()
    }

    #[test]
    fn the_first_batch_has_no_lower_bound() {
        let backfill =
            Backfill::embedded(None, "users", None, &[std::borrow::Cow::Borrowed("id")], 5, Throttle::None);
        let walk = Walk(&backfill);
        assert_eq!(walk.range(&[], &texts(&["5"])), "(\"id\" OPERATOR(pg_catalog.<=) '5')");
        assert_eq!(
            walk.range(&texts(&["5"]), &texts(&["1'0"])),
            "(\"id\" OPERATOR(pg_catalog.>) '5' AND \"id\" OPERATOR(pg_catalog.<=) '1''0')"
        );
    }

    #[test]
    fn keys_of_several_columns_are_compared_as_rows_behind_their_alias() {
        let key = &[std::borrow::Cow::Borrowed("tenant"), std::borrow::Cow::Borrowed("id")];
        let backfill = Backfill::embedded(Some("app"), "users", Some("u"), key, 5, Throttle::None);
        let walk = Walk(&backfill);
        assert_eq!(
            walk.range(&[], &texts(&["a", "7"])),
            "(ROW(\"u\".\"tenant\", \"u\".\"id\") OPERATOR(pg_catalog.<=) ROW('a', '7'))"
        );
        assert_eq!(walk.words(), "\"app\".\"users\" (\"tenant\", \"id\")");
    }

    #[test]
    fn a_place_in_the_filled_script_is_one_in_the_file() {
        let script = "UPDATE t SET a = 1 WHERE ${range} AND b OR ${range};";
        let filled = Filled::new(script, "(id <= 5)");
        assert_eq!(filled.text, "UPDATE t SET a = 1 WHERE (id <= 5) AND b OR (id <= 5);");
        for (here, there) in
            [("UPDATE", "UPDATE"), ("id <= 5) AND", "${range} AND"), ("b OR", "b OR"), (";", ";")]
        {
            let offset = filled.text.find(here).unwrap();
            assert_eq!(filled.original(offset), script.find(there).unwrap(), "{here}");
        }
        assert_eq!(filled.original(filled.text.rfind("id").unwrap()), script.rfind("${").unwrap());
    }
}
