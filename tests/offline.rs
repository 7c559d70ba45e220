//! The plan as a script that psql runs: the same effect as a run of the library, tracker included.

#[path = "support/lifecycle.rs"]
mod lifecycle;
mod support;

use std::process::{Command, Output};

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, ErrorKind, History, MigrationId, Migrator, Version};
use postgres::Client;
use support::{catalog, numbered, value};

/// Runs a script as a person would; `None`, and a line that says so, where no psql fits the server.
fn psql(database: &Database, script: &str) -> Option<Output> {
    let server = Server::shared().expect("a server");
    let Some(program) = lifecycle::program(server, "psql") else {
        eprintln!("skipped: no psql for a server of version {} is here", server.version());
        return None;
    };
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), script).expect("a script");
    // Variables that a script must not meet, and none of the person's own settings.
    let variables = ["-X", "-q", "-v", "low=9", "-v", "high='x'", "--dbname"];
    let mut command = Command::new(program);
    command.args(variables).arg(database.url()).arg("-f").arg(file.path());
    // Another encoding than the script's.
    Some(command.env("PGCLIENTENCODING", "LATIN1").output().expect("psql runs"))
}

/// What psql complained about; empty if it ran to the end.
fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.success(), !text.contains("ERROR"), "{:?}: {text}", output.status);
    if output.status.success() { String::new() } else { text }
}

fn database() -> Database {
    support::database()
}

/// Nothing is left to do, and nothing looks as if a hand had been there.
fn assert_current(migrator: &Migrator, client: &mut Client) {
    let report = migrator.migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(report.is_unchanged(), "{report}");
    let status = migrator.status(client).unwrap();
    assert!(status.is_current() && status.drift().is_empty(), "{status}");
}

/// The rows of the tracker and of its log, without what differs from run to run.
fn tracker(client: &mut Client) -> String {
    let sql = "SELECT concat((SELECT string_agg(concat_ws(' ', context, version, description, deployed_by, state, checksum, breaking, \
               run_order, ordinal, follows, digest, down, execution_time IS NULL), E'\\n' ORDER BY run_order) FROM schema_migrations), E'\\n', \
               (SELECT string_agg(concat_ws(' ', event, context, version, checksum, detail, role, library, execution_time IS NULL), \
               E'\\n' ORDER BY id) FROM schema_migrations_log))";
    value(client, sql)
}

/// What is odd to psql, to SQL or to the session, in one set.
fn odd() -> Migrator {
    let scripts = [
        (
            "01_odd.sql",
            "-- habitat: description Groß, \\echo and 'quotes'\n\
             CREATE TABLE odd (n int[], t text); -- no \\q here\n\
             INSERT INTO odd VALUES (ARRAY[1, 2, 3], E'back\\\\slash :low :\"high\" \\' ü'), (NULL, $$;\\q :low$$);\n\
             CREATE FUNCTION cut(low int, high int, a int[]) RETURNS int[] LANGUAGE sql RETURN a[low:high];\n\
             SET search_path = nowhere; SET standard_conforming_strings = off; CREATE TEMP TABLE gone (id int)",
        ),
        ("01_odd.down.sql", "DROP FUNCTION public.cut; DROP TABLE public.odd; -- 'é'"),
        (
            "01_odd.verify.sql",
            "SELECT count(*) >= 2, 'rows' FROM public.odd;\n\
             SELECT t LIKE '%\\slash :low :\"high\" '' ü' FROM public.odd WHERE n IS NOT NULL;\n\
             SELECT public.cut(2, 3, ARRAY[1, 2, 3]) = '{2,3}';\n\
             DO $$ BEGIN ASSERT to_regclass('pg_temp.gone') IS NULL; END $$",
        ),
        ("02_seed.sql", "-- habitat: environments test\nINSERT INTO odd VALUES (NULL, 'seed')"),
        (
            "03_filled.sql",
            "-- habitat: placeholders name\n-- habitat: lock-timeout 3s\n-- habitat: breaking\nCREATE TABLE ${name:identifier} (id int)",
        ),
        ("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT count(*) FROM odd"),
    ];
    Migrator::new(catalog("app", scripts)).environment("test").placeholder("name", "a $habitat0$ \"table\"")
}

#[test]
fn a_new_database_is_what_migrate_would_have_made_it() {
    let (by_script, by_library) = (database(), database());
    let mut client = by_library.connect().unwrap();
    odd().migrate(&mut client).unwrap();
    let expected = tracker(&mut client);
    let script = odd().to_sql(&History::default()).unwrap();
    assert!(script.contains("\n-- app:01_odd: Groß, \\echo and 'quotes'\n-- app/01_odd.sql\n"), "{script}");
    let Some(output) = psql(&by_script, &script) else { return };
    assert_eq!(complaint(&output), "");
    let mut client = by_script.connect().unwrap();
    assert_eq!(tracker(&mut client), expected);
    assert_current(&odd(), &mut client);
    assert_eq!(odd().verify(&mut client).unwrap().len(), 0);
    assert_eq!(value::<String>(&mut client, "SELECT t FROM odd LIMIT 1"), "back\\slash :low :\"high\" ' ü");
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn a_half_migrated_database_gets_the_rest_and_any_other_refuses_the_script() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(numbered(4));
    Migrator::new(numbered(2)).migrate(&mut client).unwrap();
    let rest = migrator.to_sql(&migrator.history(&mut client).unwrap()).unwrap();
    assert!(!rest.contains("TABLE t2") && rest.contains("TABLE t3"), "{rest}");
    let all = migrator.to_sql(&History::default()).unwrap();
    let before = tracker(&mut client);
    let Some(output) = psql(&database, &all) else { return };
    assert!(complaint(&output).contains("this script is for a database that has 0 of these migrations"));
    assert_eq!(tracker(&mut client), before);
    assert_eq!(complaint(&psql(&database, &rest).unwrap()), "");
    assert_current(&migrator, &mut client);
    let again = tracker(&mut client);
    assert!(complaint(&psql(&database, &rest).unwrap()).contains("another history: make a new script"));
    assert_eq!(tracker(&mut client), again);
    assert_eq!(migrator.to_sql(&migrator.history(&mut client).unwrap()).unwrap(), "-- Nothing is pending.\n");

    let fresh = support::database();
    assert!(complaint(&psql(&fresh, &rest).unwrap()).contains("that has 2 of these migrations"));
    let mut client = fresh.connect().unwrap();
    assert!(
        value::<bool>(&mut client, "SELECT to_regclass('schema_migrations') IS NULL"),
        "nothing is kept of it"
    );
}

#[test]
fn a_database_of_another_environment_refuses_the_script() {
    let database = database();
    let mut client = database.connect().unwrap();
    let production = Migrator::new(numbered(1)).environment("production");
    production.migrate(&mut client).unwrap();
    client.batch_execute("UPDATE schema_migrations_environment SET name = 'other'").unwrap();
    let history = Migrator::new(numbered(1)).history(&mut client).unwrap();
    client.batch_execute("UPDATE schema_migrations_environment SET name = 'production'").unwrap();
    let script = Migrator::new(numbered(2)).to_sql(&history).unwrap();
    let Some(output) = psql(&database, &script) else { return };
    assert!(complaint(&output).contains("recorded as \"other\", and here it is \"production\""));
}

#[test]
fn a_script_waits_for_nobody_who_migrates() {
    let database = database();
    let mut client = database.connect().unwrap();
    let script = Migrator::new(numbered(1)).to_sql(&History::default()).unwrap();
    // The key of the tracker in `public`.
    client.batch_execute("SELECT pg_advisory_lock(2081980201992077390)").unwrap();
    let Some(output) = psql(&database, &script) else { return };
    assert!(complaint(&output).contains("another process is migrating"));
    client.batch_execute("SELECT pg_advisory_unlock_all()").unwrap();
    assert_eq!(complaint(&psql(&database, &script).unwrap()), "");
    assert_current(&Migrator::new(numbered(1)), &mut client);
}

/// Verify scripts that do not prove what they are there to prove.
const UNPROVED: [(&str, &str); 6] = [
    ("SELECT false, 3", "a row that begins with false or NULL"),
    ("SELECT NULL::bool", "a row that begins with false or NULL"),
    ("VALUES (true), (false)", "a row that begins with false or NULL"),
    ("SELECT true WHERE false", "no row"),
    ("SELECT 1 / 0", "division by zero"),
    ("DO $$ BEGIN RAISE EXCEPTION 'not so'; END $$", "not so"),
];

#[test]
fn what_a_verify_script_disproves_is_not_kept_nor_what_comes_behind_it() {
    for (verify, reason) in UNPROVED {
        let database = database();
        let mut client = database.connect().unwrap();
        let set = |verify: &str| -> Catalog {
            let scripts = [
                ("01_a.sql", "CREATE TABLE a (id int)"),
                ("02_b.sql", "CREATE TABLE b (id int)"),
                ("02_b.verify.sql", verify),
                ("03_c.sql", "CREATE TABLE c (id int)"),
            ];
            catalog("app", scripts)
        };
        let migrator = Migrator::new(set(verify));
        let Some(output) = psql(&database, &migrator.to_sql(&History::default()).unwrap()) else { return };
        assert!(complaint(&output).contains(reason), "{verify}: {output:?}");
        let tables = "SELECT string_agg(tablename, ' ' ORDER BY tablename) FROM pg_tables WHERE tablename IN ('a', 'b', 'c')";
        assert_eq!(value::<String>(&mut client, tables), "a", "{verify}");
        let status = migrator.status(&mut client).unwrap();
        assert_eq!(
            (status.drift(), status.entries()[0].record().is_some()),
            ([].as_slice(), true),
            "{status}"
        );
        // What is left is another script.
        let mended = Migrator::new(set("SELECT true"));
        let rest = mended.to_sql(&mended.history(&mut client).unwrap()).unwrap();
        assert_eq!(complaint(&psql(&database, &rest).unwrap()), "");
        assert_current(&mended, &mut client);
    }
}

#[test]
fn what_stands_for_applied_migrations_is_recorded_by_the_script() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(numbered(3)).migrate(&mut client).unwrap();
    let squashed = Migrator::new(catalog(
        "app",
        [
            ("0003_t3.sql", numbered(3).migrations()[2].script()),
            ("0010_t4.sql", "CREATE TABLE t4 (id int)"),
            ("0009_all.sql", "-- habitat: replaces 0001_t1, 0002_t2\nSELECT 1"),
        ],
    ));
    let script = squashed.to_sql(&squashed.history(&mut client).unwrap()).unwrap();
    let Some(output) = psql(&database, &script) else { return };
    assert_eq!(complaint(&output), "");
    assert_current(&squashed, &mut client);
    assert!(value::<bool>(&mut client, "SELECT to_regclass('t4') IS NOT NULL"));
}

#[test]
fn what_would_be_refused_has_no_script() {
    let scripts = [("01_t.sql", "-- habitat: placeholders name\nCREATE TABLE ${name:identifier} (id int)")];
    let error = Migrator::new(catalog("app", scripts)).to_sql(&History::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
    let error = Migrator::new(numbered(1)).schema("").to_sql(&History::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
}

#[test]
fn a_need_of_the_server_is_asked_for_before_anything_runs() {
    let database = database();
    let set = catalog(
        "app",
        [("01_t.sql", "SELECT 1"), ("02_u.sql", "-- habitat: needs extension no_such\nSELECT 2")],
    );
    let Some(output) = psql(&database, &Migrator::new(set).to_sql(&History::default()).unwrap()) else {
        return;
    };
    assert!(complaint(&output).contains("app:02_u needs the extension no_such"));
    let mut client = database.connect().unwrap();
    assert!(value::<bool>(&mut client, "SELECT to_regclass('schema_migrations') IS NULL"));
}

#[test]
fn a_target_and_a_schema_of_its_own_are_those_of_the_script() {
    let database = database();
    let mut client = database.connect().unwrap();
    let target = MigrationId::new("app", Version::new("0002_t2".to_owned()));
    let migrator = Migrator::new(numbered(3)).schema("a \"schema\" of $habitat0$").target(target);
    let Some(output) = psql(&database, &migrator.to_sql(&History::default()).unwrap()) else { return };
    assert_eq!(complaint(&output), "");
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(migrator.history(&mut client).unwrap().records().len(), 2);
}
