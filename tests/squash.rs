//! A migration that stands for older ones: a new database runs the one, an old database counts as having it.

mod support;
#[path = "support/trips.rs"]
mod trips;

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Database;
use habitat_migrate::{Catalog, ErrorKind, Loader, Migrator, Refusal, Scripts};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, program, unchecked, value};
use trips::assert_nothing_to_do;

/// Four migrations, one by one.
const OLD: [(&str, &str); 8] = [
    ("01_a.sql", "CREATE TABLE a (id int);"),
    ("01_a.down.sql", "DROP TABLE a;"),
    ("02_b.sql", "CREATE TABLE b (id int);"),
    ("02_b.down.sql", "DROP TABLE b;"),
    ("03_c.sql", "CREATE TABLE c (id int);"),
    ("03_c.down.sql", "DROP TABLE c;"),
    ("04_d.sql", "CREATE VIEW d AS SELECT id FROM c;"),
    ("04_d.down.sql", "DROP VIEW d;"),
];

/// The same, with one migration for the first three.
const NEW: [(&str, &str); 4] = [
    (
        "03_all.sql",
        "-- habitat: replaces 01_a, 02_b, 03_c\nCREATE TABLE a (id int); CREATE TABLE b (id int); CREATE TABLE c (id int);",
    ),
    ("03_all.down.sql", "DROP TABLE a, b, c;"),
    OLD[6],
    OLD[7],
];

const LATER: [(&str, &str); 2] =
    [("05_e.sql", "CREATE TABLE e (id int);"), ("05_e.down.sql", "DROP TABLE e;")];

fn old() -> Migrator {
    Migrator::new(catalog("app", OLD))
}

fn new() -> Migrator {
    Migrator::new(catalog("app", NEW))
}

fn later() -> Migrator {
    Migrator::new(catalog("app", NEW.into_iter().chain(LATER)))
}

/// Two contexts, of which one requires what the other has squashed.
fn with_deals(app: &[(&'static str, &'static str)]) -> Migrator {
    let deals = [
        ("01_x.sql", "-- habitat: requires app:02_b\nCREATE VIEW x AS SELECT id FROM b;"),
        ("01_x.down.sql", "DROP VIEW x;"),
    ];
    let sources =
        Loader::new().source(Scripts::new("app", app.iter().copied())).source(Scripts::new("deals", deals));
    Migrator::new(sources.load().unwrap_or_else(|problems| panic!("{}", problems.render())))
}

/// A program of another owner, which has the second context alone.
fn deals_alone() -> Catalog {
    let deals = [("02_y.sql", "-- habitat: requires app:02_b\nCREATE TABLE y (id int);")];
    let loader = Loader::new().source(Scripts::new("deals", deals)).external("app");
    loader.load().unwrap_or_else(|problems| panic!("{}", problems.render()))
}

fn migrated(migrator: &Migrator) -> (Database, Client) {
    let database = database();
    let mut client = database.connect().unwrap();
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    (database, client)
}

/// Each record with its place and state, those in order first.
fn records(client: &mut Client) -> String {
    let records = "SELECT coalesce(string_agg(version || coalesce(' ' || ordinal, '') || ' ' || state, ', '
                   ORDER BY ordinal NULLS LAST, version), '') FROM schema_migrations WHERE context = 'app'";
    value(client, records)
}

/// The digest that the last record of the context has.
fn digest(client: &mut Client) -> String {
    value(
        client,
        "SELECT digest FROM schema_migrations WHERE context = 'app' AND ordinal IS NOT NULL ORDER BY ordinal DESC LIMIT 1",
    )
}

fn names(applied: &[habitat_migrate::Applied]) -> String {
    applied.iter().map(|applied| applied.id().to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_old_database_counts_as_having_it_and_nothing_runs() {
    let (database, mut client) = migrated(&old());
    let oids =
        "SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class WHERE relname IN ('a', 'b', 'c', 'd')";
    let before: String = value(&mut client, oids);
    let (report, _) = trips::boot(&database, &new());
    assert!(report.is_unchanged(), "{report}");
    assert_eq!(report.already_applied(), 2);
    assert_nothing_to_do(&database, &new());
    assert_eq!(value::<String>(&mut client, oids), before);
    assert_eq!(
        records(&mut client),
        "03_all 1 applied, 04_d 2 applied, 01_a replaced, 02_b replaced, 03_c replaced"
    );
    let log = "SELECT string_agg(version || ' ' || detail, '; ' ORDER BY id) FROM schema_migrations_log WHERE event = 'replace'";
    assert_eq!(
        value::<String>(&mut client, log),
        "03_all it stands for migrations that are applied; 01_a app:03_all stands for it; \
         02_b app:03_all stands for it; 03_c app:03_all stands for it"
    );
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn a_new_database_runs_the_one_and_ends_with_the_same_digest() {
    let (_old_database, mut squashed) = migrated(&old());
    new().migrate(&mut squashed).unwrap();
    let (fresh_database, mut fresh) = migrated(&new());
    assert_nothing_to_do(&fresh_database, &new());
    assert_eq!(records(&mut fresh), "03_all 1 applied, 04_d 2 applied");
    assert_eq!(digest(&mut squashed), digest(&mut fresh));
    for client in [&mut squashed, &mut fresh] {
        assert_eq!(names(later().migrate(client).unwrap().applied()), "app:05_e");
    }
    assert_eq!(digest(&mut squashed), digest(&mut fresh));
}

#[test]
fn whatever_is_behind_them_a_squashed_database_ends_like_a_fresh_one() {
    for behind in 0..4 {
        for pending in 0..2 {
            let step = |n: usize| (format!("{n:02}_t.sql"), format!("CREATE TABLE t{n} (id int);"));
            let old = Migrator::new(catalog("app", (1..=3 + behind).map(step)));
            let one = "-- habitat: replaces 01_t, 02_t, 03_t\nSELECT 1;".to_owned();
            let all =
                [("03_all.sql".to_owned(), one)].into_iter().chain((4..=3 + behind + pending).map(step));
            let new = Migrator::new(catalog("app", all));
            let (squashed, mut client) = migrated(&old);
            assert_eq!(new.migrate(&mut client).unwrap().applied().len(), pending);
            let (_fresh, mut other) = migrated(&new);
            assert_eq!(digest(&mut client), digest(&mut other), "{behind} behind, {pending} pending");
            assert_nothing_to_do(&squashed, &new);
        }
    }
}

#[test]
fn a_database_that_has_only_some_of_them_is_refused_with_names() {
    let (_database, mut client) = migrated(&Migrator::new(catalog("app", OLD[..2].to_vec())));
    let error = new().migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = format!("{error:?}");
    assert!(
        text.contains("app:03_all stands for migrations of which some are not applied: app:02_b, app:03_c"),
        "{text}"
    );
    assert!(text.contains("migrate with the last program that has the replaced ones first"), "{text}");
    assert_eq!(records(&mut client), "01_a 1 applied");
    old().migrate(&mut client).unwrap();
    assert!(new().migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn one_of_them_that_is_interrupted_is_not_taken_for_applied() {
    let database = database();
    let mut client = database.connect().unwrap();
    let half = [("01_a", "SELECT 1;"), ("02_b", "SELECT 2;"), ("03_c", "CREATE TABLE c (); COMMIT; BEGIN;")];
    Migrator::new(unchecked(&half)).migrate(&mut client).unwrap_err();
    let error = new().migrate(&mut client).unwrap_err();
    let refusal = error.refusals().unwrap().iter().next().cloned();
    assert!(matches!(refusal, Some(Refusal::Interrupted { .. })), "{error:?}");
}

#[test]
fn what_other_contexts_require_is_there_in_old_and_new_databases() {
    let (database, mut client) = migrated(&with_deals(&OLD));
    assert!(with_deals(&NEW).migrate(&mut client).unwrap().is_unchanged());
    assert_nothing_to_do(&database, &with_deals(&NEW));
    // Another owner's program has not heard of it, and requires what is replaced.
    let plan = Migrator::new(deals_alone()).out_of_order(habitat_migrate::policy::OutOfOrder::Apply);
    let report = plan.missing(habitat_migrate::policy::Missing::Ignore).migrate(&mut client).unwrap();
    assert_eq!(names(report.applied()), "deals:02_y");
    let (_fresh, mut client) = migrated(&with_deals(&NEW));
    let order = "SELECT string_agg(version, ' ' ORDER BY run_order) FROM schema_migrations";
    assert_eq!(value::<String>(&mut client, order), "03_all 01_x 04_d");
    // One that pends behind a squash in the same run finds what it requires, too.
    let (_old, mut client) = migrated(&old());
    assert_eq!(names(with_deals(&NEW).migrate(&mut client).unwrap().applied()), "deals:01_x");
}

#[test]
fn an_older_program_still_boots_on_a_squashed_database() {
    let (database, mut client) = migrated(&old());
    later().migrate(&mut client).unwrap();
    let (report, round_trips) = trips::boot(&database, &old());
    assert!(report.is_unchanged(), "{report}");
    assert_eq!(report.already_applied(), 4);
    assert!(round_trips <= 2, "{round_trips}");
    let first_three = Migrator::new(catalog("app", OLD[..6].to_vec()));
    assert!(first_three.migrate(&mut client).unwrap().is_unchanged());
    assert_nothing_to_do(&database, &later());
}

#[test]
fn an_older_program_runs_nothing_on_a_database_that_began_with_the_squash() {
    let (_database, mut client) = migrated(&new());
    let error = old().migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(records(&mut client), "03_all 1 applied, 04_d 2 applied");
}

#[test]
fn a_rollback_goes_through_a_squash_and_takes_what_it_stands_for_along() {
    let (database, mut client) = migrated(&old());
    later().migrate(&mut client).unwrap();
    let report = later().rollback(&mut client, Rollback::Steps(2)).unwrap();
    assert_eq!(names(report.undone()), "app:05_e app:04_d");
    let report = later().rollback(&mut client, Rollback::All).unwrap();
    assert_eq!(names(report.undone()), "app:03_all");
    assert_eq!(records(&mut client), "");
    assert!(value::<bool>(&mut client, "SELECT to_regclass('a') IS NULL AND to_regclass('c') IS NULL"));
    // Nothing is left that would count as having it.
    assert_eq!(names(later().migrate(&mut client).unwrap().applied()), "app:03_all app:04_d app:05_e");
    assert_nothing_to_do(&database, &later());
}

#[test]
fn a_rollback_takes_other_contexts_back_before_the_squash_that_they_build_on() {
    let (_database, mut client) = migrated(&with_deals(&OLD));
    with_deals(&NEW).migrate(&mut client).unwrap();
    let report = with_deals(&NEW).rollback(&mut client, Rollback::All).unwrap();
    assert_eq!(names(report.undone()), "app:04_d deals:01_x app:03_all");
}

#[test]
fn squashing_changes_nothing_about_what_was_applied_last() {
    let (_database, mut client) = migrated(&Migrator::new(catalog("app", OLD[..6].to_vec())));
    Migrator::new(catalog("others", [("01_o.sql", "SELECT 1"), ("01_o.down.sql", "SELECT 1")]))
        .migrate(&mut client)
        .unwrap();
    let app = Scripts::new("app", NEW[..2].to_vec());
    let others = Scripts::new("others", [("01_o.sql", "SELECT 1"), ("01_o.down.sql", "SELECT 1")]);
    let both = Migrator::new(Loader::new().source(app).source(others).load().unwrap());
    both.migrate(&mut client).unwrap();
    assert_eq!(names(both.rollback(&mut client, Rollback::Last).unwrap().undone()), "others:01_o");
}

#[test]
fn an_older_program_does_not_take_back_what_stands_for_its_own() {
    let (_database, mut client) = migrated(&old());
    new().migrate(&mut client).unwrap();
    let error = old().rollback(&mut client, Rollback::All).unwrap_err();
    let refusals: Vec<String> = error.refusals().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(refusals, ["app:03_all is not in this program"]);
    assert_eq!(
        records(&mut client),
        "03_all 1 applied, 04_d 2 applied, 01_a replaced, 02_b replaced, 03_c replaced"
    );
    // What is above it, it takes back.
    assert_eq!(names(old().rollback(&mut client, Rollback::Last).unwrap().undone()), "app:04_d");
}

#[test]
fn a_squash_may_be_squashed_again() {
    let (database, mut client) = migrated(&old());
    new().migrate(&mut client).unwrap();
    let again = [(
        "04_all.sql",
        "-- habitat: replaces 03_all, 04_d\nCREATE TABLE a (id int); CREATE TABLE b (id int);
         CREATE TABLE c (id int); CREATE VIEW d AS SELECT id FROM c;",
    )];
    let again = Migrator::new(catalog("app", again));
    assert!(again.migrate(&mut client).unwrap().is_unchanged());
    assert_nothing_to_do(&database, &again);
    let (_fresh, mut other) = migrated(&again);
    assert_eq!(digest(&mut client), digest(&mut other));
    assert!(old().migrate(&mut client).unwrap().is_unchanged());
    // A database that has seen neither is told which step lies between.
    let (_database, mut behind) = migrated(&old());
    let error = again.migrate(&mut behind).unwrap_err();
    assert!(error.to_string().contains("not applied: app:03_all"), "{error}");
}

#[test]
fn one_that_is_marked_stands_for_the_others_too() {
    let (database, mut client) = migrated(&old());
    let id = new().catalog().migrations()[0].id().clone();
    new().mark_applied(&mut client, &id, "by hand").unwrap();
    assert_nothing_to_do(&database, &new());
    assert_eq!(
        records(&mut client),
        "03_all 1 applied, 04_d 2 applied, 01_a replaced, 02_b replaced, 03_c replaced"
    );
}

#[test]
fn processes_that_squash_at_once_do_it_once() {
    let (database, mut client) = migrated(&old());
    let processes: Vec<_> =
        (0..4).map(|_| program("a_process_that_squashes", &database.url()).start()).collect();
    for process in processes {
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let events = "SELECT count(*) FROM schema_migrations_log WHERE event = 'replace'";
    assert_eq!(value::<i64>(&mut client, events), 4);
    assert_nothing_to_do(&database, &new());
}

/// Not a test: the program that others start.
#[test]
fn a_process_that_squashes() {
    in_child(|url| {
        let mut client = Client::connect(url, NoTls).expect("a connection");
        assert!(new().migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}")).is_unchanged());
    });
}
