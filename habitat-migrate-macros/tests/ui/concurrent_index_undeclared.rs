use habitat_migrate::{Catalog, migrate};

const SCHEMA: Catalog = migrate!("tests/ui/fixtures/concurrent_index_undeclared");

fn main() {
    println!("{}", SCHEMA.migrations().len());
}
