//! What a doctor sees: each line of its page, provoked.

#[path = "../support/mod.rs"]
mod support;

mod lines;

use std::time::Duration;

use habitat_migrate::backup::Backups;
use habitat_migrate::doctor::{Diagnosis, Examination, Level, Line, Topic, examine};
use habitat_migrate::testing::Database;
use habitat_migrate::{Catalog, Migrator};
use postgres::{Client, NoTls};
use support::{catalog, database, value};

fn shop() -> Catalog {
    let items = "CREATE TABLE items (id int PRIMARY KEY, price int);\n";
    catalog("shop", [("01_items.sql", items), ("02_prices.sql", "ALTER TABLE items ADD tax int;\n")])
}

fn migrator() -> Migrator {
    Migrator::new(shop()).environment("test")
}

/// A database of a role of its own, which owns it and is no superuser.
fn owned() -> (Database, String) {
    let database = database();
    let owner = format!("{}_owner", database.name());
    let mut client = database.connect().expect("a connection");
    let sql = format!(
        "DROP ROLE IF EXISTS \"{owner}\"; CREATE ROLE \"{owner}\" LOGIN; ALTER DATABASE \"{}\" OWNER TO \"{owner}\";
         ALTER SCHEMA public OWNER TO \"{owner}\"",
        database.name()
    );
    client.batch_execute(&sql).expect("an owner");
    (database, owner)
}

/// The same, with everything applied, and a connection as that role.
fn migrated() -> (Database, String, Client) {
    let (database, owner) = owned();
    let mut client = connect(&database, &owner);
    migrator().migrate(&mut client).expect("applied");
    (database, owner, client)
}

fn connect(database: &Database, user: &str) -> Client {
    database.config().user(user).connect(NoTls).unwrap_or_else(|error| panic!("{user}: {error:?}"))
}

fn examined(client: &mut Client, examination: &Examination) -> Diagnosis {
    examine(client, examination).unwrap_or_else(|error| panic!("{error:?}"))
}

/// The one line about this that is worse than good.
fn bad(diagnosis: &Diagnosis, topic: Topic, level: Level, part: &str) -> Line {
    let line = diagnosis.about(topic).find(|line| line.level() == level && line.text().contains(part));
    let line = line.unwrap_or_else(|| panic!("no {level:?} about {topic:?} with {part:?}:\n{diagnosis}"));
    if level >= Level::Warning {
        assert!(line.advice().is_some(), "{line}");
    }
    line.clone()
}

/// A folder with a backup that is this old.
fn backups(database: &str, age: chrono::TimeDelta) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let at = (chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) - age)
        .format("%Y-%m-%dT%H-%M-%S%.3fZ");
    std::fs::write(folder.path().join(format!("{database}_{at}.dump")), "PGDMP").expect("a file");
    folder
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[test]
fn a_database_that_is_well_has_nothing_wrong_and_fits_a_page() {
    let (database, _, mut client) = migrated();
    let folder = backups(database.name(), chrono::TimeDelta::hours(3));
    let before: String = value(&mut client, TRACES);
    let examination = Examination::new(migrator()).backups(Backups::new(folder.path()), DAY);
    let diagnosis = examined(&mut client, &examination);
    assert_eq!(value::<String>(&mut client, TRACES), before, "it has written something");
    let page = diagnosis.to_string();
    assert!(diagnosis.is_healthy(), "{page}");
    assert!(page.ends_with("\nnothing is wrong\n"), "{page}");
    assert!(page.lines().count() <= 40, "{page}");
    for topic in [
        "server",
        "connection",
        "pooler",
        "standing",
        "rights",
        "tracker",
        "lock",
        "migrations",
        "indexes",
        "constraints",
        "transactions",
        "settings",
        "rules",
        "environment",
        "backup",
    ] {
        assert!(
            page.contains(&format!("  {topic}  ")) || page.contains(&format!(" {topic} ")),
            "{topic}: {page}"
        );
    }
    println!("{page}");
    let worst: Vec<&Line> = diagnosis.lines().iter().filter(|line| line.level() > Level::Good).collect();
    // The server of tests is fast at the price of its data, and serves one machine.
    assert!(
        worst.iter().all(|line| line.topic() == Topic::Settings || line.topic() == Topic::Transactions),
        "{page}"
    );
}

/// What an examination could leave behind.
const TRACES: &str = "SELECT concat_ws(' ', (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
    (SELECT count(*) FROM schema_migrations_log))";

#[test]
fn before_the_first_run_it_says_what_that_will_do() {
    let (database, owner) = owned();
    let diagnosis = examined(&mut connect(&database, &owner), &Examination::new(migrator()));
    bad(&diagnosis, Topic::Tracker, Level::Note, "there is none yet");
    bad(&diagnosis, Topic::Migrations, Level::Note, "0 applied, 2 pending");
    bad(&diagnosis, Topic::Environment, Level::Note, "the next run records test");
    bad(&diagnosis, Topic::Backup, Level::Unseen, "no folder");
}

#[test]
fn pages_are_as_wide_as_the_terminal_and_name_a_topic_once() {
    let (_database, _, mut client) = migrated();
    client
        .batch_execute("ALTER TABLE items ADD CONSTRAINT cheap CHECK (price < 9) NOT VALID")
        .expect("altered");
    client
        .batch_execute("ALTER TABLE items ADD CONSTRAINT dear CHECK (price > 1) NOT VALID")
        .expect("altered");
    let diagnosis = examined(&mut client, &Examination::new(migrator()));
    for width in [80, 140] {
        let page = diagnosis.to_text(width);
        let long: Vec<&str> = page.lines().filter(|line| line.chars().count() > width).collect();
        assert!(long.is_empty(), "{long:?}");
        assert_eq!(page.matches("constraints ").count(), 1, "{page}");
    }
    println!("{diagnosis}");
    assert!(diagnosis.to_string().ends_with("\n2 warnings\n"), "{diagnosis}");
}

#[test]
fn a_schema_is_dumped_the_same_each_time_and_differs_with_the_schema() {
    use habitat_migrate::backup::dump_schema;
    use habitat_migrate::provision::Connection;
    use habitat_migrate::testing::Server;

    let (database, owner, mut client) = migrated();
    let server = Server::shared().expect("a server");
    let socket = server.socket_dir().expect("a folder").display().to_string();
    let connection = Connection::new("dump", socket, database.name(), &owner).port(server.port());
    let first = dump_schema(&mut client, &connection).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(first, dump_schema(&mut client, &connection).expect("a second one"));
    assert!(first.contains("CREATE TABLE public.items") && !first.contains("INSERT INTO"), "{first}");
    assert!(!first.contains("restrict ") && !first.contains("Dumped"), "{first}");
    client.batch_execute("ALTER TABLE items ADD note text").expect("altered");
    let other = dump_schema(&mut client, &connection).expect("a third one");
    assert!(other != first && other.contains("note text"), "{other}");
}
