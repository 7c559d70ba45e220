//! Placeholders: values get to the server as they are, and nowhere else.

mod support;

use std::error::Error as _;
use std::fmt::Write as _;

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Database;
use habitat_migrate::{Catalog, Error, ErrorKind, Migrator, Report};
use postgres::{Client, NoTls};
use support::{catalog, database, value};

/// Every kind in every place: statements, a body, a verify script and a down script.
const SCRIPTS: [(&str, &str); 3] = [
    (
        "01_kinds.sql",
        "-- habitat: placeholders schema, title, count
CREATE SCHEMA ${schema:identifier};
CREATE TABLE ${schema:identifier}.t (id int, title text);
INSERT INTO ${schema:identifier}.t SELECT g, ${title:literal} FROM generate_series(1, ${count}) AS g;
DO $body$ BEGIN INSERT INTO ${schema:identifier}.t VALUES (0, ${title:literal}); END $body$;
COMMENT ON TABLE ${schema:identifier}.t IS ${title:literal}; -- ${schema:identifier} is not filled in here
INSERT INTO ${schema:identifier}.t VALUES (-1, 'not $' || '{title:literal}');
",
    ),
    (
        "01_kinds.verify.sql",
        "SELECT count(*) = ${count} + 1 FROM ${schema:identifier}.t WHERE title = ${title:literal};",
    ),
    (
        "01_kinds.down.sql",
        "CREATE TABLE public.gone AS SELECT ${title:literal} AS title;\nDROP SCHEMA ${schema:identifier} CASCADE;",
    ),
];

const TITLES: [&str; 9] = [
    "plain",
    "it's \"quoted\"",
    "back\\slash \\' and \\\\",
    "$$ $body$ ${title:literal}",
    "🦀 naïve",
    "two\nlines\r\nand more",
    "-- no comment /* nor this",
    "'; DROP TABLE t; --",
    "",
];

const SCHEMAS: [&str; 4] = ["plain", "Mixed case", "o\"quote's \\", "🦀 $schema"];

fn kinds(schema: &str, title: &str) -> Migrator {
    Migrator::new(catalog("app", SCRIPTS))
        .placeholder("schema", schema)
        .placeholder("title", title)
        .placeholder("count", "3")
}

const CLIENTS: [&str; 2] = ["postgres", "tokio-postgres"];

enum Verb {
    Migrate,
    Rollback,
}

/// Does it with either client, in a session with a setting of the caller's.
fn run(
    with: &str,
    database: &Database,
    setting: &str,
    migrator: &Migrator,
    verb: Verb,
) -> Result<Report, Error> {
    if with == "postgres" {
        let mut client = database.connect().unwrap();
        client.batch_execute(setting).unwrap();
        let outcome = match verb {
            Verb::Migrate => migrator.migrate(&mut client),
            Verb::Rollback => migrator.rollback(&mut client, Rollback::Last),
        };
        assert_eq!(support::leftovers(&mut client), (0, 0));
        return outcome;
    }
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client.batch_execute(setting).await.unwrap();
        match verb {
            Verb::Migrate => migrator.migrate(&mut client).await,
            Verb::Rollback => migrator.rollback(&mut client, Rollback::Last).await,
        }
    })
}

#[test]
fn every_value_arrives_as_it_is() {
    for (n, with) in CLIENTS.into_iter().enumerate() {
        let database = database();
        let mut client = database.connect().unwrap();
        for (turn, title) in TITLES.into_iter().enumerate() {
            let schema = SCHEMAS[(turn + n) % SCHEMAS.len()];
            let setting =
                ["SELECT 1", "SET standard_conforming_strings = off; SET backslash_quote = off"][turn % 2];
            let migrator = kinds(schema, title);
            run(with, &database, setting, &migrator, Verb::Migrate)
                .unwrap_or_else(|e| panic!("{with} {title:?}: {e:?}"));
            let quoted = schema.replace('"', "\"\"");
            let rows = format!("SELECT count(*) FILTER (WHERE title = $1), count(*) FROM \"{quoted}\".t");
            let row = client.query_one(&rows, &[&title]).unwrap();
            assert_eq!((row.get(0), row.get(1)), (4i64, 5i64), "{with} {title:?}");
            let untouched = format!("SELECT title FROM \"{quoted}\".t WHERE id = -1");
            assert_eq!(value::<String>(&mut client, &untouched), "not ${title:literal}");
            let comment = format!(
                "SELECT coalesce(obj_description('\"{}\".t'::regclass), '')",
                quoted.replace('\'', "''")
            );
            assert_eq!(value::<String>(&mut client, &comment), title, "{with}");
            assert!(migrator.verify(&mut client).unwrap().is_empty(), "{title:?}");
            // The script that was kept needs no values: another program, which knows none, takes it back.
            let plain = Migrator::new(catalog("app", SCRIPTS));
            let undone = run(with, &database, setting, &plain, Verb::Rollback);
            assert_eq!(undone.unwrap_or_else(|e| panic!("{with} {title:?}: {e:?}")).undone().len(), 1);
            assert_eq!(value::<String>(&mut client, "SELECT title FROM gone"), title, "{with}");
            let there = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
            assert_eq!(client.query_one(there, &[&schema]).unwrap().get::<_, i64>(0), 0, "{schema}");
            client.batch_execute("DROP TABLE gone").unwrap();
        }
    }
}

/// All reasons of a refusal, after which there is no tracker.
fn refused(migrator: &Migrator) -> Vec<String> {
    let database = database();
    let error = CLIENTS.map(|with| run(with, &database, "", migrator, Verb::Migrate).expect_err("a refusal"));
    let [error, other] = error.map(|error| {
        assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
        let lines: Vec<String> = error.refusals().unwrap().iter().map(ToString::to_string).collect();
        assert!(format!("{error:?}").contains("give its value with `Migrator::placeholder`"), "{error:?}");
        lines
    });
    assert_eq!(error, other);
    let tracker = "SELECT to_regclass('schema_migrations') IS NULL";
    assert!(value::<bool>(&mut database.connect().unwrap(), tracker), "something was done");
    error
}

#[test]
fn missing_values_are_refused_all_at_once_with_their_places() {
    let scripts = SCRIPTS.into_iter().chain([
        ("02_next.sql", "-- habitat: placeholders role\nSELECT 1;\n  SELECT ${role:literal};"),
        ("03_none.sql", "SELECT 'this one has none';"),
    ]);
    let migrator = Migrator::new(catalog("app", scripts)).placeholder("count", "3");
    let missing =
        |place: &str, name: &str| format!("app/{place}: there is no value for the placeholder `{name}`");
    assert_eq!(
        refused(&migrator),
        [
            missing("01_kinds.sql:2:15", "schema"),
            missing("01_kinds.sql:4:46", "title"),
            missing("01_kinds.down.sql:1:36", "title"),
            missing("01_kinds.down.sql:2:13", "schema"),
            missing("01_kinds.verify.sql:1:37", "schema"),
            missing("01_kinds.verify.sql:1:74", "title"),
            missing("02_next.sql:3:10", "role"),
        ]
    );
}

#[test]
fn values_that_do_not_fit_are_refused_and_never_shown() {
    let one = |line: &str| {
        Migrator::new(catalog(
            "app",
            [("01_a.sql", format!("-- habitat: placeholders x\nSELECT 'ä',\n {line};"))],
        ))
    };
    for (line, value, reason) in [
        ("${x}", "secret; value", "is not made of letters, digits and `_`"),
        ("${x}", "", "is not made of letters, digits and `_`"),
        ("1 AS ${x:identifier}", "", "is empty, which no identifier can be"),
        ("1 AS ${x:identifier}", &"secret".repeat(11), "is longer than 63 bytes"),
        ("${x:literal}", "secret\0", "holds NUL"),
    ] {
        let lines = refused(&one(line).placeholder("x", value));
        let [line] = &lines[..] else { panic!("{lines:?}") };
        assert!(line.starts_with("app/01_a.sql:3:") && line.contains(reason), "{line}");
        assert!(!line.contains("secret"), "{line}");
    }
}

#[test]
fn an_error_points_to_the_line_and_column_of_the_file() {
    let long = "a long 'value' 🦀 of\nseveral\nlines ".repeat(50);
    for (script, place) in [
        ("SELECT ${x:literal}, ${x:literal},\n  nowhere;", (3, 3)),
        ("SELECT ${x:literal}, 'ü', nowhere;", (2, 27)),
        ("SELECT ${x:literal}; SELECT ${x:literal}; SELECT 1/0;", (2, 43)),
        ("SELECT 1;\nSELECT ${x:literal}::int;", (3, 8)),
        (
            "CREATE TABLE t (a text UNIQUE);\nINSERT INTO t VALUES (${x:literal});\n  INSERT INTO t VALUES (${x:literal});",
            (4, 3),
        ),
        ("DO $$ BEGIN PERFORM ${x:literal}; END $$;\nSELECT ${x:literal} FROM;", (3, 25)),
    ] {
        let text = format!("-- habitat: placeholders x\n{script}");
        let migrator = Migrator::new(catalog("app", [("01_a.sql", text)])).placeholder("x", long.as_str());
        for with in CLIENTS {
            let error = run(with, &database(), "", &migrator, Verb::Migrate).unwrap_err();
            assert_eq!(error.location(), Some(("app/01_a.sql", place.0, place.1)), "{with}: {error:?}");
        }
    }
}

#[test]
fn a_finding_and_a_failing_rollback_point_to_their_files() {
    let scripts = [
        ("01_a.sql", "-- habitat: placeholders x\nCREATE TABLE t AS SELECT ${x:literal} AS x;"),
        ("01_a.verify.sql", "SELECT ${x:literal} = x FROM t;\nSELECT ${x:literal} = '', true;"),
        ("01_a.down.sql", "SELECT ${x:literal};\nSELECT ${x:literal}, nowhere;"),
    ];
    let long = "secret\nlines\n".repeat(9);
    let migrator = |scripts: &[(&'static str, &'static str)]| {
        Migrator::new(catalog("app", scripts.to_vec())).placeholder("x", long.as_str())
    };
    for with in CLIENTS {
        let database = database();
        let error = run(with, &database, "", &migrator(&scripts), Verb::Migrate).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Verification);
        assert_eq!(error.location(), Some(("app/01_a.verify.sql", 2, 1)), "{error:?}");
        assert_eq!(error.findings()[0].statement(), "SELECT ${x:literal} = '', true");
        assert!(!words(&error).contains("secret"), "{}", words(&error));
        let unverified = migrator(&[scripts[0], scripts[2]]);
        run(with, &database, "", &unverified, Verb::Migrate).unwrap();
        let error = run(with, &database, "", &unverified, Verb::Rollback).unwrap_err();
        assert_eq!(error.location(), Some(("app/01_a.down.sql", 2, 22)), "{error:?}");
        assert!(!words(&error).contains("secret"), "{}", words(&error));
    }
}

#[test]
fn other_values_are_no_change() {
    let database = database();
    let mut client = database.connect().unwrap();
    kinds("one", "first").migrate(&mut client).unwrap();
    assert!(kinds("two", "second").migrate(&mut client).unwrap().is_unchanged());
    // What is applied needs no values, either.
    assert!(Migrator::new(catalog("app", SCRIPTS)).migrate(&mut client).unwrap().is_unchanged());
    let recorded: String = value(&mut client, "SELECT checksum FROM schema_migrations");
    assert_eq!(recorded, catalog("app", SCRIPTS).migrations()[0].checksum().to_string());
}

#[test]
fn what_counts_as_applied_keeps_its_down_script_filled_in() {
    let database = database();
    let mut client = database.connect().unwrap();
    let id = catalog("app", SCRIPTS).migrations()[0].id().clone();
    client.batch_execute("CREATE SCHEMA there").unwrap();
    let plain = Migrator::new(catalog("app", SCRIPTS));
    let error = plain.baseline(&mut client, &id, "a test").unwrap_err();
    assert_eq!(error.refusals().unwrap().iter().len(), 8, "{error:?}");
    kinds("there", "it's there").baseline(&mut client, &id, "a test").unwrap();
    plain.rollback(&mut client, Rollback::Last).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value::<String>(&mut client, "SELECT title FROM gone"), "it's there");
    assert!(value::<bool>(&mut client, "SELECT to_regnamespace('there') IS NULL"));
}

const SECRET: &str = "Tr0ub4dor & 'horse'";

/// Everything that an error can be made to say.
fn words(error: &Error) -> String {
    let mut words = format!("{error}\n{error:?}\n{error:#?}\n{}\n{:?}\n", error.diagnostic(), error.report());
    let mut source = error.source();
    while let Some(error) = source {
        let _ = writeln!(words, "{error}\n{error:?}");
        source = error.source();
    }
    let _ = writeln!(words, "{:?}\n{:?}\n{:?}", error.server_error(), error.refusals(), error.findings());
    words
}

#[test]
fn r47_no_value_is_in_an_error_in_debug_or_in_the_log_of_the_tracker() {
    let one = |lines: &str| -> Catalog {
        catalog("app", [("01_a.sql", format!("-- habitat: placeholders password\n{lines}"))])
    };
    for lines in [
        "SELECT ${password:literal}, nowhere;",
        "SELECT ${password:literal}::int;",
        "CREATE TABLE t (a text UNIQUE); INSERT INTO t VALUES (${password:literal}), (${password:literal});",
        "DO $$ BEGIN EXECUTE 'SELECT 1/0, ' || quote_literal(${password:literal}); END $$;",
        "DO $$ BEGIN RAISE EXCEPTION 'no: %', ${password:literal} USING HINT = ${password:literal}; END $$;",
        "DO $$ BEGIN PERFORM 1/0, ${password:literal}; END $$;",
    ] {
        let migrator = Migrator::new(one(lines)).placeholder("password", SECRET);
        assert!(!format!("{migrator:?}").contains("Tr0ub4dor"), "{migrator:?}");
        for with in CLIENTS {
            let database = database();
            let error = run(with, &database, "", &migrator, Verb::Migrate).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Migration);
            assert!(!words(&error).contains("Tr0ub4dor"), "{with}: {lines}: {}", words(&error));
            let mut client: Client = database.connect().unwrap();
            let log = "SELECT string_agg(l::text, ' ') FROM schema_migrations_log AS l";
            let log: Option<String> = client.query_one(log, &[]).unwrap().get(0);
            assert!(!log.unwrap_or_default().contains("Tr0ub4dor"), "{with}: {lines}");
        }
    }
}
