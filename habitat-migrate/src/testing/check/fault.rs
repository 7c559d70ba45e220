//! What a check found: [`Fault`], and all of them as one [`CheckError`].

use std::fmt;

use habitat_migrate_catalog::MigrationId;

use crate::error::Error;

use super::super::error::ServerError;
use super::super::snapshot::SchemaDiff;

/// One thing that is wrong with a set of migrations.
#[derive(Clone, Debug)]
pub struct Fault {
    migration: Option<MigrationId>,
    /// The script that is to be corrected.
    path: Option<String>,
    what: String,
    difference: Option<SchemaDiff>,
    rows: Vec<String>,
}

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { migration: None, path: None, what: what.into(), difference: None, rows: Vec::new() }
    }

    pub(super) fn of(migration: &MigrationId, path: impl Into<String>, what: impl Into<String>) -> Self {
        Self { migration: Some(migration.clone()), path: Some(path.into()), ..Self::new(what) }
    }

    /// A run that failed: the server's words, with the place in the script.
    pub(super) fn failed(what: &str, error: &Error) -> Self {
        let diagnostic = error.diagnostic().to_string();
        let mut text = format!("{what}\n{diagnostic}");
        let role_exists = error
            .server_error()
            .is_some_and(|error| error.code == "42710" && error.message.starts_with("role "));
        if role_exists {
            text.push_str(ROLES);
        }
        let path = error.location().map(|(path, _, _)| path.to_owned());
        Self { migration: error.migration().cloned(), path, ..Self::new(text) }
    }

    pub(super) fn with(self, difference: SchemaDiff, rows: Vec<String>) -> Self {
        Self { difference: Some(difference), rows, ..self }
    }

    /// The migration that it is about, if it is about one.
    pub fn migration(&self) -> Option<&MigrationId> {
        self.migration.as_ref()
    }

    /// The file that is to be corrected, as messages name it.
    pub fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// How the schema differs from what it should be, if that is the fault.
    pub fn difference(&self) -> Option<&SchemaDiff> {
        self.difference.as_ref()
    }
}

/// `people:04_people_core (people/04_people_core.down.sql): its down script …`, then an indented line for each difference.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(migration) = &self.migration {
            write!(f, "{migration}")?;
            if let Some(path) = &self.path {
                write!(f, " ({path})")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.what.replace('\n', "\n    "))?;
        let difference = self.difference.iter().flat_map(SchemaDiff::lines);
        for line in difference.chain(self.rows.iter().map(String::as_str)) {
            write!(f, "\n    {}", line.replace('\n', "\n    "))?;
        }
        Ok(())
    }
}

/// Everything that a check of a set of migrations found.
pub struct CheckError {
    faults: Vec<Fault>,
}

impl CheckError {
    /// An error, if there are any.
    pub(super) fn unless_empty(faults: Vec<Fault>) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self { faults }) }
    }

    /// An error of these, of which there is one at least.
    pub(super) fn of(faults: Vec<Fault>) -> Self {
        Self { faults }
    }

    /// Each of them, in the order of the migrations. There is at least one.
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    pub(super) fn into_faults(self) -> Vec<Fault> {
        self.faults
    }
}

impl From<Fault> for CheckError {
    fn from(fault: Fault) -> Self {
        Self { faults: vec![fault] }
    }
}

impl From<&ServerError> for CheckError {
    fn from(error: &ServerError) -> Self {
        Fault::new(format!("there is no database to check the migrations in: {error:?}")).into()
    }
}

impl From<ServerError> for CheckError {
    fn from(error: ServerError) -> Self {
        (&error).into()
    }
}

impl From<postgres::Error> for CheckError {
    fn from(error: postgres::Error) -> Self {
        let source =
            std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
        Fault::new(format!("the database could not be read: {error}{source}")).into()
    }
}

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.faults.as_slice() {
            [fault] => write!(f, "{fault}"),
            faults => {
                write!(f, "{} faults", faults.len())?;
                faults.iter().try_for_each(|fault| write!(f, "\n{fault}"))
            }
        }
    }
}

/// As a person wants it from `unwrap()` and from `main() -> Result`.
impl fmt::Debug for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for CheckError {}

const ROLES: &str = "\n   = a role belongs to the whole server and outlives the databases of earlier checks: create it only where it is not there, \
                     or check with a server of its own: `Check::server`";
