//! Projects of the tools that are crates: each is migrated by its own crate, from files in its own layout.

use diesel_async::{AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection};
use diesel_migrations::{FileBasedMigrations, MigrationHarness as _};
use habitat_migrate::adopt::{Algorithm, Proof};
use habitat_migrate::testing::Database;
use habitat_migrate::{Adopt, Adoption, Layout, Migrator};
use sqlx::Connection as _;

use crate::support::{Folder, ITEMS, ORDERS, USERS, adopted, database, three};

#[test]
fn a_database_that_refinery_migrated_is_adopted() {
    let (database, folder) = (database(), Folder::new());
    folder.write("V1__users.sql", USERS);
    folder.write("V2__items.sql", ITEMS);
    let mut client = database.connect().expect("a connection");
    let migrations = refinery::load_sql_migrations(folder.path()).expect("migrations that refinery reads");
    refinery::Runner::new(&migrations).run(&mut client).expect("refinery migrates");

    folder.write("V3__orders.sql", ORDERS);
    let migrator = folder.migrator(Layout::Refinery);
    let adoption = adopted(&mut client, &migrator, "public.refinery_schema_history", "public");
    assert_eq!(proofs(&adoption), [Proof::Checksum(Algorithm::SipHash13); 2]);
    assert!(adoption.matched().iter().all(|matched| matched.applied_at().is_some()));
}

#[test]
fn a_database_that_sqlx_migrated_is_adopted() {
    let database = database();
    let folder = migrate_by_sqlx(&database, USERS);
    let mut client = database.connect().expect("a connection");
    let migrator = folder.migrator(Layout::Sqlx);
    let adoption = adopted(&mut client, &migrator, "public._sqlx_migrations", "public");
    assert_eq!(proofs(&adoption), [Proof::Checksum(Algorithm::Sha384); 2]);
    assert!(adoption.matched().iter().all(|m| m.applied_at().is_some() && m.execution_time().is_some()));
}

#[test]
fn line_ends_that_sqlx_minds_do_not_stand_against_adoption() {
    let database = database();
    let folder = migrate_by_sqlx(&database, &USERS.replace('\n', "\r\n"));
    // Somebody has checked the files out with other line ends since.
    folder.write("20240501000001_users.up.sql", USERS);
    let mut client = database.connect().expect("a connection");
    let migrator = folder.migrator(Layout::Sqlx);
    let adoption = adopted(&mut client, &migrator, "public._sqlx_migrations", "public");
    let expected = [Proof::ChecksumOfForm(Algorithm::Sha384), Proof::Checksum(Algorithm::Sha384)];
    assert_eq!(proofs(&adoption), expected);
}

#[test]
fn an_async_client_adopts_too() {
    let database = database();
    let migrator = migrate_by_sqlx(&database, USERS).migrator(Layout::Sqlx);
    runtime().block_on(async {
        let (mut client, connection) =
            tokio_postgres::connect(&database.url(), tokio_postgres::NoTls).await.expect("a connection");
        let connection = tokio::spawn(connection);
        let adoption = migrator.adopt(&mut client, Adopt::apply()).await.expect("it matches");
        assert_eq!(adoption.matched().len(), 2);
        assert_eq!(migrator.migrate(&mut client).await.expect("a migration").applied().len(), 1);
        drop(client);
        connection.await.expect("a task").expect("a connection");
    });
}

#[test]
fn a_database_that_diesel_migrated_is_adopted() {
    let (database, folder) = (database(), Folder::new());
    folder.write("2024-05-01-000001_users/up.sql", USERS);
    folder.write("2024-05-01-000001_users/down.sql", "DROP TABLE users;\n");
    folder.write("2024-05-01-000002_items/up.sql", ITEMS);
    folder.write("2024-05-01-000002_items/down.sql", "DROP TABLE items;\n");
    runtime().block_on(async {
        let connection = AsyncPgConnection::establish(&database.url()).await.expect("a connection");
        let source = FileBasedMigrations::from_path(folder.path()).expect("migrations that diesel reads");
        let mut harness = AsyncMigrationHarness::new(connection);
        harness.run_pending_migrations(source).expect("diesel migrates");
    });

    let mut client = database.connect().expect("a connection");
    folder.write("2024-05-01-000003_orders/up.sql", ORDERS);
    folder.write("2024-05-01-000003_orders/down.sql", "DROP TABLE orders;\n");
    let migrator = folder.migrator(Layout::Diesel);
    let adoption = adopted(&mut client, &migrator, "public.__diesel_schema_migrations", "public");
    let texts: Vec<String> = proofs(&adoption).iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["not verified: diesel keeps no checksum"; 2]);
    assert!(adoption.matched().iter().all(|matched| matched.applied_at().is_some()));
}

#[test]
fn a_database_that_sea_orm_migrated_is_adopted() {
    let database = database();
    runtime().block_on(async {
        use sea_orm_migration::{MigratorTrait as _, sea_orm::Database};
        let connection = Database::connect(database.url()).await.expect("a connection");
        sea::Migrator::up(&connection, None).await.expect("SeaORM migrates");
        connection.close().await.expect("a closed connection");
    });

    let mut client = database.connect().expect("a connection");
    let migrator =
        Migrator::new(three(["20240501000001_users", "20240501000002_items", "20240501000003_orders"]));
    let adoption = adopted(&mut client, &migrator, "public.seaql_migrations", "public");
    assert_eq!(adoption.matched()[0].version(), "m20240501_000001_users");
    assert!(adoption.matched().iter().all(|matched| matched.applied_at().is_some()));
}

/// A project of SeaORM's: migrations are types with names.
mod sea {
    use sea_orm_migration::prelude::*;

    use crate::support::{ITEMS, USERS};

    pub(super) struct Migrator;

    impl MigratorTrait for Migrator {
        fn migrations() -> Vec<Box<dyn MigrationTrait>> {
            let one = |name, sql| -> Box<dyn MigrationTrait> { Box::new(Script { name, sql }) };
            vec![one("m20240501_000001_users", USERS), one("m20240501_000002_items", ITEMS)]
        }
    }

    struct Script {
        name: &'static str,
        sql: &'static str,
    }

    impl MigrationName for Script {
        fn name(&self) -> &str {
            self.name
        }
    }

    #[async_trait::async_trait]
    impl MigrationTrait for Script {
        async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
            manager.get_connection().execute_unprepared(self.sql).await?;
            Ok(())
        }
    }
}

/// A project of sqlx's, whose first two migrations are applied; gives its folder, with a third.
fn migrate_by_sqlx(database: &Database, users: &str) -> Folder {
    let folder = Folder::new();
    folder.write("20240501000001_users.up.sql", users);
    folder.write("20240501000001_users.down.sql", "DROP TABLE users;\n");
    folder.write("20240501000002_items.up.sql", ITEMS);
    folder.write("20240501000002_items.down.sql", "DROP TABLE items;\n");
    runtime().block_on(async {
        let migrator = sqlx::migrate::Migrator::new(folder.path()).await.expect("migrations that sqlx reads");
        let mut connection = sqlx::PgConnection::connect(&database.url()).await.expect("a connection");
        migrator.run(&mut connection).await.expect("sqlx migrates");
        connection.close().await.expect("a closed connection");
    });
    folder.write("20240501000003_orders.up.sql", ORDERS);
    folder.write("20240501000003_orders.down.sql", "DROP TABLE orders;\n");
    folder
}

fn proofs(adoption: &Adoption) -> Vec<Proof> {
    adoption.matched().iter().map(|matched| matched.proof()).collect()
}

/// diesel's harness blocks within its runtime, so there have to be several threads.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}
