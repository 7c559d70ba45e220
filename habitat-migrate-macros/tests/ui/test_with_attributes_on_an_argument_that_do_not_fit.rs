#[habitat_migrate::test(migrations = false)]
fn given_twice(#[database] #[case] client: postgres::Client) {}

#[habitat_migrate::test(migrations = false)]
fn of_two_databases(#[database] #[database] client: postgres::Client) {}

#[habitat_migrate::test(migrations = false)]
fn there_or_not(#[cfg(unix)] client: postgres::Client) {}

#[habitat_migrate::test(migrations = false)]
fn a_case_that_is_taken_apart(#[case] (a, b): (i32, i32)) {}

#[habitat_migrate::test(migrations = false)]
#[habitat_migrate::test(migrations = false)]
fn the_attribute_twice() {}

fn main() {}
