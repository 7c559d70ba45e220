//! A project of a tool that is no crate: its folder is loaded as it is, its database adopted, and the next file of the folder applied.
//!
//! The tables are written as the tools write them. Of the tools that are crates, `peers` shows the same.

use habitat_migrate::adopt::{Algorithm, Proof, Tool};
use habitat_migrate::policy::Rollback;
use habitat_migrate::{Adoption, Catalog, Layout};

use crate::support::{Folder, ITEMS, ORDERS, USERS, adopted, database, value};
use crate::tables::{CRC_ITEMS, CRC_USERS, FLYWAY};

/// A project with three migrations, the first two of which are applied; the third is the library's, to be applied and taken back.
fn project(layout: Layout, files: &[(&str, String)], table: &str, history: &str) -> Adoption {
    let folder = Folder::new();
    files.iter().for_each(|(path, text)| folder.write(path, text));
    let database = database();
    let mut client = database.connect().expect("a connection");
    client.batch_execute(&format!("{USERS}{ITEMS}{history}")).expect("a history");
    // Where the tool's table has the tracker's name, the tracker stands elsewhere.
    let schema = if table == "public.schema_migrations" { "habitat" } else { "public" };
    let migrator = folder.migrator(layout).schema(schema);
    let adoption = adopted(&mut client, &migrator, table, schema);
    let matched: Vec<&str> =
        adoption.matched().iter().map(|matched| matched.id().version().as_str()).collect();
    let versions = migrator.catalog().migrations().iter().map(|migration| migration.version().as_str());
    assert_eq!(matched, versions.take(2).collect::<Vec<_>>());
    // A folder that is recognised is the same one.
    if let Ok(recognised) = Catalog::from_directory(folder.path()) {
        let ids = |catalog: &Catalog| catalog.migrations().iter().map(|m| m.id().clone()).collect::<Vec<_>>();
        assert_eq!(ids(&recognised), ids(migrator.catalog()));
    }
    if migrator.catalog().migrations()[2].down().is_some() {
        // What was adopted is taken back by the tool's own scripts, too.
        let report =
            migrator.rollback(&mut client, Rollback::Steps(2)).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(report.undone().len(), 2);
        let left =
            "SELECT string_agg(relname, ' ') FROM pg_class WHERE relname IN ('users', 'items', 'orders')";
        assert_eq!(value::<String>(&mut client, left), "users");
    }
    adoption
}

/// The scripts of the three, as files that `name` makes of number, name, script and the way back.
fn files(name: impl Fn(u32, &str, &str, &str) -> Vec<(String, String)>) -> Vec<(String, String)> {
    let all = [("users", USERS), ("items", ITEMS), ("orders", ORDERS)];
    let numbered = (1..).zip(all);
    numbered.flat_map(|(n, (table, up))| name(n, table, up, &format!("DROP TABLE {table};\n"))).collect()
}

fn borrowed(files: &[(String, String)]) -> Vec<(&str, String)> {
    files.iter().map(|(path, text)| (path.as_str(), text.clone())).collect()
}

#[test]
fn a_project_of_flyways() {
    let number = |n: u32| ["1", "1.2", "1.10"][n as usize - 1];
    let files = files(|n, name, up, down| {
        vec![
            (format!("V{}__{name}.sql", number(n)), up.to_owned()),
            (format!("U{}__{name}.sql", number(n)), down.to_owned()),
        ]
    });
    let history = format!(
        "{FLYWAY}
        INSERT INTO flyway_schema_history VALUES
        (1, '1', 'users', 'SQL', 'V1__users.sql', {CRC_USERS}, 'deploy', '2024-05-01 10:00:01', 12, true),
        (2, '1.2', 'items', 'SQL', 'V1.2__items.sql', {CRC_ITEMS}, 'deploy', '2024-05-01 10:00:05', 7, true);"
    );
    let adoption = project(Layout::Flyway, &borrowed(&files), "public.flyway_schema_history", &history);
    let proofs: Vec<Proof> = adoption.matched().iter().map(|matched| matched.proof()).collect();
    assert_eq!(proofs, [Proof::Checksum(Algorithm::Crc32); 2]);
}

#[test]
fn a_project_of_golang_migrates() {
    let files = files(|n, name, up, down| {
        vec![
            (format!("{n:06}_{name}.up.sql"), format!("BEGIN;\n{up}COMMIT;\n")),
            (format!("{n:06}_{name}.down.sql"), down.to_owned()),
        ]
    });
    let history =
        "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
                   INSERT INTO schema_migrations VALUES (2, false);";
    let adoption = project(Layout::GolangMigrate, &borrowed(&files), "public.schema_migrations", history);
    assert_eq!(adoption.tool(), Tool::GolangMigrate);
}

#[test]
fn a_project_of_dbmates() {
    let files = files(|n, name, up, down| {
        vec![(
            format!("2024050100000{n}_{name}.sql"),
            format!("-- migrate:up\n{up}\n-- migrate:down\n{down}"),
        )]
    });
    let history = "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);
                   INSERT INTO schema_migrations VALUES ('20240501000001'), ('20240501000002');";
    let adoption = project(Layout::Dbmate, &borrowed(&files), "public.schema_migrations", history);
    assert_eq!(adoption.tool(), Tool::Dbmate);
}

#[test]
fn a_project_of_gooses() {
    let files = files(|n, name, up, down| {
        vec![(format!("{n:05}_{name}.sql"), format!("-- +goose Up\n{up}\n-- +goose Down\n{down}"))]
    });
    let history = "CREATE TABLE goose_db_version (id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
                       version_id bigint NOT NULL, is_applied boolean NOT NULL, tstamp timestamp NOT NULL DEFAULT now());
                   INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (1, true), (2, true);";
    let adoption = project(Layout::Goose, &borrowed(&files), "public.goose_db_version", history);
    assert_eq!(adoption.tool(), Tool::Goose);
}

#[test]
fn a_project_of_a_script_of_ones_own() {
    let files = files(|n, name, up, down| {
        vec![
            (format!("{n:02}_{name}.sql"), up.to_owned()),
            (format!("{n:02}_{name}.down.sql"), down.to_owned()),
        ]
    });
    let history =
        "CREATE TABLE schema_migrations (version text PRIMARY KEY, deployed_at timestamptz DEFAULT now(),
                       deployed_by text DEFAULT current_user, description text);
                   INSERT INTO schema_migrations (version) VALUES ('01_users'), ('02_items');";
    let adoption = project(Layout::Habitat, &borrowed(&files), "public.schema_migrations", history);
    assert_eq!(adoption.tool(), Tool::Script);
}
