//! Go Labs end to end: a database for each environment, a schema for each service, two roles for each that see nothing else.

#[path = "support/owners.rs"]
mod owners;
mod support;
#[path = "support/system.rs"]
mod system;

use std::os::unix::fs::PermissionsExt as _;

use habitat_migrate::Migrator;
use habitat_migrate::provision::ErrorKind;
use owners::dump;
use support::value;
use system::{System, cluster, endpoint, provision, refused, set, superuser};

const TEXT: &str = include_str!("../migrations/go-labs/provision.toml");
const SERVICES: [&str; 3] = ["billing", "catalog", "order"];

fn migrator(service: &str) -> Migrator {
    Migrator::new(set(&format!("go-labs/{service}"))).schema(service)
}

/// Each service's migrations, by its own login, and what may be done with the tracker.
fn migrate(system: &System, environment: &str) {
    for service in SERVICES {
        let mut client = system.client(&format!("{service}_migration_{environment}_user"));
        let migrator = migrator(service);
        assert!(
            !migrator.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}")).applied().is_empty()
        );
        assert!(migrator.verify(&mut client).unwrap().is_empty());
    }
    system.apply();
}

#[test]
fn each_environment_is_deployed_and_a_second_time_changes_nothing() {
    let mut server = system::server();
    for (environment, kind) in
        [("tst", "test"), ("dev", "development"), ("qua", "staging"), ("prd", "production")]
    {
        let system = System::on(server, TEXT, environment);
        assert_eq!(system.database(), format!("go-labs-{environment}"));
        migrate(&system, environment);
        system.assert_a_second_time_changes_nothing();
        assert!(system.assert_least_privilege() > 400);
        system.assert_the_log_has_no_password();
        let mut client = system.superuser();
        for service in SERVICES {
            let owner: String = value(
                &mut client,
                &format!(
                    "SELECT string_agg(DISTINCT tableowner, ', ') FROM pg_tables WHERE schemaname = '{service}'"
                ),
            );
            assert_eq!(owner, format!("{service}_migration_{environment}_user"));
            let recorded: String =
                value(&mut client, &format!("SELECT name FROM \"{service}\".schema_migrations_environment"));
            assert_eq!(recorded, kind);
            let trackers: i64 =
                value(&mut client, "SELECT count(*) FROM pg_tables WHERE tablename = 'schema_migrations'");
            assert_eq!(trackers, 3, "one in each service's schema, and no other");
        }
        server = system.server;
    }
}

#[test]
fn r51_a_service_reaches_its_own_schema_and_no_other() {
    let system = System::start(TEXT, "tst");
    migrate(&system, "tst");
    let tables = [("billing", "invoices"), ("catalog", "products"), ("order", "orders")];
    for (service, own) in tables {
        let mut app = system.client(&format!("{service}_app_tst_user"));
        app.batch_execute(&format!("SELECT * FROM {own}")).unwrap();
        refused(&mut app, &format!("CREATE TABLE \"{service}\".mine (id int)"));
        refused(&mut app, &format!("ALTER TABLE {own} ADD COLUMN mine int"));
        refused(&mut app, &format!("DROP TABLE {own}"));
        refused(&mut app, &format!("TRUNCATE {own}"));
        refused(&mut app, "DELETE FROM schema_migrations");
        let mut migration = system.client(&format!("{service}_migration_tst_user"));
        migration
            .batch_execute(&format!(
                "ALTER TABLE {own} ADD COLUMN mine int; ALTER TABLE {own} DROP COLUMN mine"
            ))
            .unwrap();
        for mut client in [app, migration] {
            for (other, table) in tables.into_iter().filter(|(other, _)| *other != service) {
                refused(&mut client, &format!("SELECT * FROM \"{other}\".{table}"));
                refused(&mut client, &format!("INSERT INTO \"{other}\".{table} DEFAULT VALUES"));
                refused(&mut client, &format!("CREATE TABLE \"{other}\".mine (id int)"));
                refused(&mut client, &format!("SELECT * FROM \"{other}\".schema_migrations"));
                refused(&mut client, &format!("SET ROLE {other}_migration_tst_user"));
            }
            refused(&mut client, "CREATE DATABASE mine");
            refused(&mut client, "CREATE ROLE mine");
            refused(&mut client, "CREATE SCHEMA mine");
            refused(&mut client, "CREATE TABLE public.mine (id int)");
            refused(&mut client, "CREATE TEMPORARY TABLE mine (id int)");
        }
    }
}

#[test]
fn connection_files_lie_where_the_document_says_and_let_the_service_in() {
    let system = System::start(TEXT, "tst");
    migrate(&system, "tst");
    let written = system.provision.declaration().write_connection_files(&endpoint(&system.server)).unwrap();
    assert_eq!(written.len(), 3);
    for service in SERVICES {
        let path = system.folder.path().join(format!("output/tst/{service}-connections.yaml"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = std::fs::read_to_string(&path).unwrap();
        let file: serde_json::Value = serde_yaml_ng::from_str(&text).unwrap();
        assert_eq!(file["service"], service);
        for name in ["migration", "app"] {
            let connection = &file["connections"][name];
            assert_eq!(connection["database"], "go-labs-tst");
            assert_eq!(connection["user"], format!("{service}_{name}_tst_user"));
            assert_eq!(connection["schema"], service);
            assert_eq!(connection["port"], system.server.port());
            let mut client =
                postgres::Client::connect(connection["url"].as_str().unwrap(), postgres::NoTls).unwrap();
            assert_eq!(
                value::<String>(&mut client, "SELECT current_schema()::text"),
                service,
                "its search_path"
            );
        }
    }
}

#[test]
fn test_is_dropped_and_created_again_only_by_its_name() {
    let system = System::start(TEXT, "tst");
    migrate(&system, "tst");
    let wrong = provision(TEXT, "tst", system.folder.path()).dangerously_recreate("go-labs-test");
    assert_eq!(wrong.apply(&cluster(&system.server)).unwrap_err().kind(), ErrorKind::WrongEnvironment);
    let there = "SELECT to_regclass('billing.invoices') IS NOT NULL";
    assert!(value::<bool>(&mut system.superuser(), there));
    let anew = provision(TEXT, "tst", system.folder.path()).dangerously_recreate("go-labs-tst");
    anew.apply(&cluster(&system.server)).unwrap();
    assert!(!value::<bool>(&mut system.superuser(), there));
    migrate(&system, "tst");
    system.assert_a_second_time_changes_nothing();
}

#[test]
fn r53_no_other_environment_is_ever_dropped_and_the_last_two_ask() {
    let mut server = system::server();
    for environment in ["dev", "qua", "prd"] {
        let system = System::on(server, TEXT, environment);
        migrate(&system, environment);
        let mut client = system.superuser();
        client
            .batch_execute(
                "INSERT INTO billing.invoices (number, customer_ref, currency) VALUES ('1', 'a', 'EUR')",
            )
            .unwrap();
        let anew = provision(TEXT, environment, system.folder.path()).dangerously_recreate(system.database());
        assert_eq!(anew.apply(&cluster(&system.server)).unwrap_err().kind(), ErrorKind::WrongEnvironment);

        let more =
            TEXT.replacen("[[each.service]]", "[[each.service]]\nname = \"shipping\"\n[[each.service]]", 1);
        let template = habitat_migrate::provision::Template::from_toml("provision.toml", more).unwrap();
        let unconfirmed = habitat_migrate::provision::Provision::new(template.declare(environment).unwrap());
        let outcome = unconfirmed.apply(&cluster(&system.server));
        match environment {
            "dev" => assert!(!outcome.unwrap().is_empty(), "development creates what is missing"),
            _ => assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Unconfirmed, "{environment}"),
        }
        assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM billing.invoices"), 1);
        server = system.server;
    }
}

#[test]
fn a_service_is_added_by_three_lines_and_the_others_stay_as_they_are() {
    let system = System::start(TEXT, "dev");
    migrate(&system, "dev");
    let before = dump(&system.server, system.database());
    let lines = "[[each.service]]\nname = \"shipping\"\n\n";
    assert_eq!(lines.lines().count(), 3);
    let more = TEXT.replacen("[[each.service]]", &format!("{lines}[[each.service]]"), 1);
    let more = System { provision: provision(&more, "dev", system.folder.path()), ..system };
    let plan = more.apply();
    assert!(!plan.is_empty());
    for step in plan.steps() {
        assert!(step.why().contains("shipping"), "{}", step.why());
    }
    habitat_migrate::provision::set_passwords(
        &mut superuser(&more.server, "postgres"),
        more.provision.declaration(),
    )
    .unwrap();
    let after = dump(&more.server, more.database());
    // Its roles stand in the database's list of rights, too: that line has them, and is otherwise as it was.
    let others = |dump: &str| {
        let line = |line: &str| match line.starts_with("database ") {
            true => line
                .split(['{', ',', '}'])
                .filter(|part| !part.contains("shipping"))
                .collect::<Vec<_>>()
                .join(","),
            false => line.to_owned(),
        };
        dump.lines().map(line).filter(|line| !line.contains("shipping")).collect::<Vec<_>>()
    };
    assert_ne!(after, before);
    assert_eq!(others(&after), others(&before));
    let mut client = more.client("shipping_migration_dev_user");
    let scripts = support::catalog(
        "shipping",
        [("001_parcels.sql", "CREATE TABLE shipping.parcels (id bigint PRIMARY KEY);")],
    );
    Migrator::new(scripts).schema("shipping").migrate(&mut client).unwrap();
    more.assert_a_second_time_changes_nothing();
    assert!(more.assert_least_privilege() > 500);
    assert!(more.folder.path().join("output/dev/shipping-connections.yaml").exists());
}
