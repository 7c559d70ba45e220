//! A migrated database for each test: copied from a template that is built once, dropped or kept, never anybody else's.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeSet;
use std::sync::Barrier;

use habitat_migrate::testing::{Server, Shutdown, TestDatabase};
use habitat_migrate::{Catalog, ErrorKind, Migrator};
use postgres::{Client, NoTls};
use support::{Program, catalog, in_child, numbered, own_server, program, value, wait_for};

#[test]
fn a_database_has_all_migrations_and_is_gone_with_its_last_handle() {
    let server = own_server();
    let database = TestDatabase::builder(&numbered(3)).server(&server).create().unwrap();
    let name = database.name().to_owned();
    let mut client = database.connect().unwrap();
    client.batch_execute("INSERT INTO t3 VALUES (1, 'x')").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 3);
    assert_eq!(value::<String>(&mut client, "SELECT current_database()::text"), name);
    let other_handle = database.clone();
    drop(database);
    client.batch_execute("SELECT 1").unwrap();
    drop((other_handle, client));
    wait_for("the database to be dropped", || !names(&server).contains(&name));
}

#[test]
fn no_test_sees_what_another_wrote() {
    let catalog = numbered(2);
    let used: BTreeSet<String> = std::thread::scope(|scope| {
        let one = || {
            let database = TestDatabase::create(&catalog).unwrap();
            let mut client = database.connect().unwrap();
            assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t1"), 0);
            client.batch_execute("INSERT INTO t1 VALUES (1, 'mine')").unwrap();
            database.name().to_owned()
        };
        let threads: Vec<_> = (0..24).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(used.len(), 24, "two tests had a database of one name");
}

#[test]
fn sixteen_threads_at_once_build_one_template() {
    let server = logging_server();
    let (catalog, barrier) = (numbered(5), Barrier::new(16));
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                barrier.wait();
                TestDatabase::builder(&catalog).server(&server).create().unwrap();
            });
        }
    });
    assert_eq!(builds(&server), 1);
}

#[test]
fn sixteen_processes_at_once_build_one_template() {
    let server = logging_server();
    let children: Vec<_> = (0..16).map(|_| child("child_uses_one", &server).start()).collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(builds(&server), 1);
}

#[test]
fn child_uses_one() {
    in_child(|_| {
        let database = TestDatabase::builder(&numbered(5)).named("child::uses_one").create().unwrap();
        assert_eq!(value::<i64>(&mut database.connect().unwrap(), "SELECT count(*) FROM t5"), 0);
    });
}

#[test]
fn another_catalog_gets_another_template() {
    let server = logging_server();
    for (catalog, tables) in [(numbered(1), 1), (numbered(2), 2), (numbered(1), 1)] {
        let database = TestDatabase::builder(&catalog).server(&server).create().unwrap();
        let count = "SELECT count(*) FROM pg_tables WHERE tablename ~ '^t[0-9]'";
        assert_eq!(value::<i64>(&mut database.connect().unwrap(), count), tables);
    }
    assert_eq!(builds(&server), 2);
}

#[test]
fn a_killed_builder_is_in_nobodys_way_and_its_database_is_swept() {
    let server = own_server();
    let mut builder = child("child_builds_for_ever", &server).start();
    wait_for("the builder to migrate", || asleep(&server));
    builder.kill().unwrap();
    builder.wait().unwrap();
    // Its session is still at work, and this catalog wants what it has: without a sweep the build would wait for it.
    let begun = std::time::Instant::now();
    let catalog = catalog("app", [("01_role.sql", "CREATE ROLE of_the_builder;")]);
    TestDatabase::builder(&catalog).server(&server).create().unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "it took {:?}", begun.elapsed());
    assert!(!names(&server).iter().any(|name| name.contains("_building_")), "{:?}", names(&server));
}

#[test]
fn child_builds_for_ever() {
    let slow = catalog("app", [("01_slow.sql", "CREATE ROLE of_the_builder; SELECT pg_sleep(60);")]);
    in_child(|_| drop(TestDatabase::create(&slow)));
}

#[test]
fn every_test_gets_the_error_of_a_failed_build_at_its_line() {
    let server = own_server();
    let broken = catalog("app", [("01_a.sql", "CREATE TABLE a ();\nCREATE TABLE b (\n  x nonsense\n);\n")]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let error = TestDatabase::builder(&broken).server(&server).create().unwrap_err();
                assert_eq!(error.location(), Some(("app/01_a.sql", 3, 5)), "{error:?}");
                assert_eq!(error.migration_error().unwrap().kind(), ErrorKind::Migration);
                let shown = format!("{error:?}");
                assert!(shown.contains("--> app/01_a.sql:3:5") && shown.contains("x nonsense"), "{shown}");
            });
        }
    });
    assert_eq!(names(&server), Vec::<String>::new(), "nothing of a failed build stays");
}

#[test]
fn a_fixture_fills_every_database_and_its_error_names_its_line() {
    let shop = catalog("shop", [("01_items.sql", "CREATE TABLE items (name text PRIMARY KEY);")]);
    let builder = || TestDatabase::builder(&shop).fixture("tea.sql", "INSERT INTO items\nVALUES ('tea');\n");
    for _ in 0..2 {
        let database = builder().fixture("mate.sql", "INSERT INTO items VALUES ('mate')").create().unwrap();
        let count = "SELECT count(*) FROM items";
        assert_eq!(value::<i64>(&mut database.connect().unwrap(), count), 2);
    }
    // One error with a position, one without.
    for (text, place) in [
        ("SELECT 'é';\nSELECT nothing;", ("bad.sql", 2, 8)),
        ("SELECT 1;\n\n  INSERT INTO items VALUES ('tea');\nSELECT 2;", ("bad.sql", 3, 3)),
        ("SELECT 1;\nSELECT 'open;", ("bad.sql", 2, 8)),
    ] {
        let error = builder().fixture("bad.sql", text).create().unwrap_err();
        assert_eq!(error.location(), Some(place), "{error:?}");
        assert!(format!("{error:?}").contains(&format!("--> bad.sql:{}:{}", place.1, place.2)), "{error:?}");
    }
}

#[test]
fn a_database_stops_behind_a_migration_or_before_it() {
    let catalog = numbered(4);
    let tables = |database: &TestDatabase| {
        let count = "SELECT count(*) FROM pg_tables WHERE tablename ~ '^t[0-9]'";
        value::<i64>(&mut database.connect().unwrap(), count)
    };
    let behind = TestDatabase::builder(&catalog).to("0003_t3").create().unwrap();
    assert_eq!(tables(&behind), 3);
    let before = TestDatabase::builder(&catalog).before("app:0003_t3").create().unwrap();
    assert_eq!(tables(&before), 2);
    let report = Migrator::new(before.catalog().clone()).migrate(&mut before.connect().unwrap()).unwrap();
    assert_eq!((report.applied().len(), tables(&before)), (2, 4));
    let error = TestDatabase::builder(&catalog).to("0003").create().unwrap_err().to_string();
    assert_eq!(error, "the catalog has no migration `0003`: did you mean app:0003_t3");
}

#[test]
fn environment_placeholders_and_the_trackers_schema_reach_the_migrations() {
    let scripts = [
        ("01_a.sql", "-- habitat: placeholders title\nCREATE TABLE a AS SELECT ${title:literal} AS title;"),
        ("02_seed.sql", "-- habitat: environments development\nCREATE TABLE seed ();"),
    ];
    let shop = catalog("shop", scripts);
    for title in ["one", "two"] {
        let builder = TestDatabase::builder(&shop).placeholder("title", title).environment("development");
        let database = builder.schema("history").create().unwrap();
        let mut client = database.connect().unwrap();
        assert_eq!(value::<String>(&mut client, "SELECT title FROM a"), title);
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM history.schema_migrations"), 2);
    }
}

#[tokio::test]
async fn a_database_is_made_and_dropped_within_a_runtime() {
    let catalog = numbered(1);
    let (one, other) =
        (TestDatabase::create_async(&catalog).await.unwrap(), TestDatabase::create(&catalog).unwrap());
    assert_ne!(one.name(), other.name());
    let client = one.connect_async().await.unwrap();
    client.batch_execute("INSERT INTO t1 VALUES (1, 'x')").await.unwrap();
    let server = own_server();
    // The last one takes the connections of the library along.
    drop(TestDatabase::builder(&catalog).server(&server).create_async().await.unwrap());
    drop((one, other));
}

#[habitat_migrate::migration(version = "02_rows")]
async fn add_row(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), tokio_postgres::Error> {
    tx.batch_execute("INSERT INTO a VALUES ('asynchronous')").await
}

#[habitat_migrate::migration(version = "02_rows")]
fn add_row_blocking(tx: &mut postgres::Transaction<'_>) -> Result<(), postgres::Error> {
    tx.batch_execute("INSERT INTO a VALUES ('blocking')")
}

#[test]
fn functions_and_migrations_without_a_transaction_are_in_the_template() {
    let scripts = [
        ("01_a.sql", "CREATE TABLE a (x text);"),
        ("03_index.sql", "-- habitat: transaction none\nCREATE INDEX CONCURRENTLY a_x ON a (x);"),
    ];
    for (function, text) in [(add_row, "asynchronous"), (add_row_blocking, "blocking")] {
        let catalog = catalog("app", scripts).with_code([function]).unwrap();
        let mut client = TestDatabase::create(&catalog).unwrap().connect().unwrap();
        assert_eq!(value::<String>(&mut client, "SELECT x FROM a"), text);
        assert!(value::<bool>(
            &mut client,
            "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_x'::regclass"
        ));
    }
}

#[test]
fn a_second_login_acts_as_another_role() {
    let scripts = [(
        "01_a.sql",
        "CREATE TABLE a (x int); ALTER TABLE a ENABLE ROW LEVEL SECURITY; GRANT SELECT ON a TO \"app user\";",
    )];
    let catalog = catalog("app", scripts);
    let database = TestDatabase::builder(&catalog).role("app user").create().unwrap();
    for mut client in [database.connect().unwrap(), Client::connect(&database.url(), NoTls).unwrap()] {
        assert_eq!(value::<String>(&mut client, "SELECT current_user::text"), "app user");
        client.batch_execute("RESET ROLE").unwrap();
        assert_eq!(value::<String>(&mut client, "SELECT current_user::text"), "app user");
        assert!(client.batch_execute("INSERT INTO a VALUES (1)").is_err());
    }
    let mut owner = database.connect_as("postgres").unwrap();
    owner.batch_execute("INSERT INTO a VALUES (1)").unwrap();
    assert_eq!(value::<i64>(&mut database.connect().unwrap(), "SELECT count(*) FROM a"), 0);
    let error = format!("{:?}", database.connect_as("nobody there").err().unwrap());
    assert!(error.contains("nobody there"), "{error}");
}

#[test]
fn roles_of_a_test_have_names_of_their_own_and_go_with_its_database() {
    let server = own_server();
    let create = || TestDatabase::builder(&numbered(1)).server(&server).create().unwrap();
    let (one, other) = (create(), create());
    let (role, others) = (one.role_name("app"), other.role_name("app"));
    assert_ne!(role, others);
    for (database, role) in [(&one, &role), (&other, &others)] {
        let mut client = database.connect().unwrap();
        client.batch_execute(&format!("CREATE ROLE {role}; GRANT SELECT ON t1 TO {role}")).unwrap();
        let mut as_role = database.connect_as(role).unwrap();
        assert_eq!(value::<i64>(&mut as_role, "SELECT count(*) FROM t1"), 0);
    }
    drop(one);
    let mut client = server.config().connect(NoTls).unwrap();
    let mut roles = || {
        let rows =
            client.query("SELECT rolname::text FROM pg_roles WHERE rolname LIKE 'habitat%'", &[]).unwrap();
        rows.iter().map(|row| row.get(0)).collect::<Vec<String>>()
    };
    wait_for("the role to be dropped", || roles() == [others.clone()]);
}

#[test]
fn builders_of_catalogs_that_create_a_role_take_turns() {
    let server = own_server();
    // Idempotent, but not safe against another builder in the same moment.
    let role = "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN
        PERFORM pg_sleep(0.05); CREATE ROLE app; END IF; END $$;";
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (role, server) = (format!("{role}\nCREATE TABLE t{n} ();"), &server);
            scope.spawn(move || {
                let catalog = catalog("app", [("01_role.sql", role)]);
                TestDatabase::builder(&catalog).server(server).create().unwrap();
            });
        }
    });
}

#[test]
fn a_failed_tests_database_is_kept_and_said_with_the_command_to_open_it() {
    let server = own_server();
    for (outcome, keep, kept) in [
        ("pass", "", false),
        ("panic", "", true),
        ("fail", "", true),
        ("panic", "never", false),
        ("pass", "always", true),
        ("keep", "never", true),
    ] {
        let output = child("child_ends", &server).with("HABITAT_KEEP", keep).with("OUTCOME", outcome).run();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        let name = text.split_once("NAME ").unwrap().1.lines().next().unwrap().to_owned();
        let command =
            format!("psql 'postgresql://postgres@{}:", server.url()[22..].split(':').next().unwrap());
        assert_eq!(
            text.contains(&command) && text.contains(&format!("/{name}'")),
            kept,
            "{outcome} {keep}\n{text}"
        );
        // Another process sweeps what is left behind, and not what is kept.
        child("child_uses_one", &server).run();
        if kept {
            assert!(names(&server).contains(&name), "{outcome} {keep}: {name} is gone");
        } else {
            TestDatabase::builder(&numbered(5)).server(&server).create().unwrap();
            wait_for("a database that is not kept to go", || !names(&server).contains(&name));
        }
    }
}

#[test]
fn child_ends() {
    in_child(|_| {
        let test = std::env::var("TEST_NAME").unwrap_or_else(|_| format!("ends::{}", std::process::id()));
        let database = TestDatabase::builder(&numbered(5)).named(test).create().unwrap();
        println!("NAME {}", database.name());
        match std::env::var("OUTCOME").unwrap().as_str() {
            "panic" => panic!("as it should"),
            "fail" => database.finish(false),
            "keep" => println!("{}", database.keep()),
            _ => database.finish(true),
        }
        // The background has time for the drop.
        std::thread::sleep(std::time::Duration::from_millis(100));
    });
}

#[test]
fn what_a_failed_test_left_goes_when_the_same_test_passes() {
    let server = own_server();
    let run = |test: &str, outcome: &str| {
        let output = child("child_ends", &server).with("TEST_NAME", test).with("OUTCOME", outcome).run();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split_once("NAME ").unwrap().1.lines().next().unwrap().to_owned()
    };
    let (failed, other) = (run("shop::sells", "panic"), run("shop::buys", "panic"));
    assert!(names(&server).contains(&failed) && names(&server).contains(&other));
    run("shop::sells", "pass");
    wait_for("the kept database to go", || !names(&server).contains(&failed));
    assert!(names(&server).contains(&other));
}

#[test]
fn an_unknown_word_in_habitat_keep_is_an_error() {
    let output = child("child_uses_one", &own_server()).with("HABITAT_KEEP", "sometimes").run();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(text.contains("HABITAT_KEEP is `sometimes`: it can be `always`, `failed` or `never`"), "{text}");
}

#[test]
fn what_a_killed_process_left_is_swept_and_what_lives_is_not() {
    let server = own_server();
    let mut client = server.config().connect(NoTls).unwrap();
    // Somebody else's, whatever it is called.
    client.batch_execute("CREATE DATABASE habitat_test_of_somebody_else").unwrap();
    let holders: Vec<_> = (0..2).map(|_| child("child_holds", &server).start()).collect();
    let held = |server: &Server| -> Vec<String> {
        let all = names_by(server, "name LIKE 'habitat\\_test\\_holds%'");
        all.into_iter().collect()
    };
    wait_for("two databases", || held(&server).len() == 2);
    let [mut killed, mut living] = <[_; 2]>::try_from(holders).unwrap();
    killed.kill().unwrap();
    killed.wait().unwrap();
    wait_for("the leftover to be swept", || {
        child("child_uses_one", &server).run();
        held(&server).len() == 1
    });
    let left = held(&server);
    child("child_uses_one", &server).run();
    assert_eq!(held(&server), left, "a database in use was dropped");
    assert!(names_by(&server, "name = 'habitat_test_of_somebody_else'").len() == 1);
    living.kill().unwrap();
    living.wait().unwrap();
}

#[test]
fn child_holds() {
    in_child(|_| {
        let _database = TestDatabase::builder(&numbered(5)).named("holds").create().unwrap();
        std::thread::sleep(std::time::Duration::from_secs(60));
    });
}

#[test]
fn a_process_for_each_test_leaves_little_and_takes_what_is_ready() {
    let server = logging_server();
    for _ in 0..12 {
        let output =
            child("child_uses_one", &server).with("NEXTEST_EXECUTION_MODE", "process-per-test").run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // On a machine that is busy the next process would come before the copy that this one has ordered.
        let end = std::time::Instant::now() + std::time::Duration::from_millis(300);
        while names_by(&server, "name LIKE 'habitat\\_ready\\_%'").is_empty()
            && std::time::Instant::now() < end
        {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
    assert_eq!(builds(&server), 1);
    let taken = server.log().unwrap().matches("ALTER DATABASE \"habitat_ready_").count();
    assert!(taken >= 8, "only {taken} of twelve tests had a copy that was ready");
    wait_for("the databases to be dropped", || {
        names_by(&server, "name LIKE 'habitat\\_test\\_%'").len() <= 1
    });
}

#[test]
fn templates_that_were_not_used_for_longest_are_swept_with_their_copies() {
    let server = own_server();
    for count in 1..=10 {
        let output = child("child_uses_a_catalog", &server).with("COUNT", count.to_string()).run();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let keys = |prefix: &str| -> BTreeSet<String> {
        let found = names_by(&server, &format!("name LIKE '{prefix}%'")).into_iter();
        found.map(|name| name[prefix.len()..].split('_').next().unwrap().to_owned()).collect()
    };
    wait_for("the old ones to go", || {
        child("child_uses_a_catalog", &server).with("COUNT", "10").run();
        let templates = keys("habitat_template_");
        templates.len() == 8 && keys("habitat_ready_").is_subset(&templates)
    });
}

#[test]
fn child_uses_a_catalog() {
    in_child(|_| {
        let count = std::env::var("COUNT").unwrap().parse().unwrap();
        let _database = TestDatabase::create(&numbered(count)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(100));
    });
}

#[test]
fn a_login_that_may_only_create_databases_is_enough() {
    let rules = "local all postgres trust\nlocal all all scram-sha-256\n";
    let server = Server::builder().file("pg_hba.conf", rules).start().unwrap();
    let mut client = server.config().connect(NoTls).unwrap();
    client.batch_execute("CREATE ROLE maker LOGIN CREATEDB PASSWORD 'sesame'").unwrap();
    let url = server.url().replace("postgres@", "maker:sesame@");
    for _ in 0..2 {
        let child = child("child_uses_one", &server).with("HABITAT_TEST_DATABASE_URL", &url).run();
        assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    }
    let failed =
        child("child_ends", &server).with("HABITAT_TEST_DATABASE_URL", &url).with("OUTCOME", "panic").run();
    let text = String::from_utf8_lossy(&failed.stderr);
    assert!(text.contains("psql 'postgresql://maker@") && !text.contains("sesame"), "{text}");
}

#[test]
fn versions_14_and_18_serve_as_well() {
    for version in ["14", "pg18"] {
        let builder = || TestDatabase::builder(&numbered(3)).server_version(version);
        let databases: Vec<TestDatabase> = (0..6).map(|_| builder().create().unwrap()).collect();
        for database in &databases {
            let mut client = database.connect().unwrap();
            assert!(
                value::<String>(&mut client, "SHOW server_version")
                    .starts_with(&version[version.len() - 2..])
            );
            assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t3"), 0);
        }
    }
    let error = TestDatabase::builder(&numbered(3)).server_version("newest").create().unwrap_err();
    assert_eq!(error.to_string(), "`newest` is no version of PostgreSQL: give its first number, 17");
}

#[test]
fn a_durable_server_serves_as_well() {
    let server = Server::builder().durable().start().unwrap();
    let database = TestDatabase::builder(&numbered(3)).server(&server).create().unwrap();
    assert_eq!(value::<i64>(&mut database.connect().unwrap(), "SELECT count(*) FROM t3"), 0);
}

#[test]
fn a_server_of_ones_own_is_not_kept_waiting_by_the_librarys_connections() {
    let server = own_server();
    drop(TestDatabase::builder(&numbered(3)).server(&server).create().unwrap());
    let begun = std::time::Instant::now();
    server.stop(Shutdown::Smart).unwrap();
    assert!(begun.elapsed() < std::time::Duration::from_secs(20), "it took {:?}", begun.elapsed());
}

#[test]
fn long_and_odd_names_of_tests_make_names_of_databases() {
    let catalog = numbered(1);
    for name in ["a::very::long::path::to::a::module::tests::a_sentence_about_what_is_shown", "é'\"\\ %_", ""]
    {
        let database = TestDatabase::builder(&catalog).named(name).create().unwrap();
        assert!(database.name().len() <= 63, "{}", database.name());
        database.connect().unwrap().batch_execute("SELECT 1").unwrap();
    }
}

/// A server that logs which databases were made.
fn logging_server() -> Server {
    Server::builder().setting("log_statement", "ddl").start().unwrap()
}

fn builds(server: &Server) -> usize {
    server.log().unwrap().matches("CREATE DATABASE \"habitat_building_").count()
}

/// Another process that finds this server.
fn child(test: &'static str, server: &Server) -> Program {
    program(test, "here").with("HABITAT_TEST_DATABASE_URL", server.url())
}

/// Whether a migration sleeps.
fn asleep(server: &Server) -> bool {
    let mut client = server.config().connect(NoTls).unwrap();
    value(&mut client, "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep')")
}

/// Databases of tests and half-built ones; not templates and what is ready.
fn names(server: &Server) -> Vec<String> {
    names_by(server, "name LIKE 'habitat\\_test\\_%' OR name LIKE 'habitat\\_building\\_%'")
}

fn names_by(server: &Server, condition: &str) -> Vec<String> {
    let mut client = server.config().connect(NoTls).unwrap();
    let query = format!(
        "SELECT name FROM (SELECT datname::text AS name FROM pg_database) d WHERE {condition} ORDER BY 1"
    );
    client.query(&query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[allow(dead_code, reason = "for its type")]
fn _is_shareable(database: TestDatabase, catalog: Catalog) -> impl Send + Sync + Clone + 'static {
    (database, catalog)
}
