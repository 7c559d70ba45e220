//! A verify script that cannot fail proves nothing: each of its statements finds what it looks for.

use crate::lifecycle::{Fault, assert_faults_are_found, set};
use crate::{FOLDER, migrated};

#[test]
fn each_statement_of_a_verify_script_finds_what_it_looks_for() {
    let (_database, mut client) = migrated();
    assert_faults_are_found(&mut client, &set(FOLDER), FAULTS);
}

const FAULTS: &[Fault] = &[
    ("000", "ALTER TABLE sessions RENAME TO logins", &[1, 2]),
    ("000", "ALTER TABLE users DROP CONSTRAINT users_company_id_fkey", &[2]),
    ("001", "ALTER TABLE companies ALTER tenant_enabled DROP DEFAULT", &[1]),
    ("001", "ALTER TABLE companies ALTER slug DROP NOT NULL; UPDATE companies SET slug = NULL", &[1, 2]),
    (
        "001",
        "ALTER TABLE companies DROP CONSTRAINT idx_companies_slug; UPDATE companies SET slug = 'same'",
        &[3, 5],
    ),
    (
        "001",
        "ALTER TABLE companies DROP CONSTRAINT companies_slug_form; UPDATE companies SET slug = upper(slug)",
        &[3],
    ),
    (
        "001",
        "ALTER TABLE users ALTER allowed_tenants DROP NOT NULL;
         UPDATE users SET allowed_tenants = NULL",
        &[1, 4],
    ),
    ("001", "DROP INDEX idx_sessions_tenant_id", &[5]),
    ("001", "ALTER TABLE companies DISABLE TRIGGER companies_assign_slug", &[6]),
    ("001", "ALTER FUNCTION free_company_slug(text) RESET search_path", &[7]),
    ("002", "ALTER TYPE user_role_enum RENAME VALUE 'MANAGER' TO 'BOSS'", &[1]),
    ("002", "ALTER TABLE users ALTER role SET DEFAULT 'ADMIN'", &[2]),
    ("002", "ALTER TABLE users ALTER role DROP DEFAULT", &[2]),
    ("002", "DELETE FROM role_hierarchy WHERE role = 'VIEWER'", &[3, 4]),
    ("002", "DELETE FROM role_hierarchy", &[3, 4]),
    ("002", "UPDATE role_hierarchy SET level = 7 WHERE role = 'VIEWER'", &[4]),
    ("002", "DROP INDEX idx_role_permissions_permission_id", &[5]),
    ("002", "ALTER TABLE permissions DROP CONSTRAINT permissions_name_key", &[6]),
    (
        "003",
        "DROP TABLE api_key_usage; CREATE TABLE api_key_usage (id int); CREATE TABLE api_key_usage_default ()",
        &[1, 2, 6, 7],
    ),
    ("003", "ALTER TABLE api_key_usage DETACH PARTITION api_key_usage_default", &[2]),
    (
        "003",
        "CREATE TABLE api_key_usage_2025_11 PARTITION OF api_key_usage
         FOR VALUES FROM ('2025-11-01') TO ('2025-11-30')",
        &[3],
    ),
    ("003", "ALTER TABLE api_keys DROP CONSTRAINT valid_expiry", &[4]),
    (
        "003",
        "ALTER TABLE api_keys DROP CONSTRAINT valid_expiry;
         INSERT INTO api_keys (company_id, name, key_hash, key_prefix, expires_at)
         SELECT id, 'k', 'h', 'p', '2020-01-01' FROM companies LIMIT 1",
        &[4, 5],
    ),
    ("003", "ALTER TABLE api_keys DROP CONSTRAINT api_keys_created_by_fkey", &[6]),
    ("003", "DROP INDEX idx_api_keys_expires_at", &[7]),
    ("003", "ALTER FUNCTION create_api_key_usage_partitions RESET ALL", &[8]),
    ("003", "GRANT EXECUTE ON FUNCTION create_api_key_usage_partitions TO PUBLIC", &[8]),
    ("004", "ALTER TABLE audit_log ALTER user_role TYPE text", &[1]),
    ("004", "ALTER TABLE audit_log DISABLE TRIGGER audit_log_not_truncated", &[2]),
    ("004", "ALTER TABLE audit_log DROP CONSTRAINT audit_log_user_id_fkey", &[3]),
    ("004", "ALTER TABLE audit_log ADD CHECK (severity IN ('info', 'warning', 'error'))", &[4]),
    (
        "004",
        "ALTER TABLE audit_log DROP CONSTRAINT valid_severity;
         INSERT INTO audit_log (company_id, action, resource, severity)
         SELECT id, 'a', 'r', 'fatal' FROM companies LIMIT 1",
        &[4, 5],
    ),
    ("004", "DROP INDEX idx_audit_log_action", &[6]),
    ("004", "ALTER FUNCTION cleanup_old_audit_logs SECURITY DEFINER", &[7]),
    ("005", "ALTER TABLE weight_overrides DROP CONSTRAINT weight_overrides_category_check", &[1]),
    ("005", "ALTER TABLE weight_overrides DISABLE TRIGGER weight_override_update_trigger", &[2]),
    (
        "005",
        "ALTER TABLE weight_overrides DISABLE TRIGGER weight_override_insert_trigger;
         INSERT INTO weight_overrides (company_id, category, weights)
         SELECT id, 'vis', '{}' FROM companies LIMIT 1",
        &[2, 3],
    ),
    ("005", "ALTER TABLE weight_override_history DISABLE TRIGGER ALL", &[4]),
    ("005", "ALTER TABLE weight_override_history ADD FOREIGN KEY (changed_by) REFERENCES users", &[4]),
    ("005", "DROP TRIGGER weight_overrides_updated_at ON weight_overrides", &[5]),
    ("005", "DROP INDEX idx_weight_override_history_changed_at", &[6]),
    ("005", "ALTER FUNCTION set_updated_at() SECURITY DEFINER", &[7]),
    ("006", "ALTER TABLE integration_configs DROP CONSTRAINT integration_configs_platform_check", &[1]),
    ("006", "ALTER TABLE integration_configs ALTER enabled SET DEFAULT true", &[2]),
    ("006", "ALTER TABLE integration_delivery_log ALTER platform DROP NOT NULL", &[3]),
    (
        "006",
        "ALTER TABLE integration_delivery_log DROP CONSTRAINT integration_delivery_log_status_check",
        &[4],
    ),
    ("006", "ALTER TABLE integration_configs DISABLE TRIGGER integration_configs_updated_at", &[5]),
    ("006", "DROP INDEX idx_integration_delivery_log_status", &[6]),
];
