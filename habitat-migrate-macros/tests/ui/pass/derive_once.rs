//! What is embedded is what the loader reads, directive by directive.

use habitat_migrate::{Catalog, Migrations};

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound")]
struct Schema;

fn main() {
    let embedded = Schema::CATALOG;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ui/fixtures/sound");
    let read = Catalog::from_directory(folder).expect("the fixture is sound");

    assert_eq!(embedded.migrations().len(), 4);
    assert_eq!(embedded.contexts(), read.contexts());
    for (embedded, read) in embedded.migrations().iter().zip(read.migrations()) {
        assert_eq!(embedded.id(), read.id());
        assert_eq!(embedded.kind(), read.kind());
        assert_eq!(embedded.description(), read.description());
        assert_eq!(embedded.script(), read.script());
        assert_eq!(embedded.checksum(), read.checksum());
        assert_eq!(embedded.down(), read.down());
        assert_eq!(embedded.verify(), read.verify());
        assert_eq!(embedded.requires(), read.requires());
        assert_eq!(embedded.settings(), read.settings());
        assert!(embedded.path().starts_with("tests/ui/fixtures/sound/"), "{}", embedded.path());
    }
    let _ = Schema::migrator();
}
