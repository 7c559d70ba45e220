//! A program boots: the first time, the second time, with new migrations, with either client.

mod support;

use habitat_migrate::{Event, Migrator, State};
use postgres::NoTls;
use support::{catalog, database, value};

const ITEMS: (&str, &str) = ("01_items.sql", "CREATE TABLE items (id int PRIMARY KEY);");
const ORDERS: (&str, &str) = (
    "02_orders.sql",
    "-- habitat: description Who bought what\nCREATE TABLE orders (item int REFERENCES items)",
);

fn shop(scripts: &[(&'static str, &'static str)]) -> Migrator {
    Migrator::new(catalog("shop", scripts.iter().copied()))
}

#[test]
fn the_first_boot_applies_everything_and_the_second_nothing() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = shop(&[ITEMS, ORDERS]);
    let report = migrator.migrate(&mut client).unwrap();
    let applied: Vec<String> = report.applied().iter().map(|a| a.id().to_string()).collect();
    assert_eq!(applied, ["shop:01_items", "shop:02_orders"]);
    let report = migrator.migrate(&mut client).unwrap();
    assert!(report.is_unchanged());
    assert_eq!(report.already_applied(), 2);
    assert!(report.to_string().starts_with("nothing to do: all 2 migrations are applied ("), "{report}");
}

#[tokio::test]
async fn both_clients_find_what_the_other_applied() {
    let database = database();
    let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(shop(&[ITEMS]).migrate(&mut client).await.unwrap().applied().len(), 1);
    let report = shop(&[ITEMS, ORDERS]).migrate(&mut client).await.unwrap();
    assert_eq!((report.applied().len(), report.already_applied()), (1, 1));
    let url = database.url();
    let blocking = std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&url, NoTls).unwrap();
        assert!(shop(&[ITEMS, ORDERS]).migrate(&mut client).unwrap().is_unchanged());
        assert_eq!(shop(&[ITEMS]).migrate(&mut client).unwrap().newer(), 1);
    });
    blocking.join().unwrap();
}

#[test]
fn the_history_tells_what_was_applied_when_and_by_whom() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = shop(&[ITEMS, ORDERS]);
    assert!(migrator.history(&mut client).unwrap().records().is_empty(), "no tracker yet, and no error");
    migrator.migrate(&mut client).unwrap();
    let history = migrator.history(&mut client).unwrap();
    let record = &history.records()[1];
    assert_eq!(record.id().to_string(), "shop:02_orders");
    assert_eq!(record.description(), "Who bought what");
    assert_eq!((record.deployed_by(), record.state()), ("postgres", State::Applied));
    assert!(record.checksum().starts_with("sha256:"));
    assert!(
        (chrono::DateTime::<chrono::Utc>::from(std::time::SystemTime::now()) - record.deployed_at())
            .num_seconds()
            .abs()
            < 60
    );
    assert!(!record.execution_time().is_zero());
}

#[test]
fn the_habitual_query_of_the_tracker_reads_well() {
    let database = database();
    let mut client = database.connect().unwrap();
    shop(&[ITEMS, ORDERS]).migrate(&mut client).unwrap();
    let rows = client.query("SELECT * FROM schema_migrations ORDER BY deployed_at", &[]).unwrap();
    let names: Vec<&str> = rows[0].columns().iter().map(|column| column.name()).collect();
    assert_eq!(
        names[..6],
        ["version", "description", "context", "deployed_at", "deployed_by", "execution_time"]
    );
    assert_eq!(rows[1].get::<_, &str>("version"), "02_orders");
    let log = "SELECT string_agg(event || ' ' || version, ', ' ORDER BY id) FROM schema_migrations_log";
    assert_eq!(value::<String>(&mut client, log), "apply 01_items, apply 02_orders");
}

#[test]
fn events_come_in_order() {
    let database = database();
    let mut client = database.connect().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let migrator = shop(&[ITEMS, ORDERS]).on_event(move |event| {
        let _ = tell.send(match event {
            Event::Applied { migration, .. } => format!("applied {migration}"),
            other => other.to_string(),
        });
    });
    migrator.migrate(&mut client).unwrap();
    drop(migrator);
    let told: Vec<String> = told.iter().collect();
    let expected = [
        "2 migrations are pending",
        "applying shop:01_items",
        "applying shop:02_orders",
        "applied shop:01_items",
        "applied shop:02_orders",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_migration_that_another_owner_must_apply_first_is_named() {
    let database = database();
    let mut client = database.connect().unwrap();
    let people = catalog("people", [("04_people.sql", "CREATE TABLE people (id int PRIMARY KEY);")]);
    let scripts = habitat_migrate::Scripts::new(
        "agreements",
        [(
            "05_agreements.sql",
            "-- habitat: requires people:04_people\nCREATE TABLE a (p int REFERENCES people);",
        )],
    );
    let agreements = habitat_migrate::Loader::new().source(scripts).external("people").load().unwrap();
    let error = Migrator::new(agreements.clone()).migrate(&mut client).unwrap_err();
    assert!(error.to_string().contains("agreements:05_agreements requires people:04_people"), "{error}");
    Migrator::new(people).migrate(&mut client).unwrap();
    assert_eq!(Migrator::new(agreements).migrate(&mut client).unwrap().applied().len(), 1);
}
