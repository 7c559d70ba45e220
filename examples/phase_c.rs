//! Phase C of the cockpit's runbook, as a person would do it: provisioned, checked and backed up, applied, verified, validated, taken
//! back and applied again, on a PostgreSQL that this program starts for itself: `cargo run --example phase_c`.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::backup::{Backups, ErrorKind};
use habitat_migrate::checklist::Checklist;
use habitat_migrate::policy::Rollback;
use habitat_migrate::provision::{
    Cluster, Connection, ConnectionFormat, Connections, Password, Provision, set_password,
};
use habitat_migrate::testing::Server;
use habitat_migrate::{Event, LogAccess, Migration, Migrations, Migrator};
use postgres::{Client, NoTls, SimpleQueryMessage};

/// Six migrations and the tables that they change, checked while this program was compiled and part of it.
#[derive(Migrations)]
#[migrations(dir = "migrations/phase-c")]
struct PhaseC;

const DECLARATION: &str = include_str!("../migrations/phase-c/provision.toml");
const DATABASE: &str = "phase_c_staging";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Everybody but the superuser needs a password.
const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder().file("pg_hba.conf", HBA).start()?;
    println!("PostgreSQL {}, started for this program alone", server.version());
    let folder = std::env::temp_dir().join(format!("phase-c-{}", std::process::id()));
    std::fs::create_dir(&folder)?;
    let outcome = follow_the_runbook(&server, &folder);
    std::fs::remove_dir_all(&folder)?;
    outcome
}

fn follow_the_runbook(server: &Server, folder: &Path) -> Result<(), Box<dyn Error>> {
    step(
        1,
        "Provision: a database, a role that migrates and one that serves; staging asks for the database's name",
    );
    let cluster = Cluster::blocking(|database| server.config().dbname(database).connect(NoTls));
    let provision =
        Provision::from_toml("migrations/phase-c/provision.toml", DECLARATION, "staging")?.confirm(DATABASE);
    println!("   {} steps done", provision.apply(&cluster)?.steps().len());
    let host = server.socket_dir().ok_or("the server is not on this machine")?.display().to_string();
    let mut connections = Connections::new("cockpit");
    for role in ["phase_c_owner", "phase_c_app"] {
        let password = Password::from_file_or_generate(folder.join(role))?;
        set_password(&mut server.config().connect(NoTls)?, role, &password)?;
        let connection = Connection::new(role, host.clone(), DATABASE, role).port(server.port());
        connections = connections.with(connection.password(password));
    }
    connections.write(folder.join("cockpit.yaml"), &ConnectionFormat::Yaml)?;
    let owner = Connection::new("owner", host, DATABASE, "phase_c_owner")
        .port(server.port())
        .password(Password::from_file(folder.join("phase_c_owner"))?);
    let mut client = owner.connector()?.connect_blocking()?;
    let migrator = PhaseC::migrator().environment("staging").on_event(tell);
    let Some((base, phase)) = migrator.catalog().migrations().split_first() else {
        return Err("the folder is empty".into());
    };

    step(2, "The cockpit before Phase C: companies, users and sessions with rows in them");
    migrator.clone().target(base.id().clone()).migrate(&mut client)?;
    provision.apply(&cluster)?;
    let before = inventory(&mut client)?;
    println!("   {before}");

    step(3, "Pre-migration checklist");
    let backups = Backups::new(folder.join("backups")).keep_days(30);
    match backups.create(&mut client, &owner) {
        Ok(backup) => tick(true, &format!("database backup completed: {backup}")),
        Err(error) if error.kind() == ErrorKind::NoProgram => {
            tick(false, &format!("database backup: {error}"))
        }
        Err(error) => return Err(error.into()),
    }
    tick(true, &format!("connection verified: {}", owner.connector()?.target()));
    let others = text(&mut client, SESSIONS)?;
    tick(others == "0", &format!("no active user sessions: {others}"));
    let is_prepared = |m: &Migration| m.verify().is_some() && m.down().is_some();
    tick(
        phase.iter().all(is_prepared),
        "scripts checked when this program was built; each can be verified and taken back",
    );
    tick(migrator.status(&mut client)?.log() == LogAccess::Read, "migration log there");

    step(4, "Pending, and what can go wrong");
    for migration in migrator.plan(&mut client)?.pending() {
        let (version, risk) = (migration.version().as_str(), risk(migration));
        println!("   {BOLD}{version:<34}{BOLD:#}risk {risk:<7} {}", migration.description());
    }

    step(5, "Apply: each migration commits together with its verification, or leaves nothing");
    let report = migrator.migrate(&mut client)?;
    println!("   {report}");
    let after = inventory(&mut client)?;
    println!("   {after}");
    println!("   users by role: {}", text(&mut client, ROLES)?);

    step(6, "Verified once more, read only");
    verified(&migrator, &mut client)?;

    step(7, "Post-migration validation");
    for (name, sql) in VALIDATION {
        println!("   {name:<14}{}", text(&mut client, sql)?);
    }

    step(8, "Somebody drops an index: verification finds it");
    client.batch_execute("DROP INDEX idx_sessions_tenant_id")?;
    for finding in migrator.verify(&mut client)? {
        println!("   {RED}{finding}{RED:#}");
    }
    client.batch_execute("CREATE INDEX idx_sessions_tenant_id ON sessions (tenant_id)")?;
    verified(&migrator, &mut client)?;

    step(9, "Rollback of one, and where that leaves the database");
    println!("   {}", migrator.rollback(&mut client, Rollback::Steps(1))?);
    println!("   integration tables left: {}", text(&mut client, INTEGRATION)?);
    for line in migrator.status(&mut client)?.to_string().lines() {
        println!("   {line}");
    }

    step(10, "Down to where it began, the last one first: the scripts are those that the tracker has kept");
    let report = migrator.rollback(&mut client, Rollback::To(base.id().clone()))?;
    println!("   {report}");
    let left = inventory(&mut client)?;
    println!("   {left}");
    println!("   as it was before: {}", yes(left == before));

    step(11, "Up again");
    let report = migrator.migrate(&mut client)?;
    println!("   {report}");
    println!("   as it was the first time: {}", yes(inventory(&mut client)? == after));
    verified(&migrator, &mut client)?;

    step(12, "The log of all that: SELECT * FROM schema_migrations_log");
    for line in rows(&mut client, LOG)? {
        println!("   {line}");
    }

    step(13, "Checked as a whole");
    provision.apply(&cluster)?;
    // A function of a trigger, which nobody can call.
    let list = Checklist::new(provision, PhaseC::migrator())
        .accept("definer-public", "public.track_weight_override_changes()")
        .backups(backups, DAY)
        .connection_file(folder.join("cockpit.yaml"));
    for line in list.run(&cluster)?.to_string().lines() {
        println!("   {line}");
    }
    println!("   {} migrations of Phase C are there; this server ends with the program", phase.len());
    Ok(())
}

/// Says what a run does, while it does it.
fn tell(event: &Event) {
    let (word, migration, duration) = match event {
        Event::Applied { migration, duration } => ("applied", migration, duration),
        Event::Undone { migration, duration } => ("undone ", migration, duration),
        _ => return,
    };
    let milliseconds = duration.as_secs_f64() * 1e3;
    println!("   {GREEN}{word}{GREEN:#}  {:<34}{milliseconds:>7.1} ms", migration.version());
}

fn verified(migrator: &Migrator, client: &mut Client) -> Result<(), Box<dyn Error>> {
    let findings = migrator.verify(client)?;
    println!("   findings: {}", findings.len());
    if findings.is_empty() { Ok(()) } else { Err(findings[0].to_string().into()) }
}

/// What a script says of its risk, in a word.
fn risk(migration: &Migration) -> &str {
    let line = migration.script().lines().find_map(|line| line.strip_prefix("-- Risk: "));
    line.and_then(|line| line.split(['.', ',']).next()).unwrap_or("not told")
}

/// How many tables, columns, indexes, functions and types there are, and how many rows.
fn inventory(client: &mut Client) -> Result<String, Box<dyn Error>> {
    text(client, INVENTORY)
}

const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";

const INTEGRATION: &str =
    "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE 'integration\\_%'";

const VALIDATION: [(&str, &str); 3] = [
    (
        "tables",
        "SELECT count(*) || ' of 7: ' || string_agg(tablename, ', ' ORDER BY tablename) FROM pg_tables WHERE schemaname = 'public'
            AND tablename IN ('api_keys', 'api_key_usage', 'audit_log', 'weight_overrides', 'weight_override_history',
                              'integration_configs', 'integration_delivery_log')",
    ),
    (
        "indexes",
        "SELECT count(*) || ' on audit_log and api_key tables' FROM pg_indexes
          WHERE schemaname = 'public' AND (tablename LIKE '%audit%' OR tablename LIKE '%api_key%')",
    ),
    (
        "foreign keys",
        "SELECT string_agg(DISTINCT conrelid::regclass || ' to ' || confrelid::regclass, ', ') FROM pg_constraint WHERE contype = 'f'
            AND conrelid IN ('api_keys'::regclass, 'audit_log'::regclass, 'weight_overrides'::regclass, 'integration_configs'::regclass)",
    ),
];

const INVENTORY: &str = "
    WITH own AS (SELECT oid, relkind FROM pg_class
                  WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'schema\\_migrations%')
    SELECT concat_ws(', ',
        (SELECT count(*) FROM own WHERE relkind IN ('r', 'p')) || ' tables',
        (SELECT count(*) FROM pg_attribute a JOIN own c ON c.oid = a.attrelid
          WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped) || ' columns',
        (SELECT count(*) FROM own WHERE relkind IN ('i', 'I')) || ' indexes',
        (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) || ' functions',
        (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e') || ' enumerations',
        (SELECT count(*) FROM users) || ' users')";

const ROLES: &str = "SELECT string_agg(role || ' ' || n, ', ' ORDER BY role)
    FROM (SELECT role, count(*) AS n FROM users GROUP BY role) AS t";

const LOG: &str = "SELECT rpad(event, 9) || string_agg(version, ' ' ORDER BY id)
    FROM (SELECT *, sum(CASE WHEN event = before THEN 0 ELSE 1 END) OVER (ORDER BY id) AS part
          FROM (SELECT event, left(version, 3) AS version, id, lag(event) OVER (ORDER BY id) AS before
                FROM schema_migrations_log WHERE version IS NOT NULL) AS t) AS t
    GROUP BY part, event ORDER BY min(id)";

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(number: u32, title: &str) {
    println!("\n{BOLD}{number}  {title}{BOLD:#}");
}

fn tick(is_so: bool, what: &str) {
    println!("   [{}] {what}", if is_so { 'x' } else { ' ' });
}

fn yes(is_so: bool) -> &'static str {
    if is_so { "yes" } else { "NO" }
}

/// The first value of a query.
fn text(client: &mut Client, sql: &str) -> Result<String, Box<dyn Error>> {
    Ok(rows(client, sql)?.into_iter().next().unwrap_or_default())
}

/// The first column of a query.
fn rows(client: &mut Client, sql: &str) -> Result<Vec<String>, Box<dyn Error>> {
    let messages = client.simple_query(sql)?.into_iter();
    let first = |message| match message {
        SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
        _ => None,
    };
    Ok(messages.filter_map(first).collect())
}
