//! Where another tool's history is: finds the tables that look like one.

use std::fmt;

use super::error::AdoptError;
use super::tool::Tool;
use crate::client::Reply;
use crate::sql::{Ident, Literal};

/// A table with another tool's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) tool: Tool,
    pub(crate) columns: Vec<String>,
}

/// A table as the server describes it: its columns with their types.
#[derive(Clone, Debug)]
struct Described {
    schema: String,
    name: String,
    columns: Vec<(String, String)>,
}

/// Where the caller says that the history is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) schema: String,
    pub(crate) name: String,
}

/// Asks for the columns of every table that may be a history, or of the one that was named.
pub(crate) fn query(named: Option<&Named>) -> String {
    let names: Vec<String> =
        Tool::TABLES.iter().chain([&METADATA]).map(|name| Literal(name).to_string()).collect();
    let condition = match named {
        None => format!(
            "c.relname OPERATOR(pg_catalog.=) ANY (ARRAY[{}]::pg_catalog.name[]) \
             AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema' \
             AND NOT pg_catalog.starts_with(n.nspname::pg_catalog.text, 'pg_')",
            names.join(", ")
        ),
        Some(named) => format!(
            "n.nspname OPERATOR(pg_catalog.=) {schema} AND (c.relname OPERATOR(pg_catalog.=) {name} \
             OR c.relname OPERATOR(pg_catalog.=) {metadata})",
            schema = Literal(&named.schema),
            name = Literal(&named.name),
            metadata = Literal(METADATA),
        ),
    };
    format!(
        "SELECT 'table' AS \"habitat-migrate\", n.nspname, c.relname, a.attname, \
         pg_catalog.format_type(a.atttypid, NULL) \
         FROM pg_catalog.pg_class AS c \
         JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
         JOIN pg_catalog.pg_attribute AS a ON a.attrelid OPERATOR(pg_catalog.=) c.oid \
         WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{{r,p}}'::pg_catalog.\"char\"[]) \
         AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped AND {condition} \
         ORDER BY n.nspname, c.relname, a.attnum;\n"
    )
}

/// Finds the one history among the tables that [`query`] described.
///
/// # Errors
///
/// There is none, or there are several, or its columns are nobody's.
pub(crate) fn find(reply: &Reply, named: Option<&Named>) -> Result<Table, AdoptError> {
    let described = describe(reply);
    let has_metadata = |schema: &str| described.iter().any(|t| t.schema == schema && t.name == METADATA);
    let mut known = Vec::new();
    let mut strange = None;
    for table in described.iter().filter(|table| table.name != METADATA && !table.is_ours()) {
        match table.tool(has_metadata(&table.schema)) {
            Some(tool) => known.push(Table {
                schema: table.schema.clone(),
                name: table.name.clone(),
                tool,
                columns: table.names(),
            }),
            None => strange = Some(table),
        }
    }
    match (known.len(), strange, named) {
        (1, ..) => Ok(known.remove(0)),
        (0, Some(table), _) => Err(AdoptError::strange(table.to_string(), table.names())),
        (0, None, Some(named)) => {
            Err(AdoptError::absent(Some(format!("{}.{}", Ident(&named.schema), Ident(&named.name)))))
        }
        (0, None, None) => Err(AdoptError::absent(None)),
        _ => Err(AdoptError::several(known.iter().map(|t| (t.tool, t.to_string())).collect())),
    }
}

fn describe(reply: &Reply) -> Vec<Described> {
    let mut tables: Vec<Described> = Vec::new();
    for row in reply.rows("table") {
        let (schema, name) = (row.text(1), row.text(2));
        let column = (row.text(3).to_owned(), row.text(4).to_owned());
        match tables.last_mut() {
            Some(table) if table.schema == schema && table.name == name => table.columns.push(column),
            _ => tables.push(Described {
                schema: schema.to_owned(),
                name: name.to_owned(),
                columns: vec![column],
            }),
        }
    }
    tables
}

impl Described {
    fn tool(&self, rails: bool) -> Option<Tool> {
        let tool = Tool::of(&self.names(), rails)?;
        // SeaORM keeps the seconds since 1970; a script's time is a time.
        let is_number = |(name, kind): &(String, String)| name == "applied_at" && kind == "bigint";
        Some(if self.columns.iter().any(is_number) { Tool::SeaOrm } else { tool })
    }

    /// Whether it is this library's own tracker.
    fn is_ours(&self) -> bool {
        let has = |wanted| self.columns.iter().any(|(name, _)| name == wanted);
        has("context") && has("ordinal") && has("digest")
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|(name, _)| name.clone()).collect()
    }
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Ident(&self.schema), Ident(&self.name))
    }
}

/// The table's name, quoted.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", Ident(&self.schema), Ident(&self.name))
    }
}

/// The table that only Rails has beside its history.
const METADATA: &str = "ar_internal_metadata";
