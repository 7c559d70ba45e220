//! Repeatable migrations, and migrations that only some environments get.

mod support;

use habitat_migrate::policy::Changed;
use habitat_migrate::{Catalog, Migrator, Refusal};
use postgres::Client;
use support::{catalog, database, value};

const TABLE: (&str, &str) = ("01_t.sql", "CREATE TABLE t (id int)");

fn view(text: &str) -> Catalog {
    catalog("app", [TABLE, ("R__v.sql", text)])
}

fn applied(report: &habitat_migrate::Report) -> Vec<String> {
    report.applied().iter().map(|step| step.id().to_string()).collect()
}

#[test]
fn a_repeatable_one_runs_behind_the_versioned_ones_whenever_it_changed() {
    let database = database();
    let mut client = database.connect().unwrap();
    let first = Migrator::new(view("CREATE OR REPLACE VIEW v AS SELECT id FROM t"));
    assert_eq!(applied(&first.migrate(&mut client).unwrap()), ["app:01_t", "app:R__v"]);
    assert!(first.migrate(&mut client).unwrap().is_unchanged());
    let changed = Migrator::new(view("CREATE OR REPLACE VIEW v AS SELECT id, id + 1 AS next FROM t"));
    assert_eq!(applied(&changed.migrate(&mut client).unwrap()), ["app:R__v"]);
    assert!(changed.migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM information_schema.columns WHERE table_name = 'v'"),
        2
    );
    let log = "SELECT string_agg(version, ' ' ORDER BY id) FROM schema_migrations_log WHERE event = 'apply'";
    assert_eq!(value::<String>(&mut client, log), "01_t R__v R__v");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 2, "one row each");
    // A versioned one that is added later still comes before it.
    let more = catalog(
        "app",
        [
            TABLE,
            ("02_u.sql", "CREATE TABLE u (id int)"),
            ("R__v.sql", "CREATE OR REPLACE VIEW v AS SELECT id, id + 1 AS next, id + 2 AS last FROM t"),
        ],
    );
    assert_eq!(applied(&Migrator::new(more).migrate(&mut client).unwrap()), ["app:02_u", "app:R__v"]);
}

#[test]
fn a_repeatable_one_that_fails_keeps_what_was_there() {
    let database = database();
    let mut client = database.connect().unwrap();
    let good = Migrator::new(view("CREATE OR REPLACE VIEW v AS SELECT id FROM t"));
    good.migrate(&mut client).unwrap();
    let bad = Migrator::new(view("DROP VIEW v;\nCREATE VIEW v AS SELECT nothing FROM t"));
    let error = bad.migrate(&mut client).unwrap_err();
    assert_eq!(
        error.location().map(|(path, line, _)| (path.to_owned(), line)),
        Some(("app/R__v.sql".to_owned(), 2))
    );
    assert!(value::<bool>(&mut client, "SELECT to_regclass('v') IS NOT NULL"));
    assert!(good.migrate(&mut client).unwrap().is_unchanged());
    assert!(bad.changed(Changed::Ignore).migrate(&mut client).unwrap().is_unchanged());
}

#[test]
fn repeatable_ones_come_in_the_order_in_which_they_require_each_other() {
    let database = database();
    let mut client = database.connect().unwrap();
    let scripts = [
        ("R__a.sql", "-- habitat: requires R__b\nCREATE OR REPLACE VIEW a AS SELECT * FROM b"),
        ("R__b.sql", "CREATE OR REPLACE VIEW b AS SELECT 1 AS one"),
    ];
    let report = Migrator::new(catalog("app", scripts)).migrate(&mut client).unwrap();
    assert_eq!(applied(&report), ["app:R__b", "app:R__a"]);
}

#[test]
fn two_processes_apply_a_changed_one_once() {
    let database = database();
    let mut client = database.connect().unwrap();
    Migrator::new(view("SELECT 1")).migrate(&mut client).unwrap();
    let changed = Migrator::new(view("INSERT INTO t VALUES (1)"));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| changed.migrate(&mut database.connect().unwrap()).unwrap());
        }
    });
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM t"), 1);
}

const SEED: (&str, &str) =
    ("02_seed.sql", "-- habitat: environments development, test\nINSERT INTO t VALUES (1)");

fn seeded() -> Migrator {
    Migrator::new(catalog("app", [TABLE, SEED, ("03_last.sql", "CREATE TABLE last (id int)")]))
}

fn rows(client: &mut Client) -> i64 {
    value(client, "SELECT count(*) FROM t")
}

#[test]
fn r53_an_unknown_environment_gets_no_seeds() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = seeded();
    assert_eq!(applied(&migrator.migrate(&mut client).unwrap()), ["app:01_t", "app:03_last"]);
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    let plan = migrator.plan(&mut client).unwrap();
    assert_eq!(plan.elsewhere().map(|m| m.id().to_string()).collect::<Vec<_>>(), ["app:02_seed"]);
    // Once it is known, it gets them, although later ones are applied.
    assert_eq!(applied(&migrator.clone().environment("test").migrate(&mut client).unwrap()), ["app:02_seed"]);
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged(), "the database knows it by itself");
    assert_eq!(rows(&mut client), 1);
}

#[test]
fn r53_production_refuses_seeds_even_when_asked() {
    let database = database();
    let mut client = database.connect().unwrap();
    seeded().environment("production").migrate(&mut client).unwrap();
    assert_eq!(rows(&mut client), 0);
    let error = seeded().environment("test").migrate(&mut client).unwrap_err();
    let refusals: Vec<_> = error.refusals().expect("refusals").iter().cloned().collect();
    assert_eq!(refusals, [Refusal::Environment { recorded: "production".into(), said: "test".into() }]);
    assert!(seeded().migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(rows(&mut client), 0);
    assert_eq!(value::<String>(&mut client, "SELECT name FROM schema_migrations_environment"), "production");
}

#[test]
fn the_environment_is_recorded_even_where_nothing_is_pending() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(catalog("app", [TABLE]));
    migrator.migrate(&mut client).unwrap();
    assert_eq!(migrator.history(&mut client).unwrap().environment(), None);
    assert!(migrator.clone().environment("staging").migrate(&mut client).unwrap().is_unchanged());
    assert_eq!(migrator.history(&mut client).unwrap().environment(), Some("staging"));
    let log = "SELECT string_agg(event || ' ' || detail, ', ' ORDER BY id) FROM schema_migrations_log WHERE version IS NULL";
    assert_eq!(value::<String>(&mut client, log), "create format 2, environment staging");
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn a_seeded_database_is_current_in_one_look_and_its_seed_can_be_taken_back() {
    let database = database();
    let mut client = database.connect().unwrap();
    let down = ("02_seed.down.sql", "DELETE FROM t");
    let migrator = Migrator::new(catalog("app", [TABLE, SEED, down])).environment("development");
    migrator.migrate(&mut client).unwrap();
    assert_eq!(rows(&mut client), 1);
    migrator.rollback(&mut client, habitat_migrate::policy::Rollback::Last).unwrap();
    assert_eq!(rows(&mut client), 0);
    assert_eq!(applied(&migrator.migrate(&mut client).unwrap()), ["app:02_seed"]);
}
