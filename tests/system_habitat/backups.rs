//! Backups: complete or refused, and the way back.

use std::path::Path;

use habitat_migrate::backup::{Backup, Backups, ErrorKind, Restore};
use habitat_migrate::provision::{Database, Declaration, Environment, Kind, Provision};
use postgres::Client;

use crate::support::value;
use crate::{House, house, provision};

/// Every table with its rows, and every function, view, index, policy and grant, as a superuser sees them.
fn contents(client: &mut Client) -> Vec<String> {
    let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
        WHERE schemaname IN ('treasury', 'people', 'agreements', 'public') ORDER BY 1";
    let tables: Vec<String> = client.query(tables, &[]).unwrap().iter().map(|row| row.get(0)).collect();
    let mut lines: Vec<String> = tables
        .iter()
        .map(|table| format!("{table} {}", value::<i64>(client, &format!("SELECT count(*) FROM {table}"))))
        .collect();
    let schema = "SELECT concat_ws(' ', c.oid::regclass, c.relkind, pg_get_userbyid(c.relowner), c.relrowsecurity, c.relforcerowsecurity,
               (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(c.relacl) a),
               CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) WHEN c.relkind = 'i' THEN pg_get_indexdef(c.oid) END,
               (SELECT string_agg(concat_ws(' ', attname, format_type(atttypid, atttypmod), attnotnull, attgenerated), ',' ORDER BY attnum)
                  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped)) AS line
          FROM pg_class c WHERE relnamespace::regnamespace::text IN ('treasury', 'people', 'agreements', 'public')
        UNION ALL SELECT concat_ws(' ', oid::regprocedure, pg_get_userbyid(proowner), md5(prosrc), proconfig::text) FROM pg_proc
         WHERE pronamespace::regnamespace::text IN ('treasury', 'people', 'agreements')
        UNION ALL SELECT concat_ws(' ', polrelid::regclass, polname, polcmd, polroles::regrole[]::text, pg_get_expr(polqual, polrelid),
               pg_get_expr(polwithcheck, polrelid)) FROM pg_policy
        UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
         WHERE connamespace::regnamespace::text IN ('treasury', 'people', 'agreements')
        UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT concat_ws(' ', nspname, pg_get_userbyid(nspowner), (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(nspacl) a))
          FROM pg_namespace WHERE nspname IN ('treasury', 'people', 'agreements')
        ORDER BY line";
    lines.extend(client.query(schema, &[]).unwrap().iter().map(|row| row.get::<_, String>(0)));
    lines
}

/// The server that tests share has programs that fit; npm's packages of other versions have no `pg_dump`.
fn has_programs(house: &House, folder: &Path) -> bool {
    let admin = house.connection("habitat_admin", "habitat_dev");
    match Backups::new(folder).create(&mut house.connect("habitat_admin", "habitat_dev"), &admin) {
        Err(error) if error.kind() == ErrorKind::NoProgram => {
            eprintln!("skipped: {error:?}");
            false
        }
        other => {
            other.unwrap_or_else(|error| panic!("{error:?}"));
            true
        }
    }
}

/// A fresh database for a backup to be restored into.
fn fresh(house: &House, name: &str, kind: Kind) {
    let database = Database::new(name).owner("habitat_admin").encoding("UTF8");
    let declaration = Declaration::new(Environment::new(kind.as_str(), kind)).with_database(database);
    let provision = Provision::new(declaration).confirm(name);
    provision.apply(&house.cluster(None)).unwrap_or_else(|error| panic!("{error:?}"));
}

#[test]
fn a_backup_by_the_owner_under_force_is_complete_and_comes_back_as_it_was() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    if !has_programs(house, folder.path()) {
        return;
    }
    let backups = Backups::new(folder.path());
    let admin = house.connection("habitat_admin", "habitat_dev");
    let backup = backups.create(&mut house.connect("habitat_admin", "habitat_dev"), &admin).unwrap();
    assert_eq!(backup.database(), "habitat_dev");
    assert!(backup.size() > 10_000, "{backup}");
    assert_eq!(backups.list("habitat_dev").unwrap().first(), Some(&backup));
    assert_eq!(mode(backup.path()), 0o600);

    fresh(house, "habitat_drill", Kind::Test);
    let drill = house.connection("habitat_admin", "habitat_drill");
    let mut client = house.connect("habitat_admin", "habitat_drill");
    Restore::of(&backup).run(&mut client, &drill).unwrap_or_else(|error| panic!("{error:?}"));
    let [before, after] = ["habitat_dev", "habitat_drill"].map(|name| contents(&mut house.superuser(name)));
    assert!(before.contains(&"people.contributions 50".to_owned()), "rows under policies: {before:#?}");
    assert_eq!(before, after);

    let kind = "SELECT name FROM schema_migrations_environment";
    assert_eq!(
        value::<String>(&mut client, kind),
        "test",
        "what it was recorded as, and not what the backup says"
    );

    let error = Restore::of(&backup).run(&mut client, &drill).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotEmpty, "{error:?}");
}

#[test]
fn a_backup_that_would_lack_rows_is_refused_and_leaves_no_file() {
    let house = House::empty();
    house.deploy("development", None);
    let folder = tempfile::tempdir().unwrap();
    if !has_programs(&house, folder.path()) {
        return;
    }
    let backups = Backups::new(folder.path().join("others"));
    // Governance sees all, by a policy that asks for a setting: not what a backup may rely on.
    for role in ["habitat_read", "habitat_audit"] {
        let connection = house.connection(role, "habitat_dev");
        let error = backups.create(&mut house.connect(role, "habitat_dev"), &connection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HiddenRows, "{error:?}");
        assert!(error.to_string().contains("people.members"), "{error}");
    }
    let restrictive = "CREATE POLICY narrow ON people.members AS RESTRICTIVE USING (status = 'active')";
    house.superuser("habitat_dev").batch_execute(restrictive).unwrap();
    let admin = house.connection("habitat_admin", "habitat_dev");
    let error = backups.create(&mut house.connect("habitat_admin", "habitat_dev"), &admin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::HiddenRows, "{error:?}");
    assert!(backups.list("habitat_dev").unwrap().is_empty());
    assert!(!backups.folder().exists(), "not even a folder");
}

#[test]
fn a_failed_backup_leaves_no_file_and_shows_no_password() {
    let house = House::empty();
    house.deploy("development", None);
    let folder = tempfile::tempdir().unwrap();
    if !has_programs(&house, folder.path()) {
        return;
    }
    let folder = folder.path().join("others");
    let mut client = house.connect("habitat_admin", "habitat_dev");
    house.superuser("habitat_dev").batch_execute("CREATE TABLE people.foreign_to_it (id int)").unwrap();
    let admin = house.connection("habitat_admin", "habitat_dev");
    let error = Backups::new(&folder).create(&mut client, &admin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Program, "{error:?}");
    assert!(format!("{error:?}").contains("permission denied for table foreign_to_it"), "{error:?}");
    assert!(!format!("{error} {error:?}").contains(house.password("habitat_admin").expose()));
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}

#[test]
fn production_is_restored_into_when_its_name_is_given_and_stays_what_it_is_recorded_as() {
    let house = House::empty();
    house.deploy("production", None);
    let folder = tempfile::tempdir().unwrap();
    house.deploy("development", None);
    if !has_programs(&house, folder.path()) {
        return;
    }
    let admin = house.connection("habitat_admin", "habitat");
    let backup =
        Backups::new(folder.path()).create(&mut house.connect("habitat_admin", "habitat"), &admin).unwrap();
    let before = contents(&mut house.superuser("habitat"));
    // The disaster, and a database that was provisioned anew: it knows already what it is for.
    house.superuser("postgres").batch_execute("DROP DATABASE habitat WITH (FORCE)").unwrap();
    provision("production").apply(&house.cluster(None)).unwrap();
    let mut client = house.connect("habitat_admin", "habitat");
    let error = Restore::of(&backup).run(&mut client, &admin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unconfirmed);
    assert!(format!("{error:?}").contains(".confirm(\"habitat\")"), "{error:?}");
    Restore::of(&backup)
        .confirm("habitat")
        .run(&mut client, &admin)
        .unwrap_or_else(|error| panic!("{error:?}"));
    provision("production").apply(&house.cluster(None)).unwrap();
    assert_eq!(contents(&mut house.superuser("habitat")), before);
    let kind = "SELECT name FROM schema_migrations_environment";
    assert_eq!(value::<String>(&mut client, kind), "production");
}

#[test]
fn retention_removes_what_it_has_named_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
    for name in [
        "habitat_2026-01-01T00-00-00.000Z.dump",
        "habitat_2026-02-01T00-00-00.000Z.dump",
        "habitat_2026-03-01T00-00-00.000Z.dump",
        "habitat_2026-03-02T00-00-00.000Z.dump",
        "other_2020-01-01T00-00-00.000Z.dump",
        "habitat_20200101.dump",
        "habitat_before_we_moved.dump",
        "notes.txt",
    ] {
        write(name);
    }
    let removed = Backups::new(folder.path()).keep_days(14).keep_newest(1).prune("habitat").unwrap();
    let removed: Vec<String> = removed.iter().map(|backup: &Backup| backup.taken_at().to_rfc3339()).collect();
    assert_eq!(removed, ["2026-02-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6);
    assert!(
        Backups::new(folder.path()).prune("habitat").unwrap().is_empty(),
        "all stay if nobody says otherwise"
    );
}

#[test]
fn a_server_that_is_newer_than_every_program_is_told_of() {
    let folder = tempfile::tempdir().unwrap();
    let house = house();
    let admin = house.connection("habitat_admin", "habitat_dev");
    let backups = Backups::new(folder.path()).programs(folder.path());
    let error = backups.create(&mut house.connect("habitat_admin", "habitat_dev"), &admin).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NoProgram);
    assert!(format!("{error:?}").contains("= next: install PostgreSQL"), "{error:?}");
}

#[test]
fn r47_the_password_is_handed_over_in_the_environment_and_never_as_an_argument() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "echo \"arguments: $*; a password of ${#PGPASSWORD} characters\" >&2; exit 1");
    let house = house();
    let admin = house.connection("habitat_admin", "habitat_dev");
    let backups = Backups::new(folder.path()).programs(folder.path());
    let error = backups.create(&mut house.connect("habitat_admin", "habitat_dev"), &admin).unwrap_err();
    let told = format!("{error:?}");
    assert_eq!(error.kind(), ErrorKind::Program, "{told}");
    assert!(told.contains("arguments: --format=custom") && told.contains("--enable-row-security"), "{told}");
    assert!(told.contains("a password of 43 characters"), "{told}");
    assert!(!told.contains(house.password("habitat_admin").expose()), "{told}");
}

#[test]
fn a_backup_that_is_dropped_midway_kills_the_program_and_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    fake(folder.path(), "echo $$ > \"$0.pid\"; exec sleep 600");
    let admin = house().connection("habitat_admin", "habitat_dev");
    let backups = Backups::new(folder.path().join("backups")).programs(folder.path());
    let pid = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = admin.connector().unwrap().connect().await.unwrap();
        let mut work = std::pin::pin!(backups.create(&mut client, &admin));
        loop {
            let step = tokio::time::timeout(std::time::Duration::from_millis(20), work.as_mut()).await;
            assert!(step.is_err(), "it sleeps: {step:?}");
            let told = std::fs::read_to_string(folder.path().join("pg_dump.pid")).unwrap_or_default();
            if told.ends_with('\n') {
                break told.trim().to_owned();
            }
        }
    });
    assert!(!Path::new("/proc").join(&pid).exists(), "process {pid} is there");
    assert_eq!(std::fs::read_dir(backups.folder()).unwrap().count(), 0);
}

#[test]
fn an_async_client_takes_a_backup_and_restores_it() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    if !has_programs(house, folder.path()) {
        return;
    }
    fresh(house, "habitat_async", Kind::Test);
    let [from, to] = ["habitat", "habitat_async"].map(|database| house.connection("habitat_admin", database));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let mut client = from.connector().unwrap().connect().await.unwrap();
        let backup = Backups::new(folder.path()).create(&mut client, &from).await.unwrap();
        let mut client = to.connector().unwrap().connect().await.unwrap();
        Restore::of(&backup).run(&mut client, &to).await.unwrap();
    });
    let [before, after] = ["habitat", "habitat_async"].map(|name| contents(&mut house.superuser(name)));
    assert_eq!(before, after);
}

/// Programs of a version that fits every server, which do this.
fn fake(folder: &Path, what: &str) {
    // Written by another process: one that this process had open for writing might not run.
    let program = format!(
        "#!/bin/sh\ncase \"$1\" in\n--version) echo 'fake (PostgreSQL) 99.1' ;;\n*) {what} ;;\nesac\n"
    );
    let script = format!(
        "for name in pg_dump pg_restore; do cat > $name <<'END'\n{program}END\nchmod 755 $name; done"
    );
    let written = std::process::Command::new("sh").args(["-c", &script]).current_dir(folder).status();
    assert!(written.unwrap().success());
}

#[test]
fn a_client_of_another_login_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let connection = house().connection("habitat_admin", "habitat_dev");
    let mut client = house().connect("habitat_admin", "habitat");
    let error = Backups::new(folder.path()).create(&mut client, &connection).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongConnection, "{error:?}");
}

fn mode(path: &Path) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(path).unwrap().permissions()) & 0o777
}
