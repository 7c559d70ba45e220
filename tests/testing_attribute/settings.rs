//! What the keys do.

use std::sync::LazyLock;

use habitat_migrate::testing::TestDatabase;
use habitat_migrate::{Catalog, Migrations};
use postgres::Client;

use super::{Habitat, Members, value};

const TABLES: &str = "SELECT coalesce(string_agg(tablename, ' ' ORDER BY tablename), '') FROM pg_tables \
                      WHERE schemaname = 'public' AND tablename NOT LIKE 'schema\\_migrations%'";

#[habitat_migrate::test(migrations = Members, to = "02_members_split_the_name")]
fn to_applies_the_migration_that_it_names_and_nothing_behind_it(mut client: Client) {
    assert_eq!(value::<String>(&mut client, TABLES), "members");
    client.batch_execute("SELECT first_name FROM members").expect("the column");
}

#[habitat_migrate::test(migrations = Members, before = "02_members_split_the_name")]
fn a_migration_moves_data_that_was_there_before_it(client: &mut Client) {
    client.batch_execute("INSERT INTO members VALUES (7, 'Grace Hopper')").expect("the table of 01");
    let report = Members::migrator().placeholder("greeting", "hello").migrate(client).expect("a migration");
    assert_eq!(report.applied().len(), 2, "{report}");
    let row = client.query_one("SELECT first_name, last_name FROM members", &[]).expect("a row");
    assert_eq!((row.get(0), row.get(1)), ("Grace", "Hopper"));
}

#[habitat_migrate::test(migrations = Members, to = "members:01_members")]
fn a_target_may_be_named_with_its_context(mut client: Client) {
    client.batch_execute("SELECT name FROM members").expect("the column");
}

#[habitat_migrate::test(migrations = Members, environment = "development", placeholders(greeting = "it's"))]
fn an_environment_brings_its_seeds_and_a_placeholder_its_value(mut client: Client) {
    assert_eq!(value::<String>(&mut client, "SELECT last_name FROM members"), "Lovelace");
    client.batch_execute("INSERT INTO greetings DEFAULT VALUES").expect("the table of 04");
    assert_eq!(value::<String>(&mut client, "SELECT text FROM greetings"), "it's");
}

const GREETING: &str = "a constant";

#[habitat_migrate::test(migrations = Members, placeholders("greeting" = GREETING.replace("a ", "any ")))]
fn a_placeholder_is_any_expression_and_no_environment_brings_no_seeds(mut client: Client) {
    client.batch_execute("INSERT INTO greetings DEFAULT VALUES").expect("the table of 04");
    assert_eq!(value::<String>(&mut client, "SELECT text FROM greetings"), "any constant");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM members"), 0);
}

static PLAIN: LazyLock<Catalog> = LazyLock::new(|| {
    Catalog::from_scripts(
        "plain",
        [("01_a.sql", "CREATE TABLE a (id int);"), ("02_b.sql", "CREATE TABLE b (id int);")],
    )
    .expect("sound scripts")
});

#[habitat_migrate::test(catalog = *PLAIN, to = "01_a")]
fn a_catalog_is_any_expression(mut client: Client) {
    assert_eq!(value::<String>(&mut client, TABLES), "a");
}

#[habitat_migrate::test(catalog = &PLAIN.clone())]
fn a_catalog_may_be_borrowed(mut client: Client) {
    assert_eq!(value::<String>(&mut client, TABLES), "a b");
}

#[habitat_migrate::test(catalog = Habitat::CATALOG)]
fn a_catalog_may_be_a_constant(mut client: Client) {
    client.batch_execute("SELECT FROM schema_migrations").expect("a tracker");
}

#[habitat_migrate::test(migrations = "tests/testing_attribute/migrations", before = "04_greeting")]
fn a_folder_is_embedded(mut client: Client) {
    assert_eq!(value::<String>(&mut client, TABLES), "members");
}

#[habitat_migrate::test(migrations = false)]
fn an_empty_database_has_no_tables(mut client: Client) {
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(value::<i64>(&mut client, tables), 0);
}

#[habitat_migrate::test(migrations = false, fixtures("members", "events"))]
fn fixtures_run_in_the_order_in_which_they_are_written(mut client: Client) {
    let rows = "SELECT string_agg(name || ' ' || coalesce(what, 'nothing'), ', ' ORDER BY name) \
                FROM members LEFT JOIN events ON member = name";
    assert_eq!(value::<String>(&mut client, rows), "Ada joined, Grace nothing");
}

#[habitat_migrate::test(migrations = false, fixtures("../testing_attribute/fixtures/members.sql"))]
fn a_fixture_may_be_a_path(mut client: Client) {
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM members"), 2);
}

#[habitat_migrate::test(migrations = false, fixtures("role"), role = "attribute_reader")]
fn a_role_is_who_the_test_is(mut client: Client) {
    assert_eq!(value::<String>(&mut client, "SELECT current_user::text"), "attribute_reader");
    let error = client.batch_execute("SELECT FROM secrets").expect_err("no right to it");
    assert_eq!(error.code().map(|code| code.code()), Some("42501"));
}

#[habitat_migrate::test(migrations = false)]
fn a_database_is_named_for_its_test(database: &TestDatabase) {
    assert!(database.name().contains("is_named_for_its_test"), "{}", database.name());
}
