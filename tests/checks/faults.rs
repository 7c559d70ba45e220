//! Planted faults, and what is said of each.

use habitat_migrate::testing::{Check, check_repeatable, check_reversible, validate};

use crate::support::catalog;

/// What is said of a catalog whose second migration is `up` and `down`.
fn said(up: &str, down: &str) -> String {
    let first = "CREATE TABLE t (id int PRIMARY KEY, name text DEFAULT 'x' NOT NULL, note text);
        CREATE TYPE mood AS ENUM ('sad', 'ok'); COMMENT ON TABLE t IS 'things';";
    let scripts = [
        ("01_t.sql", first),
        ("01_t.down.sql", "DROP TABLE t; DROP TYPE mood"),
        ("02_u.sql", up),
        ("02_u.down.sql", down),
    ];
    let error = check_reversible(&catalog("app", scripts)).expect_err("it is not reversible");
    assert_eq!(error.faults().len(), 1, "{error}");
    assert_eq!(error.faults()[0].path(), Some("app/02_u.down.sql"), "{error}");
    error.to_string()
}

/// That a down script does not bring back what was there.
fn leaves(up: &str, down: &str, difference: &str) {
    let expected = format!(
        "app:02_u (app/02_u.down.sql): its down script does not bring back what was there before:\n    {difference}"
    );
    assert_eq!(said(up, down), expected);
}

#[test]
fn a_down_script_that_forgets_something_is_told_what() {
    leaves(
        "CREATE INDEX t_name ON t (name)",
        "SELECT 1",
        "table public.t: unexpected index t_name (CREATE INDEX t_name ON public.t USING btree (name))",
    );
    leaves(
        "ALTER TABLE t ALTER name SET DEFAULT 'y'",
        "ALTER TABLE t ALTER name DROP DEFAULT",
        "table public.t: column name: default 'x'::text -> none",
    );
    leaves(
        "GRANT SELECT ON t TO pg_monitor",
        "SELECT 1",
        "table public.t: unexpected grant to pg_monitor (privileges: SELECT)",
    );
    leaves(
        "COMMENT ON TABLE t IS 'else'",
        "COMMENT ON TABLE t IS NULL",
        "table public.t: comment things -> none",
    );
    leaves(
        "ALTER TYPE mood ADD VALUE 'glad'",
        "SELECT 1",
        "type public.mood: labels 'sad', 'ok' -> 'sad', 'ok', 'glad'",
    );
    leaves(
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SELECT 1",
        "unexpected function public.f()",
    );
    leaves(
        "ALTER TABLE t ALTER name DROP NOT NULL",
        "SELECT 1",
        "table public.t: column name: not null yes -> none",
    );
}

#[test]
fn rows_that_a_down_script_forgets_are_counted() {
    leaves("INSERT INTO t VALUES (1), (2)", "DELETE FROM t WHERE id = 1", "table public.t: 0 rows -> 1 row");
}

#[test]
fn a_column_that_comes_back_as_the_last_one_is_told_and_can_be_allowed() {
    let (up, down) = ("ALTER TABLE t DROP name", "ALTER TABLE t ADD name text DEFAULT 'x' NOT NULL");
    leaves(up, down, "table public.t: order of columns id, name, note -> id, note, name");
    let first = "CREATE TABLE t (id int PRIMARY KEY, name text DEFAULT 'x' NOT NULL, note text)";
    let scripts =
        [("01_t.sql", first), ("01_t.down.sql", "DROP TABLE t"), ("02_u.sql", up), ("02_u.down.sql", down)];
    Check::of(&catalog("app", scripts)).allow_reordered_columns().reversible().unwrap();
}

#[test]
fn a_down_script_that_fails_is_shown_with_the_place() {
    let said = said("CREATE TABLE u (id int)", "SELECT 1;\nDROP TABLE v");
    assert!(said.starts_with("app:02_u (app/02_u.down.sql): its down script fails\n"), "{said}");
    assert!(said.contains("app/02_u.down.sql:2:"), "{said}");
    assert!(said.contains(r#"table "v" does not exist"#), "{said}");
}

#[test]
fn a_fault_does_not_hide_the_faults_behind_it() {
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int)"),
        ("01_t.down.sql", "SELECT 1"),
        ("02_u.sql", "CREATE TABLE u (id int)"),
        ("02_u.down.sql", "DROP TABLE u"),
        ("03_v.sql", "CREATE TABLE v (id int)"),
        ("03_v.down.sql", "DROP TABLE v; DROP TABLE u"),
    ];
    let error = check_reversible(&catalog("app", scripts)).unwrap_err();
    let found: Vec<String> =
        error.faults().iter().map(|f| f.migration().unwrap().version().to_string()).collect();
    assert_eq!(found, ["01_t", "03_v"], "{error}");
    assert_eq!(error.faults()[0].difference().unwrap().to_string(), "unexpected table public.t");
    assert!(error.to_string().starts_with("2 faults\napp:01_t (app/01_t.down.sql): "), "{error}");
}

#[test]
fn a_missing_down_script_is_said_and_can_be_allowed() {
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int)"),
        ("01_t.down.sql", "DROP TABLE t"),
        ("02_u.sql", "INSERT INTO t VALUES (1)"),
        ("03_v.sql", "CREATE TABLE v (id int)"),
        ("03_v.down.sql", "DROP TABLE v"),
    ];
    let catalog = catalog("app", scripts);
    let error = check_reversible(&catalog).unwrap_err();
    assert_eq!(
        error.to_string(),
        "app:02_u (app/02_u.sql): it has no down script; write app/02_u.down.sql, or allow it: `allow_irreversible(\"02_u\")`"
    );
    let reversible = Check::of(&catalog).allow_irreversible("02_u").reversible().unwrap();
    assert_eq!((reversible.migrations(), reversible.irreversible().len()), (2, 1));
    Check::of(&catalog).allow_irreversible("app:02_u").reversible().unwrap();
    let error =
        Check::of(&catalog).allow_irreversible("02_u").allow_irreversible("01_t").allow_irreversible("04");
    let error = error.reversible().unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 faults\napp:01_t (app/01_t.sql): it has a down script, and need not be allowed to be irreversible\n\
         there is no migration 04 to be allowed to be irreversible"
    );
}

#[test]
#[should_panic(
    expected = "the migrations are not reversible: app:01_t (app/01_t.sql): it has no down script"
)]
fn an_assertion_panics_with_what_was_found() {
    Check::of(&catalog("app", [("01_t.sql", "CREATE TABLE t (id int)")])).assert_reversible();
}

#[test]
fn what_goes_wrong_only_the_second_time_up_is_told() {
    // How far a sequence came is no part of the schema, and decides what is made.
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int PRIMARY KEY); CREATE SEQUENCE s"),
        ("01_t.down.sql", "DROP TABLE t; DROP SEQUENCE s"),
        ("02_u.sql", "DO $$ BEGIN EXECUTE format('CREATE TABLE u%s (id int)', nextval('s')); END $$"),
        ("02_u.down.sql", "DROP TABLE IF EXISTS u1, u2"),
        ("03_v.sql", "CREATE TABLE v (id int)"),
        ("03_v.down.sql", "DROP TABLE v, u1"),
    ];
    let error = check_reversible(&catalog("app", scripts)).unwrap_err();
    let expected = "app:02_u (app/02_u.down.sql): applied again behind its down script, it leaves something else:\n    \
                    missing table public.u1\n    unexpected table public.u2";
    assert_eq!(error.faults()[0].to_string(), expected);
}

#[test]
fn a_repeatable_that_appends_is_told() {
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int)"),
        ("R__good.sql", "CREATE OR REPLACE VIEW v AS SELECT id FROM t"),
        ("R__rows.sql", "INSERT INTO t VALUES (1)"),
    ];
    let error = check_repeatable(&catalog("app", scripts)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "app:R__rows (app/R__rows.sql): run again, it changes what it made the first time:\n    table public.t: 1 row -> 2 rows"
    );
}

#[test]
fn a_repeatable_that_cannot_run_twice_is_told() {
    let scripts =
        [("01_t.sql", "CREATE TABLE t (id int)"), ("R__v.sql", "CREATE VIEW v AS SELECT id FROM t")];
    let error = check_repeatable(&catalog("app", scripts)).unwrap_err().to_string();
    assert!(error.contains("app:R__v (app/R__v.sql): it cannot run a second time\n"), "{error}");
    assert!(error.contains(r#"relation "v" already exists"#), "{error}");
}

#[test]
fn repeatables_that_replace_are_repeatable() {
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int)"),
        ("R__v.sql", "CREATE OR REPLACE VIEW v AS SELECT id FROM t"),
        ("R__w.sql", "-- habitat: requires R__v\nCREATE OR REPLACE VIEW w AS SELECT id FROM v"),
    ];
    let repeatable = check_repeatable(&catalog("app", scripts)).unwrap();
    assert_eq!((repeatable.migrations(), repeatable.repeated().len()), (3, 2));
}

#[test]
fn a_role_that_an_earlier_check_left_is_explained() {
    let server = crate::own_server();
    let scripts = [("01_r.sql", "CREATE ROLE app_reader"), ("01_r.down.sql", "SELECT 1")];
    let error = Check::of(&catalog("app", scripts)).server(&server).reversible().unwrap_err().to_string();
    assert!(error.contains("a role belongs to the whole server"), "{error}");
}

#[test]
fn validation_finds_what_is_asked_for_and_lacking() {
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int)"),
        ("01_t.verify.sql", "SELECT count(*) = 0, count(*) FROM t"),
        ("02_u.sql", "INSERT INTO t VALUES (1)"),
    ];
    let catalog = catalog("app", scripts);
    let error = validate(&catalog).unwrap_err().to_string();
    let expected = "app:01_t (app/01_t.verify.sql:1:1): its verify script fails when everything is applied: it returned false: count = 1";
    assert_eq!(error, expected);
    let error = Check::of(&catalog).require_down_scripts().require_verify_scripts().validate().unwrap_err();
    let paths: Vec<_> = error.faults().iter().filter_map(|fault| fault.path()).collect();
    assert_eq!(paths, ["app/01_t.sql", "app/02_u.sql", "app/02_u.sql", "app/01_t.verify.sql:1:1"], "{error}");
}

#[test]
fn validation_finds_what_depends_on_the_number_of_runs() {
    let scripts = [
        ("01_t.sql", "CREATE TABLE t (id int)"),
        // Two migrations of one run have one process of the server.
        (
            "02_u.sql",
            "CREATE TABLE runs AS SELECT backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        ),
        (
            "03_v.sql",
            "DO $$ BEGIN IF (SELECT count(*) FROM schema_migrations_log WHERE event = 'apply') > 0 THEN CREATE TABLE odd (id int); END IF; END $$",
        ),
    ];
    let error = Check::of(&catalog("app", scripts)).schema("public").validate().unwrap_err().to_string();
    assert!(error.contains("a database that stopped at app:01_t does not become what one run makes:\n    unexpected table public.odd"), "{error}");
}

#[test]
fn validation_stops_at_migrations_that_cannot_be_applied() {
    let error = validate(&catalog("app", [("01_t.sql", "CREATE TABLE t (id inte)")])).unwrap_err();
    assert_eq!(error.faults().len(), 1, "{error}");
    assert!(error.to_string().contains("app/01_t.sql:1:"), "{error}");
}

#[test]
fn an_owner_that_is_no_superuser_is_refused_what_only_superusers_may() {
    let trigger = "CREATE FUNCTION f() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
        CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION f()";
    let catalog = catalog("app", [("01_t.sql", trigger)]);
    validate(&catalog).unwrap();
    let error = Check::of(&catalog).as_owner().validate().unwrap_err().to_string();
    assert!(error.contains("permission denied to create event trigger"), "{error}");
}
