#[habitat_migrate::test(migrations = false, catalog = CATALOG)]
fn two_origins() {}

#[habitat_migrate::test(to = "01_a", before = "02_b")]
fn two_targets() {}

#[habitat_migrate::test(migrations = "tests/ui/fixtures/sound")]
fn settings_that_describe_nothing(#[database] client: postgres::Client) {}

fn main() {}
