//! Verify scripts: before the commit, and on demand.

mod support;

use habitat_migrate::{ErrorKind, Event, Migrator};
use support::{catalog, database, value, with_each_client};

const TABLE: (&str, &str) = (
    "01_items.sql",
    "CREATE TABLE items (id int PRIMARY KEY, price int);\nINSERT INTO items VALUES (1, 10);",
);

#[test]
fn r27_a_failing_verification_leaves_nothing() {
    let cases = [
        (
            "SELECT true;\nSELECT count(*) = 2, count(*) AS rows FROM items;",
            (2, 1),
            "it returned false: rows = 1",
        ),
        ("SELECT id FROM items WHERE price > 10;", (1, 1), "it returned no row"),
        ("SELECT bool_and(price > 1) FROM items WHERE id > 5;", (1, 1), "it returned NULL"),
        ("SELECT true;\n\n  SELECT 1 / (SELECT 0);", (3, 3), "division by zero (22012)"),
        ("SELECT true;\nSELECT nothing FROM items;", (2, 8), "column \"nothing\" does not exist (42703)"),
        (
            "SELECT price > 10, id FROM (VALUES (1, 5), (2, 6), (3, 20)) v (id, price);",
            (1, 1),
            "it returned false: id = 1 (and 1 rows more)",
        ),
    ];
    for (verify, (line, column), words) in cases {
        let scripts = [TABLE, ("02_next.sql", "CREATE TABLE next (id int)"), ("02_next.verify.sql", verify)];
        with_each_client("", &Migrator::new(catalog("app", scripts)), |admin, outcome| {
            let error = outcome.unwrap_err();
            assert_eq!(error.migration().unwrap().to_string(), "app:02_next", "{error:?}");
            assert_eq!(error.location(), Some(("app/02_next.verify.sql", line, column)), "{error:?}");
            assert!(error.to_string().contains("nothing of it was kept"), "{error}");
            assert!(format!("{error:?}").contains(words), "{error:?}");
            assert_eq!(error.report().applied().len(), 1, "what came before stays");
            assert!(value::<bool>(admin, "SELECT to_regclass('next') IS NULL"));
            let log = "SELECT string_agg(concat_ws(' ', event, version), ', ' ORDER BY id) FROM schema_migrations_log WHERE version IS NOT NULL";
            assert_eq!(value::<String>(admin, log), "apply 01_items, failure 02_next");
        });
    }
}

#[test]
fn a_verification_that_passes_costs_one_round_trip_and_leaves_nothing_but_the_migration() {
    let verify = "SELECT true;\nSELECT id FROM items;\nDO $$ BEGIN ASSERT (SELECT count(*) FROM items) = 1; END $$;\n\
                  SET LOCAL search_path = nowhere;\nSELECT set_config('application_name', 'verify', false);";
    let scripts = [
        TABLE,
        ("01_items.verify.sql", verify),
        ("02_next.sql", "CREATE TABLE next (id int)"),
        ("02_next.verify.sql", "SELECT true"),
    ];
    with_each_client("", &Migrator::new(catalog("app", scripts)), |admin, outcome| {
        assert_eq!(outcome.unwrap_or_else(|error| panic!("{error:?}")).applied().len(), 2);
        assert_eq!(
            value::<i64>(admin, "SELECT count(*) FROM schema_migrations WHERE execution_time IS NOT NULL"),
            2
        );
        assert_eq!(
            value::<i64>(admin, "SELECT count(*) FROM schema_migrations_log WHERE event = 'apply'"),
            2
        );
    });
}

#[test]
fn a_verify_script_cannot_write() {
    let scripts = [TABLE, ("01_items.verify.sql", "SELECT true;\nINSERT INTO items VALUES (2, 2);")];
    with_each_client("", &Migrator::new(catalog("app", scripts)), |admin, outcome| {
        let error = outcome.unwrap_err();
        assert_eq!(error.server_error().map(|error| error.code.as_str()), Some("25006"), "{error:?}");
        assert_eq!(error.location().map(|(_, line, column)| (line, column)), Some((2, 1)));
        assert!(value::<bool>(admin, "SELECT to_regclass('items') IS NULL"));
    });
}

#[test]
fn what_is_applied_is_verified_on_demand_and_found_out_when_it_changes() {
    let database = database();
    let mut client = database.connect().unwrap();
    let verify = "SELECT count(*) = 1, count(*) AS rows FROM items;\nSELECT id FROM items WHERE price = 10;\nSELECT price FROM items;";
    let scripts = [
        TABLE,
        ("01_items.verify.sql", verify),
        ("02_next.sql", "SELECT 2"),
        ("02_next.verify.sql", "SELECT true"),
    ];
    let migrator = Migrator::new(catalog("app", scripts));
    assert!(migrator.verify(&mut client).unwrap().is_empty(), "nothing is applied");
    migrator.migrate(&mut client).unwrap();
    assert!(migrator.verify(&mut client).unwrap().is_empty());

    client.batch_execute("UPDATE items SET price = 11; INSERT INTO items VALUES (2, 3)").unwrap();
    let findings = migrator.verify(&mut client).unwrap();
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        lines,
        [
            "app:01_items: it returned false: rows = 2 (app/01_items.verify.sql:1:1)",
            "app:01_items: it returned no row (app/01_items.verify.sql:2:1)"
        ]
    );
    assert_eq!(findings[1].statement(), "SELECT id FROM items WHERE price = 10");
    assert!(
        findings[0]
            .diagnostic()
            .to_string()
            .contains("1 | SELECT count(*) = 1, count(*) AS rows FROM items;")
    );

    client.batch_execute("ALTER TABLE items DROP COLUMN price").unwrap();
    let findings = migrator.verify(&mut client).unwrap();
    assert_eq!(findings.len(), 1, "a script ends at its first error: {findings:?}");
    assert!(findings[0].returned().contains("column \"price\" does not exist"), "{findings:?}");
    assert_eq!(support::leftovers(&mut client), (0, 0));
}

#[test]
fn a_verify_script_runs_as_the_role_that_it_names() {
    let database = database();
    let mut client = database.connect().unwrap();
    let role = format!("reader_{}", database.name());
    client.batch_execute(&format!("CREATE ROLE {role}")).unwrap();
    let verify = format!(
        "-- habitat: verify-as {role}\nSELECT current_user = '{role}', current_user;\nSELECT id FROM items;"
    );
    let own = "SELECT current_user = session_user";
    let bare = [
        TABLE,
        ("01_items.verify.sql", verify.as_str()),
        ("02_next.sql", "SELECT 2"),
        ("02_next.verify.sql", own),
    ];
    let error = Migrator::new(catalog("app", bare)).migrate(&mut client).unwrap_err();
    assert_eq!(
        error.server_error().map(|error| error.code.as_str()),
        Some("42501"),
        "it may not read: {error:?}"
    );
    let granted = format!("{}\nGRANT SELECT ON items TO {role};", TABLE.1);
    let scripts = [(TABLE.0, granted.as_str()), bare[1], bare[2], bare[3]];
    let migrator = Migrator::new(catalog("app", scripts));
    migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(migrator.verify(&mut client).unwrap().is_empty());
    client.batch_execute(&format!("REVOKE SELECT ON items FROM {role}")).unwrap();
    assert_eq!(migrator.verify(&mut client).unwrap().len(), 1);
    client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).unwrap();
}

#[test]
fn events_come_in_order_and_the_kind_is_told() {
    let database = database();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let told = seen.clone();
    let scripts = [TABLE, ("02_next.sql", "SELECT 2"), ("02_next.verify.sql", "SELECT false")];
    let migrator = Migrator::new(catalog("app", scripts)).on_event(move |event| {
        if let Event::Started { .. } | Event::Applied { .. } = event {
            told.lock().unwrap().push(event.to_string().split(" (").next().unwrap().to_owned());
        }
    });
    let error = migrator.migrate(&mut database.connect().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Verification);
    assert_eq!(error.findings().len(), 1);
    assert_eq!(
        *seen.lock().unwrap(),
        ["applying app:01_items", "applying app:02_next", "applied app:01_items"]
    );
}
