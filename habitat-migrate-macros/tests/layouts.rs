//! Folders of other tools are embedded as they are loaded.

use std::path::Path;

use habitat_migrate::{Catalog, Directory, Layout, Loader, Migration, Migrations, migrate};

#[derive(Migrations)]
#[migrations(dir = "../habitat-migrate-catalog/tests/fixtures/dbmate", layout = "dbmate", context = "app")]
#[migrations(dir = "../habitat-migrate-catalog/tests/fixtures/flyway")]
struct Two;

/// Everything that a program has of a migration.
fn whole(migration: &Migration) -> String {
    format!("{migration:?}")
}

#[track_caller]
fn is_loaded_as_embedded(embedded: &Catalog, tool: &str, layout: Layout) {
    let folder = format!("../habitat-migrate-catalog/tests/fixtures/{tool}");
    let directory = Directory::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(&folder)).shown_as(folder);
    let loaded = Loader::new().source(directory).layout(layout).load().expect("a good fixture");
    assert!(!loaded.migrations().is_empty());
    let all = |catalog: &Catalog| catalog.migrations().iter().map(whole).collect::<Vec<_>>();
    assert_eq!(all(embedded), all(&loaded));
    assert_eq!(embedded.contexts(), loaded.contexts());
}

#[test]
fn every_layout_is_embedded_as_it_is_loaded() {
    let sqlx = migrate!("../habitat-migrate-catalog/tests/fixtures/sqlx");
    is_loaded_as_embedded(&sqlx, "sqlx", Layout::Sqlx);
    let golang = migrate!("../habitat-migrate-catalog/tests/fixtures/golang_migrate");
    is_loaded_as_embedded(&golang, "golang_migrate", Layout::GolangMigrate);
    let refinery = migrate!("../habitat-migrate-catalog/tests/fixtures/refinery", layout = "refinery");
    is_loaded_as_embedded(&refinery, "refinery", Layout::Refinery);
    let flyway = migrate!("../habitat-migrate-catalog/tests/fixtures/flyway");
    is_loaded_as_embedded(&flyway, "flyway", Layout::Flyway);
    let diesel = migrate!("../habitat-migrate-catalog/tests/fixtures/diesel");
    is_loaded_as_embedded(&diesel, "diesel", Layout::Diesel);
    let dbmate = migrate!("../habitat-migrate-catalog/tests/fixtures/dbmate");
    is_loaded_as_embedded(&dbmate, "dbmate", Layout::Dbmate);
    let goose = migrate!("../habitat-migrate-catalog/tests/fixtures/goose", layout = "goose");
    is_loaded_as_embedded(&goose, "goose", Layout::Goose);
}

#[test]
fn each_folder_of_a_struct_has_its_own_layout() {
    let contexts: Vec<&str> = Two::CATALOG.contexts().iter().map(|_| "").collect();
    assert_eq!(contexts.len(), 2);
    assert!(Two::CATALOG.contexts().iter().any(|context| context.name() == "app" && context.count() == 4));
    assert!(Two::CATALOG.contexts().iter().any(|context| context.name() == "flyway" && context.count() == 5));
}

/// What is beside the scripts is watched as they are, and compared by a program that looks for files that it lacks.
#[cfg(debug_assertions)]
#[test]
fn files_beside_the_scripts_are_part_of_what_was_embedded() {
    let diesel = migrate!("../habitat-migrate-catalog/tests/fixtures/diesel");
    let folder = &diesel.folders()[0];
    assert!(folder.files.iter().any(|file| file.ends_with("/metadata.toml")), "{:?}", folder.files);
    let there = Directory::new(folder.path.to_string()).file_names().expect("the fixture is there");
    assert_eq!(folder.files.iter().map(|name| name.to_string()).collect::<Vec<_>>(), there);
}
