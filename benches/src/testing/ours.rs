//! This library, as its attribute `test` runs a test.

use habitat_migrate::Catalog;
use habitat_migrate::testing::TestDatabase;

use super::way::{COUNT, ROW, Test, check};
use crate::Result;

pub(super) struct Ours(Catalog);

impl Ours {
    /// Another `mark` makes another template.
    pub(super) fn new(mark: &str) -> Result<Self> {
        Ok(Self(super::catalog(mark)?))
    }
}

impl Test for Ours {
    fn run(&self, name: &str) -> Result<()> {
        let database = TestDatabase::builder(&self.0).named(name).create()?;
        let mut client = database.connect()?;
        client.execute(ROW, &[])?;
        check(client.query_one(COUNT, &[])?.get(0))?;
        drop(client);
        database.finish(true);
        Ok(())
    }
}
