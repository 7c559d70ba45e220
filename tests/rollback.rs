//! Taking migrations back.

mod support;

use habitat_migrate::policy::Rollback;
use habitat_migrate::{Catalog, ErrorKind, Loader, MigrationId, Migrator, Refusal, Scripts};
use postgres::{Client, NoTls};
use support::{catalog, database, value};

fn id(text: &str) -> MigrationId {
    let (context, version) = text.split_once(':').unwrap();
    MigrationId::new(context.to_owned(), habitat_migrate::Version::new(version.to_owned()))
}

/// A catalog of tables, each with the script that takes it away.
fn tables(names: &[&str]) -> Catalog {
    let scripts = names.iter().flat_map(|name| {
        let table = name.split_once('_').unwrap().1;
        [
            (format!("{name}.sql"), format!("CREATE TABLE {table} (id int);")),
            (format!("{name}.down.sql"), format!("DROP TABLE {table};")),
        ]
    });
    catalog("app", scripts)
}

fn applied(client: &mut Client) -> String {
    value(
        client,
        "SELECT coalesce(string_agg(context || ':' || version, ' ' ORDER BY run_order), '') FROM schema_migrations",
    )
}

fn undone(report: &habitat_migrate::Report) -> Vec<String> {
    report.undone().iter().map(|step| step.id().to_string()).collect()
}

#[test]
fn what_a_migration_has_dropped_comes_back_by_a_script_that_only_defines_it() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(catalog(
        "app",
        [
            ("01_a.sql", "CREATE TABLE a (id int)"),
            ("02_gone.sql", "DROP TABLE a"),
            ("02_gone.down.sql", "CREATE TABLE a (id int); COMMENT ON TABLE a IS 'back'"),
        ],
    ));
    migrator.migrate(&mut client).unwrap();
    migrator.rollback(&mut client, Rollback::Last).unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM a"), 0);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 1);
}

#[test]
fn the_last_some_all_or_those_behind_one_are_taken_back() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(tables(&["01_a", "02_b", "03_c", "04_d"]));
    let cases: [(Rollback, &[&str]); 5] = [
        (Rollback::Last, &["app:04_d"]),
        (Rollback::Steps(3), &["app:04_d", "app:03_c", "app:02_b"]),
        (Rollback::To(id("app:02_b")), &["app:04_d", "app:03_c"]),
        (Rollback::All, &["app:04_d", "app:03_c", "app:02_b", "app:01_a"]),
        (Rollback::Steps(9), &["app:04_d", "app:03_c", "app:02_b", "app:01_a"]),
    ];
    for (rollback, expected) in cases {
        migrator.migrate(&mut client).unwrap();
        let report = migrator.rollback(&mut client, rollback.clone()).unwrap();
        assert_eq!(undone(&report), expected, "{rollback:?}");
        let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('a', 'b', 'c', 'd')";
        assert_eq!(value::<i64>(&mut client, tables), 4 - expected.len() as i64, "{rollback:?}");
        assert_eq!(
            value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"),
            4 - expected.len() as i64
        );
        assert_eq!(support::leftovers(&mut client), (0, 0));
    }
    assert!(migrator.rollback(&mut client, Rollback::Last).unwrap().is_unchanged(), "nothing is left");
    let log = "SELECT string_agg(event || ' ' || version, ', ' ORDER BY id) FROM schema_migrations_log WHERE version = '01_a'";
    assert_eq!(
        value::<String>(&mut client, log),
        "apply 01_a, rollback 01_a, apply 01_a, rollback 01_a",
        "{}",
        migrator.migrate(&mut client).unwrap()
    );
}

#[test]
fn r29_a_missing_down_script_stops_everything_before_the_first_statement() {
    let database = database();
    let mut client = database.connect().unwrap();
    let scripts = [
        ("01_a.sql", "CREATE TABLE a (id int)"),
        ("02_b.sql", "CREATE TABLE b (id int)"),
        ("03_c.sql", "CREATE TABLE c (id int)"),
        ("03_c.down.sql", "DROP TABLE c"),
    ];
    let migrator = Migrator::new(catalog("app", scripts));
    migrator.migrate(&mut client).unwrap();
    let error = migrator.rollback(&mut client, Rollback::All).unwrap_err();
    let refused: Vec<String> = error.refusals().expect("refusals").iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), 2, "every one is named: {refused:?}");
    assert!(refused[0].contains("app:02_b has no down script"), "{refused:?}");
    assert_eq!(applied(&mut client), "app:01_a app:02_b app:03_c");
    assert!(value::<bool>(&mut client, "SELECT to_regclass('c') IS NOT NULL"));
    assert_eq!(undone(&migrator.rollback(&mut client, Rollback::Steps(1)).unwrap()), ["app:03_c"]);
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn a_failing_down_script_leaves_its_migration_and_keeps_what_was_taken_back_before() {
    let scripts = [
        ("01_a.sql", "CREATE TABLE a (id int)"),
        ("01_a.down.sql", "DROP TABLE a;\nDROP TABLE nowhere;"),
        ("02_b.sql", "CREATE TABLE b (id int)"),
        ("02_b.down.sql", "DROP TABLE b"),
    ];
    for blocking in [true, false] {
        let database = database();
        let mut client = database.connect().unwrap();
        let migrator = Migrator::new(catalog("app", scripts));
        migrator.migrate(&mut client).unwrap();
        let error = if blocking {
            migrator.rollback(&mut client, Rollback::All).unwrap_err()
        } else {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let (mut client, connection) = tokio_postgres::connect(&database.url(), NoTls).await.unwrap();
                tokio::spawn(connection);
                migrator.rollback(&mut client, Rollback::All).await.unwrap_err()
            })
        };
        assert_eq!(error.location(), Some(("app/01_a.down.sql", 2, 1)), "{error:?}");
        assert_eq!(error.to_string(), "the rollback of app:01_a failed; nothing of it was kept");
        assert_eq!(undone(error.report()), ["app:02_b"]);
        assert_eq!(applied(&mut client), "app:01_a");
        assert!(value::<bool>(
            &mut client,
            "SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NULL"
        ));
        assert_eq!(support::leftovers(&mut client), (0, 0), "blocking: {blocking}");
    }
}

#[test]
fn an_older_program_takes_back_what_a_newer_one_applied() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(tables(&["01_a", "02_b"])).migrate(&mut client).unwrap();
    let older = Migrator::new(tables(&["01_a"]));
    let report = older.rollback(&mut client, Rollback::To(id("app:01_a"))).unwrap();
    assert_eq!(undone(&report), ["app:02_b"]);
    assert!(value::<bool>(&mut client, "SELECT to_regclass('b') IS NULL"));
    assert!(older.migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn the_script_that_was_recorded_runs_and_not_the_one_that_was_edited_since() {
    let database = database();
    let mut client = database.connect().unwrap();
    let first = [
        ("01_a.sql", "CREATE TABLE a (id int)"),
        ("01_a.down.sql", "DROP TABLE a; CREATE TABLE first (id int)"),
    ];
    Migrator::new(catalog("app", first)).migrate(&mut client).unwrap();
    let edited = [first[0], ("01_a.down.sql", "DROP TABLE a; CREATE TABLE second (id int)")];
    Migrator::new(catalog("app", edited)).rollback(&mut client, Rollback::Last).unwrap();
    assert!(value::<bool>(
        &mut client,
        "SELECT to_regclass('first') IS NOT NULL AND to_regclass('second') IS NULL"
    ));
}

#[test]
fn what_depends_on_a_migration_goes_before_it_and_other_owners_stay() {
    let database = database();
    let mut client = database.connect().unwrap();
    let people = Scripts::new(
        "people",
        [("01_p.sql", "CREATE TABLE p (id int PRIMARY KEY)"), ("01_p.down.sql", "DROP TABLE p")],
    );
    let deals = Scripts::new(
        "deals",
        [
            ("01_d.sql", "-- habitat: requires people:01_p\nCREATE TABLE d (id int REFERENCES p)"),
            ("01_d.down.sql", "DROP TABLE d"),
        ],
    );
    let both = Migrator::new(Loader::new().source(people).source(deals).load().unwrap());
    Migrator::new(tables(&["01_a"])).migrate(&mut client).unwrap();
    both.migrate(&mut client).unwrap();
    Migrator::new(tables(&["01_a", "02_b"])).migrate(&mut client).unwrap();
    assert_eq!(undone(&both.rollback(&mut client, Rollback::All).unwrap()), ["deals:01_d", "people:01_p"]);
    assert_eq!(applied(&mut client), "app:01_a app:02_b");
}

#[test]
fn a_database_recorded_as_production_wants_its_name() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(tables(&["01_a"])).environment("production");
    migrator.migrate(&mut client).unwrap();
    let plain = Migrator::new(tables(&["01_a"]));
    for unsure in [&migrator, &plain, &plain.clone().confirm("another")] {
        let error = unsure.rollback(&mut client, Rollback::Last).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unconfirmed, "{error:?}");
        assert!(
            format!("{error:?}").contains(&format!("Migrator::confirm({:?})", database.name())),
            "{error:?}"
        );
        assert_eq!(unsure.redo(&mut client).unwrap_err().kind(), ErrorKind::Unconfirmed);
        assert_eq!(applied(&mut client), "app:01_a");
    }
    let sure = plain.confirm(database.name());
    assert_eq!(undone(&sure.rollback(&mut client, Rollback::Last).unwrap()), ["app:01_a"]);
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn redo_applies_the_last_one_again() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(tables(&["01_a", "02_b"]));
    migrator.migrate(&mut client).unwrap();
    let oid =
        |client: &mut Client, table: &str| value::<u32>(client, &format!("SELECT '{table}'::regclass::oid"));
    let before = (oid(&mut client, "a"), oid(&mut client, "b"));
    let report = migrator.redo(&mut client).unwrap();
    assert_eq!((undone(&report), report.applied().len()), (vec!["app:02_b".to_owned()], 1));
    assert_eq!(report.to_string().split(" (").next(), Some("1 migration taken back, 1 applied"));
    assert_eq!(oid(&mut client, "a"), before.0);
    assert_ne!(oid(&mut client, "b"), before.1);
    // What it could not apply again, it does not take back.
    let error = Migrator::new(tables(&["01_a"])).redo(&mut client).unwrap_err();
    assert!(matches!(error.refusals().unwrap().iter().next(), Some(Refusal::Unknown { .. })), "{error:?}");
    assert_eq!(applied(&mut client), "app:01_a app:02_b");
}

#[test]
fn a_down_script_runs_with_the_role_and_the_timeouts_that_it_names() {
    let database = database();
    let mut client = database.connect().unwrap();
    let role = format!("undoer_{}", database.name());
    client.batch_execute(&format!("CREATE ROLE {role}; GRANT CREATE ON SCHEMA public TO {role}")).unwrap();
    let down = format!(
        "-- habitat: role {role}\n-- habitat: lock-timeout 7s\n\
         CREATE TABLE seen AS SELECT current_user::text AS who, current_setting('lock_timeout') AS wait;"
    );
    let scripts = [("01_a.sql", "SELECT 1"), ("01_a.down.sql", down.as_str())];
    let migrator = Migrator::new(catalog("app", scripts));
    migrator.migrate(&mut client).unwrap();
    migrator.rollback(&mut client, Rollback::Last).unwrap();
    assert_eq!(value::<String>(&mut client, "SELECT who || ' ' || wait FROM seen"), format!("{role} 7s"));
    let by = "SELECT role FROM schema_migrations_log WHERE event = 'rollback'";
    assert_eq!(value::<String>(&mut client, by), "postgres", "the log is written by the login");
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn two_processes_that_roll_back_at_once_take_one_step_back_each() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(tables(&["01_a", "02_b", "03_c"]));
    migrator.migrate(&mut client).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = database.connect().unwrap();
                assert_eq!(migrator.rollback(&mut client, Rollback::Last).unwrap().undone().len(), 1);
            });
        }
    });
    assert_eq!(applied(&mut client), "app:01_a");
}
