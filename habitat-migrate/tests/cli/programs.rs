//! `pg_dump` and `pg_restore`: those that are there, those that are too old, and what they are told.

use std::process::Command;

use habitat_migrate::testing::Server;

use super::support::{Desk, outcome, skip};

/// Whether the server that tests share has programs that fit; packages of other versions may have no `pg_dump`.
pub(crate) fn has_programs(desk: &Desk) -> bool {
    let dump = desk.run(&["schema", "dump"]);
    let lacks = dump.code == 1 && dump.err.contains("no pg_dump and pg_restore of PostgreSQL");
    if lacks {
        skip(&dump.err);
    }
    !lacks
}

/// A desk with a shop whose migrations are applied, with a row; none where there is no `pg_dump`.
pub(crate) fn shop() -> Option<Desk> {
    let desk = Desk::with_shop();
    if !has_programs(&desk) {
        return None;
    }
    desk.done(&["up"]);
    desk.sql("INSERT INTO items VALUES (1, 'lamp')");
    Some(desk)
}

/// Makes programs of the names by a script of a shell, which another process writes: one that this process had open for writing could
/// not be run by the children of its other tests.
pub(crate) fn programs(desk: &Desk, folder: &str, script: &str) -> String {
    for name in ["pg_dump", "pg_restore"] {
        desk.write(&format!("{folder}/{name}.sh"), &script.replace("NAME", name));
        let copy = format!("cp {name}.sh {name} && chmod 755 {name}");
        let status = Command::new("sh").args(["-c", &copy]).current_dir(desk.path().join(folder)).status();
        assert!(status.expect("a shell").success());
    }
    desk.path().join(folder).display().to_string()
}

/// Programs of a version that is older than every server.
pub(crate) fn old_programs(desk: &Desk) -> String {
    programs(desk, "old", "#!/bin/sh\necho 'NAME (PostgreSQL) 9.6'\n")
}

/// Programs of which each does something of a shell first, unless it is asked for its version, and goes on as the real one.
pub(crate) fn programs_that(desk: &Desk, folder: &str, first: &str) -> String {
    let real = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let real = real.map(|entry| entry.path().join("bin")).find(|path| path.join("pg_dump").exists());
    let real = real.map(|path| format!("{}/", path.display())).unwrap_or_default();
    let script = format!("#!/bin/sh\n[ \"$1\" = --version ] || {{ {first}; }}\nexec {real}NAME \"$@\"\n");
    programs(desk, folder, &script)
}

/// Programs that write down what they are told, and go on as the real ones.
fn told_programs(desk: &Desk) -> String {
    programs_that(desk, "told", "{ echo \"NAME $*\"; env | grep ^PG; } >> \"${0%/*}/told\"")
}

#[test]
fn r47_programs_get_the_password_in_their_environment_and_nobody_else_does() {
    let Some(desk) = shop() else { return };
    let told = told_programs(&desk);
    let server = Server::shared().expect("a server");
    let host = server.socket_dir().expect("a socket").display().to_string();
    let user = desk.database().config().get_user().unwrap_or("postgres").to_owned();
    // The first host of the list is not there: programs are told the one that the command has reached.
    let url = |desk: &Desk| {
        format!(
            "host=/nowhere,{host} port=1,{} user={user} dbname={} password=hunter2",
            server.port(),
            desk.database().name()
        )
    };
    let fresh = Desk::new();
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (price int);\n");
    let mut seen = String::new();
    for (place, code, arguments) in [
        (&desk, 0, &["backup", "--folder", "kept"][..]),
        (&desk, 0, &["backup", "--folder", "kept", "-o", "json"]),
        (&desk, 0, &["schema", "dump", "-o", "json"]),
        (&desk, 1, &["schema", "dump", "--file", "nowhere/x"]),
        (&desk, 5, &["restore", "--newest", "--folder", "kept"]),
        (&desk, 1, &["up", "--backup-first", "--backups", "kept", "--dump", "nowhere/x"]),
        (&fresh, 0, &["restore", "--newest", "--of", desk.database().name(), "--folder", "kept"]),
        (&desk, 1, &["backup", "--folder", "told/told"]),
        (&desk, 2, &["backup", "list"]),
    ] {
        let mut command = desk.command(arguments);
        command.args(["--pg-bin", &told]).env("DATABASE_URL", url(place));
        let outcome = outcome(command);
        assert_eq!(outcome.code, code, "{arguments:?}: {}{}", outcome.out, outcome.err);
        seen.push_str(&outcome.out);
        seen.push_str(&outcome.err);
    }
    for done in [
        "\"bytes\"",
        "CREATE TABLE",
        "backed up",
        "the schema is not in nowhere/x",
        "has what was backed up of",
    ] {
        assert!(seen.contains(done), "{done}: {seen}");
    }
    assert!(!seen.contains("hunter2"), "{seen}");
    fresh.sql("SELECT FROM items");
    let told = desk.read("told/told");
    // Each call, with its part of the environment.
    let calls: Vec<Vec<&str>> =
        told.split("\npg_").map(|call| call.trim_start_matches("pg_").lines().collect()).collect();
    let connected = ["dump --format=custom", "dump --schema-only", "restore --exit-on-error"];
    for begin in connected {
        let mut of_it = calls.iter().filter(|call| call[0].starts_with(begin)).peekable();
        assert!(of_it.peek().is_some(), "{begin}: {told}");
        for call in of_it {
            assert!(call.contains(&"PGPASSWORD=hunter2"), "{call:?}");
            assert!(call.contains(&format!("PGHOST={host}").as_str()), "{call:?}");
        }
    }
    let lists = calls.iter().filter(|call| call[0].starts_with("restore --list"));
    assert!(lists.inspect(|call| assert_eq!(call.len(), 1, "it connects nowhere: {call:?}")).count() >= 4);
    assert!(calls.iter().all(|call| !call[0].contains("hunter2")), "{calls:?}");
}

#[test]
fn programs_connect_by_variables_and_by_the_password_file_as_the_command_does() {
    let Some(desk) = shop() else { return };
    let told = told_programs(&desk);
    let server = Server::shared().expect("a server");
    let host = server.socket_dir().expect("a socket").display().to_string();
    let user = desk.database().config().get_user().unwrap_or("postgres").to_owned();
    desk.write("pass", "*:*:*:*:hunter2\n");
    desk.write(
        "services",
        &format!("[shop]\nhost={host}\nport={}\ndbname={}\n", server.port(), desk.database().name()),
    );
    let locked = Command::new("chmod").args(["600", "pass"]).current_dir(desk.path()).status();
    assert!(locked.expect("chmod").success());
    let mut command = desk.command(&["schema", "dump", "--pg-bin", &told]);
    command.env_remove("DATABASE_URL").env("PGUSER", &user).env("PGSERVICE", "shop");
    command.env("PGSERVICEFILE", desk.path().join("services")).env("PGPASSFILE", desk.path().join("pass"));
    let dump = outcome(command);
    assert_eq!(dump.code, 0, "{}", dump.err);
    assert!(dump.out.contains("CREATE TABLE public.items"), "{}", dump.out);
    let told = desk.read("told/told");
    for line in
        ["PGPASSWORD=hunter2", &format!("PGUSER={user}"), &format!("PGDATABASE={}", desk.database().name())]
    {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(!told.contains("PGSERVICE"), "a program reads no file a second time: {told}");
}

#[test]
fn a_folder_that_is_named_is_the_only_one_and_a_variable_may_name_one_without_them() {
    let Some(desk) = shop() else { return };
    desk.write("empty/initdb", "");
    let empty = desk.path().join("empty").display().to_string();
    let flag = desk.run(&["schema", "dump", "--pg-bin", &empty]);
    assert_eq!(flag.code, 1, "{}", flag.err);
    assert!(flag.err.contains("empty has no pg_dump that runs"), "{}", flag.err);
    let by_variable = |folder: &str| {
        let mut command = desk.command(&["schema", "dump"]);
        command.env("HABITAT_PG_BIN", folder);
        outcome(command)
    };
    assert_eq!(by_variable(&empty).code, 0, "it names the folder of a server");
    let old = by_variable(&old_programs(&desk));
    assert_eq!(old.code, 1, "{}", old.err);
    assert!(old.err.contains("old has those of PostgreSQL 9"), "{}", old.err);
}
