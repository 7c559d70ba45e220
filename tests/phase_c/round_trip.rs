//! All of Phase C goes up, down and up again without a trace: a dump and the rows tell.

use habitat_migrate::testing::Server;
use postgres::{Client, SimpleQueryMessage};

use crate::lifecycle::{
    apply, assert_same, down, dump, plain_owner, revert, set, there_and_back, up, verify,
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
        apply(&mut client, migration);
        let (schema, rows_before) = (dump(server, &database), rows(&mut client));
        revert(&mut client, migration);
        apply(&mut client, migration);
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
