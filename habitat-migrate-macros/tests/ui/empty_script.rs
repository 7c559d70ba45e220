use habitat_migrate::{Catalog, migrate};

const SCHEMA: Catalog = migrate!("tests/ui/fixtures/empty_script");

fn main() {
    println!("{}", SCHEMA.migrations().len());
}
