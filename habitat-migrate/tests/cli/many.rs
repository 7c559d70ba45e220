//! Thousands of migrations.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use habitat_migrate::{Catalog, Migrator};

use super::support::{Desk, clean, outcome};

/// A folder of 5,000 migrations, and a migrator for them.
fn many() -> (Desk, Migrator) {
    let desk = Desk::new();
    for n in 1..=5000 {
        desk.write(&format!("migrations/{n:04}_t{n}.sql"), "SELECT 1;\n");
    }
    let catalog = Catalog::from_directory(desk.path().join("migrations")).expect("sound");
    (desk, Migrator::new(catalog))
}

#[test]
fn the_status_of_5000_migrations_is_short() {
    let (desk, migrator) = many();
    migrator.migrate(&mut desk.database().connect().expect("a connection")).expect("applied");
    let status = desk.done(&["status"]);
    let lines = status.lines().count();
    assert!(lines < 30, "{lines} lines");
    assert!(status.contains("… 4980 applied before these") && status.contains("5000 applied"), "{status}");
    assert_eq!(
        desk.done(&["status", "--all"]).lines().filter(|line| line.starts_with("applied")).count(),
        5000
    );
}

/// `just shipped` builds the command, names it in `HABITAT_COMMAND` and runs this.
#[test]
#[ignore = "is about the command as it is given to people, which is built on purpose"]
fn the_command_as_it_is_shipped_is_small_and_tells_the_status_of_5000_migrations_at_once() {
    let command = std::env::var_os("HABITAT_COMMAND").expect("HABITAT_COMMAND names the command");
    let command = PathBuf::from(command).canonicalize().expect("HABITAT_COMMAND names the command");
    let size = command.metadata().expect("a file").len();
    println!("the command: {size} bytes");
    assert!(size < 12 * 1024 * 1024, "{size} bytes");

    let (desk, migrator) = many();
    let status = |words: &str| {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..5 {
            let mut status = clean(&command);
            status.arg("status").current_dir(desk.path()).env("DATABASE_URL", desk.url());
            let began = Instant::now();
            let seen = outcome(status);
            times.push(began.elapsed());
            assert!(seen.code == 0 && seen.out.contains(words), "{words}: {}{}", seen.out, seen.err);
        }
        times.sort();
        println!("status with {words}: {times:?}");
        assert!(times[2] < Duration::from_millis(500), "{words}: {times:?}");
    };
    status("5000 pending");
    migrator.migrate(&mut desk.database().connect().expect("a connection")).expect("applied");
    status("5000 applied");
}
