//! Why a backfill cannot run: [`Hindrance`].

use std::fmt;

/// Why a backfill cannot run on a table, or go on with it.
#[derive(Debug)]
pub(crate) enum Hindrance {
    /// Its script, or what it walks, has changed since some of its batches were committed.
    Changed {
        rows: u64,
        recorded: String,
        /// Whether it walks another table, or by another key.
        elsewhere: bool,
    },
    NoTable(String),
    NoColumn(String),
    Nullable(String),
    /// A column, and its type.
    Type(String, String),
    NoIndex(String),
    /// The server gives a key back as another one than it was.
    Unstable,
}

impl Hindrance {
    pub(super) fn next(&self) -> String {
        let restart = "begin anew by `Migrator::restart_backfill`";
        match self {
            Self::Changed { recorded, elsewhere: false, .. } => format!(
                "migrate with the text that it began with; or, if the rows that are done are good as they are, go on by declaring\n\
                 -- habitat: accepts {recorded}\n\
                 or {restart}"
            ),
            Self::Changed { elsewhere: true, .. } => {
                format!("migrate with the text that it began with, or {restart}")
            }
            Self::NoTable(_) => {
                "correct the name, and name its schema if it is not on the search path".to_owned()
            }
            Self::NoColumn(_) => {
                "correct the name; one that is not in lower case is written in quotes".to_owned()
            }
            Self::Nullable(_) => "declare it NOT NULL, or walk the table by its primary key".to_owned(),
            Self::Type(..) | Self::Unstable => {
                "walk the table by a key of PostgreSQL's own types, its primary key for one".to_owned()
            }
            Self::NoIndex(_) => {
                "create an index that begins with these columns, or walk the table by its primary key"
                    .to_owned()
            }
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { rows, elsewhere: false, .. } => {
                write!(f, "its text has changed since {rows} rows of the table were done")
            }
            Self::Changed { rows, .. } => {
                write!(f, "it walks another table, or by another key, than when {rows} rows were done")
            }
            Self::NoTable(table) => write!(f, "there is no table {table}"),
            Self::NoColumn(column) => write!(f, "the table has no column {column:?}"),
            Self::Nullable(column) => {
                write!(f, "the column {column:?} may be null, and rows without a key would be left out")
            }
            Self::Type(column, name) => {
                write!(f, "the column {column:?} has type {name}, whose order is not known")
            }
            Self::NoIndex(key) => {
                write!(f, "no index leads through {key}, so that each batch would read all of it")
            }
            Self::Unstable => f.write_str("the batch ends where it began: a key does not read back as it is"),
        }
    }
}
