//! All of Phase C goes up, down and up again without a trace: a dump and the rows tell.

use habitat_migrate::testing::{Database, Server};
use postgres::{Client, SimpleQueryMessage};

use crate::lifecycle::{apply, assert_same, down, dump, plain_owner, revert, set, up, verify};
use crate::support::{database, own_server, value};
use crate::{ACME, ADA, FOLDER, audit, new_key};

#[test]
fn up_down_and_up_again_leave_the_same_schema_byte_for_byte() {
    there_and_back(Server::shared().expect("a server"), &database(), None);
}

#[test]
fn a_login_that_owns_the_database_needs_no_superuser() {
    let server = own_server();
    there_and_back(&server, &server.database().unwrap(), Some("cockpit_owner"));
}

/// One migration at a time up, all of them down, all of them up; a dump and the rows before and after each step.
fn there_and_back(server: &Server, database: &Database, owner: Option<&str>) {
    let catalog = set(FOLDER);
    let mut client = match owner {
        Some(login) => plain_owner(database, login),
        None => database.connect().unwrap(),
    };
    let mut states = Vec::new();
    for migration in catalog.migrations() {
        states.push((dump(server, database), rows(&mut client)));
        apply(&mut client, migration);
    }
    let complete = dump(server, database);
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    fill(&mut client);
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    assert_same(&dump_without_months(server, database, &mut client), &complete, "rows in the tables");

    for (migration, (before, rows_before)) in catalog.migrations().iter().zip(&states).rev() {
        revert(&mut client, migration);
        assert_same(&dump(server, database), before, &format!("after {} went down", migration.id()));
        assert_eq!(&rows(&mut client), rows_before, "after {} went down", migration.id());
    }
    up(&mut client, &catalog);
    assert_same(&dump(server, database), &complete, "up again");
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
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

/// Writes a row into every table, and a month of use.
fn fill(client: &mut Client) {
    let key = value::<String>(client, &new_key());
    client
        .batch_execute(&format!(
            "INSERT INTO permissions (name, resource, action) VALUES ('metrics.read', 'metrics', 'read');
             INSERT INTO role_permissions SELECT 'VIEWER', id FROM permissions;
             INSERT INTO api_key_usage (api_key_id, used_at) VALUES ('{key}', '2025-11-13'), ('{key}', '2025-12-13');
             SELECT create_api_key_usage_partitions('2025-11-01', 1);
             {};
             INSERT INTO weight_overrides (company_id, category, weights) VALUES ('{ACME}', 'sroi', '{{}}');
             INSERT INTO integration_configs (company_id, platform) VALUES ('{ACME}', 'workday');
             INSERT INTO integration_delivery_log (integration_config_id, company_id, platform, status)
             SELECT id, company_id, platform, 'queued' FROM integration_configs;",
            audit(ADA, "now()")
        ))
        .unwrap();
}

/// The schema without the month that [`fill`] has made, which is kept as a row is.
fn dump_without_months(server: &Server, database: &Database, client: &mut Client) -> Option<String> {
    let text = dump(server, database)?;
    assert!(text.contains("api_key_usage_2025_11"), "the month is there");
    client
        .batch_execute("BEGIN; ALTER TABLE api_key_usage DETACH PARTITION api_key_usage_2025_11; DROP TABLE api_key_usage_2025_11; COMMIT")
        .unwrap();
    dump(server, database)
}

/// Every row of the tables that Phase C changes, with only the columns that it does not add.
fn rows(client: &mut Client) -> String {
    let columns = "SELECT id, name, created_at FROM companies ORDER BY id;
        SELECT id, company_id, email, lower(role::text), created_at FROM users ORDER BY id;
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
