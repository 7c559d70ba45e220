//! Tests of a service, as its authors would write them: each on a database of its own that has the service's schema.

use habitat_migrate::Migrations;
use postgres::error::SqlState;
use postgres::{Client, Error};

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;
