//! The attribute `habitat_migrate::test`: a database for each test.

use habitat_migrate::Migrations;

mod arguments;
mod attributes;
mod databases;
mod endings;
mod settings;

/// Three contexts in one order.
#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

/// A few migrations that differ by environment and want a value.
#[derive(Migrations)]
#[migrations(dir = "tests/testing_attribute/migrations", context = "members")]
struct Members;

/// One value of one row.
fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut postgres::Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}
