//! A development database, grown in `public` and owned by its superuser, becomes what a fresh deployment is.

use std::process::Command;

use habitat_migrate::Migrator;
use habitat_migrate::provision::audit_rules;
use postgres::{Client, NoTls};

use super::{STRANGERS, TEXT, migrate, migrator, rules};
use crate::owners::dump;
use crate::support::value;
use crate::system::{System, server, set, superuser};

const DEVELOPMENT: &str = include_str!("../fixtures/cleaning_tracker_development.sql");
const DATABASE: &str = "cleaning_tracker_dev";

/// Every row of the four tables, wherever they are.
fn rows(client: &mut Client, data: &str, frontend: &str) -> Vec<String> {
    let sql = format!(
        "SELECT 'user ' || t::text FROM {data}.users AS t UNION ALL SELECT 'task ' || t::text FROM {data}.tasks AS t
         UNION ALL SELECT 'assignment ' || t::text FROM {data}.task_assignments AS t
         UNION ALL SELECT 'asset ' || t::text FROM {frontend}.frontend_assets AS t ORDER BY 1");
    client.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_development_database_is_converted_with_its_rows_and_its_readers() {
    let server = server();
    superuser(&server, "postgres").batch_execute(&format!("CREATE DATABASE {DATABASE}")).unwrap();
    let mut client = superuser(&server, DATABASE);
    client.batch_execute(DEVELOPMENT).unwrap();
    client.batch_execute("ALTER ROLE old_program PASSWORD 'only here'").unwrap();
    let old_program = server.config().user("old_program").password("only here").dbname(DATABASE).clone();
    let before = rows(&mut client, "public", "public");
    assert_eq!(before.len(), 53);

    let system = System::on(server, TEXT, "development");
    // By the superuser, who alone may give away what is the superuser's; its tracker stays behind in `public`.
    let conversion = Migrator::new(set("cleaning-tracker-conversion")).environment("development");
    conversion.migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
    assert!(conversion.verify(&mut client).unwrap().is_empty());
    assert_eq!(rows(&mut client, "app_data", "app_frontend"), before, "every row is there");
    assert_eq!(value::<String>(&mut client, STRANGERS), "");
    let reads = |when: &str| {
        let mut program = old_program.connect(NoTls).unwrap_or_else(|error| panic!("{when}: {error:?}"));
        assert_eq!(
            value::<i64>(&mut program, "SELECT count(*) FROM public.users WHERE password_hash IS NOT NULL"),
            12,
            "{when}"
        );
        assert_eq!(
            value::<i64>(&mut program, "SELECT count(*) FROM task_assignments JOIN tasks USING (task_id)"),
            20,
            "{when}"
        );
        assert_eq!(
            value::<String>(&mut program, "SELECT content FROM frontend_assets"),
            "<h1>Tasks</h1>",
            "{when}"
        );
        program.batch_execute("UPDATE users SET username = username WHERE user_id = 1").unwrap();
    };
    reads("converted");
    let next: i64 = value(&mut client, "SELECT nextval('app_data.users_user_id_seq')");
    assert_eq!(next, 13, "sequences go on");

    // Inserting takes a right on the sequence, as the guide says.
    let mut program = old_program.connect(NoTls).unwrap();
    let insert = "INSERT INTO users (username, password_hash) VALUES ('later', 'x')";
    crate::system::refused(&mut program, insert);
    client.batch_execute("GRANT USAGE ON SEQUENCE app_data.users_user_id_seq TO old_program").unwrap();
    client.batch_execute("GRANT USAGE ON SCHEMA app_data TO old_program").unwrap();
    program.batch_execute(&format!("BEGIN; {insert}; ROLLBACK")).unwrap();
    client.batch_execute("REVOKE USAGE ON SEQUENCE app_data.users_user_id_seq FROM old_program").unwrap();
    client.batch_execute("REVOKE USAGE ON SCHEMA app_data FROM old_program").unwrap();

    let mut owner = system.client("app_owner");
    let set = migrator("development");
    let first = set.catalog().migrations()[0].id().clone();
    assert_eq!(first.to_string(), "cleaning-tracker:001_tables");
    set.mark_applied(&mut owner, &first, "converted").unwrap_or_else(|error| panic!("{error:?}"));
    let report = set.migrate(&mut owner).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(report.applied().len(), set.catalog().migrations().len() - 1);
    assert!(set.verify(&mut owner).unwrap().is_empty());
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM app_data.users"), 15, "and the sample data");
    client.batch_execute("DELETE FROM app_data.task_assignments WHERE assignment_id > 20; DELETE FROM app_data.users WHERE username LIKE 'user_'").unwrap();
    reads("migrated to the end");

    // The old view has gone to `api`; apart from it, all is as if it had been deployed afresh.
    client.batch_execute("DROP VIEW api.open_tasks").unwrap();
    let expected = "cleaning_tracker_dev: old_program has CONNECT on database cleaning_tracker_dev, and nobody declared it";
    assert_eq!(system.findings(), [expected], "the old program itself");
    client.batch_execute(&format!("REVOKE CONNECT ON DATABASE {DATABASE} FROM old_program")).unwrap();
    system.assert_a_second_time_changes_nothing();
    assert!(system.assert_least_privilege() > 50);
    let fresh = System::start(TEXT, "development");
    migrate(&mut fresh.client("app_owner"), "development");
    fresh.assert_a_second_time_changes_nothing();
    assert_eq!(owners(&system), owners(&fresh));
    let (converted, deployed) = (definitions(&system), definitions(&fresh));
    if let Some((one, other)) = converted.iter().zip(&deployed).find(|(one, other)| one != other) {
        panic!("a converted database differs from a fresh one: {one:?}, {other:?}");
    }
    assert_eq!(converted.len(), deployed.len());

    // What is left to tell of are the views that old programs read.
    let rules = rules()
        .schema("public")
        .protected_schema("app_data")
        .unprotected_table("app_data", "schema_migrations");
    let rules = ["schema_migrations_log", "schema_migrations_environment"]
        .iter()
        .fold(rules, |rules, table| rules.unprotected_table("app_data", *table));
    let found = audit_rules(&mut client, &rules).unwrap();
    let mut objects: Vec<&str> = found
        .iter()
        .filter(|one| {
            !(one.code() == "owner-superuser" && one.object().starts_with("public.schema_migrations"))
        })
        .filter(|one| {
            one.code() != "view-definer" || !one.object().starts_with("api.") || system.server.major() >= 15
        })
        .inspect(|one| assert_eq!(one.code(), "view-definer", "{one}"))
        .map(|one| one.object())
        .collect();
    objects.sort_unstable();
    assert_eq!(objects, ["public.task_assignments", "public.tasks", "public.users"]);
}

/// Owners and rights of what is in the system's schemas.
fn owners(system: &System) -> Vec<String> {
    let dump = dump(&system.server, system.database());
    let ours = |line: &&str| {
        ["app_data", "app_functions", "app_frontend", " api"].iter().any(|name| line.contains(name))
    };
    // An owner's rights are written down once anything was granted and taken back; they are the same rights.
    let line = |line: &str| match line.split_once(" {") {
        Some((what, rights)) => {
            let mut rights: Vec<&str> = rights.trim_end_matches('}').split(',').collect();
            rights.retain(|right| !right.starts_with("app_owner="));
            format!("{what} {}", rights.join(",")).trim_end().to_owned()
        }
        None => line.to_owned(),
    };
    dump.lines().filter(ours).filter(|line| !line.starts_with("database ")).map(line).collect()
}

/// The system's schemas as pg_dump prints them; nothing, and a line that says so, where no pg_dump fits the server.
fn definitions(system: &System) -> Vec<String> {
    let Some(program) = crate::lifecycle::program(&system.server, "pg_dump") else {
        eprintln!("skipped: no pg_dump for a server of version {} is here", system.server.version());
        return Vec::new();
    };
    let folder = system.server.socket_dir().unwrap();
    let mut command = Command::new(program);
    command
        .args(["--schema-only", "-n", "app_*", "-n", "api", "-U", "postgres", "-d", system.database(), "-h"])
        .arg(folder);
    let output = command.args(["-p", &system.server.port().to_string()]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| !line.contains("restrict ")).map(str::to_owned).collect()
}
