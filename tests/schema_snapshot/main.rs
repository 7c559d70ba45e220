//! A snapshot of a schema shows every kind of object, and every change of one.

mod kinds;

use std::sync::OnceLock;

use habitat_migrate::testing::{Database, SchemaSnapshot, Server};
use kinds::{ALTERATIONS, OBJECTS};
use postgres::Client;

fn snapshot(client: &mut Client) -> SchemaSnapshot {
    SchemaSnapshot::of(client).unwrap_or_else(|error| panic!("{error:?}"))
}

/// A server for this suite: event triggers and roles are not to meet other tests.
fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::builder().setting("wal_level", "logical").start().expect("a server");
        server
            .config()
            .connect(postgres::NoTls)
            .unwrap()
            .batch_execute("CREATE ROLE reader; CREATE ROLE other")
            .unwrap();
        server
    })
}

fn filled() -> (Database, Client) {
    let database = server().database().expect("a database");
    let mut client = database.connect().expect("a connection");
    for statement in OBJECTS {
        client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    (database, client)
}

#[test]
fn each_alteration_of_each_kind_of_object_shows_as_one_line_and_nothing_else() {
    let (_database, mut client) = filled();
    let before = snapshot(&mut client);
    let mut wrong = Vec::new();
    for (from, alteration, expected) in ALTERATIONS {
        if server().major() < *from {
            continue;
        }
        // Snapshots have a transaction of their own, so the alteration is undone with its database.
        let (_database, mut client) = filled();
        client.batch_execute(alteration).unwrap_or_else(|error| panic!("{alteration}: {error:?}"));
        let found = before.diff(&snapshot(&mut client)).to_string();
        if !found.starts_with(expected) || found.lines().count() != expected.lines().count() {
            wrong.push(format!("{alteration}\n    gives    {found}\n    and not  {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_databases_with_the_same_schema_have_the_same_snapshot() {
    let ((_first, mut first), (_second, mut second)) = (filled(), filled());
    let (first, second) = (snapshot(&mut first), snapshot(&mut second));
    assert!(first.diff(&second).is_empty(), "{}", first.diff(&second));
    assert_eq!(first.to_string(), second.to_string());
    assert_eq!(first, second);
}

#[test]
fn no_number_of_an_object_and_nothing_of_the_servers_own_is_shown() {
    let (_database, mut client) = filled();
    let text = snapshot(&mut client).to_string();
    let oids: Vec<u32> = client
        .query(
            "SELECT oid FROM pg_class WHERE oid >= 16384 UNION SELECT oid FROM pg_proc WHERE oid >= 16384",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| row.get(0))
        .collect();
    assert!(!oids.is_empty());
    for oid in oids {
        assert!(!text.contains(&oid.to_string()), "{oid} in\n{text}");
    }
    assert!(!text.contains("information_schema.") && !text.contains("table pg_"), "{text}");
}

#[test]
fn the_callers_path_and_settings_change_nothing() {
    let (_database, mut client) = filled();
    let before = snapshot(&mut client);
    let settings = "SET search_path = shop, public; SET quote_all_identifiers = on; SET datestyle = 'German'";
    client.batch_execute(settings).unwrap();
    assert_eq!(snapshot(&mut client), before);
    let path: String = client.query_one("SHOW search_path", &[]).unwrap().get(0);
    assert_eq!(path, "shop, public", "nor is anything changed for the caller");
}

#[test]
fn what_an_extension_brings_is_told_by_the_extension() {
    let (database, mut client) = filled();
    let before = snapshot(&mut client);
    // Not every build of PostgreSQL has its extensions.
    let there = "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'citext')";
    if !client.query_one(there, &[]).unwrap().get::<_, bool>(0) {
        eprintln!("skipped: {} has no extension citext", database.name());
        return;
    }
    client.batch_execute("CREATE EXTENSION citext").unwrap();
    assert_eq!(before.diff(&snapshot(&mut client)).to_string(), "unexpected extension citext");
}

#[test]
fn the_tracker_can_be_left_out() {
    use habitat_migrate::{Catalog, Migrator};
    let (_database, mut client) = filled();
    let before = snapshot(&mut client);
    let catalog = Catalog::from_scripts("app", [("01_nothing.sql", "SELECT 1")]).unwrap();
    Migrator::new(catalog).migrate(&mut client).unwrap();
    let after = snapshot(&mut client);
    assert!(after.has("table public.schema_migrations"), "{after}");
    assert_eq!(before.diff(&after.clone().without_tracker("public")).to_string(), "");
    assert!(
        !before.diff(&after.without_tracker("shop")).is_empty(),
        "another schema's tracker is not left out"
    );
}
