struct NoMigrations;

// The attribute `rustfmt::test` does nothing: it keeps the functions where no tests are compiled.
#[habitat_migrate::test(migrations = NoMigrations)]
#[rustfmt::test]
fn of_a_type() {}

#[habitat_migrate::test(catalog = NoMigrations)]
#[rustfmt::test]
fn of_an_expression() {}

#[habitat_migrate::test(migrations = NoMigrations, to = "01_a")]
#[rustfmt::test]
fn of_a_type_up_to() {}

fn main() {}
