//! Connection files: other programs read out of them what was put in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use base64::Engine as _;
use habitat_migrate::provision::{
    Connection, ConnectionFormat, Connections, KubernetesSecret, Password, Written, set_password,
};

use crate::{HARD, locked};

/// Two roles of one service, whose passwords hold everything.
fn billing(app: &str) -> Connections {
    let connection = |name: &str, password: &str| {
        Connection::new(name, "db.internal", "go-labs-tst", format!("billing_{name}_tst_user"))
            .schema("billing")
            .ssl_mode("verify-full")
            .password(Password::new(password).expect("a password"))
    };
    Connections::new("billing").with(connection("migration", "m'\"\\$")).with(connection("app", app))
}

fn text(connections: &Connections, format: &ConnectionFormat) -> String {
    connections.render(format).expect("a text").to_string()
}

#[test]
fn yaml_and_toml_read_back_as_they_were() {
    for hard in HARD {
        let connections = billing(hard);
        let yaml: serde_json::Value =
            serde_yaml_ng::from_str(&text(&connections, &ConnectionFormat::Yaml)).expect(hard);
        let toml: toml::Table = text(&connections, &ConnectionFormat::Toml).parse().expect(hard);
        let toml = serde_json::to_value(toml).expect("a value");
        assert_eq!(yaml, toml, "both have the same keys");
        let app = &yaml["connections"]["app"];
        assert_eq!(yaml["service"], "billing");
        assert_eq!(app["password"], *hard);
        assert_eq!(app["port"], 5432);
        assert_eq!((&app["database"], &app["schema"]), (&"go-labs-tst".into(), &"billing".into()));
        let url: tokio_postgres::Config =
            app["url"].as_str().expect("a text").replace("verify-full", "require").parse().expect("a URL");
        assert_eq!(url.get_password(), Some(hard.as_bytes()));
        assert_eq!((url.get_user(), url.get_dbname()), (Some("billing_app_tst_user"), Some("go-labs-tst")));
    }
}

#[test]
fn a_shell_reads_an_env_file_as_it_was() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join(".env");
    for hard in HARD {
        billing(hard).write(&file, &ConnectionFormat::Env).expect(hard);
        let print = "set -eu; . \"$1\"; printf '%s\\n' \"$APP_PGPASSWORD\" \"$APP_DATABASE_URL\" \"$MIGRATION_PGUSER\"";
        let output = Command::new("sh").args(["-c", print, "sh"]).arg(&file).output().expect("sh runs");
        let output = String::from_utf8(output.stdout).expect("UTF-8");
        let lines: Vec<&str> = output.split('\n').collect();
        assert_eq!(lines[0], hard);
        let url: tokio_postgres::Config = lines[1].replace("verify-full", "require").parse().expect("a URL");
        assert_eq!(url.get_password(), Some(hard.as_bytes()));
        assert_eq!(lines[2], "billing_migration_tst_user");
    }
}

#[test]
fn a_kubernetes_secret_reads_back_as_it_was() {
    for hard in HARD {
        for secret in [KubernetesSecret::new(), KubernetesSecret::new().string_data()] {
            let format = ConnectionFormat::KubernetesSecret(secret.namespace("labs"));
            let manifest = text(&billing(hard), &format);
            let secrets: Vec<serde_json::Value> = serde_yaml_ng::Deserializer::from_str(&manifest)
                .map(|document| serde::Deserialize::deserialize(document).expect(hard))
                .collect();
            assert_eq!(secrets.len(), 2);
            let secret = &secrets[1];
            assert_eq!((&secret["kind"], &secret["apiVersion"]), (&"Secret".into(), &"v1".into()));
            assert_eq!(secret["metadata"], serde_json::json!({"name": "billing-app", "namespace": "labs"}));
            let value = |key: &str| match (&secret["data"][key], &secret["stringData"][key]) {
                (serde_json::Value::String(data), _) => {
                    let bytes = base64::engine::general_purpose::STANDARD.decode(data).expect("base64");
                    String::from_utf8(bytes).expect("UTF-8")
                }
                (_, data) => data.as_str().expect("a text").to_owned(),
            };
            assert_eq!(value("password"), hard);
            assert_eq!(
                (value("username"), value("port")),
                ("billing_app_tst_user".to_owned(), "5432".to_owned())
            );
        }
    }
}

/// Runs psql with only these variables, and gives who it is.
fn psql(target: &str, variables: &[(&str, &Path)]) -> Result<String, String> {
    let mut command = Command::new("psql");
    command
        .args(["-XAtw", "-c", "SELECT current_user", target])
        .env_clear()
        .env("PATH", std::env::var("PATH").expect("a path"));
    let output = command.envs(variables.iter().copied()).output().expect("psql runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

#[test]
fn libpq_logs_in_by_password_file_service_file_and_url() {
    let server = locked();
    let database = server.create_database("go-labs").expect("a database");
    let mut client = database.connect().expect("a client");
    client.batch_execute("CREATE ROLE \"b:\\\\\"\"app\" LOGIN").expect("a role");
    let role = "b:\\\\\"app";
    let folder = tempfile::tempdir().expect("a folder");
    let (passes, services) = (folder.path().join("pgpass"), folder.path().join("pg_service.conf"));
    let port = server.tcp_port().expect("it listens on TCP");
    for hard in HARD {
        let password = Password::new(hard).expect(hard);
        set_password(&mut client, role, &password).expect(hard);
        let app = Connection::new("app", "127.0.0.1", database.name(), role).port(port).ssl_mode("disable");
        let with = Connections::new("billing").with(app.clone().password(password.clone()));
        let without = Connections::new("billing").with(app.clone());

        assert_eq!(
            psql(&app.clone().password(password).url(), &[]),
            Ok(role.to_owned()),
            "by URL with {hard:?}"
        );

        with.write(&passes, &ConnectionFormat::Pgpass).expect(hard);
        without.write(&services, &ConnectionFormat::PgService).expect(hard);
        let files = [("PGPASSFILE", passes.as_path()), ("PGSERVICEFILE", services.as_path())];
        assert_eq!(
            psql("service=billing-app", &files),
            Ok(role.to_owned()),
            "by password file with {hard:?}"
        );
        assert!(psql("service=billing-app", &files[1..]).is_err(), "the service file has no password");

        match with.write(&services, &ConnectionFormat::PgService) {
            Ok(_) => assert_eq!(
                psql("service=billing-app", &files[1..]),
                Ok(role.to_owned()),
                "by service file with {hard:?}"
            ),
            Err(error) => {
                assert!(hard.ends_with(' ') && error.to_string().contains("white space"), "{hard:?}: {error}")
            }
        }
    }
}

#[test]
fn r47_a_file_is_private_and_rewritten_only_when_it_changes() {
    let folder = tempfile::tempdir().expect("a folder");
    let formats: BTreeMap<&str, ConnectionFormat> = [
        ("tst/billing-connections.yaml", ConnectionFormat::Yaml),
        ("tst/billing.toml", ConnectionFormat::Toml),
        (".env", ConnectionFormat::Env),
        (".pgpass", ConnectionFormat::Pgpass),
        ("pg_service.conf", ConnectionFormat::PgService),
        ("secret.yaml", ConnectionFormat::KubernetesSecret(KubernetesSecret::new())),
    ]
    .into();
    for (name, format) in &formats {
        let path = folder.path().join(name);
        assert_eq!(billing("one").write(&path, format).expect(name), Written::Created);
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).expect("a file"));
        let before = inode(&path);
        assert_eq!(billing("one").write(&path, format).expect(name), Written::Unchanged);
        assert_eq!(inode(&path), before);
        assert_eq!(billing("two").write(&path, format).expect(name), Written::Replaced);
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn what_a_format_cannot_hold_is_refused_without_showing_it() {
    let app = |name: &str| {
        Connection::new(name, "localhost", "app", "app")
            .password(Password::new("s3cret ").expect("a password"))
    };
    let refused = |connections: Connections, format: ConnectionFormat| {
        let error = connections.render(&format).expect_err("a refusal").to_string();
        assert!(!error.contains("s3cret"), "{error}");
        error
    };
    let kubernetes = || ConnectionFormat::KubernetesSecret(KubernetesSecret::new());
    let one = |connection| Connections::new("billing").with(connection);
    assert!(
        refused(one(app("a").schema("x\ny")), ConnectionFormat::Yaml)
            .starts_with("schema of connection \"a\"")
    );
    assert!(refused(one(app("a")).with(app("a")), ConnectionFormat::Toml).contains("two connections"));
    assert!(refused(one(app("a-b")).with(app("a_b")), ConnectionFormat::Env).contains("same variables"));
    assert!(refused(one(app("a-b")).with(app("a_b")), kubernetes()).contains("of its own"));
    assert!(refused(one(app("Ä")), kubernetes()).contains("Kubernetes"));
    assert!(refused(one(app("a]")), ConnectionFormat::PgService).contains("section"));
    assert!(refused(one(app("a")), ConnectionFormat::PgService).contains("white space"));
    let other =
        Connection::new("b", "localhost", "app", "app").password(Password::new("x").expect("a password"));
    assert!(refused(one(app("a")).with(other), ConnectionFormat::Pgpass).contains("same role"));
}
