//! What `#[sqlx::test]` expands to, with a pool as the argument. The server is that of `DATABASE_URL`.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ::sqlx::PgPool;
use ::sqlx::migrate::Migrator;
use ::sqlx::testing::{TestArgs, TestFn};

use super::way::{COUNT, ROW, Test, check};
use crate::Result;
use crate::contenders;
use crate::scripts::Script;

pub(super) struct Sqlx(&'static Migrator);

impl Sqlx {
    pub(super) fn new() -> Result<Self> {
        let migrations = contenders::sqlx_migrations(&Script::first(super::MIGRATIONS))?;
        // The macro has it in a static.
        Ok(Self(Box::leak(Box::new(Migrator::with_migrations(migrations)))))
    }
}

impl Test for Sqlx {
    fn run(&self, name: &str) -> Result<()> {
        let mut arguments = TestArgs::new(Box::leak(name.to_owned().into_boxed_str()));
        arguments.migrator(self.0);
        let body: fn(_) -> _ = body;
        // It tells of what fails by a panic.
        let ran = catch_unwind(AssertUnwindSafe(|| TestFn::run_test(body, arguments)));
        ran.map_err(|_| "the test panicked")?
    }
}

async fn body(pool: PgPool) -> Result<()> {
    ::sqlx::query(ROW).execute(&pool).await?;
    check(::sqlx::query_scalar(COUNT).fetch_one(&pool).await?)
}
