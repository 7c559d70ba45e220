//! Habitat, deployed: what its guide's own verification steps look at.

mod support;

use habitat_migrate::{Catalog, Migrations};
use include_dir::{Dir, include_dir};
use postgres::{Client, NoTls};
use support::{database, in_child, migrate_and_print, program, value};

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

static FOLDER: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/migrations/habitat");

#[test]
fn migrations_are_deployed_after_what_they_require_and_not_by_number() {
    let database = database();
    let mut client = database.connect().unwrap();
    let report = Habitat::migrator().migrate(&mut client).unwrap();
    let applied: Vec<String> = report.applied().iter().map(|applied| applied.id().to_string()).collect();
    let order = [
        "treasury:01_treasury_core",
        "people:04_people_core",
        "treasury:02_treasury_migrations",
        "agreements:05_agreements_core",
        "people:06_people_policies",
        "agreements:07_agreements_policies",
    ];
    assert_eq!(applied, order);
    let recorded =
        "SELECT string_agg(context || ':' || version, ' ' ORDER BY deployed_at) FROM schema_migrations";
    assert_eq!(value::<String>(&mut client, recorded), order.join(" "));
    let descriptions = "SELECT string_agg(description, '; ' ORDER BY deployed_at) FROM schema_migrations";
    assert_eq!(
        value::<String>(&mut client, descriptions),
        "Treasury bounded context core schema; People bounded context core schema; \
         Treasury 704(b) compliance extensions; Agreements bounded context core schema; \
         People row-level security: own rows, approvers, governance; \
         Agreements row-level security: own allocations and distributions, governance"
    );
}

#[test]
fn each_context_has_the_tables_that_the_guide_counts() {
    let (_database, mut client) = deployed();
    let counts = "SELECT string_agg(schemaname || ' ' || n, ', ' ORDER BY schemaname) FROM (
        SELECT schemaname, count(*) AS n FROM pg_tables
        WHERE schemaname IN ('treasury', 'people', 'agreements') GROUP BY schemaname) AS t";
    assert_eq!(value::<String>(&mut client, counts), "agreements 10, people 9, treasury 12");
}

#[test]
fn the_extensions_are_there() {
    let (_database, mut client) = deployed();
    let extensions = "SELECT string_agg(extname, ' ' ORDER BY extname COLLATE \"C\") FROM pg_extension
        WHERE extname <> 'plpgsql'";
    assert_eq!(value::<String>(&mut client, extensions), "pgcrypto uuid-ossp");
}

#[test]
fn the_materialized_views_are_populated_and_can_be_refreshed() {
    let (_database, mut client) = deployed();
    let views = "SELECT string_agg(schemaname || '.' || matviewname, ' ' ORDER BY schemaname)
        FROM pg_matviews WHERE ispopulated";
    let names = "agreements.period_allocations people.member_patronage_summary treasury.account_balances";
    assert_eq!(value::<String>(&mut client, views), names);
    for name in names.split(' ') {
        client.batch_execute(&format!("REFRESH MATERIALIZED VIEW CONCURRENTLY {name}")).unwrap();
    }
}

#[test]
fn an_unbalanced_transaction_is_refused_when_it_commits() {
    let (_database, mut client) = deployed();
    let mut transaction = client.transaction().unwrap();
    book(&mut transaction, &["100.00", "-99.99"]);
    let error = transaction.commit().unwrap_err();
    let error = error.as_db_error().expect("the server refuses it");
    assert_eq!(error.message(), "Transaction entries must sum to zero");
    assert_eq!(error.constraint(), Some("entries_sum_to_zero"));
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM treasury.entries"), 0);
}

#[test]
fn a_balanced_transaction_is_accepted() {
    let (_database, mut client) = deployed();
    let mut transaction = client.transaction().unwrap();
    book(&mut transaction, &["100.00", "-40.00", "-60.00"]);
    transaction.commit().unwrap();
    client.batch_execute("REFRESH MATERIALIZED VIEW treasury.account_balances").unwrap();
    let balance = "SELECT sum(debits)::text || ' ' || sum(credits) FROM treasury.account_balances";
    assert_eq!(value::<String>(&mut client, balance), "100.00 100.00");
}

#[test]
fn two_processes_deploy_it_exactly_once() {
    let database = database();
    let replica = program("a_process_that_deploys_habitat", &database.url());
    let replicas: Vec<_> = (0..2).map(|_| replica.start()).collect();
    let mut applied = Vec::new();
    for replica in replicas {
        let output = replica.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
        let count = told.lines().find_map(|line| line.split_once("applied ")).expect("it says what it did").1;
        applied.push(count.parse::<usize>().unwrap());
    }
    applied.sort_unstable();
    assert_eq!(applied, [0, 6]);
    let mut client = Client::connect(&database.url(), NoTls).unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 6);
}

/// Not a test: the program that others start.
#[test]
fn a_process_that_deploys_habitat() {
    in_child(|url| migrate_and_print(url, &Habitat::migrator()));
}

#[test]
fn every_source_gives_the_same_catalog() {
    let embedded = told(&Habitat::CATALOG);
    assert_eq!(embedded.len(), 7);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/habitat");
    assert_eq!(told(&Catalog::from_directory(folder).unwrap()), embedded);
    assert_eq!(told(&Catalog::load(FOLDER.clone()).unwrap()), embedded);
    assert_eq!(told(&habitat_migrate::migrate!("migrations/habitat")), embedded);
}

#[test]
fn a_database_of_one_source_has_nothing_to_do_for_the_others() {
    let (_database, mut client) = deployed();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/habitat");
    for catalog in [Catalog::from_directory(folder).unwrap(), Catalog::load(FOLDER.clone()).unwrap()] {
        assert!(habitat_migrate::Migrator::new(catalog).migrate(&mut client).unwrap().is_unchanged());
    }
}

/// A database with Habitat, and a connection to it.
fn deployed() -> (habitat_migrate::testing::Database, Client) {
    let database = database();
    let mut client = database.connect().unwrap();
    Habitat::migrator().migrate(&mut client).unwrap();
    (database, client)
}

/// Writes a transaction with one entry for each amount, each in an account of its own.
fn book(transaction: &mut postgres::Transaction<'_>, amounts: &[&str]) {
    transaction.batch_execute("INSERT INTO treasury.transactions (description) VALUES ('A sale')").unwrap();
    for (n, amount) in amounts.iter().enumerate() {
        let entry = format!(
            "WITH account AS (INSERT INTO treasury.accounts (code, name, account_type)
                              VALUES ('TEST-{n}', 'Account {n}', 'asset') RETURNING account_id)
             INSERT INTO treasury.entries (transaction_id, account_id, amount)
             SELECT transaction_id, account_id, {amount} FROM treasury.transactions, account"
        );
        transaction.batch_execute(&entry).unwrap();
    }
}

/// What must be equal, whatever the source: names, texts, order, and what directives say.
fn told(catalog: &Catalog) -> Vec<(String, [String; 5], Vec<String>)> {
    let of = |m: &habitat_migrate::Migration| {
        let requires = m.requires().iter().map(ToString::to_string);
        let environments = m.settings().environments.iter().map(ToString::to_string);
        let directives = requires.chain(environments).collect();
        let [down, verify] = [m.down(), m.verify()].map(|script| script.expect("there is one").to_owned());
        let texts =
            [m.checksum().to_string(), m.description().to_owned(), m.script().to_owned(), down, verify];
        (m.id().to_string(), texts, directives)
    };
    catalog.migrations().iter().map(of).collect()
}
