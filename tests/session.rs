//! The session that migrations run in: R43, R44.

mod support;

use habitat_migrate::testing::Database;
use habitat_migrate::{ErrorKind, Migrator};
use postgres::Client;
use support::{catalog, database, value};

/// Everything that a script may leave set in its session, as far as the server tells, and who it is.
const STATE: &str = "SELECT string_agg(name || '=' || setting, E'\\n' ORDER BY name) || E'\\n' || current_user || ' ' || session_user \
     || ' ' || current_setting('role') FROM pg_settings WHERE context IN ('user', 'superuser') \
     AND name NOT LIKE 'transaction\\_%' AND name NOT LIKE '%.%'";

/// Leaves all that it can think of.
const UNTIDY: &str = "\
SET search_path = nowhere;
SELECT pg_catalog.set_config('application_name', 'a script', false);
SET session_replication_role = replica;
SET row_security = off;
SET statement_timeout = '7s';
SET lock_timeout = '6s';
SET idle_in_transaction_session_timeout = '5s';
SET default_transaction_isolation = serializable;
SET default_transaction_read_only = on;
SET TIME ZONE 'Asia/Kathmandu';
SET DateStyle = 'German';
SET IntervalStyle = sql_standard;
SET standard_conforming_strings = off;
SET check_function_bodies = off;
SET LOCAL work_mem = '1MB';
";

/// The first statement of the next script: it fails where anything of that is left.
fn tidy(role: &str) -> String {
    format!(
        "DO $$ BEGIN
            ASSERT current_setting('application_name') = 'caller', current_setting('application_name');
            ASSERT current_setting('search_path') = 'public, pg_catalog', current_setting('search_path');
            ASSERT current_setting('session_replication_role') = 'origin', 'session_replication_role';
            ASSERT current_setting('row_security') = 'on', 'row_security';
            ASSERT current_setting('statement_timeout') = '1min', current_setting('statement_timeout');
            ASSERT current_setting('lock_timeout') = '2s', 'lock_timeout';
            ASSERT current_setting('transaction_read_only') = 'off', 'transaction_read_only';
            ASSERT current_setting('transaction_isolation') = 'read committed', 'transaction_isolation';
            ASSERT current_setting('TimeZone') = 'Pacific/Apia', current_setting('TimeZone');
            ASSERT current_user = '{role}', current_user;
         END $$;\nCREATE TABLE tidy_{role} (id int);\n"
    )
}

/// A session in which the caller has set some things for itself.
fn caller(database: &Database) -> Client {
    let mut client =
        database.config().application_name("from the connection").connect(postgres::NoTls).unwrap();
    let set = "SET application_name = 'caller'; SET search_path = public, pg_catalog; SET statement_timeout = '1min';
               SET TIME ZONE 'Pacific/Apia'; SET DateStyle = 'SQL, DMY'; SET IntervalStyle = iso_8601;";
    client.batch_execute(set).unwrap();
    client
}

/// A role of this database's test alone; roles belong to the whole server.
fn role(client: &mut Client, database: &Database, login: &str) -> String {
    let role = format!("{login}_{}", database.name());
    client.batch_execute(&format!("CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role};")).unwrap();
    role
}

fn forget(client: &mut Client, role: &str) {
    client.batch_execute(&format!("RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role};")).unwrap();
}

#[test]
fn r44_what_a_script_sets_reaches_neither_the_next_one_nor_the_caller() {
    let database = database();
    let mut client = caller(&database);
    let before: String = value(&mut client, STATE);
    let tidy = tidy("postgres");
    let migrator = Migrator::new(catalog(
        "app",
        [("01_untidy.sql", UNTIDY), ("02_tidy.sql", &tidy), ("03_untidy.sql", UNTIDY)],
    ));
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value::<String>(&mut client, STATE), before);
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn r44_what_a_script_sets_does_not_reach_the_caller_when_a_script_fails() {
    let database = database();
    let mut client = caller(&database);
    let before: String = value(&mut client, STATE);
    for last in ["SELECT 1 / 0;", "SELEKT;", "SELECT nowhere;"] {
        let failing = format!("{UNTIDY}{last}");
        let tidy = tidy("postgres");
        let scripts = [("01_untidy.sql", UNTIDY), ("02_tidy.sql", &tidy), ("03_failing.sql", &failing)];
        let error = Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap_err();
        assert_eq!(
            error.migration().map(ToString::to_string).as_deref(),
            Some("app:03_failing"),
            "{error:?}"
        );
        assert_eq!(value::<String>(&mut client, STATE), before, "{last}");
    }
}

#[test]
fn r44_the_role_that_a_script_takes_on_goes_with_it() {
    let database = database();
    let mut client = caller(&database);
    let role = role(&mut client, &database, "builder");
    let before: String = value(&mut client, STATE);
    let tidy = tidy("postgres");
    for (n, take) in [
        format!("SET ROLE {role};"),
        format!("SET SESSION AUTHORIZATION {role};"),
        format!("SELECT set_config('role', '{role}', false);"),
        format!("SET SESSION AUTHORIZATION {role}; SET ROLE {role};"),
        format!("SELECT set_config('session_authorization', '{role}', false);"),
    ]
    .iter()
    .enumerate()
    {
        let context = format!("c{n}");
        let next = tidy.replace("tidy_", &format!("tidy_{n}_"));
        let migrator = Migrator::new(catalog(&context, [("01_takes.sql", take), ("02_next.sql", &next)]));
        migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{take}: {error:?}"));
        assert_eq!(value::<String>(&mut client, STATE), before, "{take}");
    }
    let by = "SELECT string_agg(DISTINCT deployed_by, ' ') FROM schema_migrations";
    assert_eq!(value::<String>(&mut client, by), "postgres", "the tracker is written by the login");
    forget(&mut client, &role);
}

#[test]
fn r44_the_role_that_the_caller_has_taken_on_stays() {
    let database = database();
    let mut client = caller(&database);
    let role = role(&mut client, &database, "keeper");
    client.batch_execute(&format!("SET ROLE {role}")).unwrap();
    let before: String = value(&mut client, STATE);
    let tidy = tidy(&role);
    let scripts = [("01_reset.sql", "RESET ROLE;"), ("02_tidy.sql", tidy.as_str())];
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(value::<String>(&mut client, STATE), before);
    let owner = format!("SELECT tableowner FROM pg_tables WHERE tablename = 'tidy_{role}'");
    assert_eq!(value::<String>(&mut client, &owner.replace("tableowner", "tableowner::text")), role);
    let failing = [scripts[0], scripts[1], ("03_fails.sql", "RESET ROLE; SELECT 1 / 0;")];
    Migrator::new(catalog("app", failing)).migrate(&mut client).unwrap_err();
    assert_eq!(value::<String>(&mut client, STATE), before);
    forget(&mut client, &role);
}

#[test]
fn r44_a_role_directive_holds_for_its_script_alone() {
    let database = database();
    let mut client = caller(&database);
    let role = role(&mut client, &database, "owner");
    let owned = format!("-- habitat: role {role}\nCREATE TABLE owned (id int);");
    let scripts = [("01_owned.sql", owned.as_str()), ("02_mine.sql", "CREATE TABLE mine (id int);")];
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    let owners = "SELECT string_agg(tableowner, ' ' ORDER BY tablename DESC) FROM pg_tables WHERE tablename IN ('owned', 'mine')";
    assert_eq!(value::<String>(&mut client, owners), format!("{role} postgres"));
    forget(&mut client, &role);
}

#[test]
fn r43_order_and_times_are_the_servers_whatever_the_session_shows() {
    let database = database();
    let mut reader = database.connect().unwrap();
    let scripts = ["SELECT 1;", "SELECT 2;", "SELECT pg_sleep(0.05);", "SELECT 4;"];
    let numbered = |n: usize| (1..).zip(&scripts[..n]).map(|(n, text)| (format!("{n}_x.sql"), *text));
    let before: std::time::SystemTime = value(&mut reader, "SELECT clock_timestamp()");
    let styles = [
        ("Pacific/Kiritimati", "German", "sql_standard"),
        ("America/Caracas", "SQL, DMY", "postgres_verbose"),
        ("<+13:37>-13:37", "Postgres, MDY", "iso_8601"),
        ("UTC", "ISO, YMD", "postgres"),
    ];
    for (n, (zone, date, interval)) in styles.iter().enumerate() {
        let mut client = database.connect().unwrap();
        let set =
            format!("SET TIME ZONE '{zone}'; SET DateStyle = '{date}'; SET IntervalStyle = '{interval}';");
        client.batch_execute(&set).unwrap();
        let migrator = Migrator::new(catalog("app", numbered(n + 1)));
        migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{zone}: {error:?}"));
        let history = migrator.history(&mut client).unwrap();
        for record in history.records() {
            let sql = "SELECT deployed_at, extract(epoch FROM execution_time)::float8, deployed_at BETWEEN $2 AND clock_timestamp()
                       FROM schema_migrations WHERE version = $1";
            let row = reader.query_one(sql, &[&record.id().version().as_str(), &before]).unwrap();
            assert_eq!(
                record.deployed_at(),
                chrono::DateTime::<chrono::Utc>::from(row.get::<_, std::time::SystemTime>(0))
            );
            assert!((record.execution_time().as_secs_f64() - row.get::<_, f64>(1)).abs() < 1e-6);
            assert!(row.get::<_, bool>(2), "{zone}: {record:?}");
        }
        let order: Vec<&str> =
            history.records().iter().map(|record| record.id().version().as_str()).collect();
        assert_eq!(order, ["1_x", "2_x", "3_x", "4_x"][..=n]);
    }
    let types = "SELECT string_agg(DISTINCT data_type, ', ') FROM information_schema.columns
                 WHERE table_name LIKE 'schema\\_migrations%' AND column_name IN ('deployed_at', 'logged_at')";
    assert_eq!(value::<String>(&mut reader, types), "timestamp with time zone");
    let increasing = "SELECT bool_and(a.run_order < b.run_order AND a.deployed_at < b.deployed_at)
                      FROM schema_migrations a JOIN schema_migrations b ON a.ordinal < b.ordinal";
    assert!(value::<bool>(&mut reader, increasing));
    assert!(value::<bool>(
        &mut reader,
        "SELECT execution_time >= '50 ms' FROM schema_migrations WHERE version = '3_x'"
    ));
}

#[test]
fn r43_nobody_writes_the_order_by_hand() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(catalog("app", [("1_x.sql", "SELECT 1;")])).migrate(&mut client).unwrap();
    let error = client.batch_execute("UPDATE schema_migrations SET run_order = 0").unwrap_err();
    assert_eq!(error.code().map(|code| code.code()), Some("428C9"), "{error:?}");
    let schema = Migrator::new(catalog("app", [("1_x.sql", "SELECT 1;")])).schema("");
    assert_eq!(schema.migrate(&mut client).unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_client_inside_of_a_failed_transaction_is_refused_like_any_other_transaction() {
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute("BEGIN").unwrap();
    client.batch_execute("SELECT 1 / 0").unwrap_err();
    let error = Migrator::new(catalog("app", [("1_x.sql", "SELECT 1;")])).migrate(&mut client).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InTransaction, "{error:?}");
    let error = client.batch_execute("SELECT 1").unwrap_err();
    assert_eq!(
        error.code().map(|code| code.code()),
        Some("25P02"),
        "the transaction is still the caller's: {error:?}"
    );
}

#[test]
fn r44_what_a_script_leaves_in_the_session_goes_with_it() {
    let database = database();
    let mut client = database.connect().unwrap();
    client.batch_execute("CREATE TABLE items (id int)").unwrap();
    let leave = "CREATE TEMP TABLE items AS SELECT 1 AS id; PREPARE p AS SELECT 1; LISTEN l; \
                 DECLARE c CURSOR WITH HOLD FOR SELECT 1;";
    let scripts = [("01_leave.sql", leave), ("02_insert.sql", "INSERT INTO items VALUES (7);")];
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    let left = "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = pg_my_temp_schema()) \
                || '/' || (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) \
                || '/' || (SELECT count(*) FROM pg_cursors WHERE is_holdable) \
                || '/' || (SELECT count(*) FROM pg_listening_channels())";
    assert_eq!(value::<String>(&mut client, left), "0/0/0/0");
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM items"),
        1,
        "it is in the table that is meant"
    );
}

#[test]
fn r44_what_the_caller_has_in_its_session_stays() {
    let database = database();
    let mut client = database.connect().unwrap();
    client
        .batch_execute("CREATE TEMP TABLE mine AS SELECT 1 AS id; LISTEN mine; PREPARE mine AS SELECT 1;")
        .unwrap();
    Migrator::new(catalog("app", [("01_a.sql", "CREATE TABLE a (id int);")])).migrate(&mut client).unwrap();
    client.batch_execute("SELECT * FROM mine; EXECUTE mine;").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM pg_listening_channels()"), 1);
}

#[test]
fn r43_what_an_event_trigger_sets_behind_plain_definitions_is_gone_when_the_run_ends() {
    let database = database();
    database
        .connect()
        .unwrap()
        .batch_execute(
            "CREATE FUNCTION meddle() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN
                 PERFORM set_config('application_name', 'a trigger', false), set_config('search_path', 'nowhere', false);
             END $$;
             CREATE EVENT TRIGGER meddles ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION meddle()",
        )
        .unwrap();
    let mut client = caller(&database);
    let before = value::<String>(&mut client, STATE);
    let scripts = (1..=3).map(|n| (format!("{n}_t.sql"), format!("CREATE TABLE public.t{n} (id int);\n")));
    Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap();
    assert_eq!(value::<String>(&mut client, STATE), before);
}
