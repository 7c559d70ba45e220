//! A program boots: the first time, the second time, with new migrations, with both clients.

use habitat_migrate::testing::Server;
use habitat_migrate::{Catalog, Migrator};
use postgres::NoTls;

fn shop(scripts: &[(&'static str, &'static str)]) -> Migrator {
    Migrator::new(Catalog::from_scripts("shop", scripts.iter().copied()).expect("the scripts are sound"))
}

const ITEMS: (&str, &str) = ("01_items.sql", "CREATE TABLE items (id int PRIMARY KEY);");
const ORDERS: (&str, &str) = ("02_orders.sql", "CREATE TABLE orders (item int REFERENCES items);");

#[test]
fn the_first_boot_applies_everything_and_the_second_nothing() {
    let server = Server::shared().unwrap();
    let database = server.database().unwrap();
    let mut client = database.connect().unwrap();
    let migrator = shop(&[ITEMS, ORDERS]);
    let report = migrator.migrate(&mut client).unwrap();
    let applied: Vec<String> = report.applied().iter().map(|a| a.id().to_string()).collect();
    assert_eq!(applied, ["shop:01_items", "shop:02_orders"]);
    let report = migrator.migrate(&mut client).unwrap();
    assert!(report.is_unchanged());
    assert_eq!(report.already_applied(), 2);
    let history = migrator.history(&mut client).unwrap();
    assert_eq!(history.records().len(), 2);
    println!("{report}");
}

#[tokio::test]
async fn both_clients_find_what_the_other_applied() {
    let server = Server::shared().unwrap();
    let database = server.database().unwrap();
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    let (mut client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    assert_eq!(shop(&[ITEMS]).migrate(&mut client).await.unwrap().applied().len(), 1);
    let report = shop(&[ITEMS, ORDERS]).migrate(&mut client).await.unwrap();
    assert_eq!((report.applied().len(), report.already_applied()), (1, 1));
    let url = database.url();
    std::thread::spawn(move || {
        let mut client = postgres::Client::connect(&url, NoTls).unwrap();
        assert!(shop(&[ITEMS, ORDERS]).migrate(&mut client).unwrap().is_unchanged());
        assert_eq!(shop(&[ITEMS]).migrate(&mut client).unwrap().newer(), 1);
    }).join().unwrap();
}
