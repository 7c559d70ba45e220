//! Thousands of migrations.

use std::time::{Duration, Instant};

use habitat_migrate::{Catalog, Migrator};

use super::support::Desk;

#[test]
fn the_status_of_5000_migrations_is_short_and_soon_there() {
    let desk = Desk::new();
    for n in 1..=5000 {
        desk.write(&format!("migrations/{n:04}_t{n}.sql"), "SELECT 1;\n");
    }
    let catalog = Catalog::from_directory(desk.path().join("migrations")).expect("sound");
    Migrator::new(catalog).migrate(&mut desk.database().connect().expect("a connection")).expect("applied");
    let began = Instant::now();
    let status = desk.done(&["status"]);
    let took = began.elapsed();
    println!("status of 5,000 migrations: {took:?}");
    let lines = status.lines().count();
    assert!(lines < 30, "{lines} lines");
    assert!(status.contains("… 4980 applied before these") && status.contains("5000 applied"), "{status}");
    // The figure for a release build is below half a second; this one has no optimisation and a busy machine.
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(
        desk.done(&["status", "--all"]).lines().filter(|line| line.starts_with("applied")).count(),
        5000
    );
}
