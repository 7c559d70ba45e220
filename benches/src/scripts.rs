//! The migrations that every contender is given.

use std::fs;
use std::path::Path;

use crate::Result;

/// One small migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    number: usize,
}

impl Script {
    /// The first `count` scripts.
    pub(crate) fn first(count: usize) -> Vec<Self> {
        (1..=count).map(|number| Self { number }).collect()
    }

    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// The name of the table that it creates.
    pub(crate) fn table(&self) -> String {
        format!("bench_{}", self.number)
    }

    /// Number and name: the stem of the file where one file is a migration, the folder where a folder is one.
    pub(crate) fn stem(&self) -> String {
        format!("{:05}_{}", self.number, self.table())
    }

    pub(crate) fn sql(&self) -> String {
        format!("CREATE TABLE {} (id bigint PRIMARY KEY, name text NOT NULL);\n", self.table())
    }
}

/// Writes one `<number>_<name>.sql` for each script into a new directory.
pub(crate) fn write(scripts: &[Script], directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)?;
    for script in scripts {
        fs::write(directory.join(script.stem()).with_extension("sql"), script.sql())?;
    }
    Ok(())
}
