//! A schema first on the search path that lies, and names that try to be more than names: R46, R48.

mod support;

use std::sync::mpsc;
use std::time::Duration;

use habitat_migrate::testing::Database;
use habitat_migrate::{ErrorKind, Event, Loader, Migrator, Scripts};
use postgres::{Client, NoTls};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use support::{catalog, database, leftovers, value, wait_for};

/// Every function, operator, type, table and collation that the library's statements name, once more in a schema of
/// somebody else's; whoever calls one of them hears of it.
fn trap(client: &mut Client) {
    let mut sql = String::from("CREATE SCHEMA evil;\n");
    let functions = "now(); clock_timestamp(); statement_timestamp(); transaction_timestamp(); \
        current_database(); pg_backend_pid(); pg_is_in_recovery(); inet_client_addr(); \
        pg_current_xact_id_if_assigned(); version(); count(anyelement); max(bigint); max(int); \
        max(numeric); sum(bigint); sum(int); bool_or(boolean); set_config(text, text, boolean); \
        current_setting(text); current_setting(text, boolean); to_regclass(text); \
        to_regnamespace(text); pg_try_advisory_xact_lock(bigint); pg_try_advisory_lock(bigint); \
        pg_advisory_lock(bigint); pg_advisory_xact_lock(bigint); pg_advisory_unlock(bigint); \
        host(inet); int4pl(int, int); query_to_xml(text, boolean, boolean, text); \
        date_part(text, timestamptz); date_part(text, interval); extract(text, timestamptz); \
        extract(text, interval); concat(text, text); concat(bigint, text, bigint, text, boolean); \
        concat(bigint, text, numeric, text, boolean); coalesce(int, int); lower(text); \
        length(text); quote_ident(text); quote_literal(text); has_table_privilege(oid, text); \
        has_schema_privilege(oid, text); has_database_privilege(text, text); format(text)";
    for function in functions.split("; ") {
        let (name, arguments) = function.split_once('(').unwrap();
        let arguments = arguments.trim_end_matches(')');
        sql.push_str(&format!(
            "CREATE FUNCTION evil.\"{name}\"({arguments}) RETURNS text LANGUAGE plpgsql AS \
             $$ BEGIN RAISE 'evil {name} was called'; END $$;\n"
        ));
    }
    let types = "text int4 int8 bool numeric timestamptz interval name oid xid inet";
    for kind in types.split(' ') {
        for operator in ["=", "<>", "<", ">", "<=", ">=", "||", "-", "+", "*", "/"] {
            let name = format!("evil.\"{operator} {kind}\"");
            sql.push_str(&format!(
                "CREATE FUNCTION {name}(pg_catalog.{kind}, pg_catalog.{kind}) RETURNS pg_catalog.bool LANGUAGE plpgsql AS \
                 $$ BEGIN RAISE 'evil {operator} was called'; END $$;\n\
                 CREATE OPERATOR evil.{operator} (LEFTARG = pg_catalog.{kind}, RIGHTARG = pg_catalog.{kind}, FUNCTION = {name});\n"
            ));
        }
    }
    // Types last: the statements above name them, too.
    for kind in types.split(' ').chain(["boolean", "bigint", "integer", "varchar", "regclass"]) {
        sql.push_str(&format!("CREATE TYPE evil.\"{kind}\" AS ENUM ('evil');\n"));
    }
    for table in [
        "pg_settings",
        "pg_locks",
        "pg_stat_activity",
        "pg_attribute",
        "pg_class",
        "pg_database",
        "pg_namespace",
        "schema_migrations",
        "schema_migrations_log",
    ] {
        sql.push_str(&format!("CREATE TABLE evil.{table} (evil pg_catalog.int4);\n"));
    }
    sql.push_str("CREATE COLLATION evil.\"C\" FROM pg_catalog.\"POSIX\";\n");
    client.batch_execute(&sql).unwrap();
}

const PATH: &str = "evil, pg_catalog, public";

/// A connection that the trap cannot deceive.
fn honest(database: &Database) -> Client {
    database.config().options("-c search_path=pg_catalog,public").connect(NoTls).unwrap()
}

/// Boots of every kind; all of them have the trap before their eyes.
fn boots(client: &mut Client, schema: &str) {
    let scripts = [
        ("01_a.sql", "CREATE TABLE public.a (id pg_catalog.int4);"),
        ("02_b.sql", "SELECT 'b\\';"),
        ("03_c.sql", "CREATE TABLE public.c (id pg_catalog.int4);"),
    ];
    let migrator = |n: usize| Migrator::new(catalog("app", scripts[..n].to_vec())).schema(schema);
    let applied = |client: &mut Client, n: usize| {
        let report = migrator(n).migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
        (report.applied().len(), report.already_applied(), report.newer())
    };
    assert_eq!(migrator(2).plan(client).unwrap().pending().len(), 2);
    assert_eq!(applied(client, 2), (2, 0, 0), "first boot");
    assert_eq!(applied(client, 2), (0, 2, 0), "nothing to do");
    assert_eq!(applied(client, 3), (1, 2, 0), "one more");
    assert_eq!(applied(client, 1), (0, 1, 2), "an older program");
    let history = migrator(3).history(client).unwrap();
    let versions: Vec<&str> = history.records().iter().map(|record| record.id().version().as_str()).collect();
    assert_eq!(versions, ["01_a", "02_b", "03_c"]);
    assert!(history.records().iter().all(|record| record.deployed_by() == "postgres"));

    let failing = catalog("app", scripts.into_iter().chain([("04_d.sql", "\nSELECT nowhere;")]));
    let error = Migrator::new(failing).schema(schema).migrate(client).unwrap_err();
    assert_eq!(
        (error.kind(), error.location().map(|place| place.1)),
        (ErrorKind::Migration, Some(2)),
        "{error:?}"
    );
}

fn assert_sound(database: &Database, schema: &str) {
    let mut client = honest(database);
    let log = format!(
        "SELECT string_agg(event || ' ' || version, ', ' ORDER BY id) FROM {schema}.schema_migrations_log"
    );
    assert_eq!(value::<String>(&mut client, &log), "apply 01_a, apply 02_b, apply 03_c, failure 04_d");
    let types = format!(
        "SELECT count(*) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid \
         WHERE a.attrelid = '{schema}.schema_migrations'::regclass AND t.typnamespace <> 'pg_catalog'::regnamespace"
    );
    assert_eq!(value::<i64>(&mut client, &types), 0);
    let collations = "SELECT count(*) FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation \
                      WHERE c.collnamespace = 'evil'::regnamespace";
    assert_eq!(value::<i64>(&mut client, collations), 0);
    assert_eq!(leftovers(&mut client), (0, 0), "the failure was cleaned up");
    for table in ["schema_migrations", "schema_migrations_log"] {
        assert_eq!(value::<i64>(&mut client, &format!("SELECT count(*) FROM evil.{table}")), 0);
    }
}

#[test]
fn the_trap_shuts() {
    let database = database();
    let mut client = database.connect().unwrap();
    trap(&mut client);
    client.batch_execute(&format!("SET search_path = {PATH}")).unwrap();
    for bait in [
        "SELECT now()",
        "SELECT count(1)",
        "SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text",
        "SELECT 1 < 2",
        "SELECT to_regclass('x')",
        "SELECT set_config('a.b', 'c', false)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "SELECT 1::int8",
        "SELECT 2 * 3",
        "SELECT pid FROM pg_locks",
        "SELECT name FROM pg_settings",
        "SELECT version FROM schema_migrations",
    ] {
        client.simple_query(bait).expect_err(bait);
    }
}

#[test]
fn r46_what_stands_first_on_the_databases_search_path_is_never_called() {
    let database = database();
    trap(&mut database.connect().unwrap());
    let set = format!("ALTER DATABASE {} SET search_path = {PATH}", database.name());
    honest(&database).batch_execute(&set).unwrap();
    let mut client = database.connect().unwrap();
    // Something to set again after every script.
    client.batch_execute("SET application_name = 'caller'").unwrap();
    boots(&mut client, "public");
    assert_sound(&database, "public");
}

#[test]
fn r46_what_stands_first_on_the_sessions_search_path_is_never_called() {
    let database = database();
    let mut client = database.connect().unwrap();
    trap(&mut client);
    client.batch_execute(&format!("SET search_path = {PATH}")).unwrap();
    // What is temporary stands first even where nobody asked for it.
    let temporary = "CREATE TEMP TABLE pg_settings (evil pg_catalog.int4); CREATE TEMP TABLE pg_locks (evil pg_catalog.int4); \
                     CREATE TEMP TABLE schema_migrations (evil pg_catalog.int4); CREATE TYPE pg_temp.text AS ENUM ('evil');";
    client.batch_execute(temporary).unwrap();
    boots(&mut client, "tracker");
    assert_sound(&database, "tracker");
}

#[test]
fn r46_a_foreign_tracker_and_a_waiting_process_call_none_of_it_either() {
    let database = database();
    let mut client = honest(&database);
    trap(&mut client);
    client
        .batch_execute(
            "CREATE SCHEMA theirs; CREATE TABLE theirs.schema_migrations (version pg_catalog.text)",
        )
        .unwrap();
    client.batch_execute(&format!("ALTER DATABASE {} SET search_path = {PATH}", database.name())).unwrap();
    let quick = catalog("app", [("01_a.sql", "SELECT 1;")]);
    let error =
        Migrator::new(quick.clone()).schema("theirs").migrate(&mut database.connect().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignTracker, "{error:?}");

    // The lock is held for as long as this transaction keeps the other run's script waiting.
    client.batch_execute("CREATE TABLE public.gate ()").unwrap();
    client.batch_execute("BEGIN; LOCK TABLE public.gate;").unwrap();
    let mut slow = database.connect().unwrap();
    let run = std::thread::spawn(move || {
        Migrator::new(catalog("slow", [("01_a.sql", "LOCK TABLE public.gate;")])).migrate(&mut slow).map(drop)
    });
    let waiting =
        "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'public.gate'::regclass AND NOT granted)";
    wait_for("the script", || value(&mut client, waiting));
    let (tell, told) = mpsc::channel();
    let migrator = Migrator::new(quick).lock_poll(Duration::from_millis(5)).on_event(move |event| {
        if let Event::Waiting { holder, .. } = event {
            let _ = tell.send(holder.clone());
        }
    });
    let mut waiter = database.connect().unwrap();
    let wait = std::thread::spawn(move || migrator.migrate(&mut waiter).map(|report| report.applied().len()));
    assert!(told.recv_timeout(Duration::from_secs(10)).unwrap().is_some_and(|holder| holder.pid > 0));
    client.batch_execute("COMMIT").unwrap();
    run.join().unwrap().unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(wait.join().unwrap().unwrap_or_else(|error| panic!("{error:?}")), 1);
}

#[test]
fn r46_a_login_that_lacks_a_right_is_told_so_by_honest_functions() {
    let database = database();
    let mut client = honest(&database);
    trap(&mut client);
    let role = format!("poor_{}", database.name());
    let create = format!(
        "CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA evil TO {role}; REVOKE ALL ON SCHEMA public FROM PUBLIC; \
         ALTER DATABASE {} SET search_path = {PATH}",
        database.name()
    );
    client.batch_execute(&create).unwrap();
    let mut poor = database.config().user(&role).connect(NoTls).unwrap();
    let error = Migrator::new(catalog("app", [("01_a.sql", "SELECT 1;")])).migrate(&mut poor).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tracker, "{error:?}");
    let grant = format!("GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"{role}\";");
    assert!(error.diagnostic().to_string().contains(&grant), "{error:?}");
    drop(poor);
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role};")).unwrap();
}

/// Boots twice with the tracker in a schema of this name.
fn keep_tracker_in(client: &mut Client, name: &str) -> Result<(), String> {
    let migrator = Migrator::new(catalog("app", [("01_a.sql", "SELECT 1;")])).schema(name);
    let first = migrator.migrate(client).map_err(|error| format!("{name:?}: {error:?}"))?;
    let second = migrator.migrate(client).map_err(|error| format!("{name:?}: {error:?}"))?;
    let records = migrator.history(client).map_err(|error| format!("{name:?}: {error:?}"))?;
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = $1";
    let tables: i64 = client.query_one(tables, &[&name]).map_err(|error| error.to_string())?.get(0);
    let found = (first.applied().len(), second.applied().len(), records.records().len(), tables);
    if found == (1, 0, 1, 2) { Ok(()) } else { Err(format!("{name:?}: {found:?}")) }
}

#[test]
fn r48_a_schema_may_have_any_name_that_postgresql_can_keep() {
    let database = database();
    let mut client = database.connect().unwrap();
    let longest = "é".repeat(31) + "x";
    for name in [
        "order",
        "select",
        "user",
        "NULL",
        "Mixed Case",
        "a\"b",
        "\"",
        "\"\"",
        "a'b",
        "'; DROP SCHEMA public; --",
        "--",
        "/*",
        "$$",
        "$tag$",
        "a;b",
        "two\nlines",
        "tab\tand\rreturn",
        "back\\slash",
        "\\",
        "a.b",
        "%s",
        "<v>9 9 t</v>",
        "&amp;",
        "🐘",
        "数据库",
        " ",
        "?",
        "$1",
        "public ",
        longest.as_str(),
    ] {
        keep_tracker_in(&mut client, name).unwrap();
    }
    // Also where a backslash in a plain literal would be an escape.
    client.batch_execute("SET standard_conforming_strings = off; SET escape_string_warning = off").unwrap();
    for name in ["other\\slash", "other\\'; SELECT 1; --", "x\\\\'"] {
        keep_tracker_in(&mut client, name).unwrap();
    }
    for name in ["", "a\0b", "\0", &"x".repeat(64), &"é".repeat(32), &"🐘".repeat(16)] {
        let migrator = Migrator::new(catalog("app", [("01_a.sql", "SELECT 1;")])).schema(name);
        let error = migrator.migrate(&mut client).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{name:?}: {error:?}");
        assert_eq!(migrator.history(&mut client).unwrap_err().kind(), ErrorKind::Invalid);
    }
}

#[test]
fn r48_no_name_of_a_schema_is_more_than_a_name() {
    let database = database();
    let mut client = database.connect().unwrap();
    let pieces = prop_oneof![
        "[\"'\\\\$;.\\-*/&<>%? \n\r\t\u{1}\u{7f}]",
        "[a-zA-Z_0-9]",
        Just("--".to_owned()),
        Just("$$".to_owned()),
        Just("é🐘".to_owned()),
        "[^\0]",
    ];
    let names = prop::collection::vec(pieces, 1..16).prop_map(|pieces| pieces.concat());
    let kept = names
        .prop_filter("a name that the server keeps", |name| name.len() <= 63 && !name.starts_with("pg_"));
    let mut runner = TestRunner::new(Config { cases: 40, failure_persistence: None, ..Config::default() });
    let client = std::cell::RefCell::new(&mut client);
    let outcome = runner.run(&kept, |name| {
        let mut client = client.borrow_mut();
        // A short name may come twice.
        let drop = client.query_one("SELECT format('DROP SCHEMA IF EXISTS %I CASCADE', $1::text)", &[&name]);
        client.batch_execute(drop.unwrap().get(0)).unwrap();
        keep_tracker_in(&mut client, &name).map_err(TestCaseError::fail)
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn r48_contexts_and_roles_are_names_too() {
    let database = database();
    let mut client = database.connect().unwrap();
    for context in ["order", "select", "user", "a-b", "a.b", "--", "数据库", "ÉTÉ", &"x".repeat(200)] {
        let migrator = Migrator::new(catalog(context, [("01_a.sql", "SELECT 1;")]));
        assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1, "{context}");
        assert!(migrator.migrate(&mut client).unwrap().is_unchanged(), "{context}");
        let recorded = "SELECT count(*) FROM schema_migrations WHERE context = $1";
        assert_eq!(client.query_one(recorded, &[&context]).unwrap().get::<_, i64>(0), 1, "{context}");
    }
    for context in ["", "a'b", "a\"b", "a;b", "a\nb", "a\0b", "a b", "$$", "🐘", &"x".repeat(201)] {
        let scripts = Scripts::new(context, [("01_a.sql", "SELECT 1;")]);
        assert!(Loader::new().source(scripts).load().is_err(), "{context:?}");
    }
    for (n, role) in
        ["order", "user", "a; DROP TABLE x; --", "$$ role $$", "🐘", "back\\slash", "None"].iter().enumerate()
    {
        let role = format!("{role} {}", database.name());
        let quoted = format!("\"{role}\"");
        client
            .batch_execute(&format!("CREATE ROLE {quoted}; GRANT ALL ON SCHEMA public TO {quoted};"))
            .unwrap();
        let script = format!("-- habitat: role {role}\nCREATE TABLE of_{n} ();");
        let scripts = [("01_a.sql", script.as_str())];
        let outcome = Migrator::new(catalog(&format!("r{n}"), scripts)).migrate(&mut client);
        outcome.unwrap_or_else(|error| panic!("{role}: {error:?}"));
        let owner: String =
            value(&mut client, &format!("SELECT tableowner::text FROM pg_tables WHERE tablename = 'of_{n}'"));
        assert_eq!(owner, role);
        client.batch_execute(&format!("DROP OWNED BY {quoted}; DROP ROLE {quoted};")).unwrap();
    }
}
