//! What a role is made to try: [`Attempt`], as a value and as words.

use std::fmt;
use std::str::FromStr;

use crate::sql::{Ident, Literal};

/// A table or view in its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    schema: String,
    name: String,
}

/// Something that a role tries, in a transaction that is rolled back.
///
/// As words, which is how a file of probes has it, and how a report shows it:
///
/// | words | tries |
/// |---|---|
/// | `select app.users` | to read a column of it, and no row |
/// | `insert app.users`, `update app.users`, `delete app.users` | the right to, with no row |
/// | `see app.users where id = 7` | to see one such row |
/// | `use schema app` | to reach what is in a schema |
/// | `create table in app`, `create temporary table` | to make one |
/// | `create database`, `create role` | to make one |
/// | `run UPDATE app.users SET name = 'x' WHERE id = 7` | one statement, which changes or returns a row |
///
/// Names are as in SQL: `app."Order"`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Attempt {
    /// Reads a column of a table.
    Select(Relation),
    /// Inserts no row.
    Insert(Relation),
    /// Changes no row.
    Update(Relation),
    /// Deletes no row.
    Delete(Relation),
    /// Looks for a row.
    See {
        /// Where.
        table: Relation,
        /// What follows `WHERE`; any row where there is none.
        condition: Option<String>,
    },
    /// Reaches into a schema.
    UseSchema {
        /// Which.
        schema: String,
    },
    /// Makes a table.
    CreateTable {
        /// In which schema.
        schema: String,
    },
    /// Makes a temporary table.
    CreateTemporaryTable,
    /// Makes a database. None is made: its template does not exist.
    CreateDatabase,
    /// Makes a role.
    CreateRole,
    /// Runs one statement.
    Run(String),
}

impl Relation {
    /// A relation of this name, neither quoted.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self { schema: schema.into(), name: name.into() }
    }

    fn quoted(&self) -> String {
        format!("{}.{}", Ident(&self.schema), Ident(&self.name))
    }
}

/// The kinds of attempts that need no more than a table.
type OfTable = fn(Relation) -> Attempt;

/// What an attempt is made of.
pub(super) struct Trial {
    pub(super) sql: String,
    /// Whether no row is another outcome than some.
    pub(super) counts: bool,
}

impl Attempt {
    /// The statement that tells a column to try, for attempts that need one: the one that the role has the right for, if there is one.
    pub(super) fn column_query(&self) -> Option<String> {
        let (table, right) = match self {
            Self::Insert(table) => (table, "INSERT"),
            Self::Update(table) => (table, "UPDATE"),
            _ => return None,
        };
        Some(format!(
            "SELECT 'column' AS \"habitat-migrate\", a.attname FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {} AND c.relname = {} AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' \
             ORDER BY pg_catalog.has_column_privilege(c.oid, a.attnum, '{right}') DESC, a.attidentity = 'a', a.attnum LIMIT 1",
            Literal(&table.schema),
            Literal(&table.name)
        ))
    }

    pub(super) fn trial(&self, column: Option<&str>, unique: &str) -> Trial {
        let column = Ident(column.unwrap_or("no column"));
        let sql = match self {
            Self::Select(table) => format!("SELECT 1 FROM {} WHERE false", table.quoted()),
            Self::Insert(table) => format!(
                "INSERT INTO {} ({column}) OVERRIDING SYSTEM VALUE SELECT NULL WHERE false",
                table.quoted()
            ),
            Self::Update(table) => format!("UPDATE {} SET {column} = DEFAULT WHERE false", table.quoted()),
            Self::Delete(table) => format!("DELETE FROM {} WHERE false", table.quoted()),
            Self::See { table, condition } => {
                // On lines of their own, so that a comment in the condition ends with it.
                let condition =
                    condition.as_ref().map_or(String::new(), |text| format!(" WHERE (\n{text}\n)"));
                format!("SELECT 1 FROM {}{condition} LIMIT 1", table.quoted())
            }
            // There is none of that name: whoever may look is told so.
            Self::UseSchema { schema } => format!("SELECT {}.{}()", Ident(schema), Ident(unique)),
            Self::CreateTable { schema } => format!("CREATE TABLE {}.{} ()", Ident(schema), Ident(unique)),
            Self::CreateTemporaryTable => format!("CREATE TEMPORARY TABLE {} ()", Ident(unique)),
            // Rights are looked at before the template.
            Self::CreateDatabase => format!("CREATE DATABASE {0} TEMPLATE {0}", Ident(unique)),
            Self::CreateRole => format!("CREATE ROLE {}", Ident(unique)),
            Self::Run(sql) => sql.clone(),
        };
        let counts = match self {
            Self::See { .. } => true,
            Self::Run(sql) => {
                let word: String = sql.trim_start().chars().take_while(char::is_ascii_alphabetic).collect();
                ["SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "WITH", "TABLE"]
                    .contains(&word.to_uppercase().as_str())
            }
            _ => false,
        };
        Trial { sql, counts }
    }

    /// The SQLSTATE that says that the rights were there, for attempts that cannot succeed.
    pub(super) fn success(&self) -> Option<&'static str> {
        match self {
            Self::UseSchema { .. } => Some("42883"),
            Self::CreateDatabase => Some("3D000"),
            _ => None,
        }
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Name(&self.schema), Name(&self.name))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Select(table) => write!(f, "select {table}"),
            Self::Insert(table) => write!(f, "insert {table}"),
            Self::Update(table) => write!(f, "update {table}"),
            Self::Delete(table) => write!(f, "delete {table}"),
            Self::See { table, condition: None } => write!(f, "see {table}"),
            Self::See { table, condition: Some(condition) } => write!(f, "see {table} where {condition}"),
            Self::UseSchema { schema } => write!(f, "use schema {}", Name(schema)),
            Self::CreateTable { schema } => write!(f, "create table in {}", Name(schema)),
            Self::CreateTemporaryTable => f.write_str("create temporary table"),
            Self::CreateDatabase => f.write_str("create database"),
            Self::CreateRole => f.write_str("create role"),
            Self::Run(sql) => write!(f, "run {sql}"),
        }
    }
}

/// Reads the words of an attempt; the error says what is wrong with them.
impl FromStr for Attempt {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let after = |words: &str| {
            let rest = text.get(words.len()..)?;
            let same = text[..words.len()].eq_ignore_ascii_case(words);
            (same && rest.starts_with(char::is_whitespace)).then(|| rest.trim_start())
        };
        match text.to_ascii_lowercase().as_str() {
            "create temporary table" => return Ok(Self::CreateTemporaryTable),
            "create database" => return Ok(Self::CreateDatabase),
            "create role" => return Ok(Self::CreateRole),
            _ => {}
        }
        let tables: [(&str, OfTable); 4] = [
            ("select", Self::Select),
            ("insert", Self::Insert),
            ("update", Self::Update),
            ("delete", Self::Delete),
        ];
        for (word, attempt) in tables {
            if let Some(rest) = after(word) {
                return Ok(attempt(all(relation(rest)?)?));
            }
        }
        if let Some(rest) = after("create table in") {
            return Ok(Self::CreateTable { schema: all(name(rest)?)? });
        }
        if let Some(rest) = after("use schema") {
            return Ok(Self::UseSchema { schema: all(name(rest)?)? });
        }
        if let Some(rest) = after("run") {
            return Ok(Self::Run(rest.to_owned()));
        }
        let Some(rest) = after("see") else {
            return Err(format!(
                "{text:?} is nothing that can be tried: write `select`, `insert`, `update`, `delete` or `see` and a table, `use schema` or \
                 `create table in` and a schema, `create temporary table`, `create database`, `create role`, or `run` and a statement"
            ));
        };
        let (table, rest) = relation(rest)?;
        let rest = rest.trim();
        let condition = match rest.get(..6) {
            _ if rest.is_empty() => None,
            Some(word) if word.eq_ignore_ascii_case("where ") => Some(rest[6..].trim().to_owned()),
            _ => return Err(format!("{rest:?} stands where `where` and a condition can")),
        };
        Ok(Self::See { table, condition })
    }
}

fn all<T>((value, rest): (T, &str)) -> Result<T, String> {
    match rest.trim() {
        "" => Ok(value),
        rest => Err(format!("{rest:?} is more than can stand here")),
    }
}

fn relation(text: &str) -> Result<(Relation, &str), String> {
    let (schema, rest) = name(text)?;
    let rest = rest
        .strip_prefix('.')
        .ok_or_else(|| format!("{text:?} does not name a schema: write schema.table"))?;
    let (name, rest) = name(rest)?;
    Ok((Relation { schema, name }, rest))
}

/// Reads one name as SQL does: in quotes as it is, without them in small letters.
fn name(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !(c.is_alphanumeric() || "_$".contains(c))).unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        return match name {
            "" => Err(format!("{text:?} does not begin with a name")),
            name => Ok((name.to_lowercase(), rest)),
        };
    };
    let mut name = String::new();
    loop {
        let (piece, after) =
            rest.split_once('"').ok_or_else(|| format!("the quote in {text:?} is not closed"))?;
        name.push_str(piece);
        let Some(after_second) = after.strip_prefix('"') else { return Ok((name, after)) };
        name.push('"');
        rest = after_second;
    }
}

/// A name, in quotes where SQL would need them to read it as it is.
struct Name<'a>(&'a str);

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if !self.0.is_empty() && self.0.chars().all(plain) {
            return f.write_str(self.0);
        }
        write!(f, "{}", Ident(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_words_of_an_attempt_read_back() {
        let words = [
            "select app.users",
            "insert app.users",
            "update app.\"Order\"",
            "delete \"a\"\"b\".\"c.d\"",
            "see app.users",
            "see app.users where id = 7 and name <> 'x'",
            "use schema app",
            "create table in \"order by\"",
            "create temporary table",
            "create database",
            "create role",
            "run UPDATE app.users SET id = 1",
        ];
        for words in words {
            assert_eq!(words.parse::<Attempt>().map(|attempt| attempt.to_string()).as_deref(), Ok(words));
        }
        assert_eq!("SELECT App.Users".parse(), Ok(Attempt::Select(Relation::new("app", "users"))));
    }

    #[test]
    fn words_that_are_none_are_refused() {
        for words in [
            "",
            "select users",
            "select app.users where x",
            "selects app.users",
            "see app.users whereid",
            "create tables",
            "select \"app.users",
            "truncate app.users",
        ] {
            assert!(words.parse::<Attempt>().is_err(), "{words}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read_or_refused(words in "\\PC*") {
            let _ = words.parse::<Attempt>();
        }

        #[test]
        fn any_name_reads_back(schema in "\\PC+", table in "\\PC+") {
            let attempt = Attempt::Delete(Relation::new(schema, table));
            prop_assert_eq!(attempt.to_string().parse(), Ok(attempt));
        }
    }
}
