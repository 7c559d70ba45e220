//! The statement that reads another tool's history, whatever its columns are called.

use std::fmt;

use super::table::Table;
use super::tool::Tool;

/// Reads every row of a table, in the order in which the tool means them.
pub(crate) fn query(table: &Table) -> String {
    let (columns, order) = columns(table);
    format!("SELECT 'entry' AS \"habitat-migrate\", {columns} FROM {table} AS h ORDER BY h.{order};\n")
}

/// What is selected, as expressions over the row `h`; what a tool does not keep is null.
#[derive(Default)]
struct Columns {
    version: String,
    name: Option<String>,
    checksum: Option<String>,
    /// Microseconds since 1970; refinery's own text.
    applied_at: Option<String>,
    applied_by: Option<String>,
    execution_time: Option<String>,
    /// Whether it went well, or is in force.
    well: Option<String>,
    kind: Option<String>,
    /// How many bytes the version has.
    width: Option<String>,
}

impl fmt::Display for Columns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        let Self { name, checksum, applied_at, applied_by, execution_time, well, kind, width, .. } = self;
        [name, checksum, applied_at, applied_by, execution_time, well, kind, width]
            .iter()
            .try_for_each(|column| write!(f, ", {}", column.as_deref().unwrap_or("NULL")))
    }
}

/// What to select of a tool's table, and the column that orders it.
fn columns(table: &Table) -> (Columns, &'static str) {
    let kept = |column: &str| table.columns.iter().any(|name| name == column);
    let version = Columns { version: text("version"), ..Columns::default() };
    match table.tool {
        Tool::Refinery => {
            let columns = Columns {
                name: Some(text("name")),
                checksum: Some(text("checksum")),
                applied_at: Some(text("applied_on")),
                width: Some("pg_catalog.pg_column_size(h.version)".to_owned()),
                ..version
            };
            (columns, "version")
        }
        Tool::Sqlx => {
            let columns = Columns {
                name: Some(text("description")),
                checksum: Some("pg_catalog.encode(h.checksum, 'hex')".to_owned()),
                applied_at: Some(local("installed_on")),
                execution_time: Some(text("execution_time")),
                well: Some(text("success")),
                ..version
            };
            (columns, "version")
        }
        Tool::Diesel => (Columns { applied_at: Some(local("run_on")), ..version }, "version"),
        Tool::SeaOrm => {
            let time = "(h.applied_at OPERATOR(pg_catalog.*) 1000000::pg_catalog.int8)".to_owned();
            (Columns { applied_at: Some(time), ..version }, "version")
        }
        Tool::Flyway => {
            let columns = Columns {
                name: Some(text("description")),
                checksum: Some(text("checksum")),
                applied_at: Some(local("installed_on")),
                applied_by: Some(text("installed_by")),
                execution_time: Some(text("execution_time")),
                well: Some(text("success")),
                kind: Some(text("type")),
                ..version
            };
            (columns, "installed_rank")
        }
        Tool::GolangMigrate => {
            (Columns { well: Some("(NOT h.dirty)::pg_catalog.text".to_owned()), ..version }, "version")
        }
        Tool::Dbmate | Tool::Rails => (version, "version"),
        Tool::Ecto => {
            // It writes UTC into a column without a time zone.
            let time = micros("pg_catalog.timezone('UTC', h.inserted_at)");
            (Columns { applied_at: Some(time), ..version }, "version")
        }
        Tool::Goose => {
            let columns = Columns {
                version: text("version_id"),
                applied_at: Some(local("tstamp")),
                well: Some(text("is_applied")),
                ..version
            };
            (columns, "id")
        }
        Tool::Script if kept("deployed_by") => {
            let (time, role) = (local("deployed_at"), text("deployed_by"));
            (Columns { applied_at: Some(time), applied_by: Some(role), ..version }, "version")
        }
        Tool::Script => (Columns { applied_at: Some(local("applied_at")), ..version }, "version"),
    }
}

fn text(column: &str) -> String {
    format!("h.{column}::pg_catalog.text")
}

/// A time that is one of the session's zone where the column has none: it was the server's clock that wrote it.
fn local(column: &str) -> String {
    micros(&format!("h.{column}::pg_catalog.timestamptz"))
}

/// A time as microseconds; infinity is no time.
fn micros(time: &str) -> String {
    format!(
        "CASE WHEN pg_catalog.isfinite({time}) \
         THEN (EXTRACT(epoch FROM {time}) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8 END"
    )
}
