//! The production checklist: ticked where all is well, and each line open where its fault is.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use habitat_migrate::Migrations;
use habitat_migrate::backup::Backups;
use habitat_migrate::checklist::{Checklist, Report, Topic, Verdict};
use habitat_migrate::provision::{ConnectionFormat, Connections, Probes};

use crate::{Habitat, House, provision};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn look(house: &House, folder: &Path) -> Report {
    let probes =
        Probes::from_toml("probes.toml", include_str!("../../migrations/habitat/probes.toml")).unwrap();
    let probed = probes.run_blocking(&house.connections("habitat")).unwrap();
    checklist(folder).probed(probed).run(&house.cluster(None)).unwrap_or_else(|error| panic!("{error:?}"))
}

fn checklist(folder: &Path) -> Checklist {
    // Members and what is allocated to them are written by the owner alone; sums are everybody's to read.
    let decided = [
        ("policy-missing", "people.members"),
        ("policy-missing", "agreements.member_allocations"),
        ("policy-missing", "agreements.distributions"),
        ("matview-over-protected", "people.member_patronage_summary"),
        ("matview-over-protected", "agreements.period_allocations"),
    ];
    let list = Checklist::new(provision("production"), Habitat::migrator());
    decided
        .into_iter()
        .fold(list, |list, (code, object)| list.accept(code, object))
        .extension("pgcrypto")
        .extension("uuid-ossp")
        .backups(Backups::new(folder.join("backups")), DAY)
        .connection_file(folder.join("habitat.yaml"))
}

/// A backup of now, without `pg_dump`: the list reads names.
fn backup(folder: &Path, name: &str) {
    std::fs::create_dir_all(folder.join("backups")).unwrap();
    std::fs::write(folder.join("backups").join(name), "PGDMP").unwrap();
}

#[test]
fn each_line_is_ticked_and_each_fault_opens_its_own_line() {
    let house = House::empty();
    house.deploy("production", None);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let connections = Connections::new("habitat").with(house.connection("habitat_write", "habitat"));
    connections.write(folder.join("habitat.yaml"), &ConnectionFormat::Yaml).unwrap();
    let now = "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24-MI-SS.MS\"Z\"')";
    let now: String = crate::support::value(&mut house.superuser("postgres"), now);
    backup(folder, &format!("habitat_{now}.dump"));

    let report = look(&house, folder);
    assert!(report.is_ready(), "{report}");
    assert_eq!(report.lines().len(), 15);
    let of = |verdict: Verdict| {
        report
            .lines()
            .iter()
            .filter(|line| line.verdict() == verdict)
            .map(|line| line.topic())
            .collect::<Vec<_>>()
    };
    assert_eq!(of(Verdict::Unseen), [Topic::Monitoring, Topic::Firewall], "{report}");
    assert_eq!(of(Verdict::Unneeded), [Topic::Replica], "{report}");

    let sql = |sql: &'static str| move |house: &House| house.superuser("habitat").batch_execute(sql).unwrap();
    type Act = Box<dyn Fn(&House)>;
    let file = folder.join("habitat.yaml");
    let (opened, closed) = (file.clone(), file);
    let mode =
        |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let backups = folder.join("backups");
    let (gone, back) = (backups.clone(), backups);
    let faults: Vec<(Topic, &str, Act, Act)> = vec![
        (
            Topic::Passwords,
            "habitat_read has none",
            Box::new(sql("ALTER ROLE habitat_read PASSWORD NULL")),
            Box::new(|house| {
                let password = house.password("habitat_read");
                let mut client = house.superuser("postgres");
                habitat_migrate::provision::set_password(&mut client, "habitat_read", &password).unwrap();
            }),
        ),
        (
            Topic::Ownership,
            "people.members",
            Box::new(sql("ALTER TABLE people.members OWNER TO postgres")),
            Box::new(sql("ALTER TABLE people.members OWNER TO habitat_admin")),
        ),
        (
            Topic::Roles,
            "DELETE",
            Box::new(sql("GRANT DELETE ON treasury.entries TO habitat_write")),
            Box::new(sql("REVOKE DELETE ON treasury.entries FROM habitat_write")),
        ),
        (
            Topic::RowSecurity,
            "people.members",
            Box::new(sql("ALTER TABLE people.members NO FORCE ROW LEVEL SECURITY")),
            Box::new(sql("ALTER TABLE people.members FORCE ROW LEVEL SECURITY")),
        ),
        (
            Topic::MaterializedViews,
            "treasury.account_balances",
            Box::new(sql("REFRESH MATERIALIZED VIEW treasury.account_balances WITH NO DATA")),
            Box::new(sql("REFRESH MATERIALIZED VIEW treasury.account_balances")),
        ),
        (
            Topic::Tracker,
            "05_agreements_core",
            Box::new(sql(
                "UPDATE schema_migrations SET checksum = 'sha256:0' WHERE version = '05_agreements_core'",
            )),
            Box::new(sql("UPDATE schema_migrations m SET checksum = l.checksum FROM schema_migrations_log l
                 WHERE l.version = m.version AND l.event = 'apply' AND m.version = '05_agreements_core'")),
        ),
        (
            Topic::Rules,
            "definer-search-path",
            Box::new(sql(
                "ALTER FUNCTION people.has_role(text) SECURITY DEFINER; ALTER FUNCTION people.has_role(text) RESET search_path",
            )),
            Box::new(sql(
                "ALTER FUNCTION people.has_role(text) SECURITY INVOKER; ALTER FUNCTION people.has_role(text) SET search_path = pg_catalog, pg_temp",
            )),
        ),
        (
            Topic::ConnectionFiles,
            "has mode 0644",
            Box::new(move |_| mode(&opened, 0o644)),
            Box::new(move |_| mode(&closed, 0o600)),
        ),
        (
            Topic::Backup,
            "there is none of habitat",
            Box::new(move |_| std::fs::rename(&gone, gone.with_extension("away")).unwrap()),
            Box::new(move |_| std::fs::rename(back.with_extension("away"), &back).unwrap()),
        ),
    ];
    for (topic, words, fault, repair) in faults {
        fault(&house);
        let report = checklist(folder).run(&house.cluster(None)).unwrap();
        let open: Vec<Topic> = report
            .lines()
            .iter()
            .filter(|line| line.verdict() == Verdict::Unmet)
            .map(|line| line.topic())
            .collect();
        assert_eq!(open, [topic], "{report}");
        let told = report.line(topic).expect("a line").to_string();
        assert!(told.starts_with("[ ] ") && told.contains(words), "{told}");
        repair(&house);
        let report = checklist(folder).run(&house.cluster(None)).unwrap();
        assert!(report.is_ready(), "{topic:?} again\n{report}");
    }
}

#[test]
fn a_database_that_is_not_there_is_told_of_and_nothing_is_ticked_by_mistake() {
    let house = House::empty();
    let folder = tempfile::tempdir().unwrap();
    let report = checklist(folder.path()).replica().run(&house.cluster(None)).unwrap();
    assert!(!report.is_ready());
    let met: Vec<Topic> = report
        .lines()
        .iter()
        .filter(|line| line.verdict() == Verdict::Met)
        .map(|line| line.topic())
        .collect();
    assert_eq!(met, [Topic::Version], "{report}");
    assert_eq!(
        report.line(Topic::Replica).expect("a line").to_string(),
        "[ ] replica: none follows this server"
    );
}

#[test]
fn a_replica_that_follows_is_counted() {
    let server = habitat_migrate::testing::Server::builder().replication().start().unwrap();
    let standby = server.standby().unwrap();
    let cluster = habitat_migrate::provision::Cluster::blocking(|database| {
        server.config().dbname(database).connect(postgres::NoTls)
    });
    let folder = tempfile::tempdir().unwrap();
    crate::support::wait_for("the standby", || {
        let report = checklist(folder.path()).replica().run(&cluster).unwrap();
        report.line(Topic::Replica).expect("a line").to_string() == "[x] replica: 1 streaming"
    });
    drop(standby);
}

#[test]
fn an_old_backup_opens_its_line_and_what_this_login_may_not_see_is_named() {
    let house = House::empty();
    house.deploy("production", None);
    let folder = tempfile::tempdir().unwrap();
    backup(folder.path(), "habitat_2026-01-01T00-00-00.000Z.dump");
    let connector = house.connection("habitat_admin", "habitat").connector().unwrap();
    let cluster = habitat_migrate::provision::Cluster::connector_blocking(&connector).maintenance("habitat");
    let report = checklist(folder.path()).run(&cluster).unwrap();
    assert_eq!(report.line(Topic::Passwords).expect("a line").verdict(), Verdict::Unseen, "{report}");
    let backup = report.line(Topic::Backup).expect("a line");
    assert!(backup.to_string().contains("too old: habitat at 2026-01-01 00:00:00 UTC"), "{report}");
}
