//! How many rows each table of a database has: [`RowCounts`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use postgres::Client;

/// How many rows each table of a database has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    tables: BTreeMap<String, u64>,
}

impl RowCounts {
    /// The numbers for every table but the tracker's in `tracker`, those of extensions, and partitioned ones, whose partitions are counted.
    ///
    /// # Errors
    /// The connection is lost, or the login may not read a table.
    pub fn of(client: &mut Client, tracker: &str) -> Result<Self, postgres::Error> {
        let names: Vec<String> = client.query(TABLES, &[&tracker])?.iter().map(|row| row.get(0)).collect();
        if names.is_empty() {
            return Ok(Self::default());
        }
        let counts: Vec<String> = names.iter().map(|name| format!("(SELECT count(*) FROM {name})")).collect();
        let row = client.query_one(&format!("SELECT ARRAY[{}]::bigint[]", counts.join(", ")), &[])?;
        let counts: Vec<i64> = row.get(0);
        Ok(Self { tables: names.into_iter().zip(counts.into_iter().map(i64::unsigned_abs)).collect() })
    }

    /// The number for one table, `public.members`.
    pub fn get(&self, table: &str) -> Option<u64> {
        self.tables.get(table).copied()
    }

    /// The tables with their numbers, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.tables.iter().map(|(table, count)| (table.as_str(), *count))
    }

    /// The tables that have another number of rows in `other`, in words.
    pub(super) fn changes(&self, other: &Self) -> Vec<String> {
        let names: BTreeSet<&String> = self.tables.keys().chain(other.tables.keys()).collect();
        let change = |name: &&String| match (self.get(name), other.get(name)) {
            (Some(then), Some(now)) if then != now => {
                Some(format!("table {name}: {} -> {}", rows(then), rows(now)))
            }
            // A table that is not there any more, or is new, is the schema's business.
            _ => None,
        };
        names.iter().filter_map(change).collect()
    }
}

impl fmt::Display for RowCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tables.iter().try_for_each(|(table, count)| writeln!(f, "{table}: {}", rows(*count)))
    }
}

fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// Names as they are written in SQL.
const TABLES: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT (n.nspname = $1 AND c.relname ~ '^schema_migrations(_|$)')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND e.objid = c.oid AND e.deptype = 'e')
    ORDER BY 1";
