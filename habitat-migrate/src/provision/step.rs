//! What is to be done, and why: [`Step`], in order: [`Plan`].

use std::fmt;

use super::declaration::Kind;
use super::finding::{Finding, FindingKind};
use crate::sql::Ident;

/// Where a step runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
    /// In the maintenance database, all such steps in one transaction: roles.
    Server,
    /// In the maintenance database, by itself, since PostgreSQL takes it in no transaction: `CREATE DATABASE`.
    Alone,
    /// In the maintenance database, all such steps in one transaction: what is about databases.
    Databases,
    /// In this database, all such steps in one transaction.
    Within(String),
}

/// One statement, or a few that belong together, and the reason for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub(crate) place: Place,
    pub(crate) sql: String,
    pub(crate) why: String,
    pub(crate) kind: FindingKind,
    pub(crate) subject: String,
    /// The roles that the administrator has to have the rights of.
    pub(crate) needs: Vec<String>,
}

impl Step {
    /// Where it runs.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What runs, without the last semicolon. No password is ever in it.
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// Why.
    pub fn why(&self) -> &str {
        &self.why
    }
}

/// What makes a server what the declaration says: steps in order. Empty where it is that already.
///
/// `{}` is a script for psql: what [`Provision::apply`](super::Provision::apply) would run, with the reasons as comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(crate) environment: Kind,
    pub(crate) steps: Vec<Step>,
    pub(crate) remains: Vec<Finding>,
}

impl Plan {
    /// The steps, in the order in which they run.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// What is not as declared and no step can change: the encoding of a database that is there.
    pub fn remains(&self) -> &[Finding] {
        &self.remains
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before: Option<&Place> = None;
        for step in &self.steps {
            if before != Some(&step.place) {
                if before.is_some_and(|place| *place != Place::Alone) {
                    writeln!(f, "COMMIT;\n")?;
                }
                match &step.place {
                    Place::Server => writeln!(f, "-- roles")?,
                    Place::Alone => writeln!(f, "-- databases")?,
                    Place::Databases => writeln!(f, "-- what is about databases")?,
                    Place::Within(name) => writeln!(f, "\\connect {}", PsqlName(name))?,
                }
                if step.place != Place::Alone {
                    writeln!(f, "BEGIN;\nSET LOCAL search_path = pg_catalog;")?;
                }
            }
            before = Some(&step.place);
            writeln!(f, "-- {}\n{};", step.why.replace('\n', " "), step.sql)?;
        }
        if before.is_some_and(|place| *place != Place::Alone) {
            writeln!(f, "COMMIT;")?;
        }
        for finding in &self.remains {
            writeln!(f, "-- stays as it is: {finding}")?;
        }
        if self.steps.is_empty() {
            writeln!(f, "-- nothing to do")?;
        }
        Ok(())
    }
}

/// A name in a psql command: psql takes escapes as in C out of single quotes, and then reads an identifier.
/// <https://www.postgresql.org/docs/current/app-psql.html#APP-PSQL-META-COMMANDS>
struct PsqlName<'a>(&'a str);

impl fmt::Display for PsqlName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("'")?;
        for c in Ident(self.0).to_string().chars() {
            match c {
                '\'' => f.write_str("''")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        f.write_str("'")
    }
}
