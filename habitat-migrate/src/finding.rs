//! What an operation that only reads has noticed: [`Finding`]. It is a value, not an error.

use std::fmt;

use habitat_migrate_catalog::{Excerpt, MigrationId};

/// A statement of a verify script that did not prove what it is there to prove.
#[derive(Clone, Debug)]
pub struct Finding {
    pub(crate) migration: MigrationId,
    pub(crate) path: String,
    pub(crate) place: Excerpt,
    pub(crate) statement: String,
    pub(crate) returned: String,
}

impl Finding {
    /// Whose verify script it is.
    pub fn migration(&self) -> &MigrationId {
        &self.migration
    }

    /// The file, line and column of the statement, both counted from 1, columns in characters.
    pub fn location(&self) -> (&str, usize, usize) {
        let place = self.place.location();
        (&self.path, place.line(), place.column())
    }

    /// The statement.
    pub fn statement(&self) -> &str {
        &self.statement
    }

    /// What came of it: `it returned false: 3`, `it returned no row`, or the server's words.
    pub fn returned(&self) -> &str {
        &self.returned
    }

    /// The finding as a person wants to see it at a terminal: several lines, with the place in the script.
    pub fn diagnostic(&self) -> impl fmt::Display + '_ {
        Diagnostic(self)
    }
}

/// One line: `people:04_people_core: … (people/04_people_core.verify.sql:7:1)`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, line, column) = self.location();
        write!(f, "{}: {} ({path}:{line}:{column})", self.migration, self.returned)
    }
}

struct Diagnostic<'a>(&'a Finding);

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let finding = self.0;
        let mut picture = String::new();
        finding.place.render(&finding.path, &finding.returned, &mut picture)?;
        write!(f, "finding: {} is not what its verify script says\n{}", finding.migration, picture.trim_end())
    }
}
