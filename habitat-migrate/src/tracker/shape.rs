//! Whose a table of the tracker's name is: its columns tell.

use super::Tracker;
use crate::client::Reply;
use crate::sql::Literal;

/// What there is of a table of the tracker's name.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    /// None where there is no table.
    pub(crate) columns: Vec<String>,
    /// None of ours where it is another tool's.
    pub(crate) format: u32,
}

impl Shape {
    pub(crate) fn read(reply: &Reply) -> Self {
        Self {
            columns: reply.rows("column").map(|row| row.text(1).to_owned()).collect(),
            format: reply.first("format").and_then(|row| row.number(1)).unwrap_or_default(),
        }
    }

    pub(crate) fn is_there(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Whether it has every column of ours.
    pub(crate) fn is_ours(&self) -> bool {
        COLUMNS.iter().all(|ours| self.columns.iter().any(|theirs| theirs == ours))
    }
}

impl Tracker {
    /// The columns of a table of the tracker's name, to tell whose it is, and its format, if it is ours: see [`Shape`].
    pub(crate) fn shape(&self) -> String {
        format!(
            "SELECT 'column' AS \"habitat-migrate\", a.attname FROM pg_catalog.pg_attribute AS a \
             WHERE a.attrelid OPERATOR(pg_catalog.=) pg_catalog.to_regclass({}) \
             AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum;\n\
             SELECT 'format' AS \"habitat-migrate\", {};\n",
            Literal(&self.table),
            self.format(),
        )
    }
}

/// The columns that [`Tracker::history`] reads; a table that lacks one is somebody else's.
const COLUMNS: [&str; 13] = [
    "context",
    "version",
    "description",
    "checksum",
    "deployed_at",
    "deployed_by",
    "execution_time",
    "state",
    "breaking",
    "run_order",
    "ordinal",
    "follows",
    "digest",
];
