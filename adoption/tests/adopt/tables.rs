//! Tools that are no crates: their tables are written as they write them.

use habitat_migrate::adopt::{Algorithm, Proof, Tool};
use habitat_migrate::{Adopt, Adoption, Catalog, Migrator};

use crate::support::{ITEMS, USERS, adopted, catalog, database, three, value};

const STEMS: [&str; 3] = ["20240501000001_users", "20240501000002_items", "20240501000003_orders"];

/// Migrates a new database by hand, writes the tool's table, and adopts two migrations of three.
fn adopt(table: &str, schema: &str, history: &str, catalog: Catalog) -> Adoption {
    let database = database();
    let mut client = database.connect().expect("a connection");
    client.batch_execute(&format!("{USERS}{ITEMS}{history}")).expect("a history");
    let adoption = adopted(&mut client, &Migrator::new(catalog).schema(schema), table, schema);
    assert_eq!(adoption.table().replace('"', ""), table);
    adoption
}

// The names, types and defaults are those that Flyway's documentation lists and its own script for PostgreSQL creates.
pub(crate) const FLYWAY: &str = "CREATE TABLE flyway_schema_history (
    installed_rank integer NOT NULL PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
    type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer, installed_by varchar(100) NOT NULL,
    installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL, success boolean NOT NULL);
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);";

#[test]
fn flyway() {
    // The checksums were computed by Python's zlib, line by line.
    let history = format!(
        "{FLYWAY}
        INSERT INTO flyway_schema_history VALUES
        (0, NULL, '<< Flyway Schema Creation >>', 'SCHEMA', '\"public\"', NULL, 'owner', '2024-05-01 10:00:00', 0, true),
        (1, '1', 'users', 'SQL', 'V1__users.sql', {CRC_USERS}, 'deploy', '2024-05-01 10:00:01', 12, true),
        (2, '1.2', 'items', 'SQL', 'V1_2__items.sql', 5, 'deploy', '2024-05-01 10:00:02', 7, true),
        (3, NULL, 'balances', 'SQL', 'R__balances.sql', 99, 'deploy', '2024-05-01 10:00:03', 3, true),
        (4, '1.2', 'items', 'UNDO_SQL', 'U1_2__items.sql', 6, 'deploy', '2024-05-01 10:00:04', 7, true),
        (5, '1.2', 'items', 'SQL', 'V1_2__items.sql', {CRC_ITEMS}, 'deploy', '2024-05-01 10:00:05', 7, true);"
    );
    let database = database();
    let mut client = database.connect().expect("a connection");
    client.batch_execute(&format!("{USERS}{ITEMS}{history}")).expect("a history");
    // Without a layout of Flyway's, `1_2__items` is number 1 to the catalog; what counts here is how the parts are read.
    let migrator = Migrator::new(catalog(&[("1_users", USERS)]));
    let adoption = migrator.adopt(&mut client, Adopt::dry_run()).expect("a comparison");
    assert_eq!(adoption.tool(), Tool::Flyway);
    assert_eq!(adoption.matched()[0].proof(), Proof::Checksum(Algorithm::Crc32));
    assert_eq!(adoption.matched()[0].applied_by(), Some("deploy"));
    assert_eq!(adoption.unknown().map(|m| m.version()).collect::<Vec<_>>(), ["1.2"]);
}

#[test]
fn flyway_with_a_baseline() {
    let history = format!(
        "{FLYWAY}
        INSERT INTO flyway_schema_history VALUES
        (1, '20240501000001', '<< Flyway Baseline >>', 'BASELINE', '<< Flyway Baseline >>', NULL, 'owner', now(), 0, true),
        (2, '20240501000002', 'items', 'SQL', 'V20240501000002__items.sql', {CRC_ITEMS}, 'owner', now(), 3, true);"
    );
    let adoption = adopt("public.flyway_schema_history", "public", &history, three(STEMS));
    let proofs: Vec<Proof> = adoption.matched().iter().map(|m| m.proof()).collect();
    assert_eq!(proofs, [Proof::Baseline, Proof::Checksum(Algorithm::Crc32)]);
}

#[test]
fn golang_migrate() {
    let history =
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
                   INSERT INTO schema_migrations VALUES (2, false);";
    let catalog = three(["000001_users", "000002_items", "000003_orders"]);
    let adoption = adopt("public.schema_migrations", "habitat", history, catalog);
    assert_eq!(adoption.tool(), Tool::GolangMigrate);
}

#[test]
fn dbmate() {
    let history = "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);
                   INSERT INTO schema_migrations VALUES ('20240501000001'), ('20240501000002');";
    let adoption = adopt("public.schema_migrations", "habitat", history, three(STEMS));
    assert_eq!(adoption.tool(), Tool::Dbmate);
}

#[test]
fn rails() {
    let history = "CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
                   CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar,
                       created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
                   INSERT INTO ar_internal_metadata VALUES ('environment', 'production', now(), now());
                   INSERT INTO schema_migrations VALUES ('20240501000002'), ('20240501000001');";
    let adoption = adopt("public.schema_migrations", "habitat", history, three(STEMS));
    assert_eq!(adoption.tool(), Tool::Rails);
}

#[test]
fn ecto() {
    let history = "SET TIME ZONE 'Asia/Tokyo';
                   CREATE TABLE schema_migrations (version bigint PRIMARY KEY, inserted_at timestamp(0));
                   INSERT INTO schema_migrations VALUES (20240501000001, '2024-05-01 12:00:00'), (20240501000002, NULL);";
    let adoption = adopt("public.schema_migrations", "habitat", history, three(STEMS));
    assert_eq!(adoption.tool(), Tool::Ecto);
    // Ecto writes UTC, whatever the session's zone is.
    let time = adoption.matched()[0].applied_at().expect("a time");
    assert_eq!(time.to_rfc3339(), "2024-05-01T12:00:00+00:00");
    assert_eq!(adoption.matched()[1].applied_at(), None);
}

#[test]
fn goose() {
    let history = "CREATE TABLE goose_db_version (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
                       version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now());
                   INSERT INTO goose_db_version (version_id, is_applied) VALUES
                       (0, true), (1, true), (2, true), (3, true), (3, false), (2, false), (2, true);";
    let catalog = three(["00001_users", "00002_items", "00003_orders"]);
    let adoption = adopt("public.goose_db_version", "public", history, catalog);
    assert_eq!(adoption.tool(), Tool::Goose);
}

#[test]
fn a_tracker_of_versions_with_who_deployed_them() {
    let history =
        "CREATE TABLE schema_migrations (version text PRIMARY KEY, deployed_at timestamptz DEFAULT now(),
                       deployed_by text DEFAULT current_user, description text);
                   INSERT INTO schema_migrations VALUES
                       ('01_users', '2024-05-01 12:00:00.123456+02', 'ann', 'The people'),
                       ('02_items', '2024-05-02 12:00:00+02', 'ben', 'Their things');";
    let adoption =
        adopt("public.schema_migrations", "habitat", history, three(["01_users", "02_items", "03_orders"]));
    assert_eq!(adoption.tool(), Tool::Script);
    let first = &adoption.matched()[0];
    assert_eq!(first.applied_by(), Some("ann"));
    assert_eq!(
        first.applied_at().map(|time| time.to_rfc3339()).as_deref(),
        Some("2024-05-01T10:00:00.123456+00:00")
    );
}

#[test]
fn a_tracker_of_versions_with_when_they_were_applied() {
    let history = "CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz);
                   INSERT INTO schema_migrations VALUES ('001_users', '-infinity'), ('002_items', now());";
    let catalog = three(["001_users", "002_items", "003_orders"]);
    let adoption = adopt("public.schema_migrations", "habitat", history, catalog);
    // Infinity is no time at which anything was applied.
    assert_eq!(adoption.matched()[0].applied_at(), None);
    assert!(adoption.matched()[1].applied_at().is_some());
}

#[test]
fn a_table_of_another_name_is_named() {
    let database = database();
    let mut client = database.connect().expect("a connection");
    let history = "CREATE SCHEMA ours; CREATE TABLE ours.\"what we did\" (version text PRIMARY KEY);
                   INSERT INTO ours.\"what we did\" VALUES ('20240501000001'), ('20240501000002');";
    client.batch_execute(&format!("{USERS}{ITEMS}{history}")).expect("a history");
    let migrator = Migrator::new(three(STEMS));
    migrator.adopt(&mut client, Adopt::apply()).expect_err("its name is nobody's");
    let adopt = Adopt::apply().table("ours", "what we did");
    assert_eq!(migrator.adopt(&mut client, adopt).expect("it matches").matched().len(), 2);
    assert_eq!(migrator.migrate(&mut client).expect("a migration").applied().len(), 1);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations"), 3);
}

pub(crate) const CRC_USERS: i32 = 327_137_088;
pub(crate) const CRC_ITEMS: i32 = -1_456_103_346;
