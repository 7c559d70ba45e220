//! A first-time user's path, from an empty folder to a service that is deployed, step by step and timed.
//!
//! `cargo test -p habitat-migrate --features cli,testing --test cli path -- --nocapture` prints every message on the way.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use super::support::{Desk, Outcome, outcome, skip};

/// The steps so far, each with its time and what was to be read.
#[derive(Default)]
struct Walk(String);

impl Walk {
    /// Does a step that has to succeed.
    fn step(&mut self, what: &str, command: Command) -> Outcome {
        let begin = Instant::now();
        let seen = outcome(command);
        let Outcome { code, out, err } = &seen;
        self.tell(what, begin.elapsed());
        self.0 += &format!("{out}{err}");
        assert_eq!(*code, 0, "{}", self.0);
        seen
    }

    fn tell(&mut self, what: &str, took: Duration) {
        writeln!(self.0, "\n$ {what}    # {:.2} s", took.as_secs_f64()).expect("a text takes everything");
    }
}

/// A program of the user's, who has a home, and whose surroundings name no database.
fn by_user(program: &str, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let of_this_build = name.starts_with("CARGO_") && name != "CARGO_HOME";
        let of_a_database = name.starts_with("PG") || name == "DATABASE_URL" || name.starts_with("HABITAT_");
        if of_this_build || of_a_database || ["RUSTC_WRAPPER", "CI"].contains(&name.as_str()) {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(folder);
    command
}

/// Cargo, which asks no registry, builds into the folder that has these dependencies built already, and takes the versions
/// of this workspace's lock file.
fn cargo(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = by_user("cargo", folder, arguments);
    command
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// Where this test was built.
fn target() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    folder.parent().expect("the folder for temporary files stands in it").to_owned()
}

fn has_cargo() -> bool {
    Command::new("cargo").arg("--version").output().is_ok_and(|output| output.status.success())
}

const MAIN: &str = r#"use clap::Parser;
use habitat_migrate::{Migrations, cli};
use postgres::{Client, NoTls};
use std::process::ExitCode;

#[derive(Migrations)]
#[migrations(dir = "migrations")]
struct Schema;

/// Looks after users.
#[derive(Parser)]
enum Service {
    /// Answers requests.
    Serve,
    /// Looks after the database.
    Migrate(cli::Command),
}

fn main() -> ExitCode {
    match Service::parse() {
        Service::Serve => match serve() {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error:?}");
                ExitCode::FAILURE
            }
        },
        Service::Migrate(command) => command.run(Schema::CATALOG),
    }
}

fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let mut client = Client::connect(&std::env::var("DATABASE_URL")?, NoTls)?;
    println!("{}", Schema::migrator().migrate(&mut client)?);
    let users: i64 = client.query_one("SELECT count(*) FROM users", &[])?.get(0);
    println!("serving {users} users");
    Ok(())
}
"#;

#[test]
fn from_an_empty_folder_to_a_service_that_is_deployed() {
    if !has_cargo() {
        return skip("there is no cargo in PATH, and the path of a first-time user begins with it");
    }
    let begin = Instant::now();
    let desk = Desk::new();
    let mut walk = Walk::default();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace's folder");

    // A service, as cargo makes it.
    walk.step("cargo new users", cargo(desk.path(), &["new", "--quiet", "--vcs", "none", "users"]));
    let service = desk.path().join("users");
    std::fs::copy(workspace.join("Cargo.lock"), service.join("Cargo.lock")).expect("the lock file");
    // The features of this very build: what it depends on is built already.
    let library = concat!(env!("CARGO_MANIFEST_DIR"));
    let add = ["add", "--quiet", "habitat-migrate", "--path", library, "--features", "cli,testing"];
    walk.step("cargo add habitat-migrate --features cli", cargo(&service, &add));
    walk.step("cargo add postgres", cargo(&service, &["add", "--quiet", "postgres"]));
    let clap = ["add", "--quiet", "clap", "--features", "derive"];
    walk.step("cargo add clap --features derive", cargo(&service, &clap));

    // The first migration, by hand.
    let tool = |arguments: &[&str]| {
        let mut command = by_user(env!("CARGO_BIN_EXE_habitat-migrate"), &service, arguments);
        command.env("DATABASE_URL", desk.url());
        command
    };
    let new = walk.step("habitat-migrate new create_users", tool(&["new", "create_users"]));
    assert!(new.out.contains("created migrations/0001_create_users.sql"), "{}", new.out);
    let edit = |path: &str, text: &str| {
        let path = service.join("migrations").join(path);
        let there = std::fs::read_to_string(&path).expect("a file that `new` made");
        std::fs::write(path, there + text).expect("a file");
    };
    edit("0001_create_users.sql", "CREATE TABLE users (id int PRIMARY KEY, name text NOT NULL);\n");
    edit("0001_create_users.down.sql", "DROP TABLE users;\n");
    edit("0001_create_users.verify.sql", "SELECT count(*) = 0 FROM users;\n");
    for (arguments, words) in [
        (&["check"][..], "1 migration"),
        (&["up"], "✓ 1 migration applied"),
        (&["status"], "1 applied"),
        (&["down"], "✓ 1 migration taken back"),
        (&["up"], "✓ 1 migration applied"),
    ] {
        let seen = walk.step(&format!("habitat-migrate {}", arguments.join(" ")), tool(arguments));
        assert!(seen.out.contains(words), "{words}: {}", walk.0);
    }

    // The service takes its migrations along.
    std::fs::write(service.join("src/main.rs"), MAIN).expect("a file");
    walk.step("cargo build", cargo(&service, &["build"]));
    let program = target().join("debug/users");
    let moved = desk.path().join("users-of-this-walk");
    std::fs::copy(&program, &moved).expect("what was built");
    std::fs::remove_file(&program).expect("what was built");
    let program = moved.to_str().expect("UTF-8");

    // It is deployed: elsewhere, without the folder of migrations, to a database that has nothing.
    let elsewhere = Desk::new();
    let deployed = |arguments: &[&str]| {
        let mut command = by_user(program, elsewhere.path(), arguments);
        command.env("DATABASE_URL", elsewhere.url());
        command
    };
    let first = walk.step("users serve", deployed(&["serve"]));
    assert!(first.out.contains("1 migration applied"), "{}", walk.0);
    let second = walk.step("users serve", deployed(&["serve"]));
    assert!(second.out.contains("nothing to do: the one migration is applied"), "{}", walk.0);
    let status = walk.step("users migrate status", deployed(&["migrate", "status"]));
    assert!(status.out.contains("applied  migrations:0001_create_users"), "{}", walk.0);
    // The database of the first steps, which the command has migrated, is the same to the service.
    let mut there = deployed(&["serve"]);
    there.env("DATABASE_URL", desk.url());
    let there = walk.step("users serve, where the command has migrated", there);
    assert!(there.out.contains("nothing to do"), "{}", walk.0);
    let pending = walk.step("users migrate pending", deployed(&["migrate", "pending"]));
    assert!(pending.err.is_empty(), "{}", walk.0);

    walk.tell("all of it", begin.elapsed());
    println!("{}", walk.0);
}
