//! What a test can take.

use std::error::Error;

use habitat_migrate::Migrations;
use habitat_migrate::testing::{FromTestDatabase, FromTestDatabaseAsync, TestDatabase};
use postgres::NoTls;

use super::Habitat;

const APPLIED: &str = "SELECT count(*) FROM schema_migrations";

/// How many migrations a database gets of which nobody said what it is for.
fn all() -> i64 {
    let count = Habitat::CATALOG.migrations().iter().filter(|migration| migration.is_for(None)).count();
    i64::try_from(count).expect("a few")
}

fn applied(client: &mut postgres::Client) -> i64 {
    client.query_one(APPLIED, &[]).expect("a tracker").get(0)
}

async fn applied_async(client: &tokio_postgres::Client) -> i64 {
    client.query_one(APPLIED, &[]).await.expect("a tracker").get(0)
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_client(client: postgres::Client) {
    let mut client = client;
    assert_eq!(applied(&mut client), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_client_that_is_declared_mutable(mut client: postgres::Client) {
    assert_eq!(applied(&mut client), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_borrowed_client(client: &mut postgres::Client) {
    assert_eq!(applied(client), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_url(url: String) {
    assert_eq!(applied(&mut postgres::Client::connect(&url, NoTls).expect("a connection")), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_borrowed_url(url: &str) {
    assert_eq!(applied(&mut postgres::Client::connect(url, NoTls).expect("a connection")), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_config(config: postgres::Config) {
    assert_eq!(applied(&mut config.connect(NoTls).expect("a connection")), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn a_borrowed_config_of_the_other_driver(config: &tokio_postgres::Config) {
    let name = config.get_dbname().expect("a name");
    assert!(name.contains("of_the_other_driver"), "{name}");
}

#[habitat_migrate::test(migrations = Habitat)]
fn the_database(database: TestDatabase) {
    assert_eq!(applied(&mut database.connect().expect("a connection")), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn the_borrowed_database(database: &TestDatabase) {
    assert_eq!(applied(&mut database.connect().expect("a connection")), all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn arguments_speak_of_one_database(database: &TestDatabase, client: &mut postgres::Client, url: &str) {
    client.batch_execute("CREATE TABLE mine (id int)").expect("a table");
    let name: String = client.query_one("SELECT current_database()::text", &[]).expect("a name").get(0);
    assert_eq!(name, database.name());
    let mut other = postgres::Client::connect(url, NoTls).expect("a connection");
    other.batch_execute("SELECT FROM mine").expect("the same database");
}

#[habitat_migrate::test(migrations = Habitat)]
async fn an_async_client(client: tokio_postgres::Client) {
    assert_eq!(applied_async(&client).await, all());
}

#[habitat_migrate::test(migrations = Habitat)]
async fn an_async_client_that_is_borrowed(
    client: &tokio_postgres::Client,
    other: &mut tokio_postgres::Client,
) {
    assert_eq!(applied_async(client).await, all());
    let transaction = other.transaction().await.expect("a transaction");
    transaction.commit().await.expect("a commit");
}

#[habitat_migrate::test(migrations = Habitat)]
async fn async_tests_take_the_same_values(
    url: &str,
    config: tokio_postgres::Config,
    blocking: postgres::Config,
    database: &TestDatabase,
) {
    let (client, connection) = config.connect(NoTls).await.expect("a connection");
    let driver = tokio::spawn(connection);
    assert_eq!(applied_async(&client).await, all());
    assert_eq!(config.get_dbname(), Some(database.name()));
    assert_eq!(blocking.get_dbname(), Some(database.name()));
    assert_eq!(url, database.url());
    drop(client);
    driver.await.expect("no panic").expect("a connection that ends well");
}

#[habitat_migrate::test(migrations = Habitat)]
fn arguments_may_be_taken_apart(Two { mut first, mut second }: Two) {
    assert_eq!((applied(&mut first), applied(&mut second)), (all(), all()));
}

struct Two {
    first: postgres::Client,
    second: postgres::Client,
}

impl FromTestDatabase for Two {
    fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self { first: database.connect()?, second: database.connect()? })
    }
}

/// As somebody's pool would be.
struct Pool(Vec<tokio_postgres::Client>);

impl FromTestDatabaseAsync for Pool {
    async fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self(vec![database.connect_async().await?, database.connect_async().await?]))
    }
}

#[habitat_migrate::test(migrations = Habitat)]
async fn a_type_of_ones_own(pool: Pool) {
    for client in &pool.0 {
        assert_eq!(applied_async(client).await, all());
    }
}

#[habitat_migrate::test(migrations = Habitat)]
async fn a_type_of_ones_own_that_is_borrowed(pool: &mut Pool) {
    let last = pool.0.pop().expect("two of them");
    assert_eq!(applied_async(&last).await, all());
}

#[habitat_migrate::test(migrations = Habitat)]
fn no_argument_at_all() {}
