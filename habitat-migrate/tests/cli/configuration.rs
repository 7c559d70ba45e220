//! habitat.toml, variables, flags: which comes before which.

use super::support::{Desk, clean, outcome};

const FILE: &str = "folders = \"sql\"\ntracker-schema = \"shop\"\n[timeouts]\nconnect = \"5s\"\n\
                    [environments.production]\ntracker-schema = \"prod\"\n";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write("habitat.toml", FILE);
    desk.write("sql/01_a.sql", "CREATE TABLE public.a (id int);");
    desk.write("deep/within/x", "");
    desk
}

/// The schema that a run has kept its tracker in.
fn schema(desk: &Desk) -> String {
    let sql = "SELECT schemaname::text FROM pg_tables WHERE tablename = 'schema_migrations'";
    let row = desk.database().connect().expect("a connection").query_one(sql, &[]).expect("one tracker");
    row.get(0)
}

#[test]
fn the_file_is_found_upwards_and_its_folders_begin_there() {
    let desk = desk();
    let mut command = desk.command(&["up"]);
    command.current_dir(desk.path().join("deep/within"));
    let up = outcome(command);
    assert_eq!(up.code, 0, "{}", up.err);
    assert_eq!(schema(&desk), "shop");
}

#[test]
fn a_variable_comes_before_the_file_and_a_flag_before_both() {
    let variable = desk();
    let mut command = variable.command(&["up"]);
    command.env("HABITAT_TRACKER_SCHEMA", "variable");
    assert_eq!(outcome(command).code, 0);
    assert_eq!(schema(&variable), "variable");

    let flag = desk();
    let mut command = flag.command(&["up", "--tracker-schema", "flag"]);
    command.env("HABITAT_TRACKER_SCHEMA", "variable");
    assert_eq!(outcome(command).code, 0);
    assert_eq!(schema(&flag), "flag");
}

#[test]
fn an_environment_has_settings_of_its_own() {
    let desk = desk();
    desk.done(&["up", "--environment", "production"]);
    assert_eq!(schema(&desk), "prod");
}

#[test]
fn an_unknown_key_is_an_error_with_a_suggestion() {
    let desk = desk();
    desk.write("habitat.toml", "[policies]\nout-of-ordr = \"apply\"\n");
    let check = desk.run(&["check"]);
    assert_eq!(check.code, 2);
    for words in ["habitat.toml:2:1", "policies has no key `out-of-ordr`", "did you mean `out-of-order`?"] {
        assert!(check.err.contains(words), "{words}: {}", check.err);
    }
}

#[test]
fn a_flag_s_value_that_is_wrong_names_the_flag() {
    let desk = desk();
    let check = desk.run(&["check", "--lock-wait", "5"]);
    assert_eq!(check.code, 2);
    assert!(check.err.contains("--lock-wait: `5` is no length of time"), "{}", check.err);
}

#[test]
fn the_database_is_named_as_users_of_postgresql_expect() {
    let desk = desk();
    let with = |prepare: &dyn Fn(&mut std::process::Command)| {
        let mut command = clean(env!("CARGO_BIN_EXE_habitat-migrate"));
        command.args(["status"]).current_dir(desk.path());
        prepare(&mut command);
        let status = outcome(command);
        assert_eq!(status.code, 0, "{}", status.err);
    };
    let server = habitat_migrate::testing::Server::shared().expect("a server");
    let config = desk.database().config();
    let host = server.socket_dir().expect("a socket").to_string_lossy().into_owned();
    let (port, user) = (server.port().to_string(), config.get_user().unwrap_or("postgres").to_owned());
    let name = desk.database().name().to_owned();

    with(&|command| {
        command.envs([("PGHOST", &host), ("PGPORT", &port), ("PGUSER", &user), ("PGDATABASE", &name)]);
    });
    desk.write("services", &format!("[shop]\nhost={host}\nport={port}\nuser={user}\ndbname={name}\n"));
    with(&|command| {
        command.env("PGSERVICE", "shop").env("PGSERVICEFILE", desk.path().join("services"));
    });
    desk.write(".env", &format!("# for work\nDATABASE_URL=\"{}\"\n", desk.url()));
    with(&|_| {});
}

#[test]
fn a_variable_of_the_process_comes_before_any_of_the_file() {
    let desk = desk();
    desk.write(".env", "HABITAT_DATABASE_URL=postgresql://nobody@127.0.0.1:1/nothing\n");
    // The process has DATABASE_URL.
    desk.done(&["status"]);
    let status = |url: &str| {
        let mut command = clean(env!("CARGO_BIN_EXE_habitat-migrate"));
        command.args(["status", "--connect-timeout", "0s"]).current_dir(desk.path());
        command.env("DATABASE_URL", url);
        outcome(command)
    };
    // An empty one counts as none.
    let none = status("");
    assert!(none.err.contains("nobody@127.0.0.1:1/nothing"), "{}", none.err);
    let file =
        format!("DATABASE_URL={}\nHABITAT_DATABASE_URL=postgresql://nobody@127.0.0.1:1/own\n", desk.url());
    desk.write(".env", &file);
    let own = status("");
    assert!(
        own.err.contains("nobody@127.0.0.1:1/own"),
        "within the file the more special one counts: {}",
        own.err
    );
}
