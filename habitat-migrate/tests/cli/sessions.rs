//! What a person sees, as `script` records it: colours, confirmations, progress.

use std::process::Command;

use super::recorded::{keep, masked};
use super::support::{Desk, clean, outcome};

/// A command at a terminal of this width, by `script`, which gives it one.
fn seen(desk: &Desk, columns: usize, arguments: &str, typed: &str) -> String {
    let program = env!("CARGO_BIN_EXE_habitat-migrate");
    let line = format!("stty cols {columns} rows 40; {program} {arguments}");
    let mut command = clean("script");
    command.args(["-qec", &line, "/dev/null"]).current_dir(desk.path());
    command.env("DATABASE_URL", desk.url()).env("TERM", "xterm-256color").env("SHELL", "/bin/sh");
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("script, of util-linux");
    use std::io::Write as _;
    child.stdin.take().expect("a pipe").write_all(typed.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("an end");
    String::from_utf8_lossy(&output.stdout).replace('\r', "")
}

#[test]
fn status_and_plan_at_80_and_at_140_columns() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1", "--environment", "staging"]);
    // A table is as wide as its times are.
    desk.sql("UPDATE schema_migrations SET execution_time = interval '4.1 milliseconds'");
    for columns in [80, 140] {
        let status = masked(&desk, &seen(&desk, columns, "status", ""));
        let plan = masked(&desk, &seen(&desk, columns, "plan", ""));
        keep(&format!("status_{columns}"), &status);
        keep(&format!("plan_{columns}"), &plan);
    }
}

#[test]
fn a_failing_migration_in_colours_and_without() {
    let desk = Desk::with_shop();
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (\n  price mony\n);\n");
    keep("failing_plain", &masked(&desk, &desk.run(&["--quiet", "up"]).err));
    let seen = seen(&desk, 80, "--quiet up", "");
    assert!(seen.contains("\u{1b}[1m\u{1b}[31merror: \u{1b}[0m"), "{seen:?}");
    let plain = {
        let mut command: Command = desk.command(&["--quiet", "up"]);
        command.env("NO_COLOR", "1").env("CLICOLOR_FORCE", "0");
        outcome(command).err
    };
    assert!(!plain.contains('\u{1b}'), "{plain:?}");
}

#[test]
fn colours_are_never_there_with_no_color() {
    let desk = Desk::with_shop();
    let line = seen(&desk, 80, "status", "");
    assert!(line.contains('\u{1b}'), "{line:?}");
    let program = env!("CARGO_BIN_EXE_habitat-migrate");
    let mut command = clean("script");
    command.args(["-qec", &format!("{program} status"), "/dev/null"]).current_dir(desk.path());
    command.env("DATABASE_URL", desk.url()).env("TERM", "xterm").env("NO_COLOR", "1").env("SHELL", "/bin/sh");
    let status = outcome(command);
    assert!(status.out.contains("pending") && !status.out.contains('\u{1b}'), "{:?}", status.out);
}

#[test]
fn production_is_confirmed_by_typing_its_database_s_name() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1", "--environment", "production"]);
    let refused = seen(&desk, 80, "down", "yes\n");
    assert!(refused.contains("in PRODUCTION.\nType the database's name to go on:"), "{refused}");
    assert!(refused.contains("that is not the database's name; nothing was done"), "{refused}");
    let name = desk.database().name().to_owned();
    let done = seen(&desk, 80, "down", &format!("{name}\n"));
    assert!(done.contains("1 migration taken back"), "{done}");
}

#[test]
fn a_slow_migration_is_named_while_it_runs_and_a_blocked_one_with_who_is_in_the_way() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    desk.write("migrations/03_slow.sql", "SELECT pg_sleep(0.7);\n");
    let slow = seen(&desk, 80, "up", "");
    assert!(slow.contains("applying migrations:03_slow"), "{slow:?}");
    assert!(slow.contains("\u{1b}[32m✓\u{1b}[0m applied migrations:03_slow ("), "{slow:?}");

    desk.write("migrations/04_blocked.sql", "ALTER TABLE items ADD COLUMN price int;\n");
    let mut other = desk.database().connect().expect("a connection");
    let mut transaction = other.transaction().expect("a transaction");
    transaction
        .batch_execute("SET application_name = 'the till'; LOCK TABLE items IN ACCESS SHARE MODE")
        .expect("a lock");
    let blocked = seen(&desk, 140, "up --lock-timeout 100ms --retry-budget 400ms", "");
    transaction.rollback().expect("an end");
    for words in [
        "migrations:04_blocked: canceling statement",
        "in the way: process",
        "(the till)",
        "idle in transaction",
    ] {
        assert!(blocked.contains(words), "{words}: {blocked}");
    }
}
