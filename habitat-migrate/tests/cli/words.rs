//! What is said while something goes on, what is counted, and the words of other tools.

use super::json::valid;
use super::programs::has_programs;
use super::support::{Desk, outcome};
use super::terminal::Terminal;

#[test]
fn verify_counts_the_scripts_that_ran() {
    let desk = Desk::with_shop();
    assert_eq!(desk.done(&["verify"]), "✓ nothing found; no verify script ran\n");
    desk.done(&["up", "--to", "1"]);
    assert_eq!(desk.done(&["verify"]), "✓ nothing found; 1 verify script ran\n");
    desk.write("migrations/03_paid.sql", "CREATE TABLE paid (id int);\n");
    desk.write("migrations/03_paid.verify.sql", "SELECT count(*) = 0 FROM paid;\n");
    assert_eq!(desk.done(&["verify"]), "✓ nothing found; 1 verify script ran\n", "the other is pending");
    desk.done(&["up"]);
    assert_eq!(desk.done(&["verify"]), "✓ nothing found; 2 verify scripts ran\n");
}

#[test]
fn many_applied_and_many_pending_are_cut_where_they_meet() {
    let desk = Desk::new();
    for n in 1..=60 {
        desk.write(&format!("migrations/{n:02}_t{n}.sql"), "SELECT 1;\n");
    }
    let rows = |text: &str, word: &str| text.lines().filter(|line| line.starts_with(word)).count();
    let first = desk.done(&["status"]);
    assert_eq!(rows(&first, "pending"), 20, "{first}");
    assert!(first.contains("pending  migrations:01_t1") && !first.contains("21_t21"), "{first}");
    assert!(first.contains("… 40 pending after these: status --all shows them\n"), "{first}");
    assert!(first.contains("60 pending; no environment is recorded"), "{first}");

    desk.done(&["up", "--to", "30"]);
    let half = desk.done(&["status"]);
    assert_eq!((rows(&half, "applied"), rows(&half, "pending")), (20, 20), "{half}");
    for words in ["… 10 applied before these", "11_t11", "30_t30", "31_t31", "50_t50", "… 10 pending after"]
    {
        assert!(half.contains(words), "{words}: {half}");
    }
    let all = desk.done(&["status", "--all"]);
    assert_eq!((rows(&all, "applied"), rows(&all, "pending"), rows(&all, "…")), (30, 30, 0), "{all}");
    let json = valid(&desk, &["status"], 0);
    assert_eq!(json["result"]["migrations"].as_array().map(Vec::len), Some(60), "a program gets all of them");
}

#[test]
fn what_takes_long_is_said_before_it_is_done() {
    let desk = Desk::with_shop();
    if !has_programs(&desk) {
        return;
    }
    desk.done(&["up", "--to", "1"]);
    let name = desk.database().name();
    let taking = format!("taking a backup of {name}\n");
    let backup = ["backup", "--folder", "kept"];
    assert_eq!(desk.run(&backup).err, taking);
    assert_eq!(desk.run(&[&backup[..], &["--quiet"]].concat()).err, "");
    let first = desk.run(&["up", "--backup-first", "--backups", "kept"]);
    assert!(first.err.starts_with(&taking), "{}", first.err);
    assert_eq!(desk.run(&["schema", "dump"]).err, format!("dumping the schema of {name}\n"));

    let fresh = Desk::new();
    let kept = desk.path().join("kept").display().to_string();
    let restore = fresh.run(&["restore", "--newest", "--of", name, "--folder", &kept]);
    assert_eq!(restore.code, 0, "{}", restore.err);
    let end = format!(" into {}\n", fresh.database().name());
    assert!(restore.err.starts_with("restoring ") && restore.err.ends_with(&end), "{}", restore.err);
}

#[test]
fn what_takes_long_has_a_line_that_lives() {
    let desk = Desk::with_shop();
    if !has_programs(&desk) {
        return;
    }
    // Another process writes the program: one that this process had open for writing could not be run by others.
    let script = "mkdir slow; cat > slow/pg_dump <<'END'\n#!/bin/sh\n[ \"$1\" = --version ] || sleep 1.2\n\
                  exec \"$(ls /usr/lib/postgresql/*/bin/pg_dump | tail -1)\" \"$@\"\nEND\n\
                  cp slow/pg_dump slow/pg_restore; sed -i s/pg_dump/pg_restore/ slow/pg_restore; chmod 755 slow/*";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(desk.path()).status();
    assert!(made.expect("a shell").success());
    let slow = desk.path().join("slow").display().to_string();
    let arguments = ["backup", "--folder", "kept", "--pg-bin", &slow];
    let mut terminal = Terminal::start(desk.command(&arguments), 120);
    terminal.shows(&format!("taking a backup of {}", desk.database().name()));
    terminal.shows(" 0:01");
    let ended = terminal.ends();
    assert_eq!(ended.code, Some(0), "{}", ended.screen);
    assert!(!ended.screen.contains("taking a backup"), "{}", ended.screen);
}

#[test]
fn other_tools_words_mean_the_same_here() {
    let desk = Desk::with_shop();
    desk.write("migrations/02_orders.down.sql", "DROP TABLE orders;\n");
    desk.done(&["run", "--target-version", "1"]);
    assert!(desk.done(&["status"]).contains("1 applied, 1 pending"));
    desk.done(&["up"]);
    desk.done(&["revert", "--target-version", "1"]);
    assert!(desk.done(&["status"]).contains("1 applied, 1 pending"));
    for arguments in [&["revert", "-n", "2"][..], &["revert", "--number", "2"]] {
        desk.done(&["up"]);
        desk.done(arguments);
        assert!(desk.done(&["status"]).contains("2 pending"), "{arguments:?}");
    }
    assert_eq!(desk.run(&["down", "1", "-n", "2"]).code, 2, "one of them");
    let added = desk.done(&["add", "-r", "prices"]);
    assert!(added.contains("03_prices.sql") && added.contains("03_prices.down.sql"), "{added}");
    assert_eq!(desk.run(&["add", "-r", "--no-down", "x"]).code, 2, "one of them");
}

#[test]
fn a_server_that_is_not_there_is_named_by_every_verb() {
    let desk = Desk::with_shop();
    let nowhere = "host=127.0.0.1 port=1 user=app dbname=app password=hunter2";
    for arguments in [&["schema", "dump"][..], &["down"], &["backup", "--folder", "kept"], &["up"]] {
        let with = ["-D", nowhere, "--connect-timeout", "0s"];
        let run = desk.run(&[arguments, &with].concat());
        assert_eq!(run.code, 1, "{arguments:?}: {}", run.err);
        assert_eq!(
            run.err.matches("no connection to app@127.0.0.1:1/app").count(),
            1,
            "{arguments:?}: {}",
            run.err
        );
        assert!(!run.err.contains("hunter2"), "{}", run.err);
    }
    let absent = desk.url().replace(desk.database().name(), "absent");
    for arguments in
        [&["schema", "dump"][..], &["down"], &["backup", "--folder", "kept"], &["up"], &["status"]]
    {
        let run = desk.run(&[arguments, &["-D", &absent]].concat());
        assert_eq!(run.code, 1, "{arguments:?}: {}", run.err);
        assert!(run.err.starts_with("error: no connection to "), "{arguments:?}: {}", run.err);
        assert!(run.err.contains("cannot be opened"), "{arguments:?}: {}", run.err);
    }
}

#[test]
fn completions_and_manual_pages_need_no_sound_settings() {
    let desk = Desk::with_shop();
    desk.write("habitat.toml", "no = such\n");
    desk.write(".env", "no variable\n");
    assert_eq!(desk.run(&["status"]).code, 2);
    for arguments in [&["completions", "bash"][..], &["man"], &["man", "--dir", "pages"]] {
        let mut command = desk.command(arguments);
        command.env_remove("DATABASE_URL");
        let done = outcome(command);
        assert_eq!(done.code, 0, "{arguments:?}: {}", done.err);
    }
}
