//! Folders on disk: what is read of them, and what is said about those that cannot be.

use std::fs;
use std::path::Path;

use habitat_migrate_catalog::{Catalog, Directory, Problems};

/// A folder with these files.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for (path, bytes) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder is new");
        fs::write(path, bytes).expect("the file is new");
    }
    folder
}

fn load(path: &Path) -> Result<Catalog, Problems> {
    Catalog::load(Directory::new(path).shown_as("migrations"))
}

#[test]
fn a_folder_of_contexts_is_loaded_in_order() {
    let folder = folder(&[
        ("treasury/01_core.sql", b"SELECT 1"),
        ("treasury/.git/01_core.sql", b"'"),
        ("people/02_core.sql", b"-- habitat: requires treasury:01_core\r\nSELECT 1"),
        ("people/notes.txt", b"\xff"),
    ]);
    let catalog = load(folder.path()).expect("a good set");
    let paths: Vec<&str> = catalog.migrations().iter().map(|migration| migration.path()).collect();
    assert_eq!(paths, ["migrations/treasury/01_core.sql", "migrations/people/02_core.sql"]);
    let names = Directory::new(folder.path()).file_names().expect("the folder is there");
    assert_eq!(names, ["people/02_core.sql", "treasury/01_core.sql"]);
}

#[test]
fn a_folder_of_scripts_is_a_context_of_its_name_or_of_another() {
    let folder = folder(&[("treasury/01_core.sql", b"SELECT 1")]);
    let path = folder.path().join("treasury");
    assert_eq!(load(&path).expect("a good set").contexts()[0].name(), "treasury");
    let named = Catalog::load(Directory::new(&path).in_context("ledger")).expect("a good set");
    assert_eq!(named.contexts()[0].name(), "ledger");
}

#[test]
fn a_missing_folder_is_named() {
    let folder = folder(&[]);
    let problems = load(&folder.path().join("nothing")).expect_err("no folder");
    assert_eq!(problems.to_string(), "the migrations have a problem: migrations: there is no such folder");
}

#[test]
fn a_folder_without_scripts_is_refused() {
    let folder = folder(&[("README.md", b"later")]);
    assert!(load(folder.path()).expect_err("no script").to_string().contains("there is no script"));
}

#[test]
fn a_misnamed_file_is_refused_and_never_skipped() {
    let folder = folder(&[("a/01_a.sql", b"SELECT 1"), ("a/02-b.SQL", b"SELECT 1")]);
    let problems = load(folder.path()).expect_err("a bad name");
    assert_eq!(problems.iter().next().expect("one").path(), "migrations/a/02-b.SQL");
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_broken_ones_told() {
    let folder = folder(&[("real/x.txt", b"SELECT 1"), ("a/01_a.sql", b"SELECT 1")]);
    std::os::unix::fs::symlink(folder.path().join("real/x.txt"), folder.path().join("a/02_b.sql"))
        .expect("a link");
    assert_eq!(load(folder.path()).expect("a good set").migrations().len(), 2);
    std::os::unix::fs::symlink(folder.path().join("gone"), folder.path().join("a/03_c.sql")).expect("a link");
    assert!(
        load(folder.path())
            .expect_err("a broken link")
            .to_string()
            .contains("a/03_c.sql: the file cannot be read")
    );
}

#[cfg(unix)]
#[test]
fn a_link_to_a_folder_above_ends() {
    let folder = folder(&[("a/01_a.sql", b"SELECT 1")]);
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/up")).expect("a link");
    assert!(load(folder.path()).is_err());
}

#[cfg(feature = "include_dir")]
#[test]
fn an_embedded_directory_is_a_source() {
    use habitat_migrate_catalog::Named;
    use include_dir::{Dir, DirEntry, File};

    static ENTRIES: [DirEntry<'static>; 1] = [DirEntry::File(File::new("01_a.sql", b"SELECT 1"))];
    static DIR: Dir<'static> = Dir::new("", &ENTRIES);
    let catalog = Catalog::load(Named::new("ledger", &DIR)).expect("a good set");
    assert_eq!(catalog.migrations()[0].id().to_string(), "ledger:01_a");
}
