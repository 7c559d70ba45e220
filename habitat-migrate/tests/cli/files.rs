//! `new`, and what it finds in a folder.

use super::support::Desk;

#[test]
fn a_new_migration_has_the_next_number_and_its_skeletons() {
    let desk = Desk::with_shop();
    let out = desk.done(&["new", "Create", "users"]);
    for name in ["03_create_users.sql", "03_create_users.down.sql", "03_create_users.verify.sql"] {
        assert!(out.contains(&format!("created migrations/{name}")), "{out}");
        desk.read(&format!("migrations/{name}"));
    }
    assert!(
        desk.read("migrations/03_create_users.sql").starts_with("-- habitat: description create users\n")
    );
    let check = desk.run(&["check"]);
    assert_eq!(check.code, 2, "a skeleton is no migration");
    assert!(check.err.contains("03_create_users.sql") && check.err.contains("no statement"), "{}", check.err);
}

#[test]
fn a_first_migration_needs_no_folder() {
    let desk = Desk::new();
    desk.done(&["new", "users", "--no-down", "--no-verify"]);
    assert!(desk.path().join("migrations/0001_users.sql").is_file());
    assert!(!desk.path().join("migrations/0001_users.down.sql").exists());
}

#[test]
fn other_tools_folders_get_files_of_their_kind() {
    for (there, created) in [
        ("7_a.up.sql", "8_b.up.sql"),
        ("V7__a.sql", "V8__b.sql"),
        ("V1.2__a.sql", "U3__b.sql"),
        ("000007_a.sql", "000008_b.sql"),
        ("20240131000000_a.up.sql", "_b.up.sql"),
        ("2024-01-31-000000_a/up.sql", "_b/down.sql"),
    ] {
        let desk = Desk::new();
        desk.write(&format!("migrations/{there}"), "SELECT 1;");
        let out = desk.run(&["add", "b"]);
        assert_eq!(out.code, 0, "{there}: {}", out.err);
        // Flyway's 1.2 is followed by 3, as numbers without their dots.
        let wanted = if there.starts_with("V1.2") { "U" } else { created };
        assert!(out.out.contains(wanted), "{there}: {}", out.out);
    }
}

#[test]
fn several_contexts_want_one_and_a_slip_is_no_new_one() {
    let desk = Desk::new();
    desk.write("migrations/people/01_a.sql", "SELECT 1;");
    desk.write("migrations/treasury/0007_a.sql", "SELECT 1;");
    let without = desk.run(&["new", "b"]);
    assert_eq!(without.code, 2);
    assert!(without.err.contains("--context: people, treasury"), "{}", without.err);
    let slip = desk.run(&["new", "b", "--context", "pepole"]);
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("did you mean `people`?"), "{}", slip.err);
    assert!(desk.done(&["new", "b", "--context", "treasury"]).contains("treasury/0008_b.sql"));
    assert!(desk.done(&["new", "b", "--context", "agreements"]).contains("agreements/0001_b.sql"));
}

#[test]
fn what_the_loader_would_refuse_is_not_written() {
    let desk = Desk::with_shop();
    for name in ["../x", "", "a/b"] {
        let new = desk.run(&["new", name]);
        assert_eq!(new.code, 2, "{name:?}: {}", new.err);
    }
    assert_eq!(std::fs::read_dir(desk.path().join("migrations")).expect("a folder").count(), 4);
}
