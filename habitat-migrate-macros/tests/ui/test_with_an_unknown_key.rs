#[habitat_migrate::test(migratoins = false)]
fn slip() {}

#[habitat_migrate::test(up_to = "01_a")]
fn synonym() {}

#[habitat_migrate::test(banana = "yellow")]
fn unlike() {}

#[habitat_migrate::test("tests/ui/fixtures/sound")]
fn positional() {}

#[habitat_migrate::test(migrations = false, migrations = false)]
fn twice() {}

#[habitat_migrate::test(migrations = true)]
fn what_is_so_anyway() {}

#[habitat_migrate::test]
fn of_an_argument(#[database(flavor = "multi_thread")] client: postgres::Client) {}

fn main() {}
