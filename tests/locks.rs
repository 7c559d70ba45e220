//! Migrations on tables that are in use.

mod support;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[cfg(target_os = "linux")]
use habitat_migrate::testing::Server;
use habitat_migrate::{Event, Migrator};
use postgres::{Client, NoTls};
use support::{catalog, database, value};

const TABLE: (&str, &str) = ("01_t.sql", "CREATE TABLE t (id int)");
const COLUMN: (&str, &str) =
    ("02_column.sql", "CREATE TABLE u (id int);\nALTER TABLE t ADD COLUMN name text");

/// A session that has read `t` and does nothing since, in a transaction.
fn idle_reader(database: &habitat_migrate::testing::Database) -> Client {
    let mut reader = database.config().application_name("forgotten").connect(NoTls).unwrap();
    reader.batch_execute("BEGIN; SELECT count(*) FROM t;").unwrap();
    reader
}

#[test]
fn r13_readers_never_wait_longer_than_the_lock_timeout_and_the_last_error_names_who_was_in_the_way() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(catalog("app", [TABLE])).migrate(&mut client).unwrap();
    let mut reader = idle_reader(&database);
    let pid: i32 = value(&mut reader, "SELECT pg_backend_pid()");
    // Somebody else, who is not in the way.
    let mut bystander = database.connect().unwrap();
    bystander
        .batch_execute("CREATE TABLE elsewhere (id int); BEGIN; SELECT count(*) FROM elsewhere;")
        .unwrap();
    let retries = Arc::new(Mutex::new(Vec::new()));
    let told = retries.clone();
    let migrator = Migrator::new(catalog("app", [TABLE, COLUMN]))
        .lock_timeout(Duration::from_millis(300))
        .retry_budget(Duration::from_secs(2))
        .on_event(move |event| {
            if let Event::Retrying { blockers, .. } = event {
                told.lock().unwrap().push(blockers.len());
            }
        });
    let done = AtomicBool::new(false);
    let (error, longest) = std::thread::scope(|scope| {
        let reading = scope.spawn(|| {
            let mut other = database.connect().unwrap();
            let mut longest = Duration::ZERO;
            while !done.load(Ordering::Relaxed) {
                let started = Instant::now();
                other.batch_execute("SELECT count(*) FROM t").unwrap();
                longest = longest.max(started.elapsed());
            }
            longest
        });
        let error = migrator.migrate(&mut client).unwrap_err();
        done.store(true, Ordering::Relaxed);
        (error, reading.join().unwrap())
    });
    let named = retries.lock().unwrap().clone();
    assert!(named.iter().all(|blockers| *blockers == 1), "one was in the way each time: {named:?}");
    let retries = named.len();
    println!("{retries} retries; the longest wait of a reader was {longest:?}, the lock timeout is 300 ms");
    assert!((2..20).contains(&retries), "{retries} retries");
    assert!(longest > Duration::from_millis(150), "it has to have been in the way: {longest:?}");
    assert!(longest < Duration::from_millis(300 + 400), "{longest:?}");
    assert_eq!(error.server_error().unwrap().code, "55P03");
    let [blocker] = error.blockers() else { panic!("{error:?}") };
    assert_eq!((blocker.session.pid, blocker.session.application.as_deref()), (pid, Some("forgotten")));
    assert_eq!(
        (blocker.state.as_deref(), blocker.relation.as_str()),
        (Some("idle in transaction"), "public.t")
    );
    assert!(blocker.session.age.unwrap() > Duration::from_secs(1), "{blocker}");
    let text = format!("{error:?}");
    assert!(text.contains(&format!("nothing of it was kept ({} attempts)", retries + 1)), "{text}");
    assert!(text.contains(&format!("in the way: process {pid} (forgotten)")), "{text}");
    assert!(value::<bool>(&mut client, "SELECT to_regclass('u') IS NULL"));
    bystander.batch_execute("COMMIT").unwrap();
    assert_eq!(support::leftovers(&mut reader), (0, 0));

    reader.batch_execute("COMMIT").unwrap();
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
}

#[test]
fn r13_a_reader_that_ends_meanwhile_lets_the_migration_through() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(catalog("app", [TABLE])).migrate(&mut client).unwrap();
    let mut reader = idle_reader(&database);
    let migrator = Migrator::new(catalog("app", [TABLE, COLUMN])).lock_timeout(Duration::from_millis(100));
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(700));
            reader.batch_execute("COMMIT").unwrap();
        });
        assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
    });
}

/// A script that fails so often with a code, counted by a sequence, which no rollback takes back.
fn failing(code: &str, times: u32) -> String {
    format!(
        "INSERT INTO t VALUES (2);\n\
         DO $$ BEGIN IF nextval('attempts') <= {times} THEN RAISE EXCEPTION 'try again' USING ERRCODE = '{code}'; END IF; END $$;"
    )
}

#[test]
fn r14_what_passes_by_itself_is_tried_again_as_a_whole_and_nothing_else_is() {
    let cases =
        [("55P03", 3), ("40P01", 3), ("40001", 3), ("23505", 1), ("57014", 1), ("P0001", 1), ("42501", 1)];
    for (code, attempts) in cases {
        for blocking in [true, false] {
            let database = database();
            let mut client = database.connect().unwrap();
            let first = ("01_t.sql", "CREATE TABLE t (id int); CREATE SEQUENCE attempts;");
            let script = failing(code, 2);
            let catalog = catalog("app", [first, ("02_x.sql", script.as_str()), ("03_y.sql", "SELECT 3")]);
            let retries = Arc::new(Mutex::new(0));
            let told = retries.clone();
            let migrator =
                Migrator::new(catalog).retry_budget(Duration::from_secs(20)).on_event(move |event| {
                    if let Event::Retrying { .. } = event {
                        *told.lock().unwrap() += 1;
                    }
                });
            let outcome = if blocking {
                migrator.migrate(&mut client)
            } else {
                tokio::runtime::Runtime::new().unwrap().block_on(async {
                    let (mut client, connection) =
                        tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
                    tokio::spawn(connection);
                    migrator.migrate(&mut client).await
                })
            };
            assert_eq!(*retries.lock().unwrap(), attempts - 1, "{code}: {outcome:?}");
            let passes = attempts > 1;
            assert_eq!(outcome.is_ok(), passes, "{code}: {outcome:?}");
            assert_eq!(
                value::<i64>(&mut client, "SELECT count(*) FROM t"),
                i64::from(passes),
                "{code}: once, if at all"
            );
            if let Err(error) = outcome {
                assert!(!error.to_string().contains("attempts"), "{error}");
            }
            assert_eq!(support::leftovers(&mut client), (0, 0));
        }
    }
}

#[test]
fn r14_a_deadlock_is_tried_again() {
    let database = database();
    let mut client = database.connect().unwrap();
    let scripts = [("01_t.sql", "CREATE TABLE a (id int);\nCREATE TABLE b (id int);")];
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap();
    let mut other = database.connect().unwrap();
    other.batch_execute("SET deadlock_timeout = '10s'; BEGIN; LOCK TABLE b;").unwrap();
    let lock = "SET LOCAL deadlock_timeout = '100ms';\nLOCK TABLE a;\nLOCK TABLE b;";
    let migrator =
        Migrator::new(catalog("app", [scripts[0], ("02_x.sql", lock)])).lock_timeout(Duration::from_secs(60));
    std::thread::scope(|scope| {
        let migrating = scope.spawn(|| migrator.migrate(&mut client).unwrap());
        std::thread::sleep(Duration::from_millis(50));
        other.batch_execute("LOCK TABLE a; COMMIT;").unwrap();
        assert_eq!(migrating.join().unwrap().applied().len(), 1);
    });
}

#[test]
fn r15_a_declared_budget_beats_the_roles_own_timeout_and_leaves_it_as_it_is() {
    let database = database();
    let mut admin = database.connect().unwrap();
    let role = format!("hasty_{}", database.name());
    let create = format!(
        "CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role}; \
         ALTER ROLE {role} SET statement_timeout = '1s'; ALTER ROLE {role} SET lock_timeout = '1s';"
    );
    admin.batch_execute(&create).unwrap();
    let mut client = database.config().user(&role).connect(NoTls).unwrap();
    let slow = "-- habitat: statement-timeout 10s\nSELECT pg_sleep(3);";
    let shown = "CREATE TABLE shown AS SELECT current_setting('statement_timeout') AS own;";
    let scripts = [("01_slow.sql", slow), ("02_shown.sql", shown)];
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value::<String>(&mut client, "SELECT own FROM shown"), "1s", "only the one that declares it");
    assert_eq!(value::<String>(&mut client, "SHOW statement_timeout"), "1s");
    let undeclared = [scripts[0], scripts[1], ("03_slow.sql", "SELECT pg_sleep(3)")];
    let error = Migrator::new(catalog("app", undeclared)).migrate(&mut client).unwrap_err();
    assert_eq!(error.server_error().unwrap().code, "57014", "{error:?}");
    drop(client);
    admin.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn r50_objects_belong_to_the_role_that_a_script_names_whoever_runs_it() {
    let mut seen = Vec::new();
    for login in ["ann", "bob"] {
        let database = database();
        let mut admin = database.connect().unwrap();
        let (owner, login) = (format!("owner_{}", database.name()), format!("{login}_{}", database.name()));
        let create = format!(
            "CREATE ROLE {owner}; CREATE ROLE {login} LOGIN IN ROLE {owner}; GRANT ALL ON SCHEMA public TO {owner}, {login};"
        );
        admin.batch_execute(&create).unwrap();
        let script = format!(
            "-- habitat: role {owner}\nCREATE TABLE t (id int);\nCREATE VIEW v AS SELECT 1 AS one;\nCREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n\
             GRANT SELECT ON t TO PUBLIC;"
        );
        let mut client = database.config().user(&login).connect(NoTls).unwrap();
        Migrator::new(catalog("app", [("01_t.sql", script.as_str())])).migrate(&mut client).unwrap();
        let owners = "SELECT string_agg(concat_ws(' ', relname, pg_get_userbyid(relowner), relacl), '; ' ORDER BY relname) FROM pg_class \
                      WHERE relnamespace = 'public'::regnamespace AND relname IN ('t', 'v')";
        let text: String = value(&mut admin, owners);
        assert!(text.contains(&owner) && !text.contains(&login), "{text}");
        let by: String = value(&mut admin, "SELECT deployed_by FROM schema_migrations");
        assert_eq!(by, login, "the record tells who ran it");
        seen.push(text.replace(&owner, "owner"));
        drop(client);
        admin
            .batch_execute(&format!("DROP OWNED BY {owner}, {login}; DROP ROLE {login}; DROP ROLE {owner};"))
            .unwrap();
    }
    assert_eq!(seen[0], seen[1]);
}

// Elsewhere the server cannot.
#[cfg(target_os = "linux")]
#[test]
fn the_server_looks_for_its_client_unless_nothing_that_runs_can_take_that_long() {
    let server = Server::builder().setting("log_statement", "all").start().unwrap();
    let quick = "CREATE TABLE quick (id int); COMMENT ON TABLE t IS 't'";
    let watches = |script: &'static str, lock_timeout: u64| {
        let database = server.database().unwrap();
        let mut client = database.connect().unwrap();
        Migrator::new(catalog("app", [TABLE])).migrate(&mut client).unwrap();
        let logged = server.log().unwrap().len();
        let migrator = Migrator::new(catalog("app", [TABLE, ("02_next.sql", script)]));
        migrator.lock_timeout(Duration::from_secs(lock_timeout)).migrate(&mut client).unwrap();
        let log = server.log().unwrap();
        assert!(log[logged..].contains(script), "{log}");
        log[logged..].contains("client_connection_check_interval = 5000")
    };
    assert!(!watches(quick, 2));
    assert!(watches(quick, 60), "it may wait for a lock that long");
    assert!(watches("CREATE INDEX ON t (id)", 2), "it takes as long as the table is large");
    assert!(watches("ALTER TABLE t ADD COLUMN name text", 2));
}
