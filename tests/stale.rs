//! A program that was built before its folder changed.

mod support;

use std::borrow::Cow;

use habitat_migrate::__private::Folder;
use habitat_migrate::{Catalog, ErrorKind, Migrator};

#[test]
fn migrate_refuses_when_the_folder_has_a_script_that_the_program_lacks() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0001_a.sql"), "CREATE TABLE a (id int);").unwrap();
    let migrations = Catalog::from_directory(folder.path()).unwrap().migrations().to_vec();
    let embedded = Folder {
        path: Cow::Owned(folder.path().to_string_lossy().into_owned()),
        files: Cow::Owned(vec![Cow::Borrowed("0001_a.sql")]),
    };
    let migrator = Migrator::new(Catalog::from_checked(migrations, vec![embedded]));
    let database = support::database();
    let mut client = database.connect().unwrap();
    migrator.migrate(&mut client).unwrap();

    std::fs::write(folder.path().join("0007_x.sql"), "CREATE TABLE x (id int);").unwrap();
    let error = migrator.migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stale);
    assert_eq!(error.to_string(), "0007_x.sql is in the folder but not in this binary: rebuild");

    folder.close().unwrap();
    migrator.migrate(&mut client).expect("elsewhere there is no folder to compare with");
}
