//! What a snapshot asks the catalogs: each statement gives rows of object, part, property and value.

use postgres::{SimpleQueryMessage, Transaction};

/// Every row of every statement that this version of PostgreSQL understands.
pub(super) fn rows(transaction: &mut Transaction<'_>) -> Result<Vec<[String; 4]>, postgres::Error> {
    // With nothing but the catalogs in the path, the server writes every other name with its schema.
    transaction.batch_execute(SETTINGS)?;
    let version = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4 / 10000";
    let major: i32 = transaction.query_one(version, &[])?.get(0);
    let mut rows = Vec::new();
    for (versions, statement) in STATEMENTS {
        if !versions.contains(&major) {
            continue;
        }
        for message in transaction.simple_query(statement)? {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push(std::array::from_fn(|n| row.get(n).unwrap_or_default().to_owned()));
            }
        }
    }
    Ok(rows)
}

/// What changes the way in which the server writes definitions and values.
const SETTINGS: &str = "SET LOCAL search_path = pg_catalog, pg_temp; SET LOCAL quote_all_identifiers = off;
    SET LOCAL datestyle = 'ISO, YMD'; SET LOCAL intervalstyle = 'postgres'; SET LOCAL bytea_output = 'hex';
    SET LOCAL extra_float_digits = 1; SET LOCAL timezone = 'UTC'";

const ALL: std::ops::RangeInclusive<i32> = 0..=i32::MAX;

const STATEMENTS: [(std::ops::RangeInclusive<i32>, &str); 16] = [
    (ALL, include_str!("sql/database.sql")),
    (ALL, include_str!("sql/schemas.sql")),
    (ALL, include_str!("sql/relations.sql")),
    (ALL, include_str!("sql/columns.sql")),
    (ALL, include_str!("sql/constraints.sql")),
    (ALL, include_str!("sql/indexes.sql")),
    (ALL, include_str!("sql/sequences.sql")),
    (ALL, include_str!("sql/routines.sql")),
    (ALL, include_str!("sql/triggers.sql")),
    (ALL, include_str!("sql/types.sql")),
    (ALL, include_str!("sql/grants.sql")),
    (ALL, include_str!("sql/foreign.sql")),
    (ALL, include_str!("sql/publications.sql")),
    (0..=14, include_str!("sql/publication_tables_14.sql")),
    (15..=i32::MAX, include_str!("sql/publication_tables_15.sql")),
    (ALL, include_str!("sql/others.sql")),
];
