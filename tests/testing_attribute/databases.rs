//! Several databases in one test, and one for each of several tests.

use habitat_migrate::testing::TestDatabase;
use postgres::Client;

use super::{Habitat, value};

const NAME: &str = "SELECT current_database()::text";

#[habitat_migrate::test(migrations = Habitat)]
fn an_argument_may_be_of_another_database(
    mut main: Client,
    #[database(migrations = false, fixtures("members"))] mut other: Client,
    #[database] mut empty: Client,
    database: &TestDatabase,
) {
    let names = [&mut main, &mut other, &mut empty].map(|client| value::<String>(client, NAME));
    assert_eq!(names[0], database.name());
    assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
    assert!(value::<bool>(
        &mut main,
        "SELECT EXISTS (SELECT FROM schema_migrations WHERE version = '01_treasury_core')"
    ));
    assert_eq!(value::<i64>(&mut other, "SELECT count(*) FROM members"), 2);
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(value::<i64>(&mut empty, tables), 0);
}

#[habitat_migrate::test]
async fn every_argument_may_have_its_own(
    #[database(migrations = "tests/testing_attribute/migrations", to = "01_members")]
    first: tokio_postgres::Client,
    #[database(migrations = Habitat)] second: &tokio_postgres::Client,
) {
    first.batch_execute("SELECT FROM members").await.expect("the first catalog");
    second.batch_execute("SELECT FROM members").await.expect_err("another catalog");
}

fn takes_the_key(client: &mut Client) {
    client
        .batch_execute("CREATE TABLE keys (key int PRIMARY KEY); INSERT INTO keys VALUES (1)")
        .expect("a key of my own");
    client.batch_execute("SELECT pg_sleep(0.05)").expect("time for the other");
    assert_eq!(value::<i64>(client, "SELECT count(*) FROM keys"), 1);
}

#[habitat_migrate::test(migrations = false)]
fn one_test_writes_a_key(mut client: Client) {
    takes_the_key(&mut client);
}

#[habitat_migrate::test(migrations = false)]
fn another_test_writes_the_same_key(mut client: Client) {
    takes_the_key(&mut client);
}
