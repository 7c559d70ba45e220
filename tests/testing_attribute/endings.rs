//! How tests end, and what is left then.

use std::process::{Command, ExitCode, Termination};

use habitat_migrate::testing::TestDatabase;
use postgres::Client;

#[habitat_migrate::test(migrations = false)]
fn a_result(mut client: Client) -> Result<(), postgres::Error> {
    client.batch_execute("SELECT 1")?;
    Ok(())
}

#[habitat_migrate::test(migrations = false)]
async fn a_result_of_an_async_test(client: tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
    client.batch_execute("SELECT 1").await?;
    Ok(())
}

#[habitat_migrate::test(migrations = false)]
fn unit_that_is_written(_client: Client) -> () {}

#[habitat_migrate::test(migrations = false)]
fn an_exit_code(_client: Client) -> ExitCode {
    ExitCode::SUCCESS
}

#[habitat_migrate::test(migrations = false)]
fn whatever_terminates(_client: Client) -> impl Termination {
    ExitCode::SUCCESS
}

#[habitat_migrate::test(migrations = false)]
#[tokio::test]
async fn a_result_on_the_runtime_of_tokio(
    client: tokio_postgres::Client,
) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("SELECT 1").await
}

/// Tests that fail: others run them, each in a process of its own, and read what it says.
mod failing {
    use super::*;

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "fails on purpose"]
    fn by_an_error(database: &TestDatabase) -> Result<(), String> {
        eprintln!("name {}", database.name());
        Err("an error".to_owned())
    }

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "fails on purpose"]
    #[tokio::test]
    async fn by_an_error_on_the_runtime_of_tokio(database: &TestDatabase) -> Result<(), String> {
        eprintln!("name {}", database.name());
        Err("an error".to_owned())
    }

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "fails on purpose"]
    fn by_a_panic(database: &TestDatabase) {
        panic!("name {}", database.name());
    }

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "fails on purpose"]
    async fn by_a_panic_in_an_async_test(database: TestDatabase) {
        panic!("name {}", database.name());
    }

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "fails on purpose"]
    #[should_panic(expected = "this")]
    fn by_another_panic(database: &TestDatabase) {
        panic!("name {}", database.name());
    }

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "passes, and another reads what it says"]
    #[should_panic(expected = "name ")]
    fn not_by_the_panic_that_was_expected(database: TestDatabase) {
        panic!("name {}", database.name());
    }

    #[habitat_migrate::test(migrations = false)]
    #[ignore = "fails on purpose"]
    #[should_panic]
    fn by_no_panic(database: &TestDatabase) {
        eprintln!("name {}", database.name());
    }

    #[habitat_migrate::test(migrations = false, fixtures("members", "slip"))]
    #[ignore = "fails on purpose"]
    fn by_a_fixture(_client: Client) {}

    #[habitat_migrate::test(migrations = false, fixtures("slip"))]
    #[ignore = "fails on purpose"]
    #[should_panic]
    fn by_a_fixture_although_it_should_panic(_client: Client) {
        panic!("never comes to this");
    }

    #[habitat_migrate::test(catalog = habitat_migrate::migrate!("tests/testing_attribute/migrations"), to = "09_nowhere")]
    #[ignore = "fails on purpose"]
    fn by_a_target(_client: Client) {}
}

/// Runs a test and gives back what it said, if it ended as it should.
fn run(test: &str, ending: &str) -> String {
    let program = std::env::current_exe().expect("a path");
    let mut command = Command::new(program);
    command.args([&format!("endings::failing::{test}"), "--exact", "--ignored", "--nocapture"]);
    let output = command.env("RUST_BACKTRACE", "0").output().expect("a process");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    assert!(said.contains(ending), "{test} did not end so:\n{said}");
    said
}

/// Runs a test that fails and gives back what it said.
fn failure(test: &str) -> String {
    run(test, "0 passed; 1 failed")
}

/// Says that a test kept its database, under its own name.
fn assert_kept(said: &str) {
    let rest = said.split("name ").nth(1).expect("a name");
    let name = rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().expect("a first piece");
    assert!(said.matches(name).count() > 1, "nothing tells that {name} was kept:\n{said}");
}

#[test]
fn an_error_keeps_the_database() {
    for test in ["by_an_error", "by_an_error_on_the_runtime_of_tokio"] {
        let said = failure(test);
        assert!(said.contains("Error: \"an error\""), "{said}");
        assert_kept(&said);
    }
}

#[test]
fn a_panic_keeps_the_database() {
    for test in ["by_a_panic", "by_a_panic_in_an_async_test", "by_another_panic"] {
        assert_kept(&failure(test));
    }
}

#[test]
fn a_panic_that_should_come_keeps_nothing() {
    let said = run("not_by_the_panic_that_was_expected", "1 passed; 0 failed");
    assert!(!said.contains("kept"), "{said}");
}

#[test]
fn a_panic_that_does_not_come_keeps_the_database() {
    assert_kept(&failure("by_no_panic"));
}

#[test]
fn an_error_in_a_fixture_is_told_at_its_line() {
    let said = failure("by_a_fixture");
    assert!(said.contains("tests/testing_attribute/fixtures/slip.sql:3:9"), "{said}");
    assert!(said.contains("invalid input syntax"), "{said}");
}

#[test]
fn a_test_that_should_panic_does_not_pass_when_its_database_cannot_be_made() {
    let said = failure("by_a_fixture_although_it_should_panic");
    assert!(said.contains("invalid input syntax") && said.contains("did not panic as expected"), "{said}");
}

#[test]
fn a_target_that_an_expression_lacks_is_told_when_the_test_runs() {
    let said = failure("by_a_target");
    assert!(said.contains("09_nowhere"), "{said}");
}
