//! All of Phase C goes up, down and up again without a trace: a dump and the rows tell.

use habitat_migrate::testing::Server;
use habitat_migrate::{Catalog, ErrorKind, Migration};
use postgres::{Client, SimpleQueryMessage};

use crate::lifecycle::{
    apply, assert_same, down, dump, everything, migrator, plain_owner, revert, set, there_and_back, up,
    verify,
};
use crate::support::{database, own_server, value};
use crate::{ACME, ADA, FOLDER, audit, new_key};

#[test]
fn up_down_and_up_again_leave_the_same_schema_byte_for_byte() {
    let (server, database) = (Server::shared().expect("a server"), database());
    let mut client = database.connect().unwrap();
    there_and_back((server, &database), &mut client, &set(FOLDER), rows, use_it);
}

#[test]
fn a_login_that_owns_the_database_needs_no_superuser() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut client = plain_owner(&database, "cockpit_owner");
    there_and_back((&server, &database), &mut client, &set(FOLDER), rows, use_it);
}

#[test]
fn each_migration_alone_goes_down_and_up_again() {
    let (server, database, catalog) = (Server::shared().expect("a server"), database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    for migration in catalog.migrations() {
        apply(&mut client, &catalog, migration);
        let (schema, rows_before) = (dump(server, &database), rows(&mut client));
        revert(&mut client, &catalog, migration);
        apply(&mut client, &catalog, migration);
        assert_same(&dump(server, &database), &schema, &format!("{} again", migration.id()));
        assert_eq!(rows(&mut client), rows_before, "{}", migration.id());
    }
}

#[test]
fn scripts_do_not_depend_on_the_search_path() {
    let (database, catalog) = (database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    client.batch_execute("SET search_path = ''").unwrap();
    up(&mut client, &catalog);
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    client.batch_execute("RESET search_path").unwrap();
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    client.batch_execute("SET search_path = ''").unwrap();
    down(&mut client, &catalog);
}

/// Writes a row into every table, and archives a month of use.
fn use_it(client: &mut Client) {
    let key = value::<String>(client, &new_key());
    client
        .batch_execute(&format!(
            "INSERT INTO permissions (name, resource, action) VALUES ('metrics.read', 'metrics', 'read');
             INSERT INTO role_permissions SELECT 'VIEWER', id FROM permissions;
             INSERT INTO api_key_usage (api_key_id, used_at)
             VALUES ('{key}', '2025-11-13'), ('{key}', '2025-12-13');
             SELECT create_api_key_usage_partitions('2025-11-01', 1);
             {};
             INSERT INTO weight_overrides (company_id, category, weights) VALUES ('{ACME}', 'sroi', '{{}}');
             INSERT INTO integration_configs (company_id, platform) VALUES ('{ACME}', 'workday');
             INSERT INTO integration_delivery_log (integration_config_id, company_id, platform, status)
             SELECT id, company_id, platform, 'queued' FROM integration_configs;",
            audit(ADA, "now()")
        ))
        .unwrap();
    let partitions = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'public.api_key_usage'::regclass";
    assert_eq!(value::<i64>(client, partitions), 2);
    client.batch_execute("ALTER TABLE api_key_usage DETACH PARTITION api_key_usage_2025_11").unwrap();
    client.batch_execute("DROP TABLE api_key_usage_2025_11").unwrap();
}

/// Every row of the tables that Phase C changes, with only the columns that it does not add.
fn rows(client: &mut Client) -> String {
    let columns = "SELECT id, name, created_at FROM companies ORDER BY id;
        SELECT id, company_id, email, role::text, created_at FROM users ORDER BY id;
        SELECT id, user_id, created_at, expires_at FROM sessions ORDER BY id;";
    if value::<Option<String>>(client, "SELECT to_regclass('public.companies')::text").is_none() {
        return String::new();
    }
    let mut text = String::new();
    for message in client.simple_query(columns).expect("rows") {
        if let SimpleQueryMessage::Row(row) = message {
            let values: Vec<&str> = (0..row.len()).map(|n| row.get(n).unwrap_or("null")).collect();
            text.push_str(&values.join(" "));
            text.push('\n');
        }
    }
    assert!(text.lines().count() >= 15, "{text}");
    text
}

#[test]
fn a_verify_script_that_fails_leaves_the_database_as_it_was() {
    let (server, database, catalog) = (Server::shared().expect("a server"), database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    let (last, before) = catalog.migrations().split_last().expect("migrations");
    let target = before.last().expect("one before it").id().clone();
    migrator(&catalog).target(target).migrate(&mut client).unwrap();
    let state = |client: &mut Client| (dump(server, &database), everything(server, &database), rows(client));
    let then = state(&mut client);
    let found = "SELECT false, 'the last statement of all fails';";
    let doubtful = with_verify(&catalog, last, &format!("{}\n{found}", last.verify().expect("there is one")));
    let error = migrator(&doubtful).migrate(&mut client).unwrap_err();
    assert_eq!((error.kind(), error.migration()), (ErrorKind::Verification, Some(last.id())), "{error:?}");
    assert_eq!(error.findings().len(), 1, "{error:?}");
    assert_eq!(error.findings()[0].statement(), found.trim_end_matches(';'));
    let now = state(&mut client);
    assert_same(&now.0, &then.0, "the schema");
    assert_same(&now.1, &then.1, "the data");
    assert_eq!(now.2, then.2);
    // It is not the dumps that cannot tell.
    apply(&mut client, &catalog, last);
    let now = everything(server, &database);
    assert!(now.is_none() || now != then.1);
}

#[test]
fn verification_on_demand_finds_what_somebody_broke_and_writes_nothing() {
    let (server, database, catalog) = (Server::shared().expect("a server"), database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    up(&mut client, &catalog);
    client.batch_execute("DROP INDEX idx_sessions_tenant_id; DELETE FROM role_hierarchy").unwrap();
    let before = everything(server, &database);
    let found = migrator(&catalog).verify(&mut client).unwrap();
    let versions: Vec<&str> = found.iter().map(|finding| finding.migration().version().as_str()).collect();
    assert_eq!(versions, ["001_add_tenant_routing", "002_add_rbac_roles", "002_add_rbac_roles"], "{found:?}");
    assert_same(&everything(server, &database), &before, "verified");
}

/// The set with another verify script for one of its migrations.
fn with_verify(catalog: &Catalog, doubted: &Migration, verify: &str) -> Catalog {
    let scripts = catalog.migrations().iter().flat_map(|migration| {
        let version = migration.version().as_str();
        let verify = if migration.id() == doubted.id() { Some(verify) } else { migration.verify() };
        let script = |role: &str, text: &str| (format!("{version}{role}.sql"), text.to_owned());
        [
            Some(script("", migration.script())),
            migration.down().map(|text| script(".down", text)),
            verify.map(|text| script(".verify", text)),
        ]
    });
    Catalog::from_scripts("phase-c", scripts.flatten().collect::<Vec<_>>())
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}
