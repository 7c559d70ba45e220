//! Backups, the way back, and the schema for review: by the programs that PostgreSQL brings.

use std::path::{Path, PathBuf};

use habitat_migrate::testing::Server;

use super::json::valid;
use super::programs::{has_programs, old_programs, shop};
use super::support::{Desk, outcome};

/// The files in a folder, in order.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

#[test]
fn a_backup_comes_back_in_a_fresh_database_and_the_schemas_are_equal() {
    let Some(desk) = shop() else { return };
    let taken = desk.done(&["backup", "--folder", "kept"]);
    let file = files(&desk.path().join("kept")).remove(0);
    assert!(taken.starts_with(&format!("✓ {} at ", desk.database().name())), "{taken}");
    assert!(taken.contains(file.file_name().expect("a name").to_str().expect("UTF-8")), "{taken}");
    let listed = desk.done(&["backup", "list", "--folder", "kept"]);
    assert_eq!(listed.lines().count(), 1, "{listed}");

    let fresh = Desk::with_shop();
    let restored = fresh.done(&["restore", &file.display().to_string()]);
    assert!(
        restored.contains(&format!("{} has what was backed up of", fresh.database().name())),
        "{restored}"
    );
    assert_eq!(fresh.done(&["schema", "dump"]), desk.done(&["schema", "dump"]));
    assert_eq!(fresh.run(&["pending"]).code, 0, "the tracker came back, too");
    let mut client = fresh.database().connect().expect("a connection");
    let name: String = client.query_one("SELECT name FROM items", &[]).expect("a row").get(0);
    assert_eq!(name, "lamp");
}

#[test]
fn the_newest_backup_of_a_database_is_restored_by_its_name() {
    let Some(desk) = shop() else { return };
    let kept = desk.path().join("kept").display().to_string();
    desk.done(&["backup", "--folder", &kept]);
    desk.sql("CREATE TABLE later (id int)");
    desk.done(&["backup", "--folder", &kept]);

    let fresh = Desk::new();
    let own = fresh.run(&["restore", "--newest", "--folder", &kept]);
    assert_eq!(own.code, 1, "{}", own.err);
    assert!(own.err.contains(&format!("there is no backup of {}", fresh.database().name())), "{}", own.err);
    assert_eq!(fresh.done(&["backup", "list", "--folder", &kept]), "there is none\n");
    assert_eq!(fresh.done(&["backup", "list", "--all", "--folder", &kept]).lines().count(), 2);
    fresh.done(&["restore", "--newest", "--of", desk.database().name(), "--folder", &kept]);
    fresh.sql("SELECT FROM later");
}

#[test]
fn a_dump_names_no_version_and_no_random_word_and_goes_to_a_file_or_to_the_output() {
    let Some(desk) = shop() else { return };
    let dump = desk.done(&["schema", "dump"]);
    assert!(dump.contains("CREATE TABLE public.items ("), "{dump}");
    assert!(!dump.contains("\\restrict") && !dump.contains("version 1"), "{dump}");
    assert!(!dump.contains("lamp"), "no rows: {dump}");
    assert_eq!(desk.done(&["schema", "dump", "--file", "schema.sql"]), "wrote schema.sql\n");
    assert_eq!(desk.read("schema.sql"), dump);
    assert_eq!(desk.done(&["schema", "dump", "--file", "schema.sql"]), "schema.sql is the schema already\n");
    let nowhere = desk.run(&["schema", "dump", "--file", "nowhere/schema.sql"]);
    assert_eq!(nowhere.code, 1);
    assert!(nowhere.err.contains("cannot write nowhere/schema.sql"), "{}", nowhere.err);
}

#[test]
fn a_run_keeps_the_schema_s_file_current_also_when_nothing_was_pending() {
    let desk = Desk::with_shop();
    if !has_programs(&desk) {
        return;
    }
    let up = desk.done(&["up", "--to", "1", "--dump", "schema.sql"]);
    assert!(up.contains("1 migration applied") && up.ends_with("wrote schema.sql\n"), "{up}");
    assert!(desk.read("schema.sql").contains("public.items"));
    desk.write("schema.sql", "-- somebody's own\n");
    desk.done(&["up", "--to", "1", "--dump", "schema.sql"]);
    assert!(desk.read("schema.sql").contains("public.items"), "nothing was pending");
    desk.done(&["up", "--dry-run", "--dump", "other.sql"]);
    assert!(!desk.path().join("other.sql").exists());

    desk.write("deep/habitat.toml", "folders = [\"../migrations\"]\ndump = \"schema.sql\"\n");
    let config = ["--config", "deep/habitat.toml"];
    desk.done(&[&["down"][..], &config].concat());
    assert!(!desk.read("deep/schema.sql").contains("public.items"), "from the folder of the file");
    desk.done(&[&["up"][..], &config].concat());
    assert!(desk.read("deep/schema.sql").contains("public.orders"));
}

#[test]
fn a_failed_dump_fails_the_command_and_the_migrations_stay() {
    let desk = Desk::with_shop();
    let old = old_programs(&desk);
    let up = desk.run(&["up", "--to", "1", "--dump", "schema.sql", "--pg-bin", &old]);
    assert_eq!(up.code, 1, "{}", up.err);
    let major = Server::shared().expect("a server").major();
    for words in [
        "the schema is not in schema.sql; what the run did stays: 1 migration applied",
        &format!("no pg_dump and pg_restore of PostgreSQL {major} or newer"),
        "old has those of PostgreSQL 9",
        "name their folder by --pg-bin or HABITAT_PG_BIN",
    ] {
        assert!(up.err.contains(words), "{words}: {}", up.err);
    }
    assert!(!desk.path().join("schema.sql").exists());
    assert_eq!(desk.done(&["history"]).lines().count(), 1);

    let failed = valid(&desk, &["up", "--dump", "schema.sql", "--pg-bin", &old], 1);
    assert_eq!(failed["error"]["kind"], "backup-no-program");
    assert_eq!(failed["error"]["report"]["applied"][0]["migration"], "migrations:02_orders");
}

#[test]
fn a_backup_comes_before_the_first_change_and_names_itself_when_a_migration_fails() {
    let desk = Desk::with_shop();
    if !has_programs(&desk) {
        return;
    }
    desk.done(&["up", "--to", "1"]);
    desk.write("habitat.toml", "[backup]\nfolder = \"kept\"\n");
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (price mony);\n");
    let up = desk.run(&["up", "--backup-first"]);
    assert_eq!(up.code, 1, "{}", up.err);
    let kept = desk.path().join("kept");
    let file = files(&kept).remove(0);
    let place = format!("= backup: {}", Path::new("kept").join(file.file_name().expect("a name")).display());
    assert!(up.err.contains("type \"mony\" does not exist") && up.err.contains(&place), "{}", up.err);
    let told = up.err.find("backed up ").expect("the backup was told of");
    assert!(told < up.err.find("applied migrations:02_orders").expect("applied"), "{}", up.err);

    let fresh = Desk::new();
    fresh.done(&["restore", &file.display().to_string()]);
    fresh.sql("SELECT FROM items");
    let mut client = fresh.database().connect().expect("a connection");
    assert!(client.batch_execute("SELECT FROM orders").is_err(), "it was not there yet");

    std::fs::remove_file(desk.path().join("migrations/03_prices.sql")).expect("a file");
    let nothing = valid(&desk, &["up", "--backup-first"], 0);
    assert!(nothing["result"]["backup"].is_null(), "nothing is pending: {nothing:#}");
    assert_eq!(files(&kept).len(), 1);
    desk.write("migrations/03_prices.sql", "CREATE TABLE prices (price int);\n");
    let taken = valid(&desk, &["up", "--backup-first", "--dump", "schema.sql"], 0);
    assert_eq!(taken["result"]["backup"]["database"], desk.database().name());
    assert_eq!(taken["result"]["dump"]["changed"], true);
    assert_eq!(files(&kept).len(), 2);
}

#[test]
fn where_no_backup_can_be_taken_nothing_is_applied() {
    let desk = Desk::with_shop();
    let pending = |why: &str| assert!(desk.run(&["pending"]).out.contains("2 to apply, 0 applied"), "{why}");
    let unsaid = desk.run(&["up", "--backup-first"]);
    assert_eq!(unsaid.code, 2, "{}", unsaid.err);
    assert!(
        unsaid.err.contains("--backups FOLDER, HABITAT_BACKUPS, or `folder` of [backup]"),
        "{}",
        unsaid.err
    );
    pending("no folder is named");

    let old = old_programs(&desk);
    let up = desk.run(&["up", "--backup-first", "--backups", "kept", "--pg-bin", &old]);
    assert_eq!(up.code, 1, "{}", up.err);
    assert!(up.err.contains("there is no backup, and nothing was applied"), "{}", up.err);
    assert!(up.err.contains("no pg_dump and pg_restore of PostgreSQL"), "{}", up.err);
    pending("the programs are too old");
    assert!(!desk.path().join("kept").exists());

    if !has_programs(&desk) {
        return;
    }
    desk.write("kept", "a file");
    let up = desk.run(&["up", "--backup-first", "--backups", "kept"]);
    assert_eq!(up.code, 1, "{}", up.err);
    assert!(up.err.contains("kept cannot be made"), "{}", up.err);
    pending("the folder is a file");
    assert_eq!(desk.run(&["backup", "--folder", "kept"]).code, 1);
}

#[test]
fn old_backups_go_by_days_and_by_count_as_flag_variable_and_file_say() {
    let Some(desk) = shop() else { return };
    let old = |year: u32| format!("kept/{}_{year}-01-31T12-00-00.000Z.dump", desk.database().name());
    let write = || [2019, 2020, 2021].map(|year| desk.write(&old(year), "PGDMP"));
    let left = || {
        let there = [2019, 2020, 2021].into_iter().filter(|year| desk.path().join(old(*year)).exists());
        there.collect::<Vec<_>>()
    };
    write();
    desk.write("kept/other_2019-01-31T12-00-00.000Z.dump", "PGDMP");
    desk.write("kept/notes.txt", "mine");
    desk.done(&["backup", "--backups", "kept"]);
    assert_eq!(left(), [2019, 2020, 2021], "all are kept if nobody says otherwise");

    desk.write("habitat.toml", "[backup]\nfolder = \"kept\"\nkeep-newest = 4\n");
    desk.done(&["backup"]);
    assert_eq!(left(), [2020, 2021]);
    let mut command = desk.command(&["backup"]);
    command.env("HABITAT_KEEP_NEWEST", "4");
    let backup = outcome(command);
    assert!(backup.out.contains(&format!("removed {}", old(2020))), "{backup:?}");
    assert_eq!(left(), [2021], "the variable comes before the file");
    desk.done(&["backup", "--keep-newest", "0", "--keep-days", "30"]);
    assert_eq!(left(), [0_u32; 0], "and the flag before both");
    assert_eq!(desk.done(&["backup", "list"]).lines().count(), 4);
    assert!(desk.path().join("kept/other_2019-01-31T12-00-00.000Z.dump").exists());
    assert!(desk.path().join("kept/notes.txt").exists());
}

#[test]
fn keys_are_checked_and_suggested() {
    let desk = Desk::with_shop();
    desk.write("habitat.toml", "[backup]\nkeep-dayz = 30\nhours = \"many\"\nkeep-newest = -1\n");
    let backup = desk.run(&["backup"]);
    assert_eq!(backup.code, 2);
    for words in [
        "habitat.toml:2:1",
        "did you mean `keep-days`?",
        "habitat.toml:3:9",
        "`hours` is a whole number",
        "habitat.toml:4:15",
        "`-1` is no whole number",
    ] {
        assert!(backup.err.contains(words), "{words}: {}", backup.err);
    }
    desk.write("habitat.toml", "");
    let backup = desk.run(&["backup", "--keep-days", "a month"]);
    assert_eq!(backup.code, 2);
    assert!(backup.err.contains("--keep-days: `a month` is no whole number"), "{}", backup.err);
    assert!(desk.run(&["backpu"]).err.contains("'backup'"));
}

#[test]
fn nothing_is_restored_over_what_is_there_nor_into_production_without_its_name() {
    let Some(desk) = shop() else { return };
    desk.done(&["backup", "--folder", "kept"]);
    let file = files(&desk.path().join("kept")).remove(0).display().to_string();
    let over = desk.run(&["restore", &file, "--yes", "--confirm", desk.database().name()]);
    assert_eq!(over.code, 5, "{}", over.err);
    assert!(over.err.contains("is not a fresh one: it has public.items"), "{}", over.err);
    assert_eq!(valid(&desk, &["restore", &file], 5)["error"]["kind"], "backup-not-empty");

    let production = Desk::new();
    let name = production.database().name();
    production.sql(&format!("COMMENT ON DATABASE \"{name}\" IS 'habitat-migrate, environment: live'"));
    for arguments in [&[][..], &["--yes"], &["--confirm", "other"]] {
        let restore = production.run(&[&["restore", &file], arguments].concat());
        assert_eq!(restore.code, 5, "{arguments:?}: {}", restore.err);
        assert!(restore.err.contains(&format!("--confirm {name}")), "{}", restore.err);
    }
    let restore = production.run(&["restore", &file, "--yes"]);
    assert!(restore.err.contains("recorded as live; --yes is not enough there"), "{}", restore.err);
    production.done(&["restore", &file, "--confirm", name]);
    production.sql("SELECT FROM items");
}

#[test]
fn a_file_that_is_no_backup_is_not_restored() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["restore"]).code, 2, "neither a file nor the newest");
    assert_eq!(desk.run(&["restore", "x.dump", "--newest"]).code, 2);
    desk.write("x.dump", "PGDMP");
    let restore = desk.run(&["restore", "x.dump"]);
    assert_eq!(restore.code, 1);
    assert!(restore.err.contains("x.dump is no backup: its name is not of the form"), "{}", restore.err);
    desk.write("x_2026-01-31T12-00-00.000Z.dump", "no archive");
    if has_programs(&desk) {
        let restore = desk.run(&["restore", "x_2026-01-31T12-00-00.000Z.dump"]);
        assert_eq!(restore.code, 1, "{}", restore.err);
        assert!(restore.err.contains("pg_restore failed: "), "{}", restore.err);
    }
}

#[test]
fn each_answer_is_what_its_schema_says() {
    let Some(desk) = shop() else { return };
    let backup = valid(&desk, &["backup", "--folder", "kept"], 0);
    assert_eq!(backup["result"]["backup"]["database"], desk.database().name());
    let file = backup["result"]["backup"]["file"].as_str().expect("a file").to_owned();
    assert_eq!(
        valid(&desk, &["backup", "list", "--folder", "kept"], 0)["result"]["backups"][0]["file"],
        file
    );
    assert_eq!(valid(&desk, &["backup"], 2)["error"]["kind"], "usage");
    assert!(
        valid(&desk, &["schema", "dump"], 0)["result"]["schema"]
            .as_str()
            .is_some_and(|s| s.contains("items"))
    );
    assert_eq!(valid(&desk, &["schema", "dump", "--file", "s.sql"], 0)["result"]["changed"], true);
    let fresh = Desk::new();
    let file = desk.path().join(file).display().to_string();
    assert_eq!(valid(&fresh, &["restore", &file], 0)["result"]["backup"]["file"], file);
    valid(&desk, &["redo", "--dump", "s.sql"], 5);
    desk.done(&["repair", "forget", "2", "--why", "dropped by hand"]);
    desk.sql("DROP TABLE orders; DELETE FROM items");
    assert_eq!(valid(&desk, &["redo", "--dump", "s.sql"], 0)["result"]["dump"]["file"], "s.sql");
}

#[test]
fn the_checklist_is_a_profile_of_the_doctor() {
    let desk = Desk::with_shop();
    desk.done(&["up"]);
    let name = desk.database().name().to_owned();
    let unsaid = desk.run(&["doctor", "--checklist"]);
    assert_eq!(unsaid.code, 2, "{}", unsaid.err);
    assert!(unsaid.err.contains("cannot read provision.toml"), "{}", unsaid.err);
    desk.write("provision.toml", &format!("[environments.test]\nkind = \"test\"\n[databases.\"{name}\"]\n"));
    desk.write(
        "habitat.toml",
        "environment = \"test\"\n[backup]\nfolder = \"kept\"\nhours = 2\n[checklist]\nextensions = [\"plpgsql\", \"nothere\"]\n\
         connection-files = [\"app.yaml\"]\nreplica = \"required\"\n",
    );
    let doctor = desk.run(&["doctor", "--checklist"]);
    assert_eq!(doctor.code, 3, "{}{}", doctor.out, doctor.err);
    for words in [
        "[x] PostgreSQL 14 or newer",
        "[ ] extensions: nothere is missing",
        "[x] migrations applied in order: 2 migrations",
        "[ ] connection files: app.yaml cannot be looked at",
        "[ ] replica: none follows this server",
        &format!("[ ] recent backup: there is none of {name} in kept"),
        "[?] database firewall",
    ] {
        assert!(doctor.out.contains(words), "{words}: {}", doctor.out);
    }
    assert!(!desk.run(&["doctor"]).out.contains("[x]"));
    let value = valid(&desk, &["doctor", "--checklist"], 3);
    assert_eq!(value["result"]["checklist"][0]["verdict"], "met", "{value:#}");
    let wrong = desk.run(&["doctor", "--checklist", "--checklist-accept", "owner"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("--checklist-accept: `owner` names no object"), "{}", wrong.err);
}
