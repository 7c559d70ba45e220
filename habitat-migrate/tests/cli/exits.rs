//! Each exit code, provoked.

use std::time::Duration;

use super::support::{Desk, clean, outcome};

#[test]
fn zero_is_done() {
    let desk = Desk::with_shop();
    let up = desk.run(&["up"]);
    assert_eq!(up.code, 0, "{}", up.err);
    assert!(up.out.starts_with("✓ 2 migrations applied"), "{}", up.out);
    assert!(up.err.contains("applied migrations:01_items ("), "progress is on standard error: {}", up.err);
    assert_eq!(desk.run(&["--quiet", "up"]).err, "");
}

#[test]
fn one_is_a_migration_that_fails_and_its_place_is_shown() {
    let desk = Desk::with_shop();
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (\n  item int,\n  price mony\n);\n");
    let up = desk.run(&["up"]);
    assert_eq!(up.code, 1, "{}", up.err);
    assert_eq!(up.out, "", "results alone are on the standard output");
    for words in [
        "error: migration migrations:03_prices failed; nothing of it was kept",
        "migrations/03_prices.sql:3:9",
        "3 |   price mony",
        "^ type \"mony\" does not exist (42704)",
        "next: correct the file and run `up` again",
    ] {
        assert!(up.err.contains(words), "{words}: {}", up.err);
    }
}

#[test]
fn one_is_also_a_server_that_is_not_there() {
    let desk = Desk::with_shop();
    let url = "host=127.0.0.1 port=1 user=app dbname=app password=hunter2";
    let status = desk.run(&["status", "-D", url, "--connect-timeout", "0s"]);
    assert_eq!(status.code, 1, "{}", status.err);
    assert!(status.err.contains("no connection to app@127.0.0.1:1/app"), "{}", status.err);
    assert!(!status.err.contains("hunter2"), "{}", status.err);
    desk.write("provision.toml", "[roles.reader]\n");
    let plan =
        desk.run(&["provision", "plan", "--environment", "test", "-D", url, "--connect-timeout", "0s"]);
    assert_eq!(plan.code, 1, "{}", plan.err);
    assert!(plan.err.starts_with("error: no connection to database postgres"), "{}", plan.err);
    assert!(!plan.err.contains("hunter2"), "{}", plan.err);
}

#[test]
fn two_is_a_verb_that_is_not_there_and_one_is_suggested() {
    let desk = Desk::with_shop();
    let slip = desk.run(&["statsu"]);
    assert_eq!(slip.code, 2, "{}", slip.err);
    assert!(slip.err.contains("'status'"), "{}", slip.err);
    let slip = desk.run(&["up", "--to", "01_itmes"]);
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("did you mean `01_items`?"), "{}", slip.err);
    let slip = desk.run(&["up", "--to", "migratons:01_items"]);
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("did you mean `migrations`?"), "{}", slip.err);
}

#[test]
fn two_is_also_a_folder_with_a_mistake_and_a_database_that_nobody_names() {
    let desk = Desk::with_shop();
    let mut command = clean(env!("CARGO_BIN_EXE_habitat-migrate"));
    command.arg("status").current_dir(desk.path());
    let status = outcome(command);
    assert_eq!(status.code, 2, "{}", status.err);
    assert!(
        status.err.contains("no database is named") && status.err.contains("--database-url"),
        "{}",
        status.err
    );

    desk.write("migrations/02_again.sql", "SELECT 1;");
    let check = desk.run(&["check"]);
    assert_eq!(check.code, 2, "{}", check.err);
    assert!(check.err.contains("migrations/02_again.sql"), "{}", check.err);
    let check = desk.run(&["check", "--output", "github"]);
    assert_eq!(check.code, 2);
    assert!(check.out.starts_with("::error file=migrations/02_"), "{}", check.out);
}

#[test]
fn three_is_something_pending() {
    let desk = Desk::with_shop();
    assert_eq!(desk.run(&["pending"]).code, 3);
    assert_eq!(desk.run(&["status", "--exit-code"]).code, 3);
    assert_eq!(desk.run(&["status"]).code, 0);
    desk.done(&["up"]);
    assert_eq!(desk.run(&["pending"]).code, 0);
    assert_eq!(desk.run(&["status", "--exit-code"]).code, 0);
}

#[test]
fn three_is_also_a_verify_script_that_finds_something_and_a_file_that_changed() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    assert_eq!(desk.run(&["verify"]).code, 0);
    desk.sql("INSERT INTO items VALUES (1, 'lamp')");
    let verify = desk.run(&["verify"]);
    assert_eq!(verify.code, 3);
    assert!(verify.out.contains("it returned false") && verify.out.contains("1 found"), "{}", verify.out);
    desk.sql("DELETE FROM items");
    desk.write("migrations/02_orders.sql", "CREATE TABLE orders (item int);\n");
    let validate = desk.run(&["validate"]);
    assert_eq!(validate.code, 3, "Flyway's word for it");
    assert!(validate.out.contains("changed migrations:02_orders"), "{}", validate.out);
}

#[test]
fn four_is_a_lock_that_another_process_holds() {
    let desk = Desk::with_shop();
    desk.write("migrations/03_slow.sql", "SELECT pg_sleep(30);\n");
    desk.done(&["up", "--to", "2"]);
    let mut other = desk.command(&["up"]).spawn().expect("a process");
    let mut client = desk.database().connect().expect("a connection");
    let sleeping = "SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid() \
                    AND datname = current_database()";
    let end = std::time::Instant::now() + Duration::from_secs(20);
    while client.query(sleeping, &[]).expect("a reply").is_empty() {
        assert!(std::time::Instant::now() < end, "the other process never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let up = desk.run(&["up", "--lock-wait", "50ms"]);
    other.kill().expect("it ran");
    other.wait().expect("it ran");
    assert_eq!(up.code, 4, "{}", up.err);
    assert!(up.err.contains("waiting for process"), "{}", up.err);
}

#[test]
fn five_is_a_policy_that_forbids_it() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    desk.write("migrations/02_orders.sql", "CREATE TABLE orders (item int);\n");
    assert_eq!(desk.run(&["up"]).code, 5);
    assert_eq!(desk.run(&["up", "--changed", "ignore"]).code, 0);
}

#[test]
fn production_wants_its_database_s_name_and_yes_is_not_enough() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1", "--environment", "production"]);
    for arguments in [&["down"][..], &["down", "--yes"], &["redo", "-y"], &["down", "--confirm", "other"]] {
        let down = desk.run(arguments);
        assert_eq!(down.code, 5, "{arguments:?}: {}", down.err);
        assert!(down.err.contains(&format!("--confirm {}", desk.database().name())), "{}", down.err);
    }
    assert!(desk.run(&["down", "--yes"]).err.contains("--yes is not enough there"));
    let forget = ["repair", "forget", "1", "--why", "by hand", "--yes"];
    assert_eq!(desk.run(&forget).code, 5);
    desk.done(&["down", "--confirm", desk.database().name()]);
    assert_eq!(desk.run(&["env", "set", "test"]).code, 5, "an environment is recorded once and for all");
    assert_eq!(desk.done(&["env", "show"]), "production\n");
}

#[test]
fn two_is_also_a_file_of_settings_that_cannot_be_read() {
    let desk = Desk::with_shop();
    for arguments in [
        &["status", "--config", "nowhere.toml"][..],
        &["provision", "audit", "--environment", "test", "--provision", "nowhere.toml"],
        &["provision", "apply", "--environment", "test"],
    ] {
        let unread = desk.run(arguments);
        assert_eq!(unread.code, 2, "{arguments:?}: {}", unread.err);
        assert!(unread.err.contains("cannot read ") && unread.err.contains("= next: "), "{}", unread.err);
    }
    std::fs::write(desk.path().join(".env"), b"NAME=\xff\n").expect("a file");
    let unread = desk.run(&["status"]);
    assert_eq!(unread.code, 2, "{}", unread.err);
    assert!(unread.err.contains("/.env: ") && !unread.err.contains("NAME"), "{}", unread.err);
    std::fs::remove_file(desk.path().join(".env")).expect("a file");
    let unwritten = desk.run(&["graph", "--format", "svg", "--file", "nowhere/graph.svg"]);
    assert_eq!(unwritten.code, 1, "what cannot be written was tried: {}", unwritten.err);
}
