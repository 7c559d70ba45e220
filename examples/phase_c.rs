//! Phase C of the cockpit's runbook, as a person would do it: every migration applied, verified, taken back, and applied again, on a PostgreSQL
//! that this program starts for itself: `cargo run --example phase_c`.

use std::error::Error;

use anstream::println;
use anstyle::{AnsiColor, Style};
use habitat_migrate::policy::Rollback;
use habitat_migrate::testing::Server;
use habitat_migrate::{Event, Migration, Migrations};
use postgres::{Client, SimpleQueryMessage};

/// Six migrations and the tables that they change, checked while this program was compiled and part of it.
#[derive(Migrations)]
#[migrations(dir = "migrations/phase-c")]
struct PhaseC;

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::start()?;
    let database = server.create_database("cockpit")?;
    let mut client = database.connect()?;
    println!("PostgreSQL {}, started for this program alone", server.version());

    // The tracker in a schema of its own: what is counted below is the cockpit's.
    let migrator = PhaseC::migrator().schema("migrations").on_event(tell);
    let Some((base, phase)) = migrator.catalog().migrations().split_first() else {
        return Err("the folder is empty".into());
    };

    step(1, "The cockpit before Phase C: companies, users and sessions with rows in them");
    migrator.clone().target(base.id().clone()).migrate(&mut client)?;
    let before = inventory(&mut client)?;
    println!("   {before}");

    step(2, "What is planned, and what can go wrong");
    for migration in migrator.plan(&mut client)?.pending() {
        let (version, risk) = (migration.version().as_str(), risk(migration));
        println!("   {BOLD}{version:<34}{BOLD:#}risk {risk:<7} {}", migration.description());
    }

    step(3, "Up: each migration commits together with its verification, or leaves nothing");
    let report = migrator.migrate(&mut client)?;
    println!("   {report}");
    let after = inventory(&mut client)?;
    println!("   {after}");
    println!("   users by role: {}", text(&mut client, ROLES)?);

    step(4, "Verified once more, read only");
    verified(&migrator, &mut client)?;

    step(5, "Somebody drops an index: verification finds it");
    client.batch_execute("DROP INDEX idx_sessions_tenant_id")?;
    for finding in migrator.verify(&mut client)? {
        println!("   {RED}{finding}{RED:#}");
    }
    client.batch_execute("CREATE INDEX idx_sessions_tenant_id ON sessions (tenant_id)")?;
    verified(&migrator, &mut client)?;

    step(6, "Down, the last one first: the scripts are those that the tracker has kept");
    let report = migrator.rollback(&mut client, Rollback::To(base.id().clone()))?;
    println!("   {report}");
    let left = inventory(&mut client)?;
    println!("   {left}");
    println!("   as it was before: {}", yes(left == before));

    step(7, "Up again");
    let report = migrator.migrate(&mut client)?;
    println!("   {report}");
    println!("   as it was the first time: {}", yes(inventory(&mut client)? == after));
    verified(&migrator, &mut client)?;

    step(8, "The log of all that: SELECT * FROM migrations.schema_migrations_log");
    for line in rows(&mut client, LOG)? {
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

fn verified(migrator: &habitat_migrate::Migrator, client: &mut Client) -> Result<(), Box<dyn Error>> {
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

const INVENTORY: &str = "
    SELECT concat_ws(', ',
        (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')) || ' tables',
        (SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped) || ' columns',
        (SELECT count(*) FROM pg_indexes WHERE schemaname = 'public') || ' indexes',
        (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace) || ' functions',
        (SELECT count(*) FROM pg_type WHERE typnamespace = 'public'::regnamespace AND typtype = 'e') || ' enumerations',
        (SELECT count(*) FROM users) || ' users')";

const ROLES: &str = "SELECT string_agg(role || ' ' || n, ', ' ORDER BY role)
    FROM (SELECT role, count(*) AS n FROM users GROUP BY role) AS t";

const LOG: &str = "SELECT rpad(event, 9) || string_agg(version, ' ' ORDER BY id)
    FROM (SELECT *, sum(CASE WHEN event = before THEN 0 ELSE 1 END) OVER (ORDER BY id) AS part
          FROM (SELECT event, left(version, 3) AS version, id, lag(event) OVER (ORDER BY id) AS before
                FROM migrations.schema_migrations_log WHERE version IS NOT NULL) AS t) AS t
    GROUP BY part, event ORDER BY min(id)";

const BOLD: Style = Style::new().bold();
const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default().bold();

fn step(number: u32, title: &str) {
    println!("\n{BOLD}{number}  {title}{BOLD:#}");
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
