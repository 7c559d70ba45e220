//! Migrating up to one migration.

use habitat_migrate::{Migrator, Report};

use crate::support::{catalog, database};
use crate::{id, people_and_deals, records};

#[test]
fn a_target_takes_what_is_before_it_and_what_that_requires_and_nothing_else() {
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(people_and_deals());
    let applied = |report: &Report| {
        report.applied().iter().map(|applied| applied.id().to_string()).collect::<Vec<_>>().join(" ")
    };
    let report = migrator.clone().target(id("deals:02_e")).migrate(&mut client).unwrap();
    assert_eq!(applied(&report), "deals:01_d people:01_p people:02_q deals:02_e");
    let report = migrator.clone().target(id("deals:02_e")).migrate(&mut client).unwrap();
    assert!(report.is_unchanged());
    let error = migrator.clone().target(id("deals:07_x")).migrate(&mut client).unwrap_err();
    assert!(error.to_string().contains("there is no migration deals:07_x to stop at"), "{error}");
    assert_eq!(applied(&migrator.migrate(&mut client).unwrap()), "deals:03_f people:03_r");
}

#[test]
fn a_target_takes_the_sample_data_before_it_where_the_environment_fits() {
    let scripts = [
        ("01_a.sql", "CREATE TABLE a (id int)"),
        ("02_seed.sql", "-- habitat: environments test\nINSERT INTO a VALUES (1)"),
        ("03_b.sql", "CREATE TABLE b (id int)"),
        ("04_seed.sql", "-- habitat: environments test\nINSERT INTO b VALUES (1)"),
        ("R__view.sql", "CREATE OR REPLACE VIEW v AS SELECT 1 AS one"),
    ];
    let database = database();
    let mut client = database.connect().unwrap();
    let migrator = Migrator::new(catalog("app", scripts)).environment("test").target(id("app:03_b"));
    migrator.migrate(&mut client).unwrap();
    assert_eq!(records(&mut client), "app:01_a 1, app:03_b 2, app:02_seed");
}
