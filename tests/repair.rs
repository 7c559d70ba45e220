//! Repairs of the tracker: what they record, what the next boot makes of it, and what they refuse.

mod support;
#[path = "support/trips.rs"]
mod trips;

use habitat_migrate::policy::OutOfOrder;
use habitat_migrate::testing::Database;
use habitat_migrate::{
    Catalog, Error, ErrorKind, Loader, MigrationId, Migrator, Refusal, Report, Scripts, Version,
};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, own_server, program, unchecked, value};
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

/// The only reason for which a repair is refused; nothing is written and nothing stays open.
fn refused(database: &Database, migrator: &Migrator, verb: (Verb, &str)) -> Refusal {
    let mut client = database.connect().unwrap();
    let before = written(&mut client);
    for with in CLIENTS {
        let error = repair(with, (database, "postgres"), migrator, verb).expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Refused, "{verb:?}: {error:?}");
        let [refusal] = error.refusals().expect("refusals").iter().collect::<Vec<_>>()[..] else {
            panic!("{error:?}")
        };
        assert!(refusal.to_string().contains(verb.1) || verb.1.ends_with('?'), "{refusal}");
        assert!(refusal.advice().len() > 20, "{refusal:?}");
        assert_eq!(written(&mut client), before, "{verb:?}");
        assert_eq!(support::leftovers(&mut client), (0, 0), "{verb:?}");
        if with == CLIENTS[1] {
            return refusal.clone();
        }
    }
    unreachable!("both clients were tried")
}

/// Everything that the tracker holds, or that there is none.
fn written(client: &mut Client) -> String {
    if value::<bool>(client, "SELECT to_regclass('schema_migrations') IS NULL") {
        return "no tracker".to_owned();
    }
    let all = "SELECT coalesce((SELECT string_agg(m::text, E'\\n' ORDER BY run_order) FROM schema_migrations m), '')
               || (SELECT string_agg(l::text, E'\\n' ORDER BY id) FROM schema_migrations_log l)";
    value(client, all)
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
    for context in ["deals"] {
        assert_eq!(digest(&mut old_client, context), digest(&mut new_client, context));
    }
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
fn a_baseline_is_for_a_database_without_a_history_of_these_contexts() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(people_and_deals());
    assert!(matches!(
        refused(&database, &migrator, (Verb::Baseline, "deals:09?")),
        Refusal::NoSuchTarget { .. }
    ));
    assert_eq!(written(&mut client), "no tracker");
    // What another program has is no history of these.
    tables(&["01"]).migrate(&mut client).unwrap();
    migrator.baseline(&mut client, &id("people:01_p"), "it was there").unwrap();
    assert_eq!(records(&mut client), "app:01_t 1, people:01_p 1");
    let refusal = refused(&database, &migrator, (Verb::Baseline, "people:01_p"));
    assert_eq!(refusal, Refusal::Recorded { migration: id("people:01_p") });
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
fn a_repair_that_cannot_be_is_refused_with_what_to_do() {
    let database = database();
    let mut client = database.connect().unwrap();
    tables(&["01", "02"]).migrate(&mut client).unwrap();
    let program = tables(&["01", "03"]);
    let name = |text| id(text);
    assert_eq!(
        refused(&database, &program, (Verb::Mark, "app:01_t")),
        Refusal::Recorded { migration: name("app:01_t") }
    );
    let unknown = Refusal::Unknown { migration: name("app:09_t") };
    assert_eq!(refused(&database, &program, (Verb::Mark, "app:09_t")), unknown);
    let absent = Refusal::NotRecorded { migration: name("app:03_t") };
    assert_eq!(refused(&database, &program, (Verb::Forget, "app:03_t")), absent);
    assert_eq!(refused(&database, &program, (Verb::Accept, "app:03_t")), absent);
    let unknown = Refusal::Unknown { migration: name("app:02_t") };
    assert_eq!(refused(&database, &program, (Verb::Accept, "app:02_t")), unknown);
    let same = Refusal::Unchanged { migration: name("app:01_t") };
    assert_eq!(refused(&database, &program, (Verb::Accept, "app:01_t")), same);
}

#[test]
fn a_repair_of_another_environments_database_is_refused() {
    let database = database();
    let mut client = database.connect().unwrap();
    tables(&["01"]).environment("production").migrate(&mut client).unwrap();
    let wrong = tables(&["01", "02"]).environment("test");
    for verb in [(Verb::Mark, "app:02_t"), (Verb::Forget, "app:01_t")] {
        let error = repair(CLIENTS[0], (&database, "postgres"), &wrong, verb).unwrap_err();
        let refusal = error.refusals().unwrap().iter().next().cloned();
        assert!(matches!(refusal, Some(Refusal::Environment { .. })), "{error:?}");
    }
    assert_eq!(records(&mut client), "app:01_t 1");
    tables(&["01", "02"]).mark_applied(&mut client, &id("app:02_t"), "a test").unwrap();
}

#[test]
fn a_repair_within_a_transaction_of_the_callers_is_refused() {
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute("BEGIN; CREATE TABLE mine ()").unwrap();
    let error = tables(&["01"]).mark_applied(&mut client, &id("app:01_t"), "a test").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InTransaction);
    client.batch_execute("COMMIT").unwrap();
    assert!(value::<bool>(&mut client, "SELECT to_regclass('mine') IS NOT NULL"));
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

#[test]
fn a_login_without_the_right_to_write_is_told_what_it_lacks() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut admin = database.connect().unwrap();
    tables(&["01"]).schema("ops").migrate(&mut admin).unwrap();
    admin
        .batch_execute("CREATE ROLE app LOGIN; GRANT USAGE ON SCHEMA ops TO app; GRANT SELECT ON ops.schema_migrations TO app")
        .unwrap();
    let edited = catalog("app", [("01_t.sql", "SELECT 'another text'"), ("02_t.sql", "SELECT 2")]);
    let migrator = Migrator::new(edited).schema("ops");
    for (with, verb) in [
        (CLIENTS[0], (Verb::Mark, "app:02_t")),
        (CLIENTS[1], (Verb::Accept, "app:01_t")),
        (CLIENTS[0], (Verb::Forget, "app:02_t")),
    ] {
        let error = repair(with, (&database, "app"), &migrator, verb).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tracker, "{verb:?}: {error:?}");
        let text = error.diagnostic().to_string();
        let (_, grant) = text.split_once("run:\n").unwrap_or_else(|| panic!("no remedy: {text}"));
        admin.batch_execute(grant.trim()).unwrap();
        repair(with, (&database, "app"), &migrator, verb)
            .unwrap_or_else(|error| panic!("{verb:?} after {grant}: {error:?}"));
        admin.batch_execute("REVOKE INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ops FROM app").unwrap();
    }
    let who = "SELECT string_agg(DISTINCT role, ' ') FROM ops.schema_migrations_log WHERE event IN ('mark', 'accept', 'forget')";
    assert_eq!(value::<String>(&mut admin, who), "app");
}

#[test]
fn of_eight_processes_that_mark_at_once_one_wins_and_the_others_are_told() {
    let database = database();
    let mut client = database.connect().unwrap();
    tables(&["01"]).migrate(&mut client).unwrap();
    let mut processes: Vec<_> =
        (0..8).map(|_| program("a_process_that_marks", &database.url()).start()).collect();
    let told: Vec<String> = processes
        .drain(..)
        .map(|process| {
            let output = process.wait_with_output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
        .collect();
    let count = |words: &str| told.iter().filter(|told| told.contains(words)).count();
    let refused = "nothing was tried: app:02_t is recorded already";
    assert_eq!((count("marked"), count("app:02_t is recorded already")), (1, 7), "{refused}: {told:?}");
    assert_eq!(log(&mut client, "mark"), "app:02_t at once postgres");
    assert_nothing_to_do(&database, &tables(&["01", "02"]));
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

/// Not a test: the program that others start.
#[test]
fn a_process_that_marks() {
    in_child(|url| {
        let mut client = Client::connect(url, NoTls).expect("a connection");
        match tables(&["01", "02"]).mark_applied(&mut client, &id("app:02_t"), "at once") {
            Ok(_) => println!("marked"),
            Err(error) => println!("{error}"),
        }
    });
}

#[test]
fn a_target_takes_what_is_before_it_and_what_that_requires_and_nothing_else() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(people_and_deals());
    let applied = |report: &Report| {
        report.applied().iter().map(|applied| applied.id().to_string()).collect::<Vec<_>>().join(" ")
    };
    let report = migrator.clone().target(id("deals:02_e")).migrate(&mut client).unwrap();
    assert_eq!(applied(&report), "deals:01_d people:01_p people:02_q deals:02_e");
    let report = migrator.clone().target(id("deals:02_e")).migrate(&mut client).unwrap();
    assert!(report.is_unchanged());
    let error = migrator.clone().target(id("deals:07_x")).migrate(&mut client).unwrap_err();
    assert!(error.to_string().contains("there is no migration deals:07_x to stop at"), "{error}");
    assert_eq!(applied(&migrator.migrate(&mut client).unwrap()), "deals:03_f people:03_r");
}

#[test]
fn a_target_takes_the_sample_data_before_it_where_the_environment_fits() {
    let scripts = [
        ("01_a.sql", "CREATE TABLE a (id int)"),
        ("02_seed.sql", "-- habitat: environments test\nINSERT INTO a VALUES (1)"),
        ("03_b.sql", "CREATE TABLE b (id int)"),
        ("04_seed.sql", "-- habitat: environments test\nINSERT INTO b VALUES (1)"),
        ("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS one"),
    ];
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(catalog("app", scripts)).environment("test").target(id("app:03_b"));
    migrator.migrate(&mut client).unwrap();
    assert_eq!(records(&mut client), "app:01_a 1, app:03_b 2, app:02_seed");
}
