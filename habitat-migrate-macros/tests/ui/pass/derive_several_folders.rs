//! Migrations of several folders require each other; those of a context that lives elsewhere are external.

use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound/treasury")]
#[migrations(dir = "tests/ui/fixtures/sound/people", context = "people")]
struct Both;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound/treasury", external = "people")]
struct OneOfTwo;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/missing_requirement", context = "treasury", external("billing", "people"))]
struct Renamed;

fn main() {
    let first = Both::CATALOG.migrations()[0].id().to_string();
    assert_eq!(first, "people:01_members");
    assert_eq!(OneOfTwo::CATALOG.contexts().len(), 1);
    assert_eq!(Renamed::CATALOG.contexts()[0].name(), "treasury");
}
