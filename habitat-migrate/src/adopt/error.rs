//! Why a database is not adopted: [`AdoptError`].

use std::fmt;

use habitat_migrate_catalog::MigrationId;

use super::report::Adoption;
use super::tool::Tool;

/// Why a database is not adopted. Nothing was written to it.
///
/// It is the source of an [`Error`](crate::Error) of the kind [`ErrorKind::Adopt`](crate::ErrorKind::Adopt).
#[derive(Clone, Debug)]
pub struct AdoptError(Box<Cause>);

/// The kinds of [`AdoptError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdoptErrorKind {
    /// There is no table that looks like another tool's history.
    NotFound,
    /// There are several; name one with [`Adopt::table`](super::Adopt::table).
    Several,
    /// The table has columns that no tool gives to its history.
    NotRecognised,
    /// The other tool's table is where this library's tracker belongs.
    SameTable,
    /// The catalog does not have the context that was named.
    NoContext,
    /// Something does not match: see [`AdoptError::adoption`].
    Mismatch,
    /// The tracker has records already, and they are not those of the other tool.
    Tracked,
}

#[derive(Clone, Debug)]
enum Cause {
    NotFound(Option<String>),
    Several(Vec<(Tool, String)>),
    NotRecognised { table: String, columns: Vec<String> },
    SameTable { tool: Tool, table: String },
    NoContext { name: String, contexts: Vec<String> },
    Mismatch(Adoption),
    Tracked { adoption: Adoption, missing: Vec<MigrationId> },
}

impl AdoptError {
    pub(crate) fn absent(table: Option<String>) -> Self {
        Self(Box::new(Cause::NotFound(table)))
    }

    pub(crate) fn several(tables: Vec<(Tool, String)>) -> Self {
        Self(Box::new(Cause::Several(tables)))
    }

    pub(crate) fn strange(table: String, columns: Vec<String>) -> Self {
        Self(Box::new(Cause::NotRecognised { table, columns }))
    }

    pub(crate) fn same_table(tool: Tool, table: String) -> Self {
        Self(Box::new(Cause::SameTable { tool, table }))
    }

    pub(crate) fn no_context(name: String, contexts: Vec<String>) -> Self {
        Self(Box::new(Cause::NoContext { name, contexts }))
    }

    pub(crate) fn mismatch(adoption: Adoption) -> Self {
        Self(Box::new(Cause::Mismatch(adoption)))
    }

    pub(crate) fn tracked(adoption: Adoption, missing: Vec<MigrationId>) -> Self {
        Self(Box::new(Cause::Tracked { adoption, missing }))
    }

    /// What kind of error it is.
    pub fn kind(&self) -> AdoptErrorKind {
        match &*self.0 {
            Cause::NotFound(_) => AdoptErrorKind::NotFound,
            Cause::Several(_) => AdoptErrorKind::Several,
            Cause::NotRecognised { .. } => AdoptErrorKind::NotRecognised,
            Cause::SameTable { .. } => AdoptErrorKind::SameTable,
            Cause::NoContext { .. } => AdoptErrorKind::NoContext,
            Cause::Mismatch(_) => AdoptErrorKind::Mismatch,
            Cause::Tracked { .. } => AdoptErrorKind::Tracked,
        }
    }

    /// The comparison, where it came that far: everything that matches and everything that does not.
    pub fn adoption(&self) -> Option<&Adoption> {
        match &*self.0 {
            Cause::Mismatch(adoption) | Cause::Tracked { adoption, .. } => Some(adoption),
            _ => None,
        }
    }

    /// Each reason and what to do about it, one to a line.
    pub(crate) fn notes(&self) -> Vec<(&'static str, String)> {
        let next = |text: &str| vec![("next", text.to_owned())];
        match &*self.0 {
            Cause::NotFound(_) => next(
                "name the table with `Adopt::table`, if it has another name; a new database needs no adoption",
            ),
            Cause::Several(_) => next("name the one that counts with `Adopt::table`"),
            Cause::NotRecognised { columns, .. } => vec![("its columns", columns.join(", "))],
            Cause::SameTable { .. } => {
                next("keep this library's own in another schema: `Migrator::schema(\"habitat\")`")
            }
            Cause::NoContext { contexts, .. } => vec![("its contexts", contexts.join(", "))],
            Cause::Mismatch(adoption) => adoption
                .mismatched()
                .flat_map(|mismatch| [("refused", mismatch.to_string()), ("help", mismatch.advice())])
                .collect(),
            Cause::Tracked { missing, .. } => {
                let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
                vec![
                    ("not recorded", missing.join(", ")),
                    (
                        "next",
                        "let one tool alone migrate this database; what the other one applied since then \
                              has to be recorded by hand"
                            .to_owned(),
                    ),
                ]
            }
        }
    }
}

impl fmt::Display for AdoptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Cause::NotFound(None) => f.write_str("no table here looks like another tool's history"),
            Cause::NotFound(Some(table)) => write!(f, "there is no table {table}"),
            Cause::Several(tables) => {
                let names: Vec<String> =
                    tables.iter().map(|(tool, table)| format!("{table} ({tool})")).collect();
                write!(f, "several tables look like another tool's history: {}", names.join(", "))
            }
            Cause::NotRecognised { table, .. } => {
                write!(f, "table {table} has columns that no known tool gives to its history")
            }
            Cause::SameTable { tool, table } => {
                write!(f, "table {table} is the history of {tool}, and the tracker would have the same name")
            }
            Cause::NoContext { name, .. } => write!(f, "the catalog has no context {name:?}"),
            Cause::Mismatch(adoption) => {
                let (tool, table) = (adoption.tool(), adoption.table());
                match adoption.mismatched().count() {
                    1 => write!(f, "one thing in {tool}'s table {table} does not match the catalog"),
                    count => write!(f, "{count} things in {tool}'s table {table} do not match the catalog"),
                }
            }
            Cause::Tracked { missing, .. } => write!(
                f,
                "the tracker has records already, and {} of what the other tool applied is not among them",
                missing.len()
            ),
        }
    }
}

impl std::error::Error for AdoptError {}
