//! The life of a set of migrations, by the library's own verbs: up, verified, down, and what a dump tells of it.
//!
//! The tracker stands in a schema of its own, which the dumps leave out: its log grows whatever happens.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, Error, Migration, Migrator};
use postgres::error::ErrorPosition;
use postgres::{Client, SimpleQueryMessage};

/// The schema that the tracker is in.
pub const TRACKER: &str = "migrations";

/// The migrations of a folder of this repository.
pub fn set(folder: &str) -> Catalog {
    Catalog::from_directory(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// What applies a set in a database for tests.
pub fn migrator(catalog: &Catalog) -> Migrator {
    Migrator::new(catalog.clone()).schema(TRACKER).environment("test")
}

/// Applies every migration.
pub fn up(client: &mut Client, catalog: &Catalog) {
    migrator(catalog).migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
}

/// Applies one migration, the next one.
pub fn apply(client: &mut Client, catalog: &Catalog, migration: &Migration) {
    let outcome = migrator(catalog).target(migration.id().clone()).migrate(client);
    let report = outcome.unwrap_or_else(|error| panic!("{error:?}"));
    let applied: Vec<_> = report.applied().iter().map(|applied| applied.id()).collect();
    assert_eq!(applied, [migration.id()]);
}

/// Takes every migration back, the last one first.
pub fn down(client: &mut Client, catalog: &Catalog) {
    let report =
        migrator(catalog).rollback(client, Rollback::All).unwrap_or_else(|error| panic!("{error:?}"));
    let undone: Vec<_> = report.undone().iter().map(|undone| undone.id()).collect();
    let expected: Vec<_> = catalog.migrations().iter().rev().map(Migration::id).collect();
    assert_eq!(undone, expected);
}

/// Takes the migration back that was applied last.
pub fn revert(client: &mut Client, catalog: &Catalog, migration: &Migration) {
    let report = try_revert(client, catalog).unwrap_or_else(|error| panic!("{error:?}"));
    let undone: Vec<_> = report.iter().map(ToString::to_string).collect();
    assert_eq!(undone, [migration.id().to_string()]);
}

/// Tries to take back what was applied last; tells what it was.
pub fn try_revert(client: &mut Client, catalog: &Catalog) -> Result<Vec<String>, Box<Error>> {
    let report = migrator(catalog).rollback(client, Rollback::Last).map_err(Box::new)?;
    Ok(report.undone().iter().map(|undone| undone.id().to_string()).collect())
}

/// What the verify scripts of everything that is applied find.
pub fn verify(client: &mut Client, catalog: &Catalog) -> Vec<String> {
    let found = migrator(catalog).verify(client).unwrap_or_else(|error| panic!("{error:?}"));
    found.iter().map(ToString::to_string).collect()
}

/// The statements of a verify script that fail, read by a plain client: by a row that begins with false, by no row at all, or by an
/// error, behind which nothing is looked at. It needs an open transaction, which goes on: a fault is undone with it.
pub fn findings(client: &mut Client, script: &str) -> Vec<String> {
    client.batch_execute("SAVEPOINT findings").expect("a transaction");
    let (found, count) = match client.simple_query(script) {
        Ok(messages) => failing(messages, script),
        Err(error) => {
            client.batch_execute("ROLLBACK TO findings").expect("a savepoint");
            let before = before_the_error(script, &error);
            let (mut found, count) = failing(client.simple_query(before).expect("it ran before"), before);
            found.push(format!("statement {}: {error:?}", count + 1));
            (found, count + 1)
        }
    };
    assert!(count > 0, "nothing was verified by\n{script}");
    client.batch_execute("RELEASE findings").expect("a savepoint");
    found
}

/// What the replies to a script say is wrong, and how many statements it has.
fn failing(messages: Vec<SimpleQueryMessage>, script: &str) -> (Vec<String>, usize) {
    let (mut found, mut count, mut rows) = (Vec::new(), 0, 0);
    for message in messages {
        match message {
            SimpleQueryMessage::Row(row) => {
                rows += 1;
                let detail = row.columns().get(1).and_then(|_| row.get(1)).unwrap_or_default();
                match row.get(0) {
                    Some("t") => {}
                    Some("f") => found.push(format!("statement {}: {detail}", count + 1)),
                    other => {
                        panic!("statement {} says neither true nor false: {other:?}\n{script}", count + 1)
                    }
                }
            }
            SimpleQueryMessage::CommandComplete(_) => {
                count += 1;
                if rows == 0 {
                    found.push(format!("statement {count}: no row"));
                }
                rows = 0;
            }
            _ => {}
        }
    }
    (found, count)
}

/// The statements in front of the one that the server points at.
fn before_the_error<'a>(script: &'a str, error: &postgres::Error) -> &'a str {
    let position = error.as_db_error().and_then(|error| error.position());
    let Some(ErrorPosition::Original(position)) = position else { panic!("{error:?}\n{script}") };
    let place = script.char_indices().nth(*position as usize - 1).map_or(script.len(), |(place, _)| place);
    let end = script[..place].rfind(";\n").map_or(0, |end| end + 2);
    &script[..end]
}

/// How a version begins, what breaks its promise, and the statements of its verify script that tell so.
pub type Fault = (&'static str, &'static str, &'static [usize]);

/// Makes each fault, looks whether exactly those statements fail, and undoes it. Fails as well for a statement
/// that no fault has shown to be able to fail: it would prove nothing.
pub fn assert_faults_are_found(client: &mut Client, catalog: &Catalog, faults: &[Fault]) {
    for migration in catalog.migrations() {
        let script = migration.verify().unwrap_or_else(|| panic!("{} has no verify script", migration.id()));
        let of_it = |fault: &&Fault| migration.version().as_str().starts_with(fault.0);
        for (_, fault, statements) in faults.iter().filter(of_it) {
            client.batch_execute("BEGIN").expect("a transaction");
            client.batch_execute(fault).unwrap_or_else(|error| panic!("{fault}: {error:?}"));
            let found = findings(client, script);
            let found: Vec<&str> = found.iter().filter_map(|finding| finding.split(':').next()).collect();
            let expected: Vec<String> = statements.iter().map(|n| format!("statement {n}")).collect();
            assert_eq!(found, expected, "{}: {fault}", migration.id());
            client.batch_execute("ROLLBACK").expect("a transaction");
        }
        let proved: Vec<usize> = faults.iter().filter(of_it).flat_map(|fault| fault.2).copied().collect();
        let messages = client.simple_query(script).expect("a script that runs");
        let ends =
            messages.iter().filter(|message| matches!(message, SimpleQueryMessage::CommandComplete(_)));
        let unproved: Vec<usize> = (1..=ends.count()).filter(|number| !proved.contains(number)).collect();
        assert!(
            unproved.is_empty(),
            "{}: no fault makes these statements fail: {unproved:?}",
            migration.id()
        );
    }
    let known =
        |fault: &&Fault| catalog.migrations().iter().any(|m| m.version().as_str().starts_with(fault.0));
    assert_eq!(faults.iter().filter(known).count(), faults.len(), "a fault of a migration that is not there");
}

/// One migration at a time up, all of them down, all of them up, with a dump and the rows before and after each
/// step. `at_the_top` runs when all of them are applied, and leaves the schema as it is.
pub fn there_and_back<T: PartialEq + std::fmt::Debug>(
    (server, database): (&Server, &Database),
    client: &mut Client,
    catalog: &Catalog,
    rows: impl Fn(&mut Client) -> T,
    at_the_top: impl FnOnce(&mut Client),
) {
    let mut states = Vec::new();
    for migration in catalog.migrations() {
        states.push((dump(server, database), rows(client)));
        apply(client, catalog, migration);
    }
    let (complete, all) = (dump(server, database), rows(client));
    assert_eq!(verify(client, catalog), [""; 0]);
    at_the_top(client);
    assert_same(&dump(server, database), &complete, "used");
    assert_eq!(verify(client, catalog), [""; 0]);
    for (migration, (before, rows_before)) in catalog.migrations().iter().zip(&states).rev() {
        revert(client, catalog, migration);
        assert_same(&dump(server, database), before, &format!("after {} went down", migration.id()));
        assert_eq!(&rows(client), rows_before, "after {} went down", migration.id());
    }
    up(client, catalog);
    assert_same(&dump(server, database), &complete, "up again");
    assert_eq!(rows(client), all, "up again");
    assert_eq!(verify(client, catalog), [""; 0]);
}

/// A login that owns the database and nothing else, and a connection as this login.
pub fn plain_owner(database: &Database, login: &str) -> Client {
    let mut admin = database.connect().expect("a connection");
    let create = format!("CREATE ROLE {login} LOGIN; ALTER DATABASE {} OWNER TO {login}", database.name());
    admin.batch_execute(&create).expect("a role");
    database.config().user(login).connect(postgres::NoTls).expect("a connection")
}

/// The schema as pg_dump prints it, without the tracker's; `None`, and a line that says so, where no pg_dump fits the server.
pub fn dump(server: &Server, database: &Database) -> Option<String> {
    dumped(server, database, &["--schema-only"])
}

/// Schema and data, likewise; not how far sequences came, which no rollback sets back.
pub fn everything(server: &Server, database: &Database) -> Option<String> {
    let all = dumped(server, database, &["--inserts"])?;
    let kept = all.lines().filter(|line| !line.starts_with("SELECT pg_catalog.setval("));
    Some(kept.collect::<Vec<_>>().join("\n"))
}

fn dumped(server: &Server, database: &Database, arguments: &[&str]) -> Option<String> {
    let Some(program) = pg_dump(server) else {
        eprintln!("skipped: no pg_dump for a server of version {} is here", server.version());
        return None;
    };
    let mut command = Command::new(program);
    command.args(arguments).args(["--exclude-schema", TRACKER, "--dbname", &database.url()]);
    let output = command.output().expect("pg_dump runs");
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

fn pg_dump(server: &Server) -> Option<PathBuf> {
    program(server, "pg_dump")
}

/// The program beside the server's own, else that of PATH if it is new enough for the server.
pub fn program(server: &Server, name: &str) -> Option<PathBuf> {
    let options =
        server.data_dir().and_then(|data| std::fs::read_to_string(data.join("postmaster.opts")).ok());
    let beside = options.and_then(|line| {
        let postgres = line.split_once(" \"").map_or(line.as_str(), |(program, _)| program);
        Some(Path::new(postgres).parent()?.join(name))
    });
    let fits = |program: &PathBuf| {
        let version = Command::new(program).arg("--version").output().ok()?;
        let version = String::from_utf8_lossy(&version.stdout).into_owned();
        let number = version.split_once("(PostgreSQL) ")?.1;
        let major: u32 = number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
        (major >= server.major()).then_some(())
    };
    beside.into_iter().chain([PathBuf::from(name)]).find(|program| fits(program).is_some())
}
