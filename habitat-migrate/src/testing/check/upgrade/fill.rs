//! Made-up rows for every table.

use std::collections::BTreeSet;
use std::fmt;

use postgres::{Client, Row};

use super::super::fault::CheckError;
use super::dump::words;

/// What could not be made up: a row of a table, or a value of a column, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfilled {
    table: String,
    column: Option<String>,
    why: String,
}

impl Unfilled {
    /// The table, as it is written in SQL: `public.members`.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// The column, if it is about one.
    pub fn column(&self) -> Option<&str> {
        self.column.as_deref()
    }
}

impl fmt::Display for Unfilled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table {}", self.table)?;
        if let Some(column) = &self.column {
            write!(f, ": column {column}")?;
        }
        write!(f, ": {}", self.why)
    }
}

/// Fills every empty table with `count` rows; tells what could not be done.
pub(super) fn fill(
    client: &mut Client,
    tracker: &str,
    count: usize,
    seed: u32,
) -> Result<Vec<Unfilled>, CheckError> {
    let mut unfilled = Vec::new();
    let mut waiting: Vec<(String, Vec<String>)> =
        client.query(TABLES, &[&tracker])?.iter().map(|row| (row.get(0), row.get(1))).collect();
    while !waiting.is_empty() {
        let names: BTreeSet<&String> = waiting.iter().map(|(table, _)| table).collect();
        let is_ready = |(table, needs): &(String, Vec<String>)| {
            needs.iter().all(|needed| needed == table || !names.contains(needed))
        };
        // Of tables that need each other, the first: what is missing is told.
        let next = waiting.iter().position(is_ready).unwrap_or(0);
        let (table, _) = waiting.remove(next);
        let is_empty = format!("SELECT NOT EXISTS (SELECT FROM {table})");
        if client.query_one(&is_empty, &[])?.get(0) {
            fill_table(client, &table, count, seed, &mut unfilled)?;
        }
    }
    Ok(unfilled)
}

/// A column and the values to try, best first, as SQL in which `$n` is the number of the row.
struct Column {
    name: String,
    candidates: Vec<String>,
}

fn fill_table(
    client: &mut Client,
    table: &str,
    count: usize,
    seed: u32,
    unfilled: &mut Vec<Unfilled>,
) -> Result<(), CheckError> {
    let keys = client.query(KEYS, &[&table])?;
    let mut columns = Vec::new();
    for row in client.query(COLUMNS, &[&table])? {
        let name: String = row.get("name");
        let candidates = match reference(&keys, &name) {
            Some(reference) => vec![reference, "NULL".to_owned()],
            None => candidates(&row, seed),
        };
        if candidates.iter().all(|candidate| candidate == "NULL" || candidate == "DEFAULT") {
            let kind: &str = row.get("type");
            let why = format!("no value of type {kind} can be made up; it is left out");
            unfilled.push(Unfilled { table: table.to_owned(), column: Some(name.clone()), why });
        }
        columns.push(Column { name, candidates });
    }
    let mut choice = vec![0; columns.len()];
    let mut transaction = client.transaction()?;
    for n in 1..=count {
        let mut attempts = 0;
        loop {
            let mut savepoint = transaction.savepoint("row")?;
            let Err(error) = savepoint.batch_execute(&insert(table, &columns, &choice, n)) else {
                savepoint.commit()?;
                break;
            };
            savepoint.rollback()?;
            if error.is_closed() {
                return Err(error.into());
            }
            attempts += 1;
            let blamed = blamed(&mut transaction, table, &columns, &error)?;
            if attempts > ATTEMPTS || !advance(&columns, &mut choice, &blamed) {
                let why = format!("row {n} of {count} cannot be made up: {}", words(&error));
                let column = error.as_db_error().and_then(|error| error.column()).map(str::to_owned);
                unfilled.push(Unfilled { table: table.to_owned(), column, why });
                transaction.commit()?;
                return Ok(());
            }
        }
    }
    Ok(transaction.commit()?)
}

fn insert(table: &str, columns: &[Column], choice: &[usize], n: usize) -> String {
    if columns.is_empty() {
        return format!("INSERT INTO {table} DEFAULT VALUES");
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let values = columns.iter().zip(choice).map(|(column, choice)| {
        column
            .candidates
            .get(*choice)
            .map_or("DEFAULT".to_owned(), |value| value.replace("$n", &n.to_string()))
    });
    let values: Vec<String> = values.collect();
    format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), values.join(", "))
}

/// The columns to try other values for.
fn blamed(
    transaction: &mut postgres::Transaction<'_>,
    table: &str,
    columns: &[Column],
    error: &postgres::Error,
) -> Result<Vec<usize>, postgres::Error> {
    let Some(error) = error.as_db_error() else { return Ok(Vec::new()) };
    let named: Vec<String> = match (error.constraint(), error.column()) {
        (Some(constraint), _) => {
            let row = transaction.query_opt(BLAMED, &[&table, &constraint])?;
            row.map(|row| row.get(0)).unwrap_or_default()
        }
        (None, Some(column)) => vec![column.to_owned()],
        (None, None) => Vec::new(),
    };
    let is_named = |column: &Column| named.contains(&column.name);
    let places = columns.iter().enumerate().filter(|(_, column)| is_named(column));
    Ok(places.map(|(place, _)| place).collect())
}

/// The next combination of values of these columns; false when all of them were tried.
fn advance(columns: &[Column], choice: &mut [usize], blamed: &[usize]) -> bool {
    for &place in blamed {
        choice[place] += 1;
        if choice[place] < columns[place].candidates.len() {
            return true;
        }
        choice[place] = 0;
    }
    false
}

/// The value of a column that refers to another table: of its nth row, the same one for all columns of a key.
fn reference(keys: &[Row], column: &str) -> Option<String> {
    let key =
        keys.iter().find(|key| key.get::<_, Vec<String>>("columns").iter().any(|name| name == column))?;
    let place = key.get::<_, Vec<String>>("columns").iter().position(|name| name == column)?;
    let (table, theirs): (String, Vec<String>) = (key.get("refers_to"), key.get("their_columns"));
    let (value, order) = (theirs.get(place)?, theirs.join(", "));
    Some(format!(
        "(SELECT {value} FROM {table} ORDER BY {order} LIMIT 1 OFFSET (($n - 1) % (SELECT greatest(count(*), 1) FROM {table})))"
    ))
}

/// What a column might hold, by its type; then what its CHECK constraints mention; then its default, and NULL.
fn candidates(row: &Row, seed: u32) -> Vec<String> {
    let (name, kind, category): (String, String, String) =
        (row.get("name"), row.get("type"), row.get("category"));
    let base: String = row.get("base");
    let labels: Vec<String> = row.get("labels");
    let number = seed % 30 * 1000;
    let quoted = |text: &str| format!("{}::{kind}", crate::sql::Literal(text));
    let length: i32 = row.get("length");
    let cut = |text: &str| if length > 0 { format!("left({text}, {length})") } else { text.to_owned() };
    let mut values: Vec<String> = match base.as_str() {
        _ if !labels.is_empty() => {
            let turned = (0..labels.len()).map(|n| labels[n].as_str());
            let list: Vec<String> =
                turned.clone().map(|label| crate::sql::Literal(label).to_string()).collect();
            let nth = format!("((ARRAY[{}])[1 + $n % {}])::{kind}", list.join(", "), list.len());
            std::iter::once(nth).chain(turned.map(quoted)).collect()
        }
        "bool" => vec!["$n % 2 = 0".to_owned(), "true".to_owned(), "false".to_owned()],
        "int2" | "int4" | "int8" | "numeric" | "float4" | "float8" | "money" => {
            let nth = format!("({number} + $n)::{kind}");
            [nth, format!("$n::{kind}"), format!("1::{kind}"), format!("0::{kind}"), format!("0.5::{kind}")]
                .into()
        }
        "text" | "varchar" | "bpchar" | "citext" | "name" => {
            let plain = name.trim_matches('"').replace('\'', "");
            let unique = format!("substr(md5('{seed} {plain} $n'), 1, 8)");
            let texts = [
                format!("'{plain} {seed}-$n'"),
                unique.clone(),
                format!("'a' || {unique}"),
                format!("{unique} || '@example.org'"),
                format!("'https://example.org/' || {unique}"),
                format!("repeat({unique}, 4)"),
                format!("repeat({unique}, 5)"),
                format!("repeat({unique}, 8)"),
                format!("'#' || substr({unique}, 1, 6)"),
                "chr(65 + $n / 26 % 26) || chr(65 + $n % 26)".to_owned(),
                "'E' || chr(65 + $n / 26 % 26) || chr(65 + $n % 26)".to_owned(),
                "'+49' || (1000000 + $n)".to_owned(),
                "'1.0.' || $n".to_owned(),
            ];
            texts.iter().map(|text| format!("{}::{kind}", cut(&format!("({text})")))).collect()
        }
        "uuid" => vec![format!("md5('{seed} {} $n')::uuid", name.replace('\'', ""))],
        "date" | "timestamp" | "timestamptz" => {
            let days = [
                format!("{} + $n", seed % 1000),
                "1000 + $n".to_owned(),
                "- $n".to_owned(),
                "9000 + $n".to_owned(),
            ];
            days.map(|days| format!("(timestamp '2025-01-01' + ({days}) * interval '1 day')::{kind}")).into()
        }
        "time" | "timetz" => vec![format!("(time '00:00' + $n * interval '1 second')::{kind}")],
        "interval" => vec!["$n * interval '1 hour'".to_owned()],
        "json" | "jsonb" => vec![format!("'{{\"n\": $n}}'::{kind}"), quoted("{}"), quoted("[]")],
        "bytea" => vec!["decode(md5('$n'), 'hex')".to_owned(), "sha256('$n')".to_owned()],
        "inet" | "cidr" => vec![format!("('10.0.' || $n / 250 % 250 || '.' || 1 + $n % 250)::{kind}")],
        "macaddr" => vec!["('08:00:2b:01:02:' || to_hex(16 + $n % 200))::macaddr".to_owned()],
        "point" => vec!["point($n, $n)".to_owned()],
        "xml" => vec![quoted("<n/>")],
        "tsvector" | "tsquery" | "ltree" => vec![quoted("a")],
        "bit" | "varbit" if length <= 0 => vec!["B'1'".to_owned()],
        "oid" => vec!["$n".to_owned()],
        _ if category == "A" => vec![quoted("{}")],
        _ if category == "R" => vec![quoted("empty")],
        _ => Vec::new(),
    };
    let checks: Vec<String> = row.get("checks");
    let literals = checks.iter().flat_map(|check| literals(check)).map(|text| quoted(&text));
    // A value of another type is an error of its own, which tells nothing: numbers are for numbers.
    if matches!(base.as_str(), "text" | "varchar" | "bpchar" | "citext") {
        values.extend(literals);
    } else if category == "N" {
        let numbers = checks.iter().flat_map(|check| numbers(check));
        values.extend(numbers.flat_map(|n| [n, n + 1, n - 1]).map(|n| format!("({n})::{kind}")));
    }
    if row.get("has_default") {
        values.push("DEFAULT".to_owned());
    }
    if !row.get::<_, bool>("not_null") || values.is_empty() {
        values.push("NULL".to_owned());
    }
    values
}

/// The string literals of an expression.
fn literals(expression: &str) -> Vec<String> {
    expression.split('\'').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The whole numbers of an expression, outside of its literals.
fn numbers(expression: &str) -> Vec<i64> {
    let outside: String = expression.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    outside
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter_map(|word| word.parse().ok())
        .collect()
}

/// Foreign keys that rows do not honour, or that nobody has looked at.
pub(super) fn orphans(client: &mut Client) -> Result<Vec<String>, CheckError> {
    let mut found = Vec::new();
    for key in client.query(ALL_KEYS, &[])? {
        let (table, name, valid): (String, String, bool) =
            (key.get("table"), key.get("name"), key.get("valid"));
        let (ours, theirs): (Vec<String>, Vec<String>) = (key.get("columns"), key.get("their_columns"));
        let refers_to: String = key.get("refers_to");
        let there: Vec<String> = ours.iter().map(|column| format!("c.{column} IS NOT NULL")).collect();
        let same: Vec<String> =
            ours.iter().zip(&theirs).map(|(our, their)| format!("p.{their} = c.{our}")).collect();
        let sql = format!(
            "SELECT count(*) FROM {table} c WHERE {} AND NOT EXISTS (SELECT FROM {refers_to} p WHERE {})",
            there.join(" AND "),
            same.join(" AND ")
        );
        let count: i64 = client.query_one(&sql, &[])?.get(0);
        if count > 0 {
            found.push(format!(
                "table {table}: {count} rows refer to rows of {refers_to} that are not there ({name})"
            ));
        } else if !valid {
            found.push(format!(
                "table {table}: constraint {name} is NOT VALID: validate it, or its rows are never looked at"
            ));
        }
    }
    Ok(found)
}

/// How many combinations of values are tried for one row.
const ATTEMPTS: usize = 400;

/// Tables with those that they refer to. A partitioned one takes the rows for its partitions.
const TABLES: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
        ARRAY(SELECT DISTINCT (SELECT pg_catalog.format('%I.%I', s.nspname, r.relname) FROM pg_catalog.pg_class r
         JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = k.confrelid) FROM pg_catalog.pg_constraint k
              WHERE k.conrelid = c.oid AND k.contype = 'f')
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND NOT (n.nspname = $1 AND c.relname ~ '^schema_migrations(_|$)')
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_class'::regclass
                      AND e.objid = c.oid AND e.deptype = 'e')
    ORDER BY n.nspname, c.relname";

/// Columns that the server does not fill by itself.
const COLUMNS: &str = "WITH RECURSIVE base AS (
        SELECT a.attnum, t.oid, t.typtype, t.typbasetype, a.atttypmod AS typmod, a.attnotnull AS not_null
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT b.attnum, t.oid, t.typtype, t.typbasetype, d.typtypmod, b.not_null OR d.typnotnull
        FROM base b JOIN pg_catalog.pg_type d ON d.oid = b.oid AND d.typtype = 'd'
        JOIN pg_catalog.pg_type t ON t.oid = d.typbasetype)
    SELECT pg_catalog.quote_ident(a.attname) AS name, pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
        t.typname::text AS base, t.typcategory::text AS category, b.not_null, a.atthasdef AS has_default,
        CASE WHEN t.typname IN ('varchar', 'bpchar') THEN b.typmod - 4 ELSE b.typmod END AS length,
        ARRAY(SELECT e.enumlabel::text FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
        ARRAY(SELECT pg_catalog.pg_get_constraintdef(k.oid) FROM pg_catalog.pg_constraint k
              WHERE k.contype = 'c' AND ((k.conrelid = a.attrelid AND a.attnum = ANY (k.conkey))
                                     OR k.contypid IN (SELECT o.oid FROM base o WHERE o.attnum = a.attnum AND o.typtype = 'd'))) AS checks
    FROM pg_catalog.pg_attribute a
    JOIN base b ON b.attnum = a.attnum AND b.typtype <> 'd'
    JOIN pg_catalog.pg_type t ON t.oid = b.oid
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity = '' AND a.attgenerated = ''
      AND coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid), '') !~ '^nextval'
    ORDER BY a.attnum";

const KEYS: &str = "SELECT (SELECT pg_catalog.format('%I.%I', s.nspname, r.relname) FROM pg_catalog.pg_class r
         JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = k.confrelid) AS refers_to,
        ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY AS u (n, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.place) AS columns,
        ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(k.confkey) WITH ORDINALITY AS u (n, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.place) AS their_columns
    FROM pg_catalog.pg_constraint k
    WHERE k.contype = 'f' AND k.conrelid = $1::text::regclass ORDER BY cardinality(k.conkey) DESC, k.conname";

const ALL_KEYS: &str = "SELECT (SELECT pg_catalog.format('%I.%I', s.nspname, r.relname) FROM pg_catalog.pg_class r
         JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = k.conrelid) AS table, pg_catalog.quote_ident(k.conname) AS name, k.convalidated AS valid,
        (SELECT pg_catalog.format('%I.%I', s.nspname, r.relname) FROM pg_catalog.pg_class r
         JOIN pg_catalog.pg_namespace s ON s.oid = r.relnamespace WHERE r.oid = k.confrelid) AS refers_to,
        ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(k.conkey) WITH ORDINALITY AS u (n, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n ORDER BY u.place) AS columns,
        ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM unnest(k.confkey) WITH ORDINALITY AS u (n, place)
              JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n ORDER BY u.place) AS their_columns
    FROM pg_catalog.pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 ORDER BY 1, 2";

/// The columns of a constraint, of a unique index, or those whose type is the domain that has it.
const BLAMED: &str = "SELECT ARRAY(SELECT pg_catalog.quote_ident(a.attname) FROM pg_catalog.pg_attribute a
        WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND (
            a.attnum IN (SELECT unnest(k.conkey) FROM pg_catalog.pg_constraint k
                         WHERE k.conrelid = a.attrelid AND k.conname = $2::text)
            OR a.attnum IN (SELECT unnest(i.indkey) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                            WHERE i.indrelid = a.attrelid AND x.relname = $2::text)
            OR a.atttypid IN (SELECT k.contypid FROM pg_catalog.pg_constraint k WHERE k.conname = $2::text AND k.contypid <> 0))
        ORDER BY a.attnum)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_and_numbers_of_a_check_are_found() {
        let check = "CHECK ((kind = ANY (ARRAY['a 1'::text, 'b'::text])) AND (age > 17) AND (age < 100))";
        assert_eq!(literals(check), ["a 1", "b"]);
        assert_eq!(numbers(check), [17, 100]);
    }
}
