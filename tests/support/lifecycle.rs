//! The life of a set of migrations: up, verified, down, and what a dump tells of it. The scripts are driven by a
//! plain client, as a person with psql would.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, Migration};
use postgres::{Client, SimpleQueryMessage};

/// The migrations of a folder of this repository.
pub fn set(folder: &str) -> Catalog {
    Catalog::from_directory(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// Applies every migration, each in a transaction with its verification.
pub fn up(client: &mut Client, catalog: &Catalog) {
    catalog.migrations().iter().for_each(|migration| apply(client, migration));
}

/// Applies one migration: script, deferred constraints and verification commit together.
pub fn apply(client: &mut Client, migration: &Migration) {
    run(client, migration, "BEGIN");
    run(client, migration, migration.script());
    run(client, migration, "SET CONSTRAINTS ALL IMMEDIATE");
    let verify = migration.verify().unwrap_or_else(|| panic!("{} has no verify script", migration.id()));
    assert_eq!(findings(client, verify), [""; 0], "{}", migration.id());
    run(client, migration, "COMMIT");
}

/// Takes every migration back, the last one first.
pub fn down(client: &mut Client, catalog: &Catalog) {
    catalog.migrations().iter().rev().for_each(|migration| revert(client, migration));
}

/// Takes one migration back, in a transaction.
pub fn revert(client: &mut Client, migration: &Migration) {
    let script = migration.down().unwrap_or_else(|| panic!("{} has no down script", migration.id()));
    for text in ["BEGIN", script, "COMMIT"] {
        run(client, migration, text);
    }
}

/// What the verify scripts of the whole set find in a transaction that can only read.
pub fn verify(client: &mut Client, catalog: &Catalog) -> Vec<String> {
    client.batch_execute("BEGIN; SET TRANSACTION READ ONLY").expect("a transaction");
    let scripts = catalog.migrations().iter().filter_map(Migration::verify);
    let found = scripts.flat_map(|script| findings(client, script)).collect();
    client.batch_execute("ROLLBACK").expect("a transaction");
    found
}

/// The statements of a verify script that fail: by a row that begins with false, or by no row at all.
pub fn findings(client: &mut Client, script: &str) -> Vec<String> {
    let messages = client.simple_query(script).unwrap_or_else(|error| panic!("{error:?}\n{script}"));
    let (mut found, mut statement, mut rows) = (Vec::new(), 1, 0);
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => {
                rows += 1;
                let detail = row.columns().get(1).and_then(|_| row.get(1)).unwrap_or_default();
                match row.get(0) {
                    Some("t") => {}
                    Some("f") => found.push(format!("statement {statement}: {detail}")),
                    other => panic!("statement {statement} says neither true nor false: {other:?}\n{script}"),
                }
            }
            SimpleQueryMessage::CommandComplete(_) => {
                if rows == 0 {
                    found.push(format!("statement {statement}: no row"));
                }
                (statement, rows) = (statement + 1, 0);
            }
            _ => {}
        }
    }
    assert!(statement > 1, "nothing was verified by\n{script}");
    found
}

fn run(client: &mut Client, migration: &Migration, text: &str) {
    client.batch_execute(text).unwrap_or_else(|error| panic!("{}: {error:?}\n{text}", migration.id()));
}

/// A login that owns the database and nothing else, and a connection as this login.
pub fn plain_owner(database: &Database, login: &str) -> Client {
    let mut admin = database.connect().expect("a connection");
    let create = format!("CREATE ROLE {login} LOGIN; ALTER DATABASE {} OWNER TO {login}", database.name());
    admin.batch_execute(&create).expect("a role");
    database.config().user(login).connect(postgres::NoTls).expect("a connection")
}

/// The schema as pg_dump prints it; `None`, and a line that says so, where no pg_dump fits the server.
pub fn dump(server: &Server, database: &Database) -> Option<String> {
    let Some(program) = pg_dump(server) else {
        eprintln!("skipped: no pg_dump for a server of version {} is here", server.version());
        return None;
    };
    let output = Command::new(program).args(["--schema-only", "--dbname", &database.url()]).output();
    let output = output.expect("pg_dump runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("a dump is text");
    // Newer minor versions put a random word around the dump.
    let kept =
        text.lines().filter(|line| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict "));
    Some(kept.collect::<Vec<_>>().join("\n"))
}

/// Fails with the first line in which two dumps differ.
pub fn assert_same(now: &Option<String>, then: &Option<String>, what: &str) {
    let (Some(now), Some(then)) = (now, then) else { return };
    let differs = now.lines().zip(then.lines()).find(|(now, then)| now != then);
    assert!(now == then, "{what}: {differs:?}, {} and {} bytes", now.len(), then.len());
}

/// The program beside the server's own, else that of PATH if it is new enough for the server.
fn pg_dump(server: &Server) -> Option<PathBuf> {
    let options =
        server.data_dir().and_then(|data| std::fs::read_to_string(data.join("postmaster.opts")).ok());
    let beside = options.and_then(|line| {
        let postgres = line.split_once(" \"").map_or(line.as_str(), |(program, _)| program);
        Some(Path::new(postgres).parent()?.join("pg_dump"))
    });
    let fits = |program: &PathBuf| {
        let version = Command::new(program).arg("--version").output().ok()?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let number = version.split_once("(PostgreSQL) ")?.1;
        let major: u32 = number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        (major >= server.major()).then_some(())
    };
    beside.into_iter().chain([PathBuf::from("pg_dump")]).find(|program| fits(program).is_some())
}
