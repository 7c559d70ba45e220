//! The same verbs within a program that has its migrations compiled in.

use clap::Parser;
use habitat_migrate::{Catalog, Directory, cli};

use super::support::{Desk, Outcome, clean, outcome};

/// A service's own command.
#[derive(Parser)]
enum Service {
    /// Answers requests.
    Serve,
    /// Brings the database up to date.
    Migrate(cli::Command),
}

/// What stands before the program's own output, which the test harness begins.
const BEGIN: &str = "--- the service ---";

/// Not a test by itself: the program that the others start.
#[test]
fn service() {
    let Ok(arguments) = std::env::var("HABITAT_TEST_ARGUMENTS") else { return };
    let folder = std::env::var("HABITAT_TEST_FOLDER").expect("a folder");
    let source = Directory::new(folder).shown_as("migrations").in_context("migrations");
    let catalog = Catalog::load(source).expect("a sound folder");
    println!("{BEGIN}");
    match Service::parse_from(arguments.split(' ')) {
        Service::Serve => {}
        Service::Migrate(command) => {
            let exit = format!("{:?}", command.run(catalog));
            let code = exit.chars().filter(char::is_ascii_digit).collect::<String>();
            std::process::exit(code.parse().expect("an exit code"));
        }
    }
}

/// Runs `my-service migrate …` outside of the folder of its migrations.
fn embedded(desk: &Desk, arguments: &str) -> Outcome {
    let mut command = clean(std::env::current_exe().expect("a path"));
    let elsewhere = tempfile::tempdir().expect("a folder");
    command.args(["embedded::service", "--exact", "--nocapture"]).current_dir(elsewhere.path());
    command.env("HABITAT_TEST_ARGUMENTS", format!("my-service migrate {arguments}"));
    command.env("HABITAT_TEST_FOLDER", desk.path().join("migrations")).env("DATABASE_URL", desk.url());
    let mut outcome = outcome(command);
    let begin = outcome.out.find(BEGIN).unwrap_or_else(|| panic!("it did not begin: {outcome:?}"));
    outcome.out = outcome.out[begin + BEGIN.len()..].trim_start().to_owned();
    outcome
}

/// What was said, without how long things took.
fn timeless(said: &str) -> String {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let is_number = |word: &str| {
            let digits = word.trim_start_matches('(');
            !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        };
        let is_unit = |word: &str| {
            ["µs", "ms", "s", "min"].contains(&word.trim_end_matches(|c: char| !c.is_alphabetic()))
        };
        let is_time = |pair: &[&str]| is_number(pair[0]) && is_unit(pair[1]);
        let shown = |n: usize| {
            let begins = words.get(n..n + 2).is_some_and(is_time);
            let ends = n > 0 && is_time(&words[n - 1..=n]);
            if begins || ends { "TIME" } else { words[n] }
        };
        (0..words.len()).map(shown).collect::<Vec<_>>().join(" ")
    };
    said.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn only_times_are_left_out_of_what_is_compared() {
    assert_eq!(timeless("2 applied in 1.2 s\n(35 ms) 2 s_x"), "2 applied in TIME TIME\nTIME TIME 2 s_x");
    assert_eq!(timeless("= next:\n\n3 | s"), "= next:\n\n3 | s");
}

#[test]
fn a_service_says_the_same_as_the_command_over_its_folder() {
    let desk = Desk::with_shop();
    desk.done(&["up", "--to", "1"]);
    for arguments in [
        "status",
        "plan",
        "pending",
        "check --list",
        "history",
        "verify",
        "plan --sql",
        "status -o json",
        "up --to 9",
        "schema dump",
        "schema dump -o json",
        "backup",
        "backup list --all --folder /nowhere",
        "restore --newest --backups /nowhere -o json",
        "up --backup-first",
        "doctor --checklist",
    ] {
        let own: Vec<&str> = arguments.split(' ').collect();
        let (alone, within) = (desk.run(&own), embedded(&desk, arguments));
        assert_eq!(alone.out, within.out, "{arguments}");
        assert_eq!(alone.code, within.code, "{arguments}: {}", within.err);
        assert_eq!(timeless(&alone.err), timeless(&within.err), "{arguments}");
        assert!(!alone.out.is_empty() || !alone.err.is_empty(), "{arguments}");
    }
    let other = Desk::with_shop();
    other.done(&["up", "--to", "1"]);
    let alone = other.run(&["up"]);
    let up = embedded(&desk, "up");
    assert_eq!(timeless(&alone.out), timeless(&up.out));
    assert_eq!(timeless(&alone.err), timeless(&up.err));
    assert!(up.err.contains("applied migrations:02_orders"), "progress is compared, too: {}", up.err);
    assert_eq!(up.code, 0, "{}", up.err);
    assert!(up.out.contains("1 migration applied"), "{}", up.out);
    assert_eq!(desk.run(&["pending"]).code, 0);
}
