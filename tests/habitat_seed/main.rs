//! Habitat with its sample data: it is what the guide counts, the same everywhere, and goes without a trace.

mod faults;
#[path = "../support/lifecycle.rs"]
mod lifecycle;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use habitat_migrate::testing::Database;
use habitat_migrate::{Catalog, Migration};
use lifecycle::{apply, plain_owner, revert, set, try_revert, up, verify};
use postgres::Client;
use support::{database, own_server, value};

const FOLDER: &str = "migrations/habitat";

const ORDER: [&str; 7] = [
    "treasury:01_treasury_core",
    "people:04_people_core",
    "treasury:02_treasury_migrations",
    "agreements:05_agreements_core",
    "people:06_people_policies",
    "agreements:07_agreements_policies",
    "treasury:03_treasury_seed_data",
];

#[test]
fn the_seed_comes_last_and_is_for_development_and_tests_only() {
    let catalog = set(FOLDER);
    let order: Vec<String> =
        catalog.migrations().iter().map(|migration| migration.id().to_string()).collect();
    assert_eq!(order, ORDER);
    for migration in catalog.migrations() {
        let seed = migration.id().to_string() == ORDER[6];
        let environments: Vec<&str> = migration.settings().environments.iter().map(AsRef::as_ref).collect();
        assert_eq!(environments, if seed { &["development", "test"][..] } else { &[] }, "{}", migration.id());
        assert!(migration.verify().is_some() && migration.down().is_some(), "{}", migration.id());
    }
}

#[test]
fn the_seed_has_as_many_rows_as_the_guide_says() {
    let (_database, mut client) = seeded();
    for (table, count) in [
        ("people.members", 10),
        ("people.contributions", 50),
        ("treasury.events", 100),
        ("treasury.transactions", 75),
        ("agreements.member_allocations", 30),
    ] {
        assert_eq!(value::<i64>(&mut client, &format!("SELECT count(*) FROM {table}")), count, "{table}");
    }
    let unbalanced = "SELECT count(*) FROM (SELECT t.transaction_id FROM treasury.transactions t
        LEFT JOIN treasury.entries e USING (transaction_id) GROUP BY 1
        HAVING coalesce(sum(e.amount), 1) <> 0 OR count(*) < 2) AS x";
    assert_eq!(value::<i64>(&mut client, unbalanced), 0);
    assert_eq!(verify(&mut client, &set(FOLDER)), [""; 0]);
}

#[test]
fn the_seed_shows_every_state_of_a_contribution_and_closed_and_open_periods() {
    let (_database, mut client) = seeded();
    let states = "SELECT string_agg(status || ' ' || n, ', ' ORDER BY status)
        FROM (SELECT status, count(*) AS n FROM people.contributions GROUP BY status) AS t";
    let expected = "draft 2, pending_approval 3, approved 43, rejected 1, withdrawn 1";
    assert_eq!(value::<String>(&mut client, states), expected);
    let periods = "SELECT string_agg(name || ' ' || status, ', ' ORDER BY name) FROM treasury.periods";
    let expected = "2024-Q1 closed, 2024-Q2 closed, 2024-Q3 closed, 2024-Q4 open";
    assert_eq!(value::<String>(&mut client, periods), expected);
    let paid = "SELECT string_agg(period_name || ' ' || paid, ', ' ORDER BY period_name)
        FROM agreements.period_allocations";
    assert_eq!(value::<String>(&mut client, paid), "2024-Q1 4863.89, 2024-Q2 0.00, 2024-Q3 0.00");
}

#[test]
fn two_databases_are_seeded_alike_whatever_the_day_and_the_session() {
    let catalog = set(FOLDER);
    let mut seen = Vec::new();
    for settings in ["SET timezone = 'UTC'", SESSION_OF_SOMEBODY_ELSE] {
        let database = database();
        let mut client = database.connect().unwrap();
        client.batch_execute(settings).unwrap();
        up(&mut client, &catalog);
        let mut client = database.connect().unwrap();
        seen.push(rows(&mut client));
    }
    let second = seen.pop().expect("two");
    assert_eq!(seen[0], second);
    let filled = second.values().filter(|rows| !rows.is_empty()).count();
    assert!(filled >= 20, "only {filled} tables and views have rows");
}

const SESSION_OF_SOMEBODY_ELSE: &str = "SET timezone = 'Pacific/Auckland'; SET datestyle = 'German, DMY';
    SET intervalstyle = 'iso_8601'; SET extra_float_digits = 0; SET search_path = '';
    SET enable_hashagg = off; SET enable_hashjoin = off; SET work_mem = '64kB'; SET bytea_output = 'escape'";

#[test]
fn the_guards_are_on_again_after_the_seed_and_after_it_is_gone() {
    let (database, mut client) = seeded();
    let catalog = set(FOLDER);
    let off = "SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'";
    assert_eq!(value::<i64>(&mut client, off), 0);
    let transaction =
        "SELECT transaction_id FROM treasury.transactions WHERE transaction_date < '2024-07-01' LIMIT 1";
    for change in [
        "DELETE FROM treasury.events",
        "UPDATE treasury.periods SET name = name || '?'",
        &format!("DELETE FROM treasury.entries WHERE transaction_id = ({transaction})"),
        "UPDATE agreements.period_closes SET surplus = 0",
        "DELETE FROM agreements.member_allocations",
        "DELETE FROM treasury.capital_account_entries",
        "UPDATE people.contributions SET value = 1 WHERE status = 'approved'",
    ] {
        let error = client.batch_execute(change).unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("23001"), "{change}: {error:?}");
    }
    revert(&mut client, &catalog, seed(&catalog));
    assert_eq!(value::<i64>(&mut database.connect().unwrap(), off), 0);
    let helpers = "SELECT count(*) FROM pg_proc WHERE pronamespace = pg_my_temp_schema()";
    assert_eq!(value::<i64>(&mut client, helpers), 0, "functions of the session are left");
}

#[test]
fn taking_the_seed_back_leaves_the_rows_of_others() {
    let (_database, mut client) = seeded();
    let catalog = set(FOLDER);
    client.batch_execute(OWN_ROWS).unwrap();
    revert(&mut client, &catalog, seed(&catalog));
    let mut left = rows(&mut client);
    left.retain(|_, rows| !rows.is_empty());
    let counts: Vec<(&str, usize)> = left.iter().map(|(table, rows)| (table.as_str(), rows.len())).collect();
    assert_eq!(
        counts,
        [
            ("people.contributions", 1),
            ("people.member_patronage_summary", 1),
            ("people.members", 1),
            ("treasury.account_balances", 11),
            ("treasury.entries", 2),
            ("treasury.events", 1),
            ("treasury.periods", 1),
            ("treasury.transactions", 1),
        ]
    );
    let next = "INSERT INTO treasury.events (event_type) VALUES ('own.second') RETURNING sequence";
    assert_eq!(value::<i64>(&mut client, next), 102);
    apply(&mut client, &catalog, seed(&catalog));
    assert_eq!(value::<i64>(&mut client, "SELECT max(sequence) FROM treasury.events"), 202);
}

/// What somebody may have added while the sample data was there.
const OWN_ROWS: &str = "
    INSERT INTO people.members (member_id, display_name, email)
    VALUES ('11111111-1111-4111-8111-111111111111', 'Somebody', 'somebody@example.org');
    INSERT INTO people.contributions (contributor_id, category, description, value)
    VALUES ('11111111-1111-4111-8111-111111111111', 'labor', 'Own', 5);
    INSERT INTO treasury.events (event_type) VALUES ('own.first');
    INSERT INTO treasury.periods (name, starts_on, ends_on) VALUES ('2025', '2025-01-01', '2025-12-31');
    BEGIN;
    INSERT INTO treasury.transactions (transaction_id, description, transaction_date)
    VALUES ('22222222-2222-4222-8222-222222222222', 'Own', '2024-11-11');
    INSERT INTO treasury.entries (transaction_id, account_id, amount)
    SELECT '22222222-2222-4222-8222-222222222222', account_id, CASE code WHEN '1000' THEN 7 ELSE -7 END
    FROM treasury.accounts WHERE code IN ('1000', '4000');
    COMMIT;";

#[test]
fn a_seed_that_was_taken_back_comes_again_with_the_same_rows() {
    let (_database, mut client) = seeded();
    let (catalog, before) = (set(FOLDER), rows(&mut client));
    revert(&mut client, &catalog, seed(&catalog));
    assert!(rows(&mut client)["treasury.events"].is_empty());
    apply(&mut client, &catalog, seed(&catalog));
    assert_eq!(rows(&mut client), before);
}

#[test]
fn a_row_that_somebody_built_upon_the_seed_keeps_all_of_it() {
    let (_database, mut client) = seeded();
    let catalog = set(FOLDER);
    client
        .batch_execute(
            "INSERT INTO people.contributions (contributor_id, category, description, value)
             SELECT member_id, 'labor', 'Own', 5 FROM people.members WHERE display_name = 'Hana Sato'",
        )
        .unwrap();
    let before = rows(&mut client);
    let error = try_revert(&mut client, &catalog).unwrap_err();
    let constraint = error.server_error().and_then(|error| error.constraint.as_deref());
    assert_eq!(constraint, Some("contributions_contributor_id_fkey"), "{error:?}");
    assert_eq!(rows(&mut client), before);
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    let next = "INSERT INTO treasury.events (event_type) VALUES ('own') RETURNING sequence";
    assert_eq!(value::<i64>(&mut client, next), 101, "the sequence is where it was");
}

#[test]
fn the_seed_is_not_taken_back_in_part_where_policies_hide_rows() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut owner = plain_owner(&database, "habitat_owner");
    let catalog = set(FOLDER);
    up(&mut owner, &catalog);
    owner
        .batch_execute(
            "ALTER TABLE people.memberships ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
             CREATE POLICY own ON people.memberships FOR SELECT USING (member_id = people.current_member_id());",
        )
        .unwrap();
    let error = try_revert(&mut owner, &catalog).unwrap_err();
    assert_eq!(error.server_error().map(|error| error.code.as_str()), Some("42501"), "{error:?}");
    owner.batch_execute("ALTER TABLE people.memberships NO FORCE ROW LEVEL SECURITY").unwrap();
    assert_eq!(value::<i64>(&mut owner, "SELECT count(*) FROM people.members"), 10);
    revert(&mut owner, &catalog, seed(&catalog));
    assert_eq!(value::<i64>(&mut owner, "SELECT count(*) FROM people.members"), 0);
}

/// A database with all of Habitat, and a connection to it.
fn seeded() -> (Database, Client) {
    let database = database();
    let mut client = database.connect().unwrap();
    up(&mut client, &set(FOLDER));
    (database, client)
}

fn seed(catalog: &Catalog) -> &Migration {
    let seed = catalog.migrations().iter().find(|migration| migration.id().to_string() == ORDER[6]);
    seed.expect("the seed is in the catalog")
}

/// Every row of every table and view of Habitat, save the reference data that has the time of day in it.
fn rows(client: &mut Client) -> BTreeMap<String, Vec<String>> {
    let relations = "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('treasury', 'people', 'agreements') AND c.relkind IN ('r', 'm')
          AND c.relname NOT IN ('accounts', 'approval_policies')";
    let relations: Vec<String> = client.query(relations, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let mut rows = BTreeMap::new();
    for relation in relations {
        let all = format!("SELECT t::text FROM {relation} AS t ORDER BY t::text COLLATE \"C\"");
        let all = client.query(&all, &[]).unwrap();
        rows.insert(relation, all.iter().map(|row| row.get(0)).collect());
    }
    rows
}
