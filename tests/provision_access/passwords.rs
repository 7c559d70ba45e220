//! R47: a password is known to its owner, and to nobody else.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use habitat_migrate::provision::{
    AccessErrorKind, Password, PasswordChange, Template, rotate, set_password, set_passwords,
};
use habitat_migrate::testing::{Database, Server};
use postgres::Client;
use tempfile::TempDir;

use crate::support::value;
use crate::{HARD, connection, locked};

fn app(server: &Server) -> (Database, Client) {
    let database = server.create_database("app").expect("a database");
    let mut client = database.connect().expect("a client");
    client.batch_execute("CREATE ROLE app LOGIN").expect("a role");
    (database, client)
}

fn logs_in(server: &Server, database: &Database, password: &Password) -> bool {
    let connector = connection(server, database, "app", password).connector().expect("a connector");
    connector.connect_blocking().is_ok()
}

/// Gives `app` its first password: the folder and the file that keep it, and the password.
fn rotated(client: &mut Client) -> (TempDir, PathBuf, Password) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("app.password");
    let password = rotate(client, "app", &file).expect("rotated");
    (folder, file, password)
}

/// What `pg_authid` has of `app`.
fn stored(client: &mut Client) -> String {
    value(client, "SELECT rolpassword || xmin::text FROM pg_authid WHERE rolname = 'app'")
}

#[test]
fn r47_every_client_logs_in_with_any_password_that_was_set_as_a_verifier() {
    let server = locked();
    let (database, mut client) = app(&server);
    for text in HARD {
        let password = Password::new(text).expect(text);
        assert_eq!(set_password(&mut client, "app", &password).expect(text), PasswordChange::Changed);
        assert!(stored(&mut client).starts_with("SCRAM-SHA-256$4096:"));
        assert!(logs_in(&server, &database, &password), "tokio-postgres with {text:?}");
        let psql = Command::new("psql")
            .args(["-XAtw", "-h", &server.socket_dir().expect("a folder").display().to_string()])
            .args(["-p", &server.port().to_string(), "-U", "app", "-d", database.name(), "-c", "SELECT 1"])
            .env("PGPASSWORD", text)
            .output()
            .expect("psql runs");
        assert!(psql.status.success(), "libpq with {text:?}: {}", String::from_utf8_lossy(&psql.stderr));
        let other = Password::new(format!("{text}x")).expect(text);
        assert!(!logs_in(&server, &database, &other), "not with another than {text:?}");
    }
}

#[test]
fn r47_no_statement_log_or_activity_shows_a_password() {
    let server = locked();
    let (database, mut client) = app(&server);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("app.password");
    for text in HARD.into_iter().filter(|text| text.len() > 6) {
        let password = Password::new(text).expect(text);
        set_password(&mut client, "app", &password).expect(text);
        assert!(logs_in(&server, &database, &password));
        let wrong = set_password(&mut client, "nobody", &password).expect_err("there is no such role");
        assert_eq!(wrong.kind(), AccessErrorKind::Server);
        assert!(!format!("{wrong} {wrong:?}").contains(text));
    }
    let rotated = rotate(&mut client, "app", &file).expect("rotated");
    let mut watcher = database.connect().expect("a client");
    let seen: String = value(&mut watcher, "SELECT string_agg(query, ' ') FROM pg_stat_activity");
    let log = server.log().expect("a log");
    assert!(log.contains("ALTER ROLE \"app\" PASSWORD 'SCRAM-SHA-256$"), "statements are logged");
    for text in HARD.into_iter().filter(|text| text.len() > 6).chain([rotated.expose()]) {
        assert!(!log.contains(text) && !seen.contains(text), "{text:?} is shown");
        assert!(!log.contains(&text.replace('\'', "''")), "{text:?} is shown");
    }
}

#[test]
fn a_password_that_is_right_already_is_left_as_it_is_whoever_set_it() {
    let server = locked();
    let (_database, mut client) = app(&server);
    for text in HARD {
        let password = Password::new(text).expect(text);
        let quoted = text.replace('\\', "\\\\").replace('\'', "''");
        client.batch_execute(&format!("ALTER ROLE app PASSWORD E'{quoted}'")).expect(text);
        let before = stored(&mut client);
        assert_eq!(
            set_password(&mut client, "app", &password).expect(text),
            PasswordChange::Unchanged,
            "{text:?}"
        );
        assert_eq!(stored(&mut client), before);
    }
}

#[test]
fn an_md5_hash_is_replaced_by_a_verifier() {
    let server = locked();
    let (database, mut client) = app(&server);
    client
        .batch_execute("SET password_encryption = 'md5'; ALTER ROLE app PASSWORD 'right'")
        .expect("a server that still makes MD5 hashes");
    assert!(stored(&mut client).starts_with("md5"));
    let password = Password::new("right").expect("a password");
    assert_eq!(set_password(&mut client, "app", &password).expect("set"), PasswordChange::Changed);
    assert!(stored(&mut client).starts_with("SCRAM-SHA-256$") && logs_in(&server, &database, &password));
}

#[test]
fn who_may_not_read_verifiers_sets_a_password_without_breaking_the_transaction() {
    let server = locked();
    let (database, mut client) = app(&server);
    client.batch_execute("CREATE ROLE keeper LOGIN CREATEROLE").expect("a role");
    // The keeper makes the role, so that it may also change it from PostgreSQL 16 on.
    client
        .batch_execute("SET ROLE keeper; DROP ROLE IF EXISTS theirs; CREATE ROLE theirs LOGIN; BEGIN")
        .expect("begun");
    let password = Password::generate().expect("a password");
    assert_eq!(set_password(&mut client, "theirs", &password).expect("set"), PasswordChange::Unseen);
    client.batch_execute("COMMIT").expect("the transaction is sound");
    let connector = connection(&server, &database, "theirs", &password).connector().expect("a connector");
    assert!(connector.connect_blocking().is_ok());
}

#[test]
fn a_rotation_changes_the_server_and_the_file_together() {
    let server = locked();
    let (database, mut client) = app(&server);
    let (folder, file, first) = rotated(&mut client);
    let second = rotate(&mut client, "app", &file).expect("rotated");
    assert_ne!(first.expose(), second.expose());
    assert!(logs_in(&server, &database, &second) && !logs_in(&server, &database, &first));
    assert_eq!(Password::from_file(&file).expect("a file").expose(), second.expose());
    assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
    assert_eq!(entries(folder.path()), ["app.password"], "nothing else is left");
}

#[test]
fn r47_a_rotation_that_breaks_off_leaves_the_password_in_a_file_and_the_next_one_ends_it() {
    let server = locked();
    let (database, mut client) = app(&server);
    let (folder, file, old) = rotated(&mut client);
    let pending = folder.path().join("app.password.pending");

    // Behind the pending file, before the server: the server refuses.
    client.batch_execute("SET default_transaction_read_only = on").expect("read only");
    assert_eq!(rotate(&mut client, "app", &file).expect_err("refused").kind(), AccessErrorKind::Server);
    client.batch_execute("SET default_transaction_read_only = off").expect("writable");
    let next = Password::from_file(&pending).expect("a pending file");
    assert!(logs_in(&server, &database, &old), "the file is still right");
    assert_eq!(Password::from_file(&file).expect("a file").expose(), old.expose());

    // Behind the server, before the file.
    set_password(&mut client, "app", &next).expect("set");
    assert!(logs_in(&server, &database, &next), "the pending file is right");

    assert_eq!(rotate(&mut client, "app", &file).expect("ended").expose(), next.expose());
    assert_eq!(Password::from_file(&file).expect("a file").expose(), next.expose());
    assert_eq!(entries(folder.path()), ["app.password"]);
}

#[test]
fn r47_a_file_that_others_may_read_stops_a_rotation_before_the_server() {
    let server = locked();
    let (_database, mut client) = app(&server);
    let (folder, file, _) = rotated(&mut client);
    let before = stored(&mut client);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("opened");
    let error = rotate(&mut client, "app", &file).expect_err("refused");
    assert!(error.kind() == AccessErrorKind::File && error.to_string().contains("0644"), "{error}");
    assert_eq!(stored(&mut client), before);
    assert_eq!(entries(folder.path()), ["app.password"]);
}

#[test]
fn rotations_at_once_agree_on_a_password() {
    let server = locked();
    let (database, mut client) = app(&server);
    let (folder, file, _) = rotated(&mut client);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut client = database.connect().expect("a client");
                for _ in 0..5 {
                    // Two ALTER ROLE at once: one of them may be told so.
                    while rotate(&mut client, "app", &file).is_err() {}
                }
            });
        }
    });
    rotate(&mut client, "app", &file).expect("rotated");
    assert!(logs_in(&server, &database, &Password::from_file(&file).expect("a file")));
    assert_eq!(entries(folder.path()), ["app.password"]);
}

fn entries(folder: &Path) -> Vec<String> {
    let name = |entry: std::io::Result<fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("a name")
    };
    fs::read_dir(folder).expect("entries").map(name).collect()
}

#[test]
fn r47_a_connection_shows_no_password() {
    let password = Password::new("Tr0ub4dor&3").expect("a password");
    let connection =
        habitat_migrate::provision::Connection::new("app", "localhost", "app", "app").password(password);
    assert!(!format!("{connection:?} {connection:#?}").contains("Tr0ub"));
    let error = connection.ssl_mode("nonsense").connector().expect_err("a refusal");
    assert!(!format!("{error} {error:?}").contains("Tr0ub"));
}

#[test]
fn the_roles_of_a_declaration_get_their_passwords_once() {
    let server = locked();
    let (database, mut client) = app(&server);
    client.batch_execute("CREATE ROLE migration LOGIN; CREATE ROLE nobody").expect("roles");
    let folder = tempfile::tempdir().expect("a folder");
    let (given, made) = (folder.path().join("given"), folder.path().join("made"));
    let text = format!(
        "[environments.tst]\nkind = \"test\"\n[roles.app]\nlogin = true\npassword = {{ file = {given:?} }}\n\
         [roles.migration]\nlogin = true\npassword = {{ generate = {made:?} }}\n[roles.nobody]\n"
    );
    let declaration =
        Template::from_toml("provision.toml", text).expect("a template").declare("tst").expect("roles");
    let error = set_passwords(&mut client, &declaration).expect_err("a file is missing");
    assert!(error.to_string().starts_with("the password of \"app\" is not set: "), "{error}");
    let none = "SELECT bool_and(rolpassword IS NULL) FROM pg_authid WHERE rolname IN ('app', 'migration')";
    assert!(value::<bool>(&mut client, none), "nothing is set");

    let password = Password::new("it's \\ given").expect("a password");
    password.write_to(&given).expect("written");
    let changes = |change| [("app".to_owned(), change), ("migration".to_owned(), change)].to_vec();
    let first = set_passwords(&mut client, &declaration).expect("set");
    assert_eq!(first, changes(PasswordChange::Changed));
    let verifiers = "SELECT string_agg(rolname || rolpassword || xmin, ' ' ORDER BY rolname) FROM pg_authid WHERE rolpassword <> ''";
    let before: String = value(&mut client, verifiers);
    let second = set_passwords(&mut client, &declaration).expect("set");
    assert_eq!(second, changes(PasswordChange::Unchanged));
    assert_eq!(value::<String>(&mut client, verifiers), before, "twice changes nothing");
    assert!(logs_in(&server, &database, &password));
}

#[test]
fn a_password_is_prepared_as_the_server_prepares_it_or_refused() {
    let server = Server::start().expect("a server");
    let (_database, mut client) = app(&server);
    // Where the server can be told to, one round makes a verifier, and many can be looked at.
    let step = if server.major() >= 16 { 1 } else { 41 };
    if server.major() >= 16 {
        client.batch_execute("SET scram_iterations = 1").expect("one round");
    }
    let rare = ['\u{340}', '\u{3f9}', '\u{10fc}', '\u{1d2c}', '\u{2135}', '\u{3250}'];
    let all = ('\u{7f}'..'\u{600}').chain('\u{1d20}'..'\u{2160}').step_by(step).chain(rare);
    let (mut taken, mut refused) = (0, 0);
    for text in all.flat_map(|c| [format!("a{c}"), c.to_string()]) {
        let Ok(password) = Password::new(text.as_str()) else {
            refused += 1;
            continue;
        };
        client.batch_execute(&format!("ALTER ROLE app PASSWORD '{text}'")).expect("set by the server");
        let change = set_password(&mut client, "app", &password).expect("looked at");
        assert_eq!(change, PasswordChange::Unchanged, "{text:?} {}", text.escape_unicode());
        taken += 1;
    }
    assert!(refused >= 11 && taken > refused * 2, "{taken} taken, {refused} refused");
}
