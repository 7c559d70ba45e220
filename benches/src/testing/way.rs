//! The ways to give a test a migrated database of its own.

use super::{ours, plain, sqlx};
use crate::Result;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// This library, its template there.
    Ours,
    /// This library, which has to build the template first.
    OursCold,
    /// A copy of a template as PostgreSQL makes it by default, dropped as soon as it is closed.
    Clone,
    /// A new database that is migrated.
    Scratch,
    /// sqlx on the same server.
    Sqlx,
    /// sqlx on a server as its users have it: fsync on, its data on a disk.
    SqlxDurable,
}

impl Way {
    pub(super) const ALL: [Self; 6] =
        [Self::Ours, Self::OursCold, Self::Clone, Self::Scratch, Self::Sqlx, Self::SqlxDurable];

    /// How it is called in the arguments of a child.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::OursCold => "ours-cold",
            Self::Clone => "clone",
            Self::Scratch => "scratch",
            Self::Sqlx => "sqlx",
            Self::SqlxDurable => "sqlx-durable",
        }
    }

    pub(super) fn named(word: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|way| way.word() == word);
        found.ok_or_else(|| format!("no way is called {word}").into())
    }

    /// How it is called in the tables.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Ours => "habitat-migrate",
            Self::OursCold => "habitat-migrate, template built first",
            Self::Clone => "copy of a template, the default way",
            Self::Scratch => "30 migrations on a new database",
            Self::Sqlx => "`sqlx::test`, same server",
            Self::SqlxDurable => "`sqlx::test`, default server",
        }
    }

    /// The test that takes this way; `address` is the server's, where the way does not find it by itself.
    pub(super) fn load(self, address: Option<&str>) -> Result<Box<dyn Test>> {
        let address = || address.ok_or("this way needs the address of a server");
        Ok(match self {
            Self::Ours => Box::new(ours::Ours::new("")?),
            Self::OursCold => Box::new(ours::Ours::new(&super::stamp())?),
            Self::Clone => Box::new(plain::Clone::new(address()?)?),
            Self::Scratch => Box::new(plain::Scratch::new(address()?)?),
            Self::Sqlx | Self::SqlxDurable => Box::new(sqlx::Sqlx::new()?),
        })
    }
}

/// A test that wants a database. All do the same with it: a row in, and the number of rows out.
pub(super) trait Test: Sync {
    /// Runs it under a name, from the wish for a database to its end.
    fn run(&self, name: &str) -> Result<()>;
}

pub(super) const ROW: &str = "INSERT INTO bench_1 VALUES (1, 'Ada')";
pub(super) const COUNT: &str = "SELECT count(*) FROM bench_1";

/// Says whether the database was this test's own.
pub(super) fn check(rows: i64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(format!("{rows} rows in a database of one's own").into()) }
}
