use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound")]
struct Sound;

// The attribute `rustfmt::test` does nothing: it keeps the functions where no tests are compiled.
#[habitat_migrate::test(migrations = Sound, to = "09_nowhere")]
#[rustfmt::test]
fn of_a_type() {}

#[habitat_migrate::test(migrations = "tests/ui/fixtures/sound", before = "09_nowhere")]
fn of_a_folder() {}

#[habitat_migrate::test(migrations = false, to = "01_nothing_there")]
fn of_nothing() {}

fn main() {}
