//! Phase C of the cockpit's runbook: what each migration does to the rows that are there, and from then on.

mod faults;
#[path = "../support/lifecycle.rs"]
mod lifecycle;
mod round_trip;
#[path = "../support/mod.rs"]
mod support;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, Compatibility, ErrorKind, Migration, Version};
use lifecycle::{apply, assert_same, dump, migrator, plain_owner, revert, set, up, verify};
use postgres::Client;
use support::{database, own_server, value};

const FOLDER: &str = "migrations/phase-c";

const ORDER: [&str; 7] = [
    "000_base",
    "001_add_tenant_routing",
    "002_add_rbac_roles",
    "003_add_api_keys_table",
    "004_add_audit_log_table",
    "005_add_weight_overrides_table",
    "006_add_integration_configs_table",
];

const ACME: &str = "c0000000-0000-4000-8000-000000000001";
const ADA: &str = "a0000000-0000-4000-8000-000000000001";
const BOB: &str = "a0000000-0000-4000-8000-000000000002";

#[test]
fn every_migration_has_a_verify_and_a_down_script_and_says_what_it_is_for() {
    let catalog = set(FOLDER);
    let versions: Vec<&str> =
        catalog.migrations().iter().map(|migration| migration.version().as_str()).collect();
    assert_eq!(versions, ORDER);
    for migration in catalog.migrations() {
        assert!(migration.verify().is_some() && migration.down().is_some(), "{}", migration.id());
        assert!(migration.script().starts_with("-- habitat: description "), "{}", migration.id());
        assert!(migration.script().contains("\n-- Risk: "), "{}", migration.id());
    }
    let breaking =
        catalog.migrations().iter().filter(|m| m.settings().compatibility == Compatibility::Breaking);
    assert_eq!(breaking.map(|m| m.version().as_str()).collect::<Vec<_>>(), ["002_add_rbac_roles"]);
}

#[test]
fn the_rows_that_were_there_get_slugs_tenants_and_roles() {
    let (_database, mut client) = migrated();
    let slugs = "SELECT string_agg(slug, ' ' ORDER BY created_at) FROM companies WHERE length(slug) < 50";
    let expected = "acme-gmbh acme-gmbh-2 acme-gmbh-2-2 company muller-sohne";
    assert_eq!(value::<String>(&mut client, slugs), expected);
    let long = "SELECT slug LIKE 'very-very-%-very' FROM companies WHERE length(slug) BETWEEN 95 AND 100";
    assert!(value::<bool>(&mut client, long));
    let tenants = "SELECT bool_and(allowed_tenants = ARRAY[company_id::text]) FROM users";
    assert!(value::<bool>(&mut client, tenants));
    let sessions =
        "SELECT bool_and(tenant_id = company_id::text) FROM sessions s JOIN users u ON u.id = user_id";
    assert!(value::<bool>(&mut client, sessions));
    let roles = "SELECT string_agg(role::text, ' ' ORDER BY id) FROM users";
    assert_eq!(value::<String>(&mut client, roles), "ADMIN VIEWER ADMIN ADMIN VIEWER");
}

#[test]
fn a_program_that_knows_nothing_of_tenants_still_inserts_companies_and_users() {
    let (_database, mut client) = migrated();
    client
        .batch_execute(
            "INSERT INTO companies (id, name) VALUES ('c1000000-0000-4000-8000-000000000001', 'acme gmbh'),
                                                     ('c1000000-0000-4000-8000-000000000002', '!!!'),
                                                     ('c1000000-0000-4000-8000-000000000003', '???');
             INSERT INTO users (company_id, email)
             VALUES ('c1000000-0000-4000-8000-000000000001', 'fay@acme');",
        )
        .unwrap();
    let slugs = "SELECT string_agg(slug, ' ' ORDER BY id) FROM companies WHERE id::text LIKE 'c1%'";
    assert_eq!(value::<String>(&mut client, slugs), "acme-gmbh-3 company-2 company-3");
    let user = "SELECT role || ' ' || allowed_tenants::text FROM users WHERE email = 'fay@acme'";
    assert_eq!(value::<String>(&mut client, user), "VIEWER {c1000000-0000-4000-8000-000000000001}");
    refused(&mut client, "UPDATE companies SET slug = NULL", "23502");
    refused(&mut client, "UPDATE companies SET slug = 'Not a slug' WHERE slug = 'acme-gmbh'", "23514");
    refused(&mut client, "UPDATE companies SET slug = 'company' WHERE slug = 'acme-gmbh'", "23505");
}

#[test]
fn an_unknown_role_stops_the_migration_before_it_changes_anything() {
    let (server, database, catalog) = (Server::shared().expect("a server"), database(), set(FOLDER));
    let mut client = database.connect().unwrap();
    catalog.migrations()[..2].iter().for_each(|migration| apply(&mut client, &catalog, migration));
    client.batch_execute(&format!("UPDATE users SET role = 'Admin' WHERE id = '{BOB}'")).unwrap();
    let before = dump(server, &database);
    let error = migrator(&catalog).migrate(&mut client).unwrap_err();
    let id = migration(&catalog, "002").id();
    assert_eq!((error.kind(), error.migration()), (ErrorKind::Migration, Some(id)), "{error:?}");
    let error = error.server_error().expect("the server refuses it");
    assert_eq!(error.message, "Users have roles other than admin and viewer");
    assert_eq!(error.detail.as_deref(), Some("Found: 'Admin' (1 users)."));
    assert_same(&dump(server, &database), &before, "refused");
}

#[test]
fn roles_that_are_new_become_lower_ones_when_they_go() {
    let (_database, mut client) = migrated();
    let catalog = set(FOLDER);
    let promote = format!(
        "UPDATE users SET role = 'SUPER_ADMIN' WHERE id = '{ADA}';
         UPDATE users SET role = 'MANAGER' WHERE id = '{BOB}'"
    );
    client.batch_execute(&promote).unwrap();
    catalog.migrations()[2..].iter().rev().for_each(|migration| revert(&mut client, &catalog, migration));
    let roles = "SELECT string_agg(role, ' ' ORDER BY id) FROM users";
    assert_eq!(value::<String>(&mut client, roles), "admin viewer admin admin viewer");
    client
        .batch_execute(&format!("INSERT INTO users (company_id, email) VALUES ('{ACME}', 'new@acme')"))
        .unwrap();
    assert_eq!(value::<String>(&mut client, "SELECT role FROM users WHERE email = 'new@acme'"), "viewer");
}

#[test]
fn the_use_of_keys_is_kept_by_month_and_what_came_early_moves_in() {
    let (_database, mut client) = migrated();
    let catalog = set(FOLDER);
    client.batch_execute("SET timezone = 'America/New_York'").unwrap();
    let key = value::<String>(&mut client, &new_key());
    let insert = format!(
        "INSERT INTO api_key_usage (api_key_id, used_at) SELECT '{key}'::uuid, t::timestamptz
         FROM unnest(ARRAY[
            '2025-10-31 23:59:59.999999+00', '2025-11-01 00:00+00',
                           '2025-11-30 23:00+00', '2025-12-01 00:00+00']) t"
    );
    client.batch_execute(&insert).unwrap();
    let partitions = "SELECT string_agg(p || ' ' || n, ', ' ORDER BY p) FROM (
        SELECT replace(tableoid::regclass::text, 'api_key_usage_', '') AS p, count(*) AS n
        FROM api_key_usage GROUP BY 1) AS t";
    assert_eq!(value::<String>(&mut client, partitions), "default 4");
    let create = "SELECT create_api_key_usage_partitions('2025-11-13', 2)";
    assert_eq!(value::<i32>(&mut client, create), 2);
    assert_eq!(value::<String>(&mut client, partitions), "2025_11 2, 2025_12 1, default 1");
    assert_eq!(value::<i32>(&mut client, create), 0, "they are there");
    client.batch_execute(&insert).unwrap();
    assert_eq!(value::<String>(&mut client, partitions), "2025_11 4, 2025_12 2, default 2");
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    client.batch_execute("DELETE FROM api_keys").unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM api_key_usage"), 0);
    for arguments in ["NULL", "current_date, 0", "current_date, 121", "'infinity'"] {
        refused(&mut client, &format!("SELECT create_api_key_usage_partitions({arguments})"), "22023");
    }
}

#[test]
fn a_key_expires_and_is_revoked_after_it_was_created() {
    let (_database, mut client) = migrated();
    value::<String>(&mut client, &new_key());
    refused(&mut client, "UPDATE api_keys SET expires_at = created_at", "23514");
    refused(&mut client, "UPDATE api_keys SET revoked_at = created_at - interval '1 s'", "23514");
    refused(&mut client, &format!("UPDATE api_keys SET revoked_by = '{ADA}'"), "23514");
    client.batch_execute(&format!("UPDATE api_keys SET revoked_at = now(), revoked_by = '{ADA}'")).unwrap();
    refused(&mut client, &format!("{} RETURNING 1", new_key().replace(" RETURNING id::text", "")), "23505");
}

#[test]
fn the_audit_log_is_append_only_and_outlives_the_user() {
    let (_database, mut client) = migrated();
    client.batch_execute(&audit(BOB, "now()")).unwrap();
    for change in [
        "UPDATE audit_log SET action = 'other'",
        "UPDATE audit_log SET user_id = NULL",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
    ] {
        refused(&mut client, change, "23001");
    }
    client.batch_execute(&format!("DELETE FROM users WHERE id = '{BOB}'")).unwrap();
    let who =
        "SELECT user_email || ' ' || user_role || ' ' || coalesce(user_id::text, 'gone') FROM audit_log";
    assert_eq!(value::<String>(&mut client, who), "bob@acme.example VIEWER gone");
    client.batch_execute("ALTER TABLE users DISABLE TRIGGER ALL; DELETE FROM users").unwrap();
    let error = client.batch_execute(&format!("DELETE FROM companies WHERE id = '{ACME}'")).unwrap_err();
    let constraint = error.as_db_error().and_then(|error| error.constraint()).map(str::to_owned);
    assert_eq!(constraint.as_deref(), Some("audit_log_company_id_fkey"), "{error:?}");
}

#[test]
fn the_audit_log_is_cleaned_by_age_alone_and_not_too_early() {
    let (_database, mut client) = migrated();
    // The clocks of New York changed in between: days of other lengths must not matter.
    client.batch_execute("SET timezone = 'America/New_York'").unwrap();
    for age in ["now()", "now() - 45 * interval '24 hours'", "now() - 91 * interval '24 hours'"] {
        client.batch_execute(&audit(ADA, age)).unwrap();
    }
    for days in ["NULL", "29", "0", "-1", "36501", "2147483647"] {
        refused(&mut client, &format!("SELECT cleanup_old_audit_logs({days})"), "22023");
    }
    assert_eq!(value::<i32>(&mut client, "SELECT cleanup_old_audit_logs()"), 1);
    assert_eq!(value::<i32>(&mut client, "SELECT cleanup_old_audit_logs(46)"), 0);
    assert_eq!(value::<i32>(&mut client, "SELECT cleanup_old_audit_logs(30)"), 1);
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM audit_log"), 1);
}

#[test]
fn every_change_of_weights_is_in_the_history_also_when_they_are_gone() {
    let (_database, mut client) = migrated();
    let catalog = set(FOLDER);
    client
        .batch_execute(&format!(
            "INSERT INTO weight_overrides (company_id, category, weights, created_by)
             VALUES ('{ACME}', 'sroi', '{{\"a\": 1}}', '{ADA}')"
        ))
        .unwrap();
    client
        .batch_execute(&format!(
            "SET app.change_reason = 'review';
             UPDATE weight_overrides SET weights = '{{\"a\": 2}}', updated_by = '{BOB}';
             UPDATE weight_overrides SET weights = '{{\"a\": 2}}', updated_by = '{ADA}';"
        ))
        .unwrap();
    assert_eq!(verify(&mut client, &catalog), [""; 0]);
    assert!(value::<bool>(&mut client, "SELECT updated_at > created_at FROM weight_overrides"));
    client.batch_execute("DELETE FROM weight_overrides; DELETE FROM users WHERE email LIKE 'bob%'").unwrap();
    let history = "SELECT string_agg(concat_ws(' ', old_weights->>'a', '->', new_weights->>'a',
        left(changed_by::text, 1) || right(changed_by::text, 1), change_reason),
        '; ' ORDER BY id) FROM weight_override_history";
    assert_eq!(value::<String>(&mut client, history), "-> 1 a1; 1 -> 2 a2 review; 2 -> review");
    for change in [
        "UPDATE weight_override_history SET new_weights = NULL",
        "DELETE FROM weight_override_history",
        "TRUNCATE weight_override_history",
    ] {
        refused(&mut client, change, "23001");
    }
}

#[test]
fn who_may_change_weights_needs_no_right_to_write_history() {
    let server = own_server();
    let database = server.database().unwrap();
    let mut owner = plain_owner(&database, "cockpit_owner");
    up(&mut owner, &set(FOLDER));
    database.connect().unwrap().batch_execute("CREATE ROLE cockpit_app LOGIN").unwrap();
    owner.batch_execute("GRANT SELECT, INSERT, UPDATE, DELETE ON weight_overrides TO cockpit_app").unwrap();
    let mut app = database.config().user("cockpit_app").connect(postgres::NoTls).unwrap();
    app.batch_execute(&format!(
        "INSERT INTO weight_overrides (company_id, category, weights) VALUES ('{ACME}', 'vis', '{{}}')"
    ))
    .unwrap();
    refused(&mut app, "INSERT INTO weight_override_history DEFAULT VALUES", "42501");
    refused(&mut app, "SELECT cleanup_old_audit_logs()", "42501");
    refused(&mut app, "SELECT create_api_key_usage_partitions(current_date)", "42501");
    assert_eq!(value::<i64>(&mut owner, "SELECT count(*) FROM weight_override_history"), 1);
}

#[test]
fn deliveries_stay_when_their_integration_goes() {
    let (_database, mut client) = migrated();
    client
        .batch_execute(&format!(
            "INSERT INTO integration_configs (company_id, platform) VALUES ('{ACME}', 'benevity');
             INSERT INTO integration_delivery_log (integration_config_id, company_id, platform, status)
             SELECT id, company_id, platform, 'success' FROM integration_configs;"
        ))
        .unwrap();
    client.batch_execute("UPDATE integration_configs SET enabled = true").unwrap();
    assert!(value::<bool>(&mut client, "SELECT updated_at > created_at FROM integration_configs"));
    client.batch_execute("DELETE FROM integration_configs").unwrap();
    let log = "SELECT platform || ' ' || (integration_config_id IS NULL) FROM integration_delivery_log";
    assert_eq!(value::<String>(&mut client, log), "benevity true");
}

/// A database with all of Phase C, and a connection to it.
fn migrated() -> (Database, Client) {
    let database = database();
    let mut client = database.connect().unwrap();
    up(&mut client, &set(FOLDER));
    (database, client)
}

/// The migration whose version begins with this number.
fn migration<'a>(catalog: &'a Catalog, number: &str) -> &'a Migration {
    let name = ORDER.iter().find(|name| name.starts_with(number)).expect("one of them");
    catalog.get("phase-c", &Version::new(*name)).expect("it is in the catalog")
}

fn new_key() -> String {
    format!(
        "INSERT INTO api_keys (company_id, name, key_hash, key_prefix, created_by)
         VALUES ('{ACME}', 'reports', '$2b$12$hash', 'tk_live_', '{ADA}') RETURNING id::text"
    )
}

/// A row of the audit log about a user, at a time.
fn audit(user: &str, time: &str) -> String {
    format!(
        "INSERT INTO audit_log (timestamp, company_id, user_id, user_email, user_role, action, resource)
         SELECT {time}, company_id, id, email, role, 'EXPORT', 'report' FROM users WHERE id = '{user}'"
    )
}

/// The server refuses a statement with this SQLSTATE.
fn refused(client: &mut Client, sql: &str, code: &str) {
    let error = client.batch_execute(sql).expect_err(sql);
    assert_eq!(error.code().map(|code| code.code()), Some(code), "{sql}: {error:?}");
}
