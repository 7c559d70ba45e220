//! What a person is asked at a terminal, and every way to answer.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::recorded::{keep, masked};
use super::support::Desk;
use super::terminal::{CTRL_C, CTRL_D, Ended, Terminal};

/// Starts a command at a terminal, waits for its question, answers, and waits for the end.
fn answered(desk: &Desk, arguments: &[&str], question: &str, answer: &str) -> Ended {
    let mut terminal = Terminal::start(desk.command(arguments), 80);
    terminal.asks(question);
    terminal.types(answer);
    terminal.ends()
}

/// How many migrations are recorded.
fn recorded(desk: &Desk) -> i64 {
    let mut client = desk.database().connect().expect("a connection");
    client.query_one("SELECT count(*) FROM schema_migrations", &[]).expect("a tracker").get(0)
}

#[test]
fn in_production_the_database_s_name_is_typed() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1", "--environment", "production"]);
    let question = "Type the database's name to go on:";

    let wrong = answered(&desk, &["down"], question, "yes\n");
    assert_eq!(wrong.code, Some(5), "{}", wrong.screen);
    keep("ask_down_wrong", &masked(&desk, &wrong.screen));
    let ended = answered(&desk, &["down"], question, CTRL_D);
    assert_eq!(ended.code, Some(5), "{}", ended.screen);
    keep("ask_down_end_of_input", &masked(&desk, &ended.screen));
    let broken_off = answered(&desk, &["down"], question, CTRL_C);
    assert_eq!(broken_off.code, None, "a signal ended it: {}", broken_off.screen);
    assert_eq!(recorded(&desk), 1, "nothing was done so far");

    let name = desk.database().name().to_owned();
    let right = answered(&desk, &["down"], question, &format!("{name}\n"));
    assert_eq!(right.code, Some(0), "{}", right.screen);
    keep("ask_down_right", &masked(&desk, &right.screen));
    assert_eq!(recorded(&desk), 0);
}

#[test]
fn elsewhere_yes_is_enough() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1"]);
    for answer in ["n\n", "\n", CTRL_D] {
        let no = answered(&desk, &["down"], "[y/N]", answer);
        assert_eq!(no.code, Some(5), "{}", no.screen);
        assert_eq!(recorded(&desk), 1);
        keep("ask_elsewhere_no", &masked(&desk, &no.screen.replace("[y/N] n", "[y/N]")));
    }
    assert_eq!(answered(&desk, &["down"], "[y/N]", "y\n").code, Some(0));
    assert_eq!(recorded(&desk), 0);
}

#[test]
fn an_environment_is_recorded_after_a_yes_since_it_stays() {
    let desk = Desk::with_shop();
    let set = ["env", "set", "production"];
    let no = answered(&desk, &set, "[y/N]", "n\n");
    assert_eq!(no.code, Some(5), "{}", no.screen);
    keep("ask_environment_no", &masked(&desk, &no.screen));
    assert!(desk.done(&["env", "show"]).contains("no environment is recorded"));
    let yes = answered(&desk, &set, "[y/N]", "y\n");
    assert_eq!(yes.code, Some(0), "{}", yes.screen);
    keep("ask_environment_yes", &masked(&desk, &yes.screen));
    assert_eq!(desk.done(&["env", "show"]), "production\n");
    // What is recorded already is recorded, and nothing is asked.
    let again = Terminal::start(desk.command(&set), 80).ends();
    assert_eq!(again.code, Some(0), "{}", again.screen);
    assert!(!again.screen.contains("[y/N]"), "{}", again.screen);
}

#[test]
fn production_is_provisioned_after_its_databases_are_named() {
    let desk = Desk::with_shop();
    let name = desk.database().name().to_owned();
    desk.write(
        "provision.toml",
        &format!("[environments.production]\n[databases.\"{name}\"]\n[schemas.shop]\n"),
    );
    let apply = ["provision", "apply", "--environment", "production"];
    let question = "Type the database's name to go on:";
    let schemas = || {
        let mut client = desk.database().connect().expect("a connection");
        let count = "SELECT count(*) FROM pg_namespace WHERE nspname = 'shop'";
        client.query_one(count, &[]).expect("a count").get::<_, i64>(0)
    };
    for (kept, answer) in [("ask_provision_wrong", "shop\n"), ("ask_provision_end_of_input", CTRL_D)] {
        let refused = answered(&desk, &apply, question, answer);
        assert_eq!(refused.code, Some(5), "{}", refused.screen);
        keep(kept, &masked(&desk, &refused.screen));
    }
    assert_eq!(answered(&desk, &apply, question, CTRL_C).code, None);
    assert_eq!(schemas(), 0);
    let right = answered(&desk, &apply, question, &format!("{name}\n"));
    assert_eq!(right.code, Some(0), "{}", right.screen);
    keep("ask_provision_right", &masked(&desk, &right.screen));
    assert_eq!(schemas(), 1);
}

#[test]
fn a_second_run_says_whom_it_waits_for() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    desk.write("migrations/03_slow.sql", "SELECT pg_sleep(2);\n");
    let mut first = desk.command(&["--quiet", "up"]).stdout(Stdio::null()).spawn().expect("a process");
    let mut client = desk.database().connect().expect("a connection");
    let asleep = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
    let end = Instant::now() + Duration::from_secs(20);
    while client.query(asleep, &[]).expect("a reply").is_empty() {
        assert!(Instant::now() < end, "the first run never began");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut second = Terminal::start(desk.command(&["up"]), 80);
    let during = second.shows("waiting for another run: process");
    let after = second.ends();
    first.wait().expect("it ran");
    keep("screen_waiting_80", &masked(&desk, &during));
    keep("screen_waiting_after_80", &masked(&desk, &after.screen));
    assert_eq!(after.code, Some(0));
}

#[test]
fn what_is_taken_back_is_not_said_to_be_applied() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1"]);
    let redo = desk.run(&["redo"]).err;
    let lines: Vec<&str> = redo.lines().map(|line| line.split(" (").next().unwrap_or_default()).collect();
    let expected = [
        "1 migration is to be taken back",
        "taking migrations:01_items back",
        "took migrations:01_items back",
        "2 migrations are pending",
        "applying migrations:01_items",
        "applying migrations:02_orders",
        "applied migrations:01_items",
        "applied migrations:02_orders",
    ];
    assert_eq!(lines, expected);
    assert_eq!(desk.done(&["down", "--to", "2"]), "✓ nothing to take back\n");
}

#[test]
fn manual_pages_are_written_for_each_verb() {
    let desk = Desk::new();
    let man = Terminal::start(desk.command(&["man", "--dir", "pages"]), 80).ends();
    assert_eq!(man.code, Some(0), "{}", man.screen);
    assert_eq!(man.screen, "pages are in pages\n");
    let down = desk.read("pages/habitat-migrate-down.1");
    assert!(down.contains(".TH habitat-migrate-down 1") && down.contains("Takes migrations back"), "{down}");
    assert!(desk.read("pages/habitat-migrate.1").contains("EXTRA"), "exit codes");
}
