use super::*;
use crate::Catalog;

#[test]
fn layouts_are_known_by_their_names() {
    for (name, layout) in Layout::NAMES {
        assert_eq!(name.parse(), Ok(layout));
        assert_eq!(layout.to_string(), name);
    }
    let fault = "golang_migrate".parse::<Layout>().expect_err("an underscore");
    assert_eq!(fault.to_string(), "there is no layout \"golang_migrate\"; did you mean \"golang-migrate\"?");
    let fault = "alembic".parse::<Layout>().expect_err("no such layout").to_string();
    assert!(fault.contains("the layouts are habitat, sqlx, golang-migrate, refinery"), "{fault}");
}

#[test]
fn a_version_is_that_of_the_renamed_file() {
    for (layout, path, renamed) in [
        (Layout::Sqlx, "0007_add_users.up.sql", "0007_add_users.sql"),
        (Layout::GolangMigrate, "000007_add.users.up.sql", "000007_add_users.sql"),
        (Layout::Refinery, "V07__add_users.sql", "07_add_users.sql"),
        (Layout::Refinery, "U7__add_users.sql", "7_add_users.sql"),
        (Layout::Flyway, "V7__Add users.sql", "7_Add_users.sql"),
        (Layout::Goose, "00007_add_users.sql", "00007_add_users.sql"),
    ] {
        let ours = parse(Layout::Habitat, None, renamed).expect("a good name");
        assert_eq!(parse(layout, None, path), Ok(ours), "{path}");
    }
}

#[test]
fn a_file_is_found_by_its_version() {
    for (layout, version, role, file) in [
        (Layout::Habitat, "1_a", Role::Down, "1_a.down.sql"),
        (Layout::Sqlx, "1_a", Role::Up, "1_a.up.sql"),
        (Layout::Sqlx, "R__a", Role::Up, "R__a.sql"),
        (Layout::Flyway, "1.2_a", Role::Down, "U1.2__a.sql"),
        (Layout::Flyway, "1.2_a", Role::Verify, "V1.2__a.verify.sql"),
        (Layout::Refinery, "R__a", Role::Verify, "R__a.verify.sql"),
        (Layout::Diesel, "1_a", Role::Verify, "1_a/verify.sql"),
        (Layout::Goose, "1_a", Role::Up, "1_a.sql"),
    ] {
        assert_eq!(layout.file_of(&Version::new(version), role), file);
    }
}

#[test]
fn a_key_is_what_the_tools_table_holds() {
    let key = |layout: Layout, version: &'static str| {
        let name = format!("{version}.sql");
        let catalog = Catalog::from_scripts("app", [(name, "SELECT 1")]).expect("a good name");
        layout.foreign_key(&catalog.migrations()[0])
    };
    assert_eq!(key(Layout::Sqlx, "0007_a").as_deref(), Some("7"));
    assert_eq!(key(Layout::Goose, "0000_a").as_deref(), Some("0"));
    assert_eq!(key(Layout::Dbmate, "0007_a").as_deref(), Some("0007"));
    assert_eq!(key(Layout::Habitat, "0007_a").as_deref(), Some("0007_a"));
    assert_eq!(key(Layout::Flyway, "R__a"), None);
}

#[test]
fn a_down_script_says_how_it_runs() {
    use TransactionMode::{None, Wrapped};
    assert_eq!(TransactionMode::of_down("DROP TABLE a"), Wrapped);
    assert_eq!(TransactionMode::of_down("\n\n-- no-transaction\nDROP TABLE a"), None);
    assert_eq!(TransactionMode::of_down("DROP INDEX CONCURRENTLY i"), None);
}
