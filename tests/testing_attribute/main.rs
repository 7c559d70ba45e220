//! The attribute `habitat_migrate::test`: a database for each test.

use habitat_migrate::Migrations;

mod arguments;

/// What these tests migrate: three contexts in one order.
#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;
