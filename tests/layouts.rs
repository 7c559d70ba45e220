//! Scripts of other tools' folders run, and fail, as those of our own do.

mod support;

use habitat_migrate::{Catalog, Error, Layout, Loader, Migrator, Scripts};
use support::{database, value};

fn load(layout: Layout, files: &[(&'static str, &'static str)]) -> Catalog {
    let scripts = Scripts::new("app", files.iter().copied());
    Loader::new()
        .source(scripts)
        .layout(layout)
        .load()
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// Where a faulty migration failed: line and column in its file.
fn failure(layout: Layout, name: &'static str, text: &'static str) -> (usize, usize) {
    let database = database();
    let migrator = Migrator::new(load(layout, &[(name, text)]));
    let error: Error = migrator.migrate(&mut database.connect().unwrap()).unwrap_err();
    let (path, line, column) = error.location().unwrap_or_else(|| panic!("no place: {error:?}"));
    assert_eq!(path, format!("app/{name}"));
    (line, column)
}

#[test]
fn sets_of_every_layout_are_applied_in_their_order() {
    let (first, second) = ("CREATE TABLE a (id int);", "ALTER TABLE a ADD COLUMN name text;");
    let goose =
        ["-- +goose Up\nCREATE TABLE a (id int);", "-- +goose Up\nALTER TABLE a ADD COLUMN name text;"];
    let dbmate =
        ["-- migrate:up\nCREATE TABLE a (id int);", "-- migrate:up\nALTER TABLE a ADD COLUMN name text;"];
    for (layout, names, [one, other]) in [
        (Layout::Sqlx, ["10_b.up.sql", "9_a.up.sql"], [second, first]),
        (Layout::GolangMigrate, ["000010_b.up.sql", "000009_a.up.sql"], [second, first]),
        (Layout::Refinery, ["U10__b.sql", "V9__a.sql"], [second, first]),
        (Layout::Flyway, ["V1.10__b.sql", "V1.9__a.sql"], [second, first]),
        (Layout::Diesel, ["2024-01-02-000000_b/up.sql", "2024-01-01-000000_a/up.sql"], [second, first]),
        (Layout::Dbmate, ["20240102_b.sql", "20240101_a.sql"], [dbmate[1], dbmate[0]]),
        (Layout::Goose, ["00010_b.sql", "00009_a.sql"], [goose[1], goose[0]]),
    ] {
        let database = database();
        let mut client = database.connect().unwrap();
        let migrator = Migrator::new(load(layout, &[(names[0], one), (names[1], other)]));
        let report = migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{layout}: {error:?}"));
        assert_eq!(report.applied().len(), 2, "{layout}");
        assert!(migrator.migrate(&mut client).unwrap().applied().is_empty(), "{layout}");
        let columns = "SELECT count(*)::text FROM information_schema.columns WHERE table_name = 'a'";
        assert_eq!(value::<String>(&mut client, columns), "2", "{layout}");
    }
}

#[test]
fn an_error_in_a_section_has_the_line_of_its_file() {
    let dbmate = "-- what it is for\n-- migrate:up\nSELECT 1;\nCREATE TABEL x ();\n";
    assert_eq!(failure(Layout::Dbmate, "1_a.sql", dbmate), (4, 8));
    let goose = "-- +goose Up\n-- +goose StatementBegin\nSELECT 1\n-- +goose StatementEnd\n\nSELECT 1 / (SELECT 0);\n";
    assert_eq!(failure(Layout::Goose, "1_a.sql", goose), (6, 1));
}

#[test]
fn an_error_in_a_script_that_wraps_itself_has_its_line_and_nothing_stays() {
    let text = "BEGIN; CREATE TABLE kept ();\n  SELECT nothing;\nCOMMIT;";
    assert_eq!(failure(Layout::GolangMigrate, "1_a.up.sql", text), (2, 10));
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(load(Layout::GolangMigrate, &[("1_a.up.sql", text)]));
    migrator.migrate(&mut client).unwrap_err();
    assert_eq!(
        value::<String>(&mut client, "SELECT count(*)::text FROM pg_class WHERE relname = 'kept'"),
        "0"
    );
}
