#[habitat_migrate::test(migrations = "tests/ui/fixtures/commit_inside")]
fn of_the_test() {}

#[habitat_migrate::test(migrations = false)]
fn of_an_argument(client: Client, #[database(migrations = "tests/ui/fixtures/nowhere")] other: Client) {}

fn main() {}
