//! Each example runs as a person runs it: as a program, judged by what it prints and how it ends.

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::Once;
use std::time::Duration;

use habitat_migrate::testing::{Database, Server};
use support::wait_for;

const ORDER: [&str; 6] = [
    "treasury:01_treasury_core",
    "people:04_people_core",
    "treasury:02_treasury_migrations",
    "agreements:05_agreements_core",
    "people:06_people_policies",
    "agreements:07_agreements_policies",
];

const NOTHING_TO_DO: &str = "nothing to do: all 6 migrations are applied";

#[test]
fn quickstart_tells_of_every_boot_and_ends_well() {
    let applied = ORDER.map(|id| format!("applied  {id}"));
    let boots =
        ["6 migrations applied (", "agreements 10 tables", "people      9 tables", "treasury   12 tables"];
    let later = [
        NOTHING_TO_DO,
        "one round trip, ",
        "refused: people:04_people_core has changed since it was applied",
        "error: migration garden:01_garden_core failed; nothing of it was kept",
        "01_garden_core.sql:5:15",
        "^ type \"plot_state\" does not exist (42704)",
        "schemas named garden, which its first statement created: 0",
        "Transaction entries must sum to zero",
        "01_treasury_core ",
        "04_people_core ",
        "02_treasury_migrations ",
        "05_agreements_core ",
        "06_people_policies ",
        "07_agreements_policies ",
    ];
    let lines: Vec<&str> = applied.iter().map(String::as_str).chain(boots).chain(later).collect();
    tells_in_order("quickstart", &lines);
}

#[test]
fn habitat_goes_from_nothing_to_production_and_tells_of_it() {
    let lines = [
        "== habitat_dev, development",
        "CREATE ROLE \"habitat_write\" LOGIN",
        "7 migrations applied",
        "and again: 0 steps",
        "agreements 10, people 9, treasury 12",
        "refused: Transaction entries must sum to zero",
        "governance: 0, 5, 50",
        "attempts, 0 not as expected",
        "0 findings",
        "== habitat, production",
        "6 migrations applied",
        "governance: 0, 0, 0",
        "attempts, 0 not as expected",
        "0 findings",
        "[x] passwords set",
        "[x] row-level security",
        "[x] migration tracker",
        "[?] database firewall",
        "end with the program",
    ];
    let told = tells_in_order("habitat", &lines);
    let seed = "applied  treasury:03_treasury_seed_data";
    assert_eq!(told.matches(seed).count(), 1, "sample data is in development only: {told}");
    // The programs for backups are not everywhere.
    if !told.contains("no pg_dump and pg_restore of PostgreSQL") {
        assert!(
            told.contains("rows restored:  agreements 116, people 149") && told.contains("[x] recent backup"),
            "{told}"
        );
        assert!(!told.contains("[ ]"), "{told}");
    }
}

#[test]
fn phase_c_goes_up_and_down_and_up_again_and_tells_of_it() {
    let versions = [
        "001_add_tenant_routing",
        "002_add_rbac_roles",
        "003_add_api_keys_table",
        "004_add_audit_log_table",
        "005_add_weight_overrides_table",
        "006_add_integration_configs_table",
    ];
    let all = |word: &'static str| versions.map(|version| format!("{word}  {version}"));
    let mut down = all("undone ");
    down.reverse();
    let mut lines = vec!["3 tables, 12 columns".to_owned(), "risk high".to_owned()];
    lines.extend(all("applied"));
    lines.extend(
        ["14 tables", "users by role: VIEWER 2, ADMIN 3", "findings: 0", "it returned false"]
            .map(str::to_owned),
    );
    lines.extend(down);
    lines.extend(["3 tables, 12 columns", "as it was before: yes"].map(str::to_owned));
    lines.extend(all("applied"));
    lines.extend(["as it was the first time: yes", "findings: 0"].map(str::to_owned));
    lines.push("rollback 006 005 004 003 002 001".to_owned());
    let told = tells_in_order("phase_c", &lines);
    let validated = "7 of 7: api_key_usage, api_keys, audit_log";
    assert!(told.contains(validated) && told.contains("integration tables left: 0"), "{told}");
}

#[test]
fn go_labs_deploys_four_environments_and_drops_no_other_than_test() {
    let lines = [
        "go-labs-dev development",
        "go-labs-prd production",
        "go-labs-qua staging",
        "go-labs-tst test",
        "billing_app_dev_user",
        "order_migration_tst_user",
        "output/tst/billing-connections.yaml",
        "go-labs-tst  dropped and created again",
        "go-labs-dev  refused",
        "go-labs-qua  refused",
        "go-labs-prd  refused",
        "steps for go-labs-dev, 0 of them about the others",
        "production: this changes go-labs-prd",
    ];
    tells_in_order("go_labs", &lines);
}

#[test]
fn the_cleaning_tracker_belongs_to_its_owner_and_the_monitor_tells_what_does_not() {
    let lines = [
        "7 migrations applied",
        "findings of the verify scripts: 0",
        "table app_data.schema_migrations belongs to postgres and not to app_owner",
        "User registered successfully",
        "Login successful",
        "Invalid credentials",
        "Task created successfully",
        "<h1>Tasks</h1>",
        "0 not as expected",
        "0 not as expected",
        "table app_data.scratch belongs to postgres and not to app_owner",
        "definer-search-path: app_functions.shortcut()",
        "gone again: 0 findings",
    ];
    tells_in_order("cleaning_tracker", &lines);
}

#[test]
fn the_beer_system_migrates_with_one_role_and_serves_with_the_other_by_tls() {
    let lines = [
        "CREATE DATABASE \"beersystem_stage\"",
        "this changes beersystem_stage: confirm it",
        "then 0",
        "kind: Secret",
        "password: …",
        "2 migrations applied",
        "nothing to do: all 2 migrations are applied",
        "TLSv1.3",
        "Edelstoff",
        "no encryption",
        "0 not as expected",
        "0 not as expected",
        "0 findings",
    ];
    tells_in_order("beersystem", &lines);
}

/// Runs an example, which has to end well and print these, one behind the other; all that it has printed.
fn tells_in_order(name: &str, lines: &[impl AsRef<str>]) -> String {
    let output = Command::new(example(name)).output().expect("it starts");
    let told = text(&output);
    assert!(output.status.success(), "{told}");
    let mut rest = told.as_str();
    for line in lines.iter().map(AsRef::as_ref) {
        let at = rest.find(line).unwrap_or_else(|| panic!("`{line}` is missing, or too early, in\n{told}"));
        rest = &rest[at + line.len()..];
    }
    told
}

#[test]
fn quickstart_has_no_colours_where_no_terminal_is() {
    let output = Command::new(example("quickstart")).output().expect("it starts");
    assert!(!output.stdout.contains(&0x1b));
    let output = Command::new(example("quickstart")).env("CLICOLOR_FORCE", "1").output().expect("it starts");
    assert!(output.stdout.contains(&0x1b), "{}", text(&output));
}

#[test]
fn the_sync_service_migrates_and_serves() {
    let database = database();
    let service = second_boot("sync_service", &database);
    assert!(service.get("/migrations").ends_with(&format!("\r\n\r\n{}\n", ORDER.join("\n"))));
    assert!(service.wait().success());
}

#[test]
fn the_async_service_migrates_and_serves() {
    let database = database();
    let service = second_boot("async_service", &database);
    let answer = service.get("/migrations");
    let json = answer.split("\r\n\r\n").nth(1).expect("a body");
    let list: Vec<serde_json::Value> = serde_json::from_str(json).expect("JSON");
    let ids: Vec<String> = list
        .iter()
        .map(|entry| [&entry["context"], &entry["version"]].map(|v| v.as_str().unwrap_or("?")).join(":"))
        .collect();
    assert_eq!(ids, ORDER);
    assert!(service.wait().success());
}

#[test]
fn the_async_service_stops_in_order_when_interrupted() {
    let database = database();
    let mut service = Service::start("async_service", &database, &[]);
    assert!(service.get("/health").starts_with("HTTP/1.1 200 OK"));
    let kill = Command::new("kill").args(["-INT", &service.process.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let mut rest = String::new();
    service.stdout.read_to_string(&mut rest).expect("text");
    assert_eq!(rest, "stopped\n");
    assert!(service.wait().success());
}

#[test]
fn replicas_that_boot_at_once_apply_each_migration_once() {
    for example in ["sync_service", "async_service"] {
        let database = database();
        let replicas: Vec<_> = std::thread::scope(|scope| {
            let start = || Service::start(example, &database, &["--once"]);
            let threads: Vec<_> = (0..2).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().expect("a service")).collect()
        });
        let applied: Vec<&str> = replicas.iter().flat_map(Service::applied).collect();
        assert_eq!(applied, ORDER, "{example}");
        for replica in replicas {
            assert!(replica.get("/health").starts_with("HTTP/1.1 200 OK"));
            assert!(replica.wait().success());
        }
    }
}

#[test]
fn a_service_without_a_database_url_starts_a_server_of_its_own() {
    for example in ["sync_service", "async_service"] {
        let service =
            Service::spawn(Command::new(self::example(example)).arg("--once").env_remove("DATABASE_URL"));
        assert!(service.booted[0].starts_with("DATABASE_URL is not set"), "{:?}", service.booted);
        assert_eq!(service.applied(), ORDER);
        assert!(service.get("/health").starts_with("HTTP/1.1 200 OK"));
        assert!(service.wait().success());
    }
}

#[test]
fn a_service_says_which_argument_is_wrong() {
    for example in ["sync_service", "async_service"] {
        for (arguments, answer) in [
            (["--prot", "80"], "unknown argument --prot: try --port 8080 or --once"),
            (["--port", "http"], "--port needs a number from 0 to 65535"),
        ] {
            let output = Command::new(self::example(example)).args(arguments).output().expect("it starts");
            assert!(!output.status.success());
            assert!(text(&output).contains(answer), "{}", text(&output));
        }
    }
}

#[test]
fn a_service_never_prints_the_password_of_its_database() {
    for example in ["sync_service", "async_service"] {
        let url = "postgresql://app:secret@localhost:none/app";
        let output =
            Command::new(self::example(example)).env("DATABASE_URL", url).output().expect("it starts");
        assert!(!text(&output).contains("secret"), "{}", text(&output));
    }
}

/// A service that finds a database as an earlier boot has left it.
fn second_boot(name: &str, database: &Database) -> Service {
    let service = Service::start(name, database, &["--once"]);
    assert_eq!(service.applied(), ORDER);
    assert!(service.get("/health").starts_with("HTTP/1.1 200 OK"));
    assert!(service.wait().success());
    let service = Service::start(name, database, &["--once"]);
    assert!(service.booted.iter().any(|line| line.starts_with(NOTHING_TO_DO)), "{:?}", service.booted);
    service
}

/// An example that has booted and listens.
struct Service {
    process: Child,
    stdout: BufReader<ChildStdout>,
    /// What it has printed so far.
    booted: Vec<String>,
    address: String,
}

impl Service {
    fn start(name: &str, database: &Database, arguments: &[&str]) -> Self {
        Self::spawn(Command::new(example(name)).args(arguments).env("DATABASE_URL", database.url()))
    }

    fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("it starts");
        let stdout = BufReader::new(process.stdout.take().expect("it is piped"));
        let mut service = Self { process, stdout, booted: Vec::new(), address: String::new() };
        while service.address.is_empty() {
            let mut line = String::new();
            let length = service.stdout.read_line(&mut line).expect("text");
            assert_ne!(length, 0, "it ended before it listened: {:?}", service.booted);
            match line.trim_end().strip_prefix("listening on http://") {
                Some(address) => service.address = address.to_owned(),
                None => service.booted.push(line.trim_end().to_owned()),
            }
        }
        service
    }

    /// The migrations that it said it applied.
    fn applied(&self) -> Vec<&str> {
        let lines = self.booted.iter().filter_map(|line| line.strip_prefix("applied "));
        lines.filter_map(|rest| rest.split(' ').next()).collect()
    }

    /// The whole answer to a request.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("it is open");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("text");
        answer
    }

    fn wait(mut self) -> ExitStatus {
        wait_for("its end", || self.process.try_wait().expect("it was started").is_some());
        self.process.wait().expect("it was started")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Only where a test has failed; one that has ended cannot be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn database() -> Database {
    Server::shared().expect("a server").create_database("examples").expect("a database")
}

/// The program that cargo has built from an example; `cargo test --test examples` alone builds none.
fn example(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a path");
    let profile = test.parent().and_then(|deps| deps.parent()).expect("a test lies in PROFILE/deps");
    let program = profile.join("examples").join(name);
    BUILT.call_once(|| {
        if !program.exists() {
            let mut cargo = Command::new(env!("CARGO"));
            cargo.args(["build", "--examples"]).current_dir(env!("CARGO_MANIFEST_DIR"));
            cargo.args(profile.ends_with("release").then_some("--release"));
            cargo.arg("--target-dir").arg(profile.parent().expect("PROFILE lies in the target directory"));
            assert!(cargo.status().expect("cargo runs").success());
        }
    });
    program
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}
