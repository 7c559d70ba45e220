//! What a repair refuses, whom it refuses, and that nothing is written then.

use habitat_migrate::testing::Database;
use habitat_migrate::{ErrorKind, Migrator, Refusal};
use postgres::{Client, NoTls};

use crate::support::{self, catalog, database, in_child, own_server, program, value};
use crate::trips::assert_nothing_to_do;
use crate::{CLIENTS, Verb, id, log, people_and_deals, records, repair, tables};

#[test]
fn a_baseline_is_for_a_database_without_a_history_of_these_contexts() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(people_and_deals());
    assert!(matches!(
        refused(&database, &migrator, (Verb::Baseline, "deals:09_x")),
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
fn a_repair_that_cannot_be_is_refused_with_what_to_do() {
    let database = database();
    let mut client = database.connect().unwrap();
    tables(&["01", "02"]).migrate(&mut client).unwrap();
    let program = tables(&["01", "03"]);
    assert_eq!(
        refused(&database, &program, (Verb::Mark, "app:01_t")),
        Refusal::Recorded { migration: id("app:01_t") }
    );
    let unknown = Refusal::Unknown { migration: id("app:09_t") };
    assert_eq!(refused(&database, &program, (Verb::Mark, "app:09_t")), unknown);
    let absent = Refusal::NotRecorded { migration: id("app:03_t") };
    assert_eq!(refused(&database, &program, (Verb::Forget, "app:03_t")), absent);
    assert_eq!(refused(&database, &program, (Verb::Accept, "app:03_t")), absent);
    let unknown = Refusal::Unknown { migration: id("app:02_t") };
    assert_eq!(refused(&database, &program, (Verb::Accept, "app:02_t")), unknown);
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
        (0..8).map(|_| program("refusals::a_process_that_marks", &database.url()).start()).collect();
    let told: Vec<String> = processes
        .drain(..)
        .map(|process| {
            let output = process.wait_with_output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
        .collect();
    let count = |words: &str| told.iter().filter(|told| told.contains(words)).count();
    assert_eq!((count("marked"), count("app:02_t is recorded already")), (1, 7), "{told:?}");
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

/// The only reason for which a repair is refused; nothing is written and nothing stays open.
fn refused(database: &Database, migrator: &Migrator, verb: (Verb, &str)) -> Refusal {
    let mut client = database.connect().unwrap();
    let before = written(&mut client);
    let refusals = CLIENTS.map(|with| {
        let error = repair(with, (database, "postgres"), migrator, verb).expect_err("a refusal");
        assert_eq!(error.kind(), ErrorKind::Refused, "{verb:?}: {error:?}");
        let refusals: Vec<Refusal> = error.refusals().expect("refusals").iter().cloned().collect();
        assert_eq!(refusals.len(), 1, "{error:?}");
        let advice = refusals[0].advice();
        assert!(format!("{error:?}").contains(&advice[..20]), "{error:?}");
        assert_eq!(written(&mut client), before, "{verb:?}");
        assert_eq!(support::leftovers(&mut client), (0, 0), "{verb:?}");
        refusals
    });
    assert_eq!(refusals[0], refusals[1]);
    refusals[0][0].clone()
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
