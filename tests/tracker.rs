//! Somebody else's tracker, and hands in ours.

mod support;

use habitat_migrate::policy::OutOfOrder;
use habitat_migrate::{ErrorKind, Migrator, Refusal};
use support::{database, numbered, value};

/// What other tools, and people, call by the tracker's name; and whose it is said to be.
const FOREIGN: [(&str, &str, &str); 7] = [
    ("Rails or dbmate", "version character varying NOT NULL PRIMARY KEY", "('20240501120000')"),
    ("Rails or dbmate", "version varchar(128) PRIMARY KEY", "('20240501120000'), ('20240502120000')"),
    ("golang-migrate", "version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL", "(7, false)"),
    ("Ecto", "version bigint PRIMARY KEY, inserted_at timestamp(0)", "(20240501120000, '2024-05-01')"),
    (
        "a script of your own",
        "version text PRIMARY KEY, deployed_at timestamptz DEFAULT now(), deployed_by text DEFAULT CURRENT_USER, description text",
        "('01_treasury_core', '2024-05-01', 'postgres', 'Treasury')",
    ),
    (
        "a script of your own",
        "version text PRIMARY KEY, applied_at timestamptz DEFAULT now()",
        "('07_x', '2024-05-01')",
    ),
    ("", "id int, name text", "(1, 'something else')"),
];

#[test]
fn the_tracker_of_another_tool_is_recognised_and_never_written_to() {
    for (tool, columns, rows) in FOREIGN {
        let database = database();
        let mut client = database.connect().unwrap();
        let create = format!(
            "CREATE TABLE schema_migrations ({columns}); INSERT INTO schema_migrations VALUES {rows};"
        );
        client.batch_execute(&create).unwrap();
        let everything = "SELECT (SELECT string_agg(m::text, ';' ORDER BY m::text) FROM schema_migrations m) || \
                          (SELECT string_agg(concat_ws(' ', relname, relkind, relfilenode, xmin), ';' ORDER BY oid) \
                           FROM pg_class WHERE relnamespace = 'public'::regnamespace)";
        let before: String = value(&mut client, everything);

        let migrator = Migrator::new(numbered(2));
        let errors = [
            migrator.migrate(&mut client).unwrap_err(),
            migrator.history(&mut client).unwrap_err(),
            migrator.plan(&mut client).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.kind(), ErrorKind::ForeignTracker, "{columns}: {error:?}");
            let whose = if tool.is_empty() { "is not habitat-migrate's" } else { tool };
            assert!(error.to_string().contains(whose), "{columns}: {error}");
            assert!(error.diagnostic().to_string().contains("Migrator::schema"), "{error:?}");
        }
        assert_eq!(value::<String>(&mut client, everything), before, "{columns}");
        // What the diagnostic advises.
        assert_eq!(migrator.clone().schema("habitat").migrate(&mut client).unwrap().applied().len(), 2);
        assert!(migrator.schema("habitat").migrate(&mut client).unwrap().is_unchanged());
    }
}

#[test]
fn a_last_row_that_somebody_deleted_is_noticed_and_applied_again() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(numbered(3));
    migrator.migrate(&mut client).unwrap();
    client.batch_execute("DELETE FROM schema_migrations WHERE version = '0003_t3'; DROP TABLE t3;").unwrap();
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
    // Its table is still there this time: the script fails, and the database is as it was.
    client.batch_execute("DELETE FROM schema_migrations WHERE version = '0003_t3'").unwrap();
    let error = migrator.migrate(&mut client).unwrap_err();
    assert_eq!(error.server_error().unwrap().code, "42P07", "{error:?}");
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 2);
}

#[test]
fn the_row_of_a_late_sibling_that_somebody_deleted_is_refused_like_any_late_sibling() {
    let database = database();
    let mut client = database.connect().unwrap();
    let gap = support::catalog("app", [("01_a.sql", "SELECT 1;"), ("03_c.sql", "SELECT 3;")]);
    let full = support::catalog(
        "app",
        [("01_a.sql", "SELECT 1;"), ("02_b.sql", "SELECT 2;"), ("03_c.sql", "SELECT 3;")],
    );
    Migrator::new(gap).migrate(&mut client).unwrap();
    let migrator = Migrator::new(full.clone()).out_of_order(OutOfOrder::Apply);
    migrator.migrate(&mut client).unwrap();
    client.batch_execute("DELETE FROM schema_migrations WHERE version = '02_b'").unwrap();
    let error = Migrator::new(full).migrate(&mut client).unwrap_err();
    let refusals: Vec<_> = error.refusals().expect("refusals").iter().collect();
    assert!(matches!(refusals.as_slice(), [Refusal::OutOfOrder { .. }]), "{refusals:?}");
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 1);
}

#[test]
fn a_row_in_the_middle_cannot_be_deleted() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(numbered(3));
    migrator.migrate(&mut client).unwrap();
    for version in ["0001_t1", "0002_t2"] {
        let error =
            client.execute("DELETE FROM schema_migrations WHERE version = $1", &[&version]).unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("23503"), "{error:?}");
    }
    assert!(migrator.migrate(&mut client).unwrap().is_unchanged());
    // All of them can; then nothing is applied, as far as anybody can know.
    client.batch_execute("TRUNCATE schema_migrations; DROP TABLE t1, t2, t3;").unwrap();
    assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), 3);
}
