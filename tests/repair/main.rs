//! Repairs of the tracker: what they record, what the next boot makes of it, and what they refuse.

mod refusals;
#[path = "../support/mod.rs"]
mod support;
mod target;
#[path = "../support/trips.rs"]
mod trips;

use habitat_migrate::policy::OutOfOrder;
use habitat_migrate::testing::Database;
use habitat_migrate::{
    Catalog, Error, ErrorKind, Loader, MigrationId, Migrator, Refusal, Report, Scripts, Version,
};
use postgres::{Client, NoTls};
use support::{catalog, database, unchecked, value};
use trips::assert_nothing_to_do;

fn id(text: &str) -> MigrationId {
    let (context, version) = text.split_once(':').expect("context:version");
    MigrationId::new(context.to_owned(), Version::new(version.to_owned()))
}

/// Tables of one context; each script makes one, and fails where it is there.
fn tables(names: &[&str]) -> Migrator {
    let script = |name: &&str| (format!("{name}_t.sql"), format!("CREATE TABLE t{name} (id int);"));
    Migrator::new(catalog("app", names.iter().map(script)))
}

/// Two contexts, of which one builds on the other.
fn people_and_deals() -> Catalog {
    let people = [
        ("01_p.sql", "CREATE TABLE p (id int PRIMARY KEY)"),
        ("02_q.sql", "CREATE TABLE q (id int PRIMARY KEY)"),
        ("03_r.sql", "CREATE TABLE r (id int PRIMARY KEY)"),
    ];
    let deals = [
        ("01_d.sql", "CREATE TABLE d (id int)"),
        ("02_e.sql", "-- habitat: requires people:02_q\nCREATE TABLE e (id int REFERENCES q)"),
        ("03_f.sql", "CREATE TABLE f (id int)"),
    ];
    let sources = Loader::new().source(Scripts::new("people", people)).source(Scripts::new("deals", deals));
    sources.load().unwrap_or_else(|problems| panic!("{}", problems.render()))
}

#[derive(Clone, Copy, Debug)]
enum Verb {
    Baseline,
    Mark,
    Forget,
    Accept,
}

const CLIENTS: [&str; 2] = ["postgres", "tokio-postgres"];

/// Repairs as `login`, with either client.
fn repair(
    with: &str,
    (database, login): (&Database, &str),
    migrator: &Migrator,
    (verb, migration): (Verb, &str),
) -> Result<Report, Error> {
    let (id, why) = (id(migration), "for the test");
    if with == "postgres" {
        let mut client = database.config().user(login).connect(NoTls).expect("a connection");
        return match verb {
            Verb::Baseline => migrator.baseline(&mut client, &id, why),
            Verb::Mark => migrator.mark_applied(&mut client, &id, why),
            Verb::Forget => migrator.forget(&mut client, &id, why),
            Verb::Accept => migrator.accept_changed(&mut client, &id, why),
        };
    }
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let mut config: tokio_postgres::Config = database.url().parse().expect("a URL");
        let (mut client, connection) = config.user(login).connect(NoTls).await.expect("a connection");
        tokio::spawn(connection);
        match verb {
            Verb::Baseline => migrator.baseline(&mut client, &id, why).await,
            Verb::Mark => migrator.mark_applied(&mut client, &id, why).await,
            Verb::Forget => migrator.forget(&mut client, &id, why).await,
            Verb::Accept => migrator.accept_changed(&mut client, &id, why).await,
        }
    })
}

fn done(with: &str, database: &Database, migrator: &Migrator, verb: (Verb, &str)) -> Report {
    repair(with, (database, "postgres"), migrator, verb).unwrap_or_else(|error| panic!("{with}: {error:?}"))
}

/// Each record as `context:version`, with its place, in the order of its context.
fn records(client: &mut Client) -> String {
    let records = "SELECT coalesce(string_agg(context || ':' || version || coalesce(' ' || ordinal, ''), ', '
                   ORDER BY context, ordinal, version), '') FROM schema_migrations";
    value(client, records)
}

/// The digests of a context, without the names.
fn digest(client: &mut Client, context: &str) -> String {
    let last = "SELECT digest FROM schema_migrations WHERE ordinal IS NOT NULL AND context = '{}'
                ORDER BY ordinal DESC LIMIT 1";
    value(client, &last.replace("{}", context))
}

/// The events of a kind, each with why and what.
fn log(client: &mut Client, event: &str) -> String {
    let rows = format!(
        "SELECT coalesce(string_agg(context || ':' || version || ' ' || detail || ' ' || role, '; ' ORDER BY id), '')
         FROM schema_migrations_log WHERE event = '{event}' AND checksum LIKE 'sha256:%'"
    );
    value(client, &rows)
}

#[test]
fn a_baseline_records_what_is_before_it_and_what_that_requires() {
    for with in CLIENTS {
        let database = database();
        let mut client = database.connect().unwrap();
        client.batch_execute("CREATE TABLE p (); CREATE TABLE q (id int PRIMARY KEY); CREATE TABLE d (); CREATE TABLE e ()").unwrap();
        let migrator = Migrator::new(people_and_deals());
        done(with, &database, &migrator, (Verb::Baseline, "deals:02_e"));
        assert_eq!(records(&mut client), "deals:01_d 1, deals:02_e 2, people:01_p 1, people:02_q 2");
        let order =
            "SELECT string_agg(context || ':' || version, ' ' ORDER BY run_order) FROM schema_migrations";
        assert_eq!(value::<String>(&mut client, order), "deals:01_d people:01_p people:02_q deals:02_e");
        let logged = "deals:01_d for the test postgres; people:01_p for the test postgres; \
                      people:02_q for the test postgres; deals:02_e for the test postgres";
        assert_eq!(log(&mut client, "baseline"), logged);
        assert_eq!(support::leftovers(&mut client), (0, 0));
        let (report, _) = trips::boot(&database, &migrator);
        let applied: Vec<String> = report.applied().iter().map(|applied| applied.id().to_string()).collect();
        assert_eq!(applied, ["deals:03_f", "people:03_r"]);
        assert_nothing_to_do(&database, &migrator);
    }
}

#[test]
fn a_baseline_leads_to_the_same_digests_as_running_everything() {
    let (old, new) = (database(), database());
    let migrator = Migrator::new(people_and_deals());
    let (mut old_client, mut new_client) = (old.connect().unwrap(), new.connect().unwrap());
    migrator.migrate(&mut new_client).unwrap();
    migrator.baseline(&mut old_client, &id("deals:03_f"), "it was there").unwrap();
    assert_eq!(digest(&mut old_client, "deals"), digest(&mut new_client, "deals"));
    migrator.mark_applied(&mut old_client, &id("people:03_r"), "so was this").unwrap();
    assert_eq!(digest(&mut old_client, "people"), digest(&mut new_client, "people"));
    assert_nothing_to_do(&old, &migrator);
}

#[test]
fn a_baseline_has_the_sample_data_of_its_environment_and_of_no_other() {
    let scripts = [
        ("01_a.sql", "CREATE TABLE a (id int)"),
        ("02_seed.sql", "-- habitat: environments test\nINSERT INTO a VALUES (1)"),
        ("03_b.sql", "CREATE TABLE b (id int)"),
    ];
    for (environment, expected) in
        [("test", "app:01_a 1, app:03_b 2, app:02_seed"), ("production", "app:01_a 1, app:03_b 2")]
    {
        let database = database();
        let mut client = database.connect().unwrap();
        let migrator = Migrator::new(catalog("app", scripts)).environment(environment);
        migrator.baseline(&mut client, &id("app:03_b"), "it was there").unwrap();
        assert_eq!(records(&mut client), expected);
        assert_eq!(migrator.history(&mut client).unwrap().environment(), Some(environment));
        assert_nothing_to_do(&database, &migrator);
    }
}

#[test]
fn what_is_marked_counts_as_applied_on_a_fresh_and_on_a_half_migrated_database() {
    for with in CLIENTS {
        let database = database();
        let mut client = database.connect().unwrap();
        let all = tables(&["01", "02", "03", "04"]);
        done(with, &database, &all, (Verb::Mark, "app:01_t"));
        assert_eq!(trips::boot(&database, &tables(&["01", "02"])).0.applied().len(), 1);
        // Late: the third is not there yet.
        done(with, &database, &all, (Verb::Mark, "app:04_t"));
        assert_eq!(records(&mut client), "app:01_t 1, app:02_t 2, app:04_t 3");
        let error = all.migrate(&mut client).unwrap_err();
        assert!(
            error.to_string().contains("app:03_t is pending, but app:04_t is applied already"),
            "{error}"
        );
        done(with, &database, &all, (Verb::Mark, "app:03_t"));
        assert_nothing_to_do(&database, &all);
        assert_eq!(log(&mut client, "mark").matches("for the test postgres").count(), 3);
        let fresh = self::database();
        let mut other = fresh.connect().unwrap();
        all.migrate(&mut other).unwrap();
        assert_eq!(digest(&mut client, "app"), digest(&mut other, "app"));
    }
}

/// A script that ends its own transaction, so that nobody knows what there is of it.
const HALF: [(&str, &str); 3] = [
    ("01_t", "CREATE TABLE t01 ();"),
    ("02_t", "CREATE TABLE t02 (); COMMIT; BEGIN;"),
    ("03_t", "CREATE TABLE t03 ();"),
];

#[test]
fn an_interrupted_migration_that_was_completed_by_hand_is_marked() {
    for with in CLIENTS {
        let database = database();
        let mut client = database.connect().unwrap();
        let migrator = Migrator::new(unchecked(&HALF));
        migrator.migrate(&mut client).unwrap_err();
        let error = migrator.migrate(&mut client).unwrap_err();
        assert!(
            matches!(error.refusals().unwrap().iter().next(), Some(Refusal::Interrupted { .. })),
            "{error:?}"
        );
        done(with, &database, &migrator, (Verb::Mark, "app:02_t"));
        assert_eq!(log(&mut client, "mark"), "app:02_t for the test postgres");
        let (report, _) = trips::boot(&database, &migrator);
        assert_eq!((report.applied().len(), report.already_applied()), (1, 2));
        assert_nothing_to_do(&database, &migrator);
    }
}

#[test]
fn an_interrupted_migration_that_was_undone_by_hand_is_forgotten_and_runs_again() {
    for with in CLIENTS {
        let database = database();
        let mut client = database.connect().unwrap();
        Migrator::new(unchecked(&HALF)).migrate(&mut client).unwrap_err();
        client.batch_execute("DROP TABLE t02").unwrap();
        let corrected = Migrator::new(unchecked(&[HALF[0], ("02_t", "CREATE TABLE t02 ();"), HALF[2]]));
        done(with, &database, &corrected, (Verb::Forget, "app:02_t"));
        assert_eq!(log(&mut client, "forget"), "app:02_t for the test postgres");
        assert_eq!(trips::boot(&database, &corrected).0.applied().len(), 2);
        assert_nothing_to_do(&database, &corrected);
    }
}

#[test]
fn one_that_is_forgotten_in_the_middle_leaves_the_others_in_order() {
    for with in CLIENTS {
        let (database, fresh) = (database(), database());
        let (mut client, mut other) = (database.connect().unwrap(), fresh.connect().unwrap());
        let all = tables(&["01", "02", "03", "04", "05"]);
        all.migrate(&mut client).unwrap();
        all.migrate(&mut other).unwrap();
        done(with, &database, &all, (Verb::Forget, "app:03_t"));
        assert_eq!(records(&mut client), "app:01_t 1, app:02_t 2, app:04_t 3, app:05_t 4");
        let chain =
            "SELECT string_agg(coalesce(follows::text, '-'), ' ' ORDER BY ordinal) FROM schema_migrations";
        assert_eq!(value::<String>(&mut client, chain), "- 1 2 3");
        // It never was there, as far as a program without it can tell.
        assert_nothing_to_do(&database, &tables(&["01", "02", "04", "05"]));
        assert_nothing_to_do(&database, &tables(&["01", "02"]));
        let error = all.migrate(&mut client).unwrap_err();
        assert!(error.to_string().contains("app:03_t is pending, but app:05_t is applied"), "{error}");
        client.batch_execute("DROP TABLE t03").unwrap();
        let late = all.clone().out_of_order(OutOfOrder::Apply);
        assert_eq!(late.migrate(&mut client).unwrap().applied().len(), 1);
        assert_nothing_to_do(&database, &all);
        assert_eq!(digest(&mut client, "app"), digest(&mut other, "app"));
    }
}

#[test]
fn the_first_and_the_last_can_be_forgotten_too_and_other_contexts_stay() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(people_and_deals());
    migrator.migrate(&mut client).unwrap();
    let people = digest(&mut client, "people");
    migrator.forget(&mut client, &id("deals:01_d"), "a test").unwrap();
    migrator.forget(&mut client, &id("deals:03_f"), "a test").unwrap();
    assert_eq!(records(&mut client), "deals:02_e 1, people:01_p 1, people:02_q 2, people:03_r 3");
    migrator.forget(&mut client, &id("deals:02_e"), "a test").unwrap();
    assert_eq!(digest(&mut client, "people"), people);
    client.batch_execute("DROP TABLE d, e, f").unwrap();
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 3);
    assert_nothing_to_do(&database, &migrator);
}

#[test]
fn an_accepted_text_is_the_one_that_counts_from_then_on() {
    for with in CLIENTS {
        let (database, fresh) = (database(), database());
        let (mut client, mut other) = (database.connect().unwrap(), fresh.connect().unwrap());
        let version = |text| {
            Migrator::new(catalog(
                "app",
                [("01_a.sql", "SELECT 1;"), ("02_b.sql", text), ("03_c.sql", "SELECT 3;")],
            ))
        };
        let (first, second) = (version("SELECT 2;"), version("SELECT 2; -- two"));
        first.migrate(&mut client).unwrap();
        second.migrate(&mut other).unwrap();
        let before = first.history(&mut client).unwrap().get(&id("app:02_b")).unwrap().checksum().to_owned();
        assert_eq!(second.migrate(&mut client).unwrap_err().kind(), ErrorKind::Refused);
        done(with, &database, &second, (Verb::Accept, "app:02_b"));
        assert_nothing_to_do(&database, &second);
        assert_eq!(digest(&mut client, "app"), digest(&mut other, "app"));
        let history = second.history(&mut client).unwrap();
        let now = second.catalog().migrations()[1].checksum().to_string();
        assert_eq!(history.get(&id("app:02_b")).unwrap().checksum(), now);
        // The log tells what was accepted, what it was before, why, and by whom.
        assert_eq!(log(&mut client, "accept"), format!("app:02_b for the test; it was {before} postgres"));
        let checksum = "SELECT checksum FROM schema_migrations_log WHERE event = 'accept'";
        assert_eq!(value::<String>(&mut client, checksum), now);
        assert_eq!(first.migrate(&mut client).unwrap_err().kind(), ErrorKind::Refused);
    }
}

#[test]
fn what_stands_outside_of_the_order_is_accepted_too_and_does_not_run_again() {
    let database = database();
    let mut client = database.connect().unwrap();
    let version = |seed: &str, view: &str| {
        let scripts = [
            ("01_a.sql", "CREATE TABLE a (id int);".to_owned()),
            ("02_seed.sql", format!("-- habitat: environments test\nINSERT INTO a VALUES ({seed});")),
            ("R__view.sql", format!("INSERT INTO a VALUES ({view});")),
        ];
        Migrator::new(catalog("app", scripts)).environment("test")
    };
    version("1", "2").migrate(&mut client).unwrap();
    let edited = version("100", "200");
    edited.accept_changed(&mut client, &id("app:02_seed"), "a test").unwrap();
    edited.accept_changed(&mut client, &id("app:R__view"), "a test").unwrap();
    assert_nothing_to_do(&database, &edited);
    assert_eq!(value::<i64>(&mut client, "SELECT sum(id) FROM a"), 3);
    // One that is forgotten runs again.
    edited.forget(&mut client, &id("app:R__view"), "a test").unwrap();
    assert_eq!(edited.migrate(&mut client).unwrap().applied().len(), 1);
    assert_eq!(value::<i64>(&mut client, "SELECT sum(id) FROM a"), 203);
}

#[test]
fn a_report_of_a_repair_names_what_was_changed() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = tables(&["01", "02"]);
    let report = migrator.baseline(&mut client, &id("app:02_t"), "a test").unwrap();
    let names: Vec<String> = report.repaired().iter().map(ToString::to_string).collect();
    assert_eq!(names, ["app:01_t", "app:02_t"]);
    assert_eq!(report.to_string().split(" (").next(), Some("2 records changed, nothing run"));
    let report = migrator.forget(&mut client, &id("app:02_t"), "a test").unwrap();
    assert_eq!(report.to_string().split(" (").next(), Some("1 record changed, nothing run"));
    assert!(report.applied().is_empty() && report.undone().is_empty());
}
