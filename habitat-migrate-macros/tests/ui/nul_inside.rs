use habitat_migrate::{Catalog, migrate};

const SCHEMA: Catalog = migrate!("tests/ui/fixtures/nul_inside");

fn main() {
    println!("{}", SCHEMA.migrations().len());
}
