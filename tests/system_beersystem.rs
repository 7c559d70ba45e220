//! The beer system end to end: a staging database that speaks TLS only, one role that migrates, one that reads and writes rows.

#[path = "support/owners.rs"]
mod owners;
mod support;
#[path = "support/system.rs"]
mod system;

use base64::Engine as _;
use habitat_migrate::provision::{Connection, ErrorKind, Probes, Provision, Rules, Template, audit_rules};
use habitat_migrate::testing::Server;
use habitat_migrate::{Connector, Migrator};
use owners::dump;
use postgres::{Client, NoTls};
use support::value;
use system::{System, cluster, endpoint, refused, set, superuser};

const TEXT: &str = include_str!("../migrations/beersystem/provision.toml");

/// Everybody but the superuser beside the server needs TLS and a password.
const HBA: &str =
    "local all postgres trust\nlocal all administrator trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

fn tls() -> Server {
    let server = Server::builder().tls().file("pg_hba.conf", HBA).setting("log_statement", "all");
    server.start().expect("a server")
}

/// How a role connects, with everything verified.
fn connections(system: &System) -> Vec<Connection> {
    let server = &system.server;
    let certificate = server.ca_certificate().expect("it has TLS").display().to_string();
    let endpoint =
        habitat_migrate::provision::Endpoint::new("localhost").port(server.tcp_port().expect("it listens"));
    let endpoint = endpoint.root_certificate(certificate).ssl_mode("verify-full");
    let declaration = system.provision.declaration();
    declaration.connections(&declaration.databases()[0], &endpoint).expect("connections")
}

fn client(system: &System, role: &str) -> Client {
    let all = connections(system);
    let connection = all.iter().find(|one| one.user() == role).expect("it logs in");
    connection
        .connector()
        .expect("a connector")
        .connect_blocking()
        .unwrap_or_else(|error| panic!("{role}: {error:?}"))
}

fn migrator() -> Migrator {
    Migrator::new(set("beersystem")).environment("staging")
}

/// Provisioned, migrated by the role that may, and provisioned again, as the tracker is there now.
fn deployed() -> System {
    let system = System::on(tls(), TEXT, "staging");
    let mut admin = client(&system, "beersystem_admin");
    let report = migrator().migrate(&mut admin).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied().len(), 2);
    assert!(migrator().verify(&mut admin).unwrap().is_empty());
    system.apply();
    system
}

#[test]
fn the_database_and_its_roles_are_as_the_document_says() {
    let system = deployed();
    let mut admin = superuser(&system.server, "postgres");
    let facts: String = value(
        &mut admin,
        "SELECT concat_ws(' ', datname, datdba::regrole, pg_encoding_to_char(encoding), datconnlimit)
           FROM pg_database WHERE datname = 'beersystem_stage'",
    );
    assert_eq!(facts, "beersystem_stage beersystem_admin UTF8 -1");
    for role in ["beersystem_admin", "beersystem_app"] {
        let may: bool = value(
            &mut admin,
            &format!(
                "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles WHERE rolname = '{role}'"
            ),
        );
        assert!(!may, "{role}");
    }
    let plan = Template::from_toml("provision.toml", TEXT).unwrap().declare("test").unwrap();
    let plan = Provision::new(plan).plan(&cluster(&system.server)).unwrap().to_string();
    assert!(
        plan.contains("CREATE DATABASE \"beersystem_test\" TEMPLATE \"template0\"")
            || plan.contains("template0"),
        "{plan}"
    );
    system.assert_a_second_time_changes_nothing();
    system.assert_the_log_has_no_password();
    let mut client = system.superuser();
    let rules =
        Rules::new().application_role("beersystem_app").owner("beersystem_admin").isolated().primary_keys();
    let found = audit_rules(&mut client, &rules).unwrap();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn without_tls_nobody_gets_in_and_with_it_the_server_is_verified() {
    let system = deployed();
    for connection in connections(&system) {
        let url = connection.url();
        let mut client = Connector::new(&url).unwrap().connect_blocking().unwrap();
        assert!(value::<bool>(&mut client, "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"));
        let plain = Connector::new(&url.replace("verify-full", "disable")).unwrap().connect_blocking();
        let error = plain.err().expect("the server refuses a plain connection");
        let told = format!("{error:?}");
        assert!(told.contains("no pg_hba.conf entry") && told.contains("no encryption"), "{told}");
        // As the Secret says it, and with another authority's certificate not at all.
        Connector::new(&url.replace("verify-full", "require")).unwrap().connect_blocking().unwrap();
        let other = Server::builder().tls().start().unwrap();
        let (ours, theirs) = [&system.server, &other]
            .map(|server| server.ca_certificate().unwrap().display().to_string().replace('/', "%2F"))
            .into();
        assert!(url.contains(&ours), "{ours}");
        assert!(Connector::new(&url.replace(&ours, &theirs)).unwrap().connect_blocking().is_err());
    }
}

#[test]
fn r51_each_role_may_what_the_document_says_and_no_more() {
    let system = deployed();
    let all = connections(&system);
    let asked = Probes::from_toml("provision.toml", TEXT).unwrap().run_blocking(&all).unwrap();
    assert!(asked.is_as_expected(), "{asked}");
    let derived = system.provision.probes(&cluster(&system.server), "beersystem_stage").unwrap();
    let derived = derived.run_blocking(&all).unwrap();
    assert!(derived.is_as_expected(), "{derived}");

    let mut admin = client(&system, "beersystem_admin");
    admin.batch_execute("CREATE TABLE test_ddl (id serial PRIMARY KEY, name varchar(50)); INSERT INTO test_ddl (name) VALUES ('test'); DROP TABLE test_ddl").unwrap();
    for statement in [
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "ALTER ROLE beersystem_admin CREATEDB",
        "DROP DATABASE postgres",
        "DROP ROLE beersystem_app",
        "ALTER SYSTEM SET work_mem = '1GB'",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT * FROM pg_authid",
    ] {
        refused(&mut admin, statement);
    }
    let mut app = client(&system, "beersystem_app");
    for statement in [
        "CREATE TABLE test_ddl (id serial PRIMARY KEY, name varchar(50))",
        "DROP TABLE beers",
        "ALTER TABLE beers ADD COLUMN n int",
        "TRUNCATE order_lines",
        "CREATE INDEX mine ON beers (name)",
        "CREATE SCHEMA mine",
        "CREATE DATABASE mine",
        "CREATE ROLE mine",
        "CREATE TEMPORARY TABLE mine ()",
        "SELECT setval('orders_order_id_seq', 1)",
        "DELETE FROM schema_migrations",
        "SET ROLE beersystem_admin",
    ] {
        refused(&mut app, statement);
    }
}

#[test]
fn tables_and_sequences_that_come_later_are_the_applications_to_use() {
    let system = deployed();
    let mut admin = client(&system, "beersystem_admin");
    let later = support::catalog(
        "later",
        [("001_kegs.sql", "CREATE TABLE public.kegs (id bigserial PRIMARY KEY, litres int NOT NULL);")],
    );
    Migrator::new(later).migrate(&mut admin).unwrap_or_else(|error| panic!("{error:?}"));
    let mut app = client(&system, "beersystem_app");
    app.batch_execute("INSERT INTO kegs (litres) VALUES (30); UPDATE kegs SET litres = 50; SELECT * FROM kegs; DELETE FROM kegs").unwrap();
    refused(&mut app, "TRUNCATE kegs");
    refused(&mut app, "DROP TABLE kegs");
    system.assert_a_second_time_changes_nothing();
}

#[test]
fn r49_r52_the_service_serves_with_a_role_that_cannot_migrate() {
    let system = System::on(tls(), TEXT, "staging");
    // A replica whose init step has not run says so, and changes nothing.
    let mut app = client(&system, "beersystem_app");
    let error = migrator().migrate(&mut app).expect_err("it may not create a table");
    // R52: what is missing, and on what.
    let told = format!("{error:?}");
    assert!(told.contains("permission denied for schema public (42501)"), "{told}");
    assert!(told.contains("GRANT USAGE, CREATE ON SCHEMA \"public\" TO \"beersystem_app\""), "{told}");
    assert_eq!(
        value::<i64>(&mut system.superuser(), "SELECT count(*) FROM pg_tables WHERE tablename = 'beers'"),
        0
    );
    let mut admin = client(&system, "beersystem_admin");
    migrator().migrate(&mut admin).unwrap_or_else(|error| panic!("{error:?}"));
    system.apply();
    let report = migrator().migrate(&mut app).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!((report.applied().len(), report.already_applied()), (0, 2));
    app.batch_execute("INSERT INTO customers (email, name) VALUES ('ada@example.org', 'Ada'); INSERT INTO orders (customer_id) VALUES (1)").unwrap();
}

#[test]
fn the_secrets_of_kubernetes_let_in_whoever_mounts_them() {
    let system = deployed();
    let port = system.server.tcp_port().unwrap();
    let declaration = system.provision.declaration();
    let at = habitat_migrate::provision::Endpoint::new("localhost").port(port);
    let written = declaration.write_connection_files(&at).unwrap();
    assert_eq!(written.len(), 1);
    assert!(written[0].0.ends_with("secrets/beersystem_stage/beersystem-secrets.yaml"), "{written:?}");
    let manifest = std::fs::read_to_string(&written[0].0).unwrap();
    let secrets: Vec<serde_json::Value> = serde_yaml_ng::Deserializer::from_str(&manifest)
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .collect();
    let named = |name: &str| secrets.iter().find(|secret| secret["metadata"]["name"] == name).unwrap();
    for (name, user) in [("beersystem-admin", "beersystem_admin"), ("beersystem-app", "beersystem_app")] {
        let secret = named(name);
        assert_eq!(
            (&secret["kind"], &secret["metadata"]["namespace"]),
            (&"Secret".into(), &"beersystem".into())
        );
        let read = |key: &str| {
            let text = secret["data"][key].as_str().unwrap_or_else(|| panic!("{name} has no {key}"));
            String::from_utf8(base64::engine::general_purpose::STANDARD.decode(text).unwrap()).unwrap()
        };
        assert_eq!(
            (read("username").as_str(), read("sslmode").as_str(), read("dbname").as_str()),
            (user, "require", "beersystem_stage")
        );
        let mut client = Connector::new(&read("uri")).unwrap().connect_blocking().unwrap();
        assert_eq!(value::<String>(&mut client, "SELECT current_user::text"), user);
    }
    // The same again leaves the file as it is.
    let again = declaration.write_connection_files(&at).unwrap();
    assert_eq!(again[0].1, habitat_migrate::provision::Written::Unchanged);
    assert_ne!(endpoint(&system.server), at);
}

#[test]
fn staging_changes_nothing_before_its_name_was_given() {
    let server = tls();
    let declaration = Template::from_toml("provision.toml", TEXT).unwrap().declare("staging").unwrap();
    let error = Provision::new(declaration).apply(&cluster(&server)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unconfirmed);
    assert_eq!(
        value::<i64>(
            &mut superuser(&server, "postgres"),
            "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'beer%'"
        ),
        0
    );
}

#[test]
fn r50_two_administrators_leave_the_same_owners_and_grants() {
    let dumps: Vec<Option<String>> = ["postgres", "administrator"]
        .into_iter()
        .map(|user| {
            let server = tls();
            superuser(&server, "postgres")
                .batch_execute("CREATE ROLE administrator LOGIN CREATEROLE CREATEDB")
                .unwrap();
            let config = server.config();
            let cluster = habitat_migrate::provision::Cluster::blocking(|database| {
                config.clone().user(user).dbname(database).connect(NoTls)
            });
            let folder = tempfile::tempdir().unwrap();
            let outcome = system::provision(TEXT, "staging", folder.path()).apply(&cluster);
            // Before PostgreSQL 15 the schema public belongs to the superuser that the server began with.
            if let (Err(error), "administrator", ..15) = (&outcome, user, server.major()) {
                assert_eq!(error.kind(), ErrorKind::Refused, "{error:?}");
                return None;
            }
            outcome.unwrap_or_else(|error| panic!("{user}: {error:?}"));
            Some(dump(&server, "beersystem_stage"))
        })
        .collect();
    if dumps[1].is_some() {
        assert_eq!(dumps[0], dumps[1]);
    }
}
