//! Migrations that are written in Rust, beside those in SQL, through both clients.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Database;
use habitat_migrate::{
    Catalog, CodeMigration, Error, ErrorKind, Event, Migrator, Refusal, Report, Result, State,
};
use postgres::{Client, NoTls};
use support::{catalog, database, leftovers, value};

/// Functions that send a text, one for each client.
macro_rules! functions {
    ($($(#[migration($($key:tt)*)])? $name:ident => $sql:expr;)*) => {
        mod blocking {
            $($(#[habitat_migrate::migration($($key)*)])?
            pub fn $name(tx: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
                tx.batch_execute($sql)
            })*
        }
        mod asynchronous {
            $($(#[habitat_migrate::migration($($key)*)])?
            pub async fn $name(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
                tx.batch_execute($sql).await
            })*
        }
        /// The same functions by name, for a blocking client or the other one.
        #[derive(Clone, Copy, Debug, PartialEq)]
        enum With { Blocking, Async }
    };
}

/// The function of this name for a client.
macro_rules! function {
    ($with:expr, $name:ident) => {
        match $with {
            With::Blocking => blocking::$name,
            With::Async => asynchronous::$name,
        }
    };
}

functions! {
    #[migration(version = "01_first", description = "The first one")]
    first => "CREATE TABLE done (n int GENERATED ALWAYS AS IDENTITY, what text); INSERT INTO done (what) VALUES ('first')";
    #[migration(version = "03_third", requires = ["02_second"], down = unthird)]
    third => "INSERT INTO done (what) VALUES ('third')";
    unthird => "DELETE FROM done WHERE what = 'third'; SET search_path = nowhere";
    #[migration(version = "04_fourth")]
    fourth => "INSERT INTO done (what) VALUES ('fourth')";
    #[migration(version = "06_sixth", breaking)]
    sixth => "INSERT INTO done (what) VALUES ('sixth'); SET search_path = nowhere; LISTEN x";
    #[migration(version = "02_wrong")]
    wrong => "INSERT INTO done (what) VALUES ('wrong'); SELECT 1 / (SELECT 0)";
    #[migration(version = "02_sly")]
    sly => "INSERT INTO done (what) VALUES ('sly'); COMMIT";
    #[migration(version = "02_slier")]
    slier => "INSERT INTO done (what) VALUES ('sly'); COMMIT; SELECT 1 / (SELECT 0)";
    #[migration(version = "02_proved", verify = "SELECT count(*) = 2, count(*) AS rows FROM done")]
    proved => "INSERT INTO done (what) VALUES ('proved')";
    #[migration(version = "02_disproved", verify = "SELECT true;\nSELECT count(*) = 1, count(*) AS rows FROM done")]
    disproved => "INSERT INTO done (what) VALUES ('disproved')";
    #[migration(version = "02_unprovable", verify = "SELECT true;\n SELECT 1 / (SELECT 0)")]
    unprovable => "INSERT INTO done (what) VALUES ('unprovable')";
    #[migration(version = "02_deferred")]
    deferred => "ALTER TABLE done ADD UNIQUE (what) DEFERRABLE INITIALLY DEFERRED; INSERT INTO done (what) VALUES ('first')";
}

mod special {
    use std::fmt;

    use habitat_migrate::migration;

    #[derive(Debug)]
    pub struct Unreadable(pub std::num::ParseIntError);

    impl fmt::Display for Unreadable {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the price is unreadable")
        }
    }

    impl std::error::Error for Unreadable {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[migration(version = "02_unreadable")]
    pub fn unreadable(tx: &mut postgres::Transaction<'_>) -> Result<(), Unreadable> {
        tx.batch_execute("INSERT INTO done (what) VALUES ('unreadable')").expect("a table");
        "12x".parse::<i32>().map(drop).map_err(Unreadable)
    }

    #[migration(version = "02_swallows")]
    pub fn swallows(tx: &mut postgres::Transaction<'_>) -> Result<(), Unreadable> {
        let _ = tx.batch_execute("SELECT 1 / (SELECT 0)");
        Ok(())
    }

    #[migration(version = "02_panics")]
    pub fn panics(tx: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
        tx.batch_execute("INSERT INTO done (what) VALUES ('panics')")?;
        panic!("this program is wrong");
    }

    #[migration(version = "02_panics")]
    pub async fn panics_later(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        tx.batch_execute("INSERT INTO done (what) VALUES ('panics')").await?;
        panic!("this program is wrong");
    }

    /// Makes the driver ask for a type, and keep the statement by which it asks.
    #[migration(version = "02_typed")]
    pub async fn typed(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
        tx.batch_execute("CREATE TYPE mood AS ENUM ('calm'); CREATE TYPE other AS ENUM ('x')").await?;
        tx.query("SELECT 'calm'::mood", &[]).await.map(drop)
    }
}

/// Migrates a database with one of the clients.
fn migrate(with: With, database: &Database, migrator: &Migrator) -> Result<Report> {
    through(with, database, |client| migrator.migrate(client), async |client| migrator.migrate(client).await)
}

fn roll_back(with: With, database: &Database, migrator: &Migrator) -> Result<Report> {
    let last = || Rollback::Last;
    through(
        with,
        database,
        |client| migrator.rollback(client, last()),
        async |client| migrator.rollback(client, last()).await,
    )
}

fn through<T>(
    with: With,
    database: &Database,
    blocking: impl FnOnce(&mut Client) -> T,
    asynchronous: impl AsyncFnOnce(&mut tokio_postgres::Client) -> T,
) -> T {
    match with {
        With::Blocking => blocking(&mut database.connect().unwrap()),
        With::Async => tokio::runtime::Runtime::new().unwrap().block_on(async {
            let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
            tokio::spawn(connection);
            asynchronous(&mut client).await
        }),
    }
}

/// `first`, and another function behind it.
fn after_first(with: With, second: CodeMigration) -> Catalog {
    let empty = catalog("app", [("09_last.sql", "SELECT 9")]);
    empty
        .with_code([function!(with, first), second])
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// Runs with each client on a database of its own, which must hold no lock and no open transaction afterwards.
fn with_each_client(body: impl Fn(With, &Database, &mut Client)) {
    for with in [With::Blocking, With::Async] {
        let database = database();
        let mut admin = database.connect().unwrap();
        body(with, &database, &mut admin);
        assert_eq!(leftovers(&mut admin), (0, 0), "{with:?}");
    }
}

/// Both clients meet the same failure of the second function, and nothing of it is kept.
fn fails(second: impl Fn(With) -> CodeMigration, check: impl Fn(&Error)) {
    with_each_client(|with, database, admin| {
        let migrator = Migrator::new(after_first(with, second(with)));
        let error = migrate(with, database, &migrator).unwrap_err();
        check(&error);
        assert_eq!(error.report().applied().len(), 1, "what came before stays: {error:?}");
        assert_eq!(what(admin), "first", "{error:?}");
        assert_eq!(value::<i64>(admin, "SELECT count(*) FROM schema_migrations"), 1);
        let log = "SELECT string_agg(concat_ws(' ', event, version), ', ' ORDER BY id) FROM schema_migrations_log WHERE version IS NOT NULL";
        let failure = format!("apply 01_first, failure {}", error.migration().unwrap().version());
        assert_eq!(value::<String>(admin, log), failure);
        // The same again: nothing is in its way.
        let again = migrate(with, database, &migrator.lock_wait(Duration::ZERO)).unwrap_err();
        assert_eq!(again.to_string(), error.to_string());
    });
}

/// What was done, in order.
fn what(admin: &mut Client) -> String {
    value(admin, "SELECT coalesce(string_agg(what, ', ' ORDER BY n), '') FROM done")
}

fn mixed(with: With) -> Catalog {
    let insert = |what| format!("INSERT INTO done (what) VALUES ('{what}');");
    let scripts = [
        ("02_second.sql", insert("second")),
        ("05_fifth.sql", insert("fifth")),
        ("07_last.sql", insert("last")),
    ];
    let functions =
        [function!(with, sixth), function!(with, third), function!(with, first), function!(with, fourth)];
    catalog("app", scripts).with_code(functions).unwrap_or_else(|problems| panic!("{}", problems.render()))
}

#[test]
fn functions_stand_before_between_and_behind_scripts() {
    with_each_client(|with, database, admin| {
        let events = Arc::new(Mutex::new(Vec::new()));
        let told = events.clone();
        let migrator = Migrator::new(mixed(with)).on_event(move |event| {
            if let Event::Applied { migration, .. } = event {
                told.lock().unwrap().push(migration.version().as_str()[3..].to_owned());
            }
        });
        let report = migrate(with, database, &migrator).unwrap_or_else(|error| panic!("{error:?}"));
        let order = "first, second, third, fourth, fifth, sixth, last";
        assert_eq!(what(admin), order);
        assert_eq!(events.lock().unwrap().join(", "), order);
        assert_eq!(report.applied().len(), 7);
        let records = "SELECT string_agg(substr(version, 4), ', ' ORDER BY run_order) FROM schema_migrations \
                       WHERE state = 'applied' AND execution_time IS NOT NULL AND ordinal = run_order AND digest IS NOT NULL";
        assert_eq!(value::<String>(admin, records), order);
        let first = "SELECT description || ' ' || checksum FROM schema_migrations WHERE version = '01_first'";
        let checksum = migrator.catalog().migrations()[0].checksum();
        assert_eq!(value::<String>(admin, first), format!("The first one {checksum}"));
        assert_eq!(
            value::<i64>(admin, "SELECT count(*) FROM schema_migrations_log WHERE event = 'apply'"),
            7
        );
        let again = migrate(with, database, &migrator).unwrap();
        assert!(again.is_unchanged() && again.already_applied() == 7, "{again}");
    });
}

#[test]
fn a_plan_and_a_history_show_functions_like_scripts() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(mixed(With::Blocking));
    let plan = migrator.plan(&mut client).unwrap();
    let functions: Vec<_> = plan.pending().map(|migration| migration.function()).collect();
    assert_eq!(functions, [Some("first"), None, Some("third"), Some("fourth"), None, Some("sixth"), None]);
    migrator.migrate(&mut client).unwrap();
    let history = migrator.history(&mut client).unwrap();
    assert!(history.records().iter().all(|record| record.state() == State::Applied));
    assert_eq!(history.records()[2].id().to_string(), "app:03_third");
}

#[test]
fn what_a_function_leaves_in_the_session_goes() {
    with_each_client(|with, database, _| {
        let migrator = Migrator::new(mixed(with));
        const STATE: &str = "SELECT current_setting('search_path') || ' ' || (SELECT count(*) FROM pg_listening_channels()) \
                             || ' ' || current_setting('lock_timeout')";
        let state = through(
            with,
            database,
            |client| {
                client.batch_execute("SET search_path = public").unwrap();
                migrator.migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
                value::<String>(client, STATE)
            },
            async |client| {
                client.batch_execute("SET search_path = public").await.unwrap();
                migrator.migrate(client).await.unwrap_or_else(|error| panic!("{error:?}"));
                client.query_one(STATE, &[]).await.unwrap().get(0)
            },
        );
        assert_eq!(state, "public 0 0");
    });
}

#[tokio::test]
async fn the_drivers_own_statements_survive() {
    let database = tokio::task::spawn_blocking(database).await.unwrap();
    let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
    tokio::spawn(connection);
    let scripts = catalog("app", [("01_a.sql", "SELECT 1"), ("03_c.sql", "SELECT 3")]);
    let migrator = Migrator::new(scripts.with_code([special::typed]).unwrap());
    migrator.migrate(&mut client).await.unwrap_or_else(|error| panic!("{error:?}"));
    // The driver asks for this type by a statement that it prepared in the function.
    client.query("SELECT 'x'::other", &[]).await.unwrap_or_else(|error| panic!("{error:?}"));
    tokio::task::spawn_blocking(move || drop(database)).await.unwrap();
}

#[test]
fn a_failing_function_leaves_nothing_and_shows_where_it_is() {
    fails(
        |with| function!(with, wrong),
        |error| {
            assert_eq!(error.kind(), ErrorKind::Migration);
            assert_eq!(error.to_string(), "migration app:02_wrong failed; nothing of it was kept");
            assert_eq!(error.server_error().unwrap().code, "22012");
            let (file, line, _) = error.location().unwrap();
            assert_eq!(file, "tests/code.rs");
            let text = error.diagnostic().to_string();
            let expected = format!(
                "error: migration app:02_wrong failed; nothing of it was kept\n --> tests/code.rs:{line}\n  \
                 = error: ERROR: division by zero\n  = server: division by zero (22012)\n  \
                 = applied before it: app:01_first\n  = next: correct the function or the data, and run migrate again"
            );
            assert_eq!(text, expected);
        },
    );
}

#[test]
fn an_error_of_the_functions_own_is_shown_with_its_causes() {
    let database = database();
    let migrator = Migrator::new(after_first(With::Blocking, special::unreadable));
    let mut client = database.connect().unwrap();
    let error = migrator.migrate(&mut client).unwrap_err();
    let text = format!("{error:?}");
    let lines = "  = error: the price is unreadable\n  = because: invalid digit found in string\n";
    assert!(text.contains(lines), "{text}");
    assert!(error.server_error().is_none());
    let source = std::error::Error::source(&error).unwrap();
    assert!(source.downcast_ref::<special::Unreadable>().is_some(), "{source:?}");
    assert_eq!(what(&mut client), "first");
    let detail = "SELECT detail FROM schema_migrations_log WHERE event = 'failure'";
    let logged = "the price is unreadable: invalid digit found in string";
    assert_eq!(value::<String>(&mut client, detail), logged);
}

#[test]
fn a_function_that_goes_on_after_a_failing_statement_is_told_so() {
    let database = database();
    let migrator = Migrator::new(after_first(With::Blocking, special::swallows));
    let error = migrator.migrate(&mut database.connect().unwrap()).unwrap_err();
    let text = format!("{error:?}");
    assert!(text.contains("a statement failed, and the function went on"), "{text}");
    assert!(error.to_string().contains("nothing of it was kept"), "{error}");
}

#[test]
fn a_constraint_that_the_function_deferred_fails_it() {
    fails(
        |with| function!(with, deferred),
        |error| assert_eq!(error.server_error().unwrap().code, "23505", "{error:?}"),
    );
}

#[test]
fn a_verify_script_is_part_of_the_function() {
    with_each_client(|with, database, admin| {
        let migrator = Migrator::new(after_first(with, function!(with, proved)));
        migrate(with, database, &migrator).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(what(admin), "first, proved");
        assert!(migrator.verify(admin).unwrap().is_empty());
        admin.batch_execute("DELETE FROM done").unwrap();
        assert_eq!(migrator.verify(admin).unwrap().len(), 1, "on demand, too");
    });
    fails(
        |with| function!(with, disproved),
        |error| {
            assert_eq!(error.kind(), ErrorKind::Verification, "{error:?}");
            assert!(format!("{error:?}").contains("it returned false: rows = 2"), "{error:?}");
            assert_eq!(error.location().map(|(_, line, column)| (line, column)), Some((2, 1)));
        },
    );
    fails(
        |with| function!(with, unprovable),
        |error| {
            assert_eq!(error.server_error().unwrap().code, "22012", "{error:?}");
            let (path, line, column) = error.location().unwrap();
            assert!(path.starts_with("tests/code.rs:") && path.ends_with(" (verify)"), "{path}");
            assert_eq!((line, column), (2, 2));
        },
    );
}

#[test]
fn a_function_that_ends_its_transaction_is_found_out_and_never_called_twice() {
    type Choice = fn(With) -> CodeMigration;
    let choices: [Choice; 2] = [|with| function!(with, sly), |with| function!(with, slier)];
    for choice in choices {
        with_each_client(|with, database, admin| {
            let migrator = Migrator::new(after_first(with, choice(with)));
            let error = migrate(with, database, &migrator).unwrap_err();
            let text = "failed: the function ended its own transaction, so a part of it may be kept";
            assert!(error.to_string().contains(text), "{error:?}");
            assert_eq!(what(admin), "first, sly");
            let again = migrate(with, database, &migrator).unwrap_err();
            let refusals: Vec<_> = again.refusals().expect("refusals").iter().cloned().collect();
            assert!(matches!(refusals.as_slice(), [Refusal::Interrupted { .. }]), "{refusals:?}");
            assert_eq!(what(admin), "first, sly", "it ran once");
        });
    }
}

#[test]
fn a_function_for_the_other_client_is_refused_before_anything_runs() {
    with_each_client(|with, database, admin| {
        let other = if with == With::Blocking { With::Async } else { With::Blocking };
        let scripts = catalog("app", [("01_items.sql", "CREATE TABLE items (id int)")]);
        let migrator = Migrator::new(scripts.with_code([function!(other, fourth)]).unwrap());
        let planned = through(
            with,
            database,
            |client| migrator.plan(client).map(drop),
            async |client| migrator.plan(client).await.map(drop),
        );
        for error in [planned.unwrap_err(), migrate(with, database, &migrator).unwrap_err()] {
            let refusals: Vec<_> = error.refusals().expect("refusals").iter().cloned().collect();
            let wanted = if other == With::Blocking { "postgres::Client" } else { "tokio_postgres::Client" };
            let [Refusal::OtherClient { migration, path, wants }] = refusals.as_slice() else {
                panic!("{refusals:?}");
            };
            assert_eq!((migration.to_string().as_str(), *wants), ("app:04_fourth", wanted));
            assert!(path.starts_with("tests/code.rs:"), "{path}");
        }
        assert!(value::<bool>(
            admin,
            "SELECT to_regclass('schema_migrations') IS NULL AND to_regclass('items') IS NULL"
        ));
        // Where it is applied already, nobody has to call it.
        let migrator = Migrator::new(mixed(other));
        migrate(other, database, &migrator).unwrap();
        assert!(migrate(with, database, &migrator).unwrap().is_unchanged());
        admin.batch_execute("DELETE FROM schema_migrations WHERE ordinal > 3").unwrap();
        let error = roll_back(with, database, &migrator).unwrap_err();
        assert!(format!("{error:?}").contains("app:03_third is a function for a `"), "{error:?}");
        assert!(what(admin).contains("third"), "it was not taken back");
    });
}

#[test]
fn a_function_takes_back_what_another_one_did() {
    with_each_client(|with, database, admin| {
        let scripts = catalog("app", [("02_second.sql", "SELECT 2")]);
        let migrator =
            Migrator::new(scripts.with_code([function!(with, first), function!(with, third)]).unwrap());
        migrate(with, database, &migrator).unwrap();
        assert_eq!(what(admin), "first, third");
        let report = roll_back(with, database, &migrator).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.undone()[0].id().to_string(), "app:03_third");
        assert_eq!(what(admin), "first");
        let log =
            "SELECT count(*) FROM schema_migrations_log WHERE event = 'rollback' AND version = '03_third'";
        assert_eq!(value::<i64>(admin, log), 1);
        // Applied once more, it is taken back by nobody who does not have the function.
        migrate(with, database, &migrator).unwrap();
        let without = Migrator::new(catalog("app", [("02_second.sql", "SELECT 2")]));
        let error = roll_back(with, database, &without).unwrap_err();
        assert!(format!("{error:?}").contains("app:03_third has no down script"), "{error:?}");
        let redone = through(
            with,
            database,
            |client| migrator.redo(client),
            async |client| migrator.redo(client).await,
        );
        let redone = redone.unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!((redone.undone().len(), redone.applied().len()), (1, 1));
        assert_eq!(what(admin), "first, third");
    });
}

#[test]
fn a_function_without_a_down_function_cannot_be_taken_back() {
    with_each_client(|with, database, admin| {
        let migrator = Migrator::new(after_first(with, function!(with, fourth)));
        let last = migrator.clone().target(migrator.catalog().migrations()[1].id().clone());
        migrate(with, database, &last).unwrap();
        let error = roll_back(with, database, &migrator).unwrap_err();
        let refusals: Vec<_> = error.refusals().expect("refusals").iter().cloned().collect();
        assert!(matches!(refusals.as_slice(), [Refusal::NoDown { known: true, .. }]), "{refusals:?}");
        assert_eq!(what(admin), "first, fourth");
    });
}

#[test]
fn an_older_program_without_the_function_sees_a_newer_database() {
    with_each_client(|with, database, admin| {
        let scripts = || catalog("app", [("02_second.sql", "SELECT 2")]);
        let functions = [function!(with, first), function!(with, third)];
        let newer = Migrator::new(scripts().with_code(functions).unwrap());
        migrate(with, database, &newer).unwrap();
        let older = Migrator::new(scripts().with_code([function!(with, first)]).unwrap());
        let report = migrate(with, database, &older).unwrap_or_else(|error| panic!("{error:?}"));
        assert!(report.is_unchanged() && report.newer() == 1, "{report}");
        let breaking = Migrator::new(
            scripts().with_code(functions.into_iter().chain([function!(with, sixth)])).unwrap(),
        );
        migrate(with, database, &breaking).unwrap();
        let error = migrate(with, database, &older).unwrap_err();
        assert!(
            format!("{error:?}").contains("app:06_sixth, which is newer than this program and breaks"),
            "{error:?}"
        );
        assert_eq!(what(admin), "first, third, sixth");
    });
}

#[test]
fn another_revision_is_a_changed_migration() {
    mod revised {
        #[habitat_migrate::migration(version = "01_first", revision = "2")]
        pub fn first(_: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
            Ok(())
        }
    }
    let database = database();
    let mut client = database.connect().unwrap();
    let scripts = || catalog("app", [("02_second.sql", "SELECT 2")]);
    Migrator::new(scripts().with_code([blocking::first]).unwrap()).migrate(&mut client).unwrap();
    let revised = Migrator::new(scripts().with_code([revised::first]).unwrap());
    let error = revised.migrate(&mut client).unwrap_err();
    let refusals: Vec<_> = error.refusals().expect("refusals").iter().cloned().collect();
    assert!(matches!(refusals.as_slice(), [Refusal::Changed { .. }]), "{refusals:?}");
}

#[test]
fn what_a_file_would_be_refused_for_a_function_is_refused_for() {
    let scripts = || catalog("app", [("1_init.sql", "SELECT 1"), ("03_c.sql", "SELECT 3")]);
    let problems = scripts().with_code([blocking::first]).unwrap_err().render();
    let words = "two migrations of app have the number 1: ";
    assert!(problems.contains(words), "{problems}");
    assert!(
        problems.contains("app/1_init.sql") && problems.contains("`first` (tests/code.rs:"),
        "{problems}"
    );
    let problems = scripts().with_code([blocking::fourth, blocking::fourth]).unwrap_err().render();
    assert!(problems.contains("app:04_fourth is defined twice"), "{problems}");
    let problems =
        catalog("app", [("01_a.sql", "SELECT 1")]).with_code([blocking::third]).unwrap_err().render();
    assert!(problems.contains("app:03_third requires app:02_second, which does not exist"), "{problems}");
    assert!(problems.contains(" --> tests/code.rs:"), "{problems}");
}

mod hygiene {
    //! Whatever a crate calls its own things, the attribute means the library's.
    #![allow(dead_code, non_camel_case_types)]

    pub use habitat_migrate as library;

    struct Result;
    struct Box;
    struct Transaction;
    mod core {}
    mod std {}

    /// It is called as the function is, raw or not.
    #[library::migration(version = "01_raw", crate = library)]
    pub(super) fn r#try(
        mut _tx: &mut postgres::Transaction<'_>,
    ) -> ::std::result::Result<(), ::std::boxed::Box<dyn ::std::error::Error + Send + Sync>> {
        Ok(())
    }

    #[library::migration(version = "02_later", crate = library)]
    pub(super) async fn later<'a>(
        _: &mut tokio_postgres::Transaction<'a>,
    ) -> ::std::result::Result<(), &'static str> {
        Err("not today")
    }
}

#[test]
fn the_attribute_needs_nothing_of_its_surroundings() {
    let catalog =
        catalog("app", [("09_last.sql", "SELECT 9")]).with_code([hygiene::r#try, hygiene::later]).unwrap();
    let names: Vec<_> = catalog.migrations().iter().filter_map(|migration| migration.function()).collect();
    assert_eq!(names, ["try", "later"]);
}
