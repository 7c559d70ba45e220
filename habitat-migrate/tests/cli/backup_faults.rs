//! What goes wrong beside a backup, and behind what is restored.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use habitat_migrate::testing::Server;

use super::backups::files;
use super::json::valid;
use super::programs::{programs_that, shop};
use super::support::{Desk, clean, outcome};

fn touched(path: &Path, ago: Duration) {
    let file = std::fs::OpenOptions::new().write(true).open(path).expect("a file");
    file.set_modified(SystemTime::now() - ago).expect("a time");
}

#[test]
fn a_backup_behind_a_locked_table_ends_and_names_who_holds_it() {
    let Some(desk) = shop() else { return };
    let mut billing = desk.database().connect().expect("a connection");
    let lock = "SET application_name = 'billing'; BEGIN; LOCK TABLE items IN ACCESS EXCLUSIVE MODE";
    billing.batch_execute(lock).expect("a lock");
    let patience = ["--lock-timeout", "300ms"];
    for arguments in [&["backup", "--folder", "kept"][..], &["schema", "dump"]] {
        let began = Instant::now();
        let behind = desk.run(&[arguments, &patience].concat());
        assert_eq!(behind.code, 1, "{}", behind.err);
        for words in [
            "pg_dump gave up behind a lock on a table that it had waited 300ms for",
            "(billing), open for ",
            "idle in transaction, holds AccessExclusiveLock on public.items",
            "= next: wait until they are done, or wait for longer: `--lock-timeout`",
        ] {
            assert!(behind.err.contains(words), "{words}: {}", behind.err);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
    let error = &valid(&desk, &[&["backup", "--folder", "kept"][..], &patience].concat(), 1)["error"];
    assert_eq!(error["kind"], "backup-locked");
    assert_eq!(files(&desk.path().join("kept")), [] as [&Path; 0]);
    billing.batch_execute("ROLLBACK").expect("the end");
    desk.done(&["backup", "--folder", "kept"]);
}

#[test]
fn the_file_of_a_killed_backup_goes_with_the_next_and_that_of_a_living_one_stays() {
    let Some(desk) = shop() else { return };
    let slow = programs_that(
        &desk,
        "slow",
        "echo $$ > \"${0%/*}/pid.new\"; mv \"${0%/*}/pid.new\" \"${0%/*}/pid\"; exec sleep 120",
    );
    let kept = desk.path().join("kept");
    let mut command = desk.command(&["backup", "--folder", "kept", "--pg-bin", &slow]);
    let mut running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a process");
    let began = Instant::now();
    while !desk.path().join("slow/pid").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "pg_dump was not started");
        std::thread::sleep(Duration::from_millis(20));
    }
    let partial = files(&kept).remove(0);
    assert!(partial.to_string_lossy().ends_with(&format!(".dump.{}.partial", running.id())), "{partial:?}");
    touched(&partial, Duration::from_secs(2 * 24 * 60 * 60));
    desk.done(&["backup", "--folder", "kept"]);
    assert!(partial.exists(), "somebody writes it");

    running.kill().expect("a process");
    running.wait().expect("a process");
    let sleeper = desk.read("slow/pid");
    let ended = Command::new("kill").arg(sleeper.trim()).status().expect("kill");
    assert!(ended.success());
    assert!(partial.exists(), "a killed process removes nothing");
    touched(&partial, Duration::from_secs(120));
    desk.done(&["backup", "--folder", "kept"]);
    assert!(!partial.exists());
    assert_eq!(files(&kept).len(), 2, "the backups stay");
}

#[test]
fn an_old_backup_that_cannot_be_removed_is_a_warning_and_the_new_one_is_there() {
    let Some(desk) = shop() else { return };
    let mode = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    };
    if desk.path().metadata().expect("a folder").uid() != 0 {
        return eprintln!("skipped: only root can become another user");
    }
    // Another user may add to a folder of this kind, and remove what is his own.
    let old =
        [2019, 2020].map(|year| format!("kept/{}_{year}-01-31T12-00-00.000Z.dump", desk.database().name()));
    old.iter().for_each(|path| desk.write(path, "PGDMP"));
    mode(desk.path(), 0o755);
    mode(&desk.path().join("kept"), 0o1777);
    let program = desk.path().join("command");
    std::fs::copy(env!("CARGO_BIN_EXE_habitat-migrate"), &program).expect("a copy");
    // The one that the server runs as: its socket is in a folder that nobody else may enter.
    let sockets =
        Server::shared().expect("a server").socket_dir().expect("a socket").metadata().expect("a folder");
    let as_another = |arguments: &[&str]| {
        let mut command = clean(&program);
        command.args(arguments).args(["--backups", "kept", "--keep-newest", "1"]);
        command
            .current_dir(desk.path())
            .env("DATABASE_URL", desk.url())
            .uid(sockets.uid())
            .gid(sockets.gid());
        outcome(command)
    };
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (price int);\n");
    for (arguments, words) in
        [(&["up", "--backup-first"][..], "1 migration applied"), (&["backup", "--quiet"], "✓ ")]
    {
        let taken = as_another(arguments);
        assert_eq!(taken.code, 0, "{}{}", taken.out, taken.err);
        assert!(taken.out.contains(words), "{taken:?}");
        for path in &old {
            let warning =
                format!("warning: the backup is taken; an old file stays: {path} cannot be removed: ");
            assert!(taken.err.contains(&warning), "{warning}: {}", taken.err);
        }
        assert!(!taken.err.contains("there is no backup"), "{}", taken.err);
        assert_eq!(files(&desk.path().join("kept")).len(), 3, "its own one before goes");
    }
}

#[test]
fn behind_a_restore_a_record_that_cannot_be_put_back_is_told_with_what_is_left_to_do() {
    let Some(desk) = shop() else { return };
    desk.done(&["env", "set", "development"]);
    desk.done(&["backup", "--folder", "kept"]);
    let file = files(&desk.path().join("kept")).remove(0).display().to_string();
    let fresh = Desk::new();
    let name = fresh.database().name();
    fresh.sql(&format!("COMMENT ON DATABASE \"{name}\" IS 'habitat-migrate, environment: staging'"));
    fresh.sql(
        "CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'not today'; END$$;
         CREATE FUNCTION public.guard() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN
           IF EXISTS (SELECT FROM pg_catalog.pg_event_trigger_ddl_commands() WHERE object_identity LIKE '%.schema_migrations_environment') THEN
             CREATE TRIGGER refuse BEFORE UPDATE ON public.schema_migrations_environment FOR EACH ROW EXECUTE FUNCTION public.refuse();
           END IF; END$$;
         CREATE EVENT TRIGGER guard ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.guard();",
    );
    let restore = fresh.run(&["restore", &file]);
    assert_eq!(restore.code, 1, "{}{}", restore.out, restore.err);
    for words in [
        format!("the data is restored; that database {name} is staging could not be recorded again: ")
            .as_str(),
        "not today",
        "UPDATE SCHEMA.schema_migrations_environment SET name = 'staging'",
        "`ANALYZE`",
    ] {
        assert!(restore.err.contains(words), "{words}: {}", restore.err);
    }
    let mut client = fresh.database().connect().expect("a connection");
    let name: String = client.query_one("SELECT name FROM items", &[]).expect("a row").get(0);
    assert_eq!(name, "lamp", "it is restored");
}

#[test]
fn behind_a_restore_statistics_that_cannot_be_gathered_are_a_warning() {
    let Some(desk) = shop() else { return };
    desk.done(&["backup", "--folder", "kept"]);
    let file = files(&desk.path().join("kept")).remove(0).display().to_string();
    let fresh = Desk::new();
    fresh.sql(&format!("ALTER DATABASE \"{}\" SET lock_timeout = '300ms'", fresh.database().name()));
    // What gathers statistics of this table, and nobody who adds to it, waits for that.
    let mut other = fresh.database().connect().expect("a connection");
    other
        .batch_execute("BEGIN; LOCK TABLE pg_catalog.pg_description IN SHARE UPDATE EXCLUSIVE MODE")
        .expect("a lock");
    let restore = fresh.run(&["restore", &file]);
    assert_eq!(restore.code, 0, "{}{}", restore.out, restore.err);
    assert!(restore.out.contains("has what was backed up of"), "{}", restore.out);
    for words in [
        "warning: the data is restored; its statistics are not gathered: ",
        "lock timeout",
        "= next: run `ANALYZE`",
    ] {
        assert!(restore.err.contains(words), "{words}: {}", restore.err);
    }
    fresh.sql("SELECT FROM items");
}
