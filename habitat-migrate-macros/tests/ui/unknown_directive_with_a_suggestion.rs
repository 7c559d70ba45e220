use habitat_migrate::{Catalog, migrate};

const SCHEMA: Catalog = migrate!("tests/ui/fixtures/unknown_directive_with_a_suggestion");

fn main() {
    println!("{}", SCHEMA.migrations().len());
}
