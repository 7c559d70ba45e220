//! A crate that knows the library by another name, calls its own things by the names of std, and denies what it can.

#![deny(warnings, missing_docs, unused_qualifications, unreachable_pub, unused_results)]

extern crate habitat_migrate as library;

use habitat_migrate::Migrations;

mod habitat_migrate {
    pub(crate) use crate::library::Migrations;
}

#[allow(dead_code)]
mod core {}
#[allow(dead_code)]
mod std {}
#[allow(dead_code)]
struct Result;
#[allow(dead_code)]
struct Option;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound", crate = library)]
struct Sound;

// The attribute `rustfmt::test` does nothing: it keeps the functions where no tests are compiled.
#[library::test(crate = library, migrations = Sound)]
#[rustfmt::test]
fn blocking(url: &str, database: library::testing::TestDatabase) -> ::core::result::Result<(), String> {
    assert_eq!(database.url(), url);
    Err(String::new())
}

#[library::test(crate = library, migrations = "tests/ui/fixtures/sound", placeholders(name = "value"))]
#[rustfmt::test]
async fn asynchronous(url: String, #[database] other: &library::testing::TestDatabase) {
    assert_ne!(other.url(), url);
}

fn main() {
    let _ = blocking;
    let _ = asynchronous;
}
