//! The cleaning tracker end to end: whoever deploys, every object belongs to its owner, and the roles of the API can do what they should.

#[path = "../support/lifecycle.rs"]
mod lifecycle;
#[path = "../support/owners.rs"]
mod owners;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/system.rs"]
mod system;

mod attacks;
mod conversion;
mod script;

use habitat_migrate::Migrator;
use habitat_migrate::provision::{Probes, Rules, audit_rules};
use owners::dump;
use postgres::{Client, NoTls};
use support::value;
use system::{System, refused, set};

const TEXT: &str = include_str!("../../migrations/cleaning-tracker/provision.toml");

fn migrator(environment: &str) -> Migrator {
    Migrator::new(set("cleaning-tracker")).schema("app_data").environment(environment)
}

fn migrate(client: &mut Client, environment: &str) {
    let migrator = migrator(environment);
    migrator.migrate(client).unwrap_or_else(|error| panic!("{error:?}"));
    let findings = migrator.verify(client).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(findings.is_empty(), "{findings:?}");
}

/// Deployed by the superuser, tracker and all.
fn deployed() -> System {
    let system = System::start(TEXT, "test");
    migrate(&mut system.superuser(), "test");
    system.apply();
    system
}

fn rules() -> Rules {
    let rules = Rules::new().application_role("api_user").owner("app_owner").isolated();
    ["app_data", "app_functions", "app_frontend", "api"]
        .iter()
        .fold(rules, |rules, schema| rules.schema(*schema))
}

/// What is in the system's schemas and does not belong to app_owner.
const STRANGERS: &str = "SELECT coalesce(string_agg(name || ' ' || owner, ', ' ORDER BY name), '') FROM (
    SELECT oid::regclass::text AS name, relnamespace AS space, relowner::regrole::text AS owner FROM pg_class
    UNION ALL SELECT oid::regprocedure::text, pronamespace, proowner::regrole::text FROM pg_proc
    UNION ALL SELECT oid::regtype::text, typnamespace, typowner::regrole::text FROM pg_type
    UNION ALL SELECT nspname, oid, nspowner::regrole::text FROM pg_namespace) AS o
    WHERE space::regnamespace::text IN ('app_data', 'app_functions', 'app_frontend', 'api') AND owner <> 'app_owner'";

#[test]
fn r50_whoever_deploys_every_object_belongs_to_app_owner() {
    let mut dumps = Vec::new();
    for who in ["superuser", "app_owner", "administrator"] {
        let system = System::start(TEXT, "test");
        let mut client = match who {
            "superuser" => system.superuser(),
            "app_owner" => system.client("app_owner"),
            _ => {
                let sql =
                    "CREATE ROLE administrator LOGIN PASSWORD 'only here'; GRANT app_owner TO administrator";
                system.superuser().batch_execute(sql).unwrap();
                let mut config = system.server.config();
                config.user("administrator").password("only here").dbname(system.database());
                config.connect(NoTls).unwrap()
            }
        };
        migrate(&mut client, "test");
        // The tracker belongs to whoever deployed first, until provisioning says otherwise; nothing else does.
        let left: String = value(&mut system.superuser(), STRANGERS);
        match who {
            "app_owner" => assert_eq!(left, "", "{who}"),
            _ => assert!(
                left.split(", ").all(|name| name.contains("schema_migrations")) && !left.is_empty(),
                "{who}: {left}"
            ),
        }
        let login = if who == "superuser" { "postgres" } else { who };
        let found = system.findings();
        assert_eq!(found.is_empty(), left.is_empty(), "{found:?}");
        assert!(
            found.iter().all(|one| one.contains(&format!("belongs to {login} and not to app_owner"))),
            "{found:?}"
        );
        system.assert_a_second_time_changes_nothing();
        assert_eq!(value::<String>(&mut system.superuser(), STRANGERS), "", "{who}");
        // The next deployment is by the same login, and finds nothing to do.
        assert_eq!(migrator("test").migrate(&mut client).unwrap().applied().len(), 0);
        assert!(system.assert_least_privilege() > 50);
        system.assert_the_log_has_no_password();
        dumps.push((who, dump(&system.server, system.database())));
    }
    for (who, dump) in &dumps[1..] {
        assert_eq!(*dump, dumps[0].1, "{who}");
    }
}

#[test]
fn r53_production_has_no_sample_data_whoever_asks() {
    let system = System::start(TEXT, "production");
    let mut owner = system.client("app_owner");
    for asked in ["test", "development"] {
        let error = migrator(asked).migrate(&mut owner).expect_err(asked);
        assert_eq!(error.kind(), habitat_migrate::ErrorKind::Refused, "{error:?}");
    }
    migrate(&mut owner, "production");
    assert_eq!(value::<i64>(&mut owner, "SELECT count(*) FROM app_data.users"), 0);
    system.assert_a_second_time_changes_nothing();
}

#[test]
fn the_audit_finds_nothing_in_what_is_deployed() {
    let system = deployed();
    let mut client = system.superuser();
    assert_eq!(system.findings(), [""; 0]);
    // Before PostgreSQL 15 a view reads as its owner; here no row is hidden from its readers.
    let found = audit_rules(&mut client, &rules()).unwrap();
    assert!(found.is_empty(), "{found:?}");
    let report =
        Probes::from_toml("provision.toml", TEXT).unwrap().run_blocking(&system.connections()).unwrap();
    assert!(report.is_as_expected(), "{report}");
}

#[test]
fn what_a_new_table_or_function_brings_is_granted_to_nobody() {
    let system = deployed();
    let mut owner = system.client("app_owner");
    owner.batch_execute(
        "CREATE TABLE app_data.secrets (word text); CREATE VIEW api.secrets AS SELECT * FROM app_data.secrets;
         CREATE FUNCTION app_functions.leak() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
         AS 'SELECT min(word) FROM app_data.secrets'").unwrap();
    assert!(system.apply().is_empty(), "provisioning grants nothing that nobody declared");
    let mut api = system.client("api_user");
    for role in ["api_user", "api_anon", "api_authenticated"] {
        api.batch_execute(&format!("SET ROLE {role}")).unwrap();
        refused(&mut api, "SELECT * FROM app_data.secrets");
        refused(&mut api, "SELECT * FROM api.secrets");
        refused(&mut api, "SELECT app_functions.leak()");
    }
}

#[test]
fn the_roles_of_the_api_register_log_in_work_and_are_served() {
    let system = deployed();
    let mut owner = system.client("app_owner");
    owner
        .batch_execute(
            "SELECT app_functions.update_frontend_asset('index.html', 'text/html', '<h1>Tasks</h1>')",
        )
        .unwrap();
    let mut api = system.client("api_user");
    let mut call = |role: &str, call: &str, of: &str| {
        api.batch_execute(&format!("SET ROLE {role}; BEGIN")).unwrap();
        let answer: String = value(&mut api, &format!("SELECT app_functions.{call}::text"));
        let setting: Option<String> =
            value(&mut api, &format!("SELECT current_setting('response.{of}', true)"));
        api.batch_execute("COMMIT").unwrap();
        (answer, setting.unwrap_or_default())
    };
    let (answer, status) = call("api_anon", "register_user('ada', 'correct horse')", "status");
    assert!(answer.contains("User registered successfully"), "{answer}");
    assert_eq!(status, "201");
    assert!(call("api_anon", "register_user('ada', 'again')", "status").0.contains("already exists"));
    assert!(call("api_anon", "login('ada', 'correct horse')", "status").0.contains("Login successful"));
    let (answer, status) = call("api_anon", "login('ada', 'wrong')", "status");
    assert!(answer.contains("Invalid credentials"), "{answer}");
    assert_eq!(status, "401");
    let (answer, _) = call("api_authenticated", "create_task('Windows', 'Both sides.')", "status");
    assert!(answer.contains("Task created successfully"), "{answer}");
    let (page, headers) = call("api_anon", "serve_html()", "headers");
    assert_eq!(page, "<h1>Tasks</h1>");
    let headers: serde_json::Value = serde_json::from_str(&headers).unwrap();
    assert_eq!(headers[0]["Content-Type"], "text/html; charset=utf-8");
    assert_eq!(
        call("api_anon", "serve_html('none')", "status"),
        ("Asset not found".to_owned(), "404".to_owned())
    );
}
