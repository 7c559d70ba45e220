//! Together with other attributes.

use postgres::Client;
use rstest::rstest;

use super::value;

/// Documentation stays where it is.
#[habitat_migrate::test(migrations = false)]
#[should_panic]
fn should_panic_beneath(_client: Client) {
    panic!("anything");
}

#[should_panic(expected = "division by zero")]
#[habitat_migrate::test(migrations = false)]
fn should_panic_above(mut client: Client) {
    value::<i32>(&mut client, "SELECT 1 / 0");
}

#[habitat_migrate::test(migrations = false)]
#[should_panic = "in an async test"]
async fn should_panic_in_an_async_test(_client: tokio_postgres::Client) {
    panic!("in an async test");
}

#[habitat_migrate::test(migrations = false)]
#[ignore = "ignored, as any test can be"]
fn ignored(_client: Client) {
    unreachable!("nobody runs it");
}

#[habitat_migrate::test(migrations = no_such::Catalog)]
#[cfg(any())]
fn compiled_nowhere(_client: NoSuchType) {}

#[habitat_migrate::test(migrations = false)]
#[expect(unused_variables, reason = "shows that lints are told as for any test")]
fn lints_are_told(client: Client) {}

#[habitat_migrate::test(migrations = false)]
#[test]
fn the_attribute_of_the_language_may_stand_beneath(mut client: Client) {
    assert_eq!(value::<i32>(&mut client, "SELECT 1"), 1);
}

fn workers() -> usize {
    tokio::runtime::Handle::current().metrics().num_workers()
}

fn kind() -> tokio::runtime::RuntimeFlavor {
    tokio::runtime::Handle::current().runtime_flavor()
}

#[habitat_migrate::test(migrations = false)]
async fn a_runtime_of_one_thread_is_made(_client: tokio_postgres::Client) {
    assert_eq!(kind(), tokio::runtime::RuntimeFlavor::CurrentThread);
}

#[habitat_migrate::test(migrations = false, flavor = "multi_thread", worker_threads = 3)]
async fn a_runtime_of_several_threads_is_made(client: tokio_postgres::Client) {
    assert_eq!((kind(), workers()), (tokio::runtime::RuntimeFlavor::MultiThread, 3));
    let spawned = tokio::spawn(async move { client.batch_execute("SELECT 1").await });
    spawned.await.expect("no panic").expect("an answer");
}

#[habitat_migrate::test(migrations = false)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_attribute_of_tokio_stands_beneath(client: &tokio_postgres::Client) {
    assert_eq!(workers(), 2);
    client.batch_execute("SELECT 1").await.expect("an answer");
}

#[habitat_migrate::test(migrations = false)]
#[tokio::test]
#[should_panic(expected = "on tokio's own runtime")]
async fn the_attribute_of_tokio_and_a_panic(client: tokio_postgres::Client) {
    client.batch_execute("SELECT 1").await.expect("an answer");
    panic!("on tokio's own runtime");
}

#[habitat_migrate::test(migrations = false)]
#[rstest]
#[case(1, "one")]
#[case::named(2, "two")]
fn cases_of_rstest_stand_beneath(mut client: Client, #[case] n: i32, #[case] word: &str) {
    let sql = format!("SELECT CASE {n} WHEN 1 THEN 'one' ELSE 'two' END");
    assert_eq!(value::<String>(&mut client, &sql), word);
}

#[rstest]
#[case(1)]
#[case(2)]
#[habitat_migrate::test(migrations = false)]
fn cases_of_rstest_stand_above(#[ignore] client: &mut Client, #[case] n: i32) {
    client.batch_execute("CREATE TABLE once (id int)").expect("a database for each case");
    assert_eq!(value::<i32>(client, &format!("SELECT {n}")), n);
}

#[habitat_migrate::test(migrations = false)]
#[rstest]
async fn values_of_rstest_in_an_async_test(client: &tokio_postgres::Client, #[values(1, 2)] n: i32) {
    let row = client.query_one(&format!("SELECT {n}"), &[]).await.expect("an answer");
    assert_eq!(row.get::<_, i32>(0), n);
}

#[rstest::fixture]
fn seven() -> i32 {
    7
}

#[habitat_migrate::test(migrations = false)]
#[rstest]
fn a_fixture_of_rstest(mut client: Client, #[from(seven)] n: i32) {
    assert_eq!(value::<i32>(&mut client, "SELECT 7"), n);
}

#[rstest]
#[habitat_migrate::test(migrations = false)]
async fn rstest_above_an_async_test(#[ignore] client: tokio_postgres::Client, #[values(1, 2)] n: i32) {
    let row = client.query_one(&format!("SELECT {n}"), &[]).await.expect("an answer");
    assert_eq!(row.get::<_, i32>(0), n);
}
