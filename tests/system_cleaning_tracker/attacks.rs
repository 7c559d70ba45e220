//! What somebody tries who can run SQL as a role of the API.

use postgres::Client;

use super::{deployed, refused};
use crate::support::value;
use crate::system::superuser;

/// A schema whose names come first, with functions that say yes to everything.
const TRAP: &str = "CREATE SCHEMA evil AUTHORIZATION api_user; SET ROLE api_user;
    CREATE FUNCTION evil.crypt(text, text) RETURNS text LANGUAGE sql AS 'SELECT $2';
    CREATE FUNCTION evil.btrim(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
    CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS 'SELECT current_user::text';
    CREATE TABLE evil.users (user_id int, username varchar, password_hash text, created_at timestamptz)";

fn log_in(client: &mut Client, path: &str) -> String {
    client.batch_execute(&format!("SET search_path = {path}")).unwrap();
    value(client, "SELECT app_functions.login('user1', 'not the password')::text")
}

#[test]
fn a_search_path_of_the_callers_changes_nothing_that_runs_as_the_owner() {
    let system = deployed();
    let mut admin = system.superuser();
    admin.batch_execute(TRAP).unwrap();
    admin
        .batch_execute(&format!("RESET ROLE; GRANT TEMPORARY ON DATABASE {} TO api_user", system.database()))
        .unwrap();
    let mut api = system.client("api_user");
    api.batch_execute("CREATE TEMPORARY TABLE users (user_id int, username varchar, password_hash text)")
        .unwrap();
    for path in ["evil, pg_catalog, public", "pg_temp, evil, pg_catalog", "evil"] {
        assert!(log_in(&mut api, path).contains("Invalid credentials"), "{path}");
    }
}

#[test]
fn the_same_attack_succeeds_on_what_the_documents_script_makes() {
    let server = crate::system::server();
    superuser(&server, "postgres").batch_execute("CREATE DATABASE cleaning_tracker_test").unwrap();
    let mut admin = superuser(&server, "cleaning_tracker_test");
    admin.batch_execute(super::script::SCRIPT).unwrap();
    admin.batch_execute(TRAP).unwrap();
    assert!(
        log_in(&mut admin, "evil, pg_catalog, public").contains("Login successful"),
        "no attack, and no test"
    );
}

#[test]
fn r51_nobody_of_the_api_reads_a_hash_or_writes_but_by_functions() {
    let system = deployed();
    let mut api = system.client("api_user");
    for role in ["api_user", "api_anon", "api_authenticated"] {
        api.batch_execute(&format!("SET ROLE {role}")).unwrap();
        for hash in [
            "SELECT password_hash FROM app_data.users",
            "SELECT * FROM app_data.users",
            "SELECT u FROM app_data.users AS u",
            "SELECT username FROM app_data.users WHERE password_hash LIKE '$2a$%'",
            "SELECT username FROM app_data.users ORDER BY password_hash",
            "COPY app_data.users TO STDOUT",
            "TABLE app_data.users",
        ] {
            refused(&mut api, hash);
        }
        for write in [
            "INSERT INTO app_data.users (username, password_hash) VALUES ('x', 'y')",
            "UPDATE app_data.users SET username = 'x'",
            "UPDATE app_data.task_assignments SET is_approved = true",
            "DELETE FROM app_data.tasks",
            "TRUNCATE app_data.task_assignments",
            "UPDATE app_frontend.frontend_assets SET content = 'defaced'",
            "UPDATE api.users SET username = 'x'",
            "SELECT nextval('app_data.users_user_id_seq')",
            "SELECT setval('app_data.users_user_id_seq', 1)",
            "SELECT app_functions.update_frontend_asset('index.html', 'text/html', 'defaced')",
            "SELECT app_functions.refuse(200, 'mine')",
            "CREATE TABLE app_data.mine (id int)",
            "CREATE FUNCTION app_functions.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "CREATE OR REPLACE FUNCTION app_functions.login(text, text) RETURNS json LANGUAGE sql AS 'SELECT NULL::json'",
            "ALTER FUNCTION app_functions.login(text, text) RESET search_path",
            "CREATE POLICY mine ON app_data.users USING (true)",
            "CREATE TABLE public.mine (id int)",
            "SET ROLE app_owner",
            "DELETE FROM app_data.schema_migrations",
        ] {
            refused(&mut api, write);
        }
    }
}

#[test]
fn what_looks_like_sql_is_a_name_like_any_other() {
    let system = deployed();
    let mut api = system.client("api_user");
    for name in ["'; DROP TABLE app_data.users; --", "\" OR true --", "user1' OR '1'='1", "$$", "\\"] {
        let answer: String =
            api.query_one("SELECT app_functions.login($1, $1)::text", &[&name]).unwrap().get(0);
        assert!(answer.contains("Invalid credentials"), "{name}: {answer}");
        let answer: String =
            api.query_one("SELECT app_functions.register_user($1, $1)::text", &[&name]).unwrap().get(0);
        assert!(answer.contains("registered"), "{name}: {answer}");
    }
    assert_eq!(value::<i64>(&mut system.superuser(), "SELECT count(*) FROM app_data.users"), 8);
}
