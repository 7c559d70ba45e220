//! Adopting, with a server: asks for the other tool's history, has it compared, and records what matches.

use std::collections::HashMap;
use std::time::Instant;

use habitat_migrate_catalog::{Compatibility, Digest, Migration, MigrationId};

use crate::adopt::{self, Adopt, AdoptError, Adoption, AdoptionState, Matched, Mode};
use crate::client::{Client, Failure, Reply, ServerError};
use crate::engine::{self, Goal};
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::history::History;
use crate::lock::{BUSY, Lock};
use crate::report::Report;
use crate::sql::{Ident, Literal};

/// Adopts a database, or says what adopting it would mean.
pub(crate) async fn adopt<C: Client>(goal: &Goal<'_>, client: &mut C, adopt: &Adopt) -> Result<Adoption> {
    let started = Instant::now();
    let mut overtaken = 0;
    loop {
        let (mut adoption, history) = compare(goal, client, adopt).await?;
        let missing: Vec<Matched> =
            adoption.matched.iter().filter(|m| history.get(m.id()).is_none()).cloned().collect();
        if missing.is_empty() && adoption.is_clean() {
            adoption.state = AdoptionState::AlreadyRecorded;
            return Ok(adoption);
        }
        if !adoption.is_clean() {
            return match adopt.mode() {
                Mode::DryRun => Ok(adoption),
                Mode::Apply => Err(refused(AdoptError::mismatch(adoption))),
            };
        }
        let ends = history.ends();
        if missing.iter().any(|matched| ends.contains_key(matched.id().context())) {
            let missing = missing.iter().map(|matched| matched.id().clone()).collect();
            return Err(refused(AdoptError::tracked(adoption, missing)));
        }
        if adopt.mode() == Mode::DryRun {
            return Ok(adoption);
        }
        match record(goal, client, &missing, &adoption).await? {
            Outcome::Recorded => {
                let (tool, table) = (adoption.tool, &adoption.table);
                tracing::info!(%tool, table, recorded = missing.len(), "adopted");
                adoption.state = AdoptionState::Recorded;
                return Ok(adoption);
            }
            Outcome::Busy => {
                let waited = started.elapsed();
                if waited >= goal.patience.budget {
                    return Err(plain(Cause::LockTimeout { waited, holder: None }));
                }
                client.pause(goal.patience.poll).await;
            }
            Outcome::Overtaken(_) if overtaken < 5 => overtaken += 1,
            Outcome::Overtaken(error) => return Err(unrecorded(error)),
        }
    }
}

/// Whether the records were written.
enum Outcome {
    Recorded,
    /// Another process has the lock.
    Busy,
    /// The schema, the tracker or the records were not there when they were looked for, and are now.
    Overtaken(Box<ServerError>),
}

/// Reads the tracker and the other tool's history, and compares that with the catalog.
async fn compare<C: Client>(goal: &Goal<'_>, client: &mut C, adopt: &Adopt) -> Result<(Adoption, History)> {
    let history = match engine::history(goal, client).await {
        // Whose table it is that stands in the tracker's place is told below.
        Err(error) if error.kind() == ErrorKind::ForeignTracker => Err(error),
        other => Ok(other?),
    };
    let reply = ask(client, &adopt::tables_query(adopt.named()), LOOK, None).await?;
    let table = adopt::find_table(&reply, adopt.named()).map_err(refused)?;
    if table.schema == goal.tracker.schema() && table.name == TRACKER {
        return Err(refused(AdoptError::same_table(table.tool, table.to_string())));
    }
    let history = history?;
    let grant = format!("as the owner or an administrator, let this login read {table}: GRANT SELECT");
    let reply = ask(client, &adopt::entries_query(&table), READ, Some(grant)).await?;
    let entries = adopt::read_entries(table.tool, &reply);
    let adoption = adopt::compare(&table, &entries, goal.catalog, &history, adopt).map_err(refused)?;
    Ok((adoption, history))
}

/// Records what was matched, in one message that is one transaction: it leaves nothing behind when it fails.
async fn record<C: Client>(
    goal: &Goal<'_>,
    client: &mut C,
    matched: &[Matched],
    adoption: &Adoption,
) -> Result<Outcome> {
    let presence = format!("SELECT 'presence' AS \"habitat-migrate\", {};\n", goal.tracker.presence());
    let reply = ask(client, &presence, READ_TRACKER, None).await?;
    let is_there = |column| reply.first("presence").is_some_and(|row| row.is_true(column));
    let mut sql = Lock::of(&goal.tracker).or_fail();
    if !is_there(2) {
        sql.push_str(&goal.tracker.create_schema());
    }
    if !is_there(1) {
        sql.push_str(&goal.tracker.create());
    }
    sql.push_str(&inserts(goal, matched, adoption));
    match client.run(&sql).await {
        Ok(_) => Ok(Outcome::Recorded),
        Err(Failure::Lost(words)) => Err(lost(words)),
        Err(Failure::Server { error, .. }) => match error.code.as_str() {
            BUSY => Ok(Outcome::Busy),
            "42P06" | "42P07" | "23505" => Ok(Outcome::Overtaken(error)),
            _ => Err(unrecorded(error)),
        },
    }
}

/// The statements that record migrations of contexts that have no records yet.
fn inserts(goal: &Goal<'_>, matched: &[Matched], adoption: &Adoption) -> String {
    let by_id: HashMap<&MigrationId, &Matched> = matched.iter().map(|m| (m.id(), m)).collect();
    let mut ends: HashMap<&str, (u32, Digest)> = HashMap::new();
    let mut sql = String::new();
    for migration in goal.catalog.migrations() {
        let Some(matched) = by_id.get(migration.id()) else { continue };
        let (ordinal, digest) = ends.entry(migration.context()).or_insert((0, Digest::EMPTY));
        *ordinal += 1;
        let checksum = migration.checksum().to_string();
        *digest = digest.with(migration.context(), migration.version().as_str(), &checksum);
        sql.push_str(&insert(goal, migration, matched, (*ordinal, *digest), adoption));
    }
    sql
}

fn insert(
    goal: &Goal<'_>,
    migration: &Migration,
    matched: &Matched,
    (ordinal, digest): (u32, Digest),
    adoption: &Adoption,
) -> String {
    let or_default = |value: Option<String>| value.unwrap_or_else(|| "DEFAULT".to_owned());
    let deployed_at = matched
        .applied_at()
        .map(|time| format!("'{}+00'::pg_catalog.timestamptz", time.format("%Y-%m-%d %H:%M:%S%.6f")));
    let took = matched
        .execution_time()
        .map(|time| format!("'{} microseconds'::pg_catalog.interval", time.as_micros()));
    let detail = format!(
        "{}, table {}, version {}: {}",
        adoption.tool,
        adoption.table,
        matched.version(),
        matched.proof()
    );
    format!(
        "INSERT INTO {table} (version, description, context, deployed_at, deployed_by, execution_time, state, checksum, \
         breaking, ordinal, follows, digest) VALUES ({version}, {description}, {context}, {deployed_at}, {deployed_by}, \
         {took}, 'applied', '{checksum}', {breaking}, {ordinal}, {follows}, '{digest}');\n\
         INSERT INTO {log} (event, context, version, checksum, execution_time, detail, library) \
         VALUES ('adopt', {context}, {version}, '{checksum}', {took}, {detail}, '{LIBRARY}');\n",
        table = goal.tracker.table(),
        log = format_args!("{}.schema_migrations_log", Ident(goal.tracker.schema())),
        version = Literal(migration.version().as_str()),
        description = Literal(migration.description()),
        context = Literal(migration.context()),
        deployed_at = or_default(deployed_at),
        deployed_by = or_default(matched.applied_by().map(|role| Literal(role).to_string())),
        took = or_default(took),
        checksum = migration.checksum(),
        breaking = migration.settings().compatibility == Compatibility::Breaking,
        follows = if ordinal > 1 { (ordinal - 1).to_string() } else { "NULL".to_owned() },
        detail = Literal(&detail),
    )
}

/// Sends a question; `remedy` is what helps where this login may not ask it.
async fn ask<C: Client>(
    client: &mut C,
    sql: &str,
    doing: &'static str,
    remedy: Option<String>,
) -> Result<Reply> {
    match client.run(sql).await {
        Ok(reply) => Ok(reply),
        Err(Failure::Lost(words)) => Err(lost(words)),
        Err(Failure::Server { error, .. }) => {
            let remedy = remedy.filter(|_| error.code == "42501");
            Err(plain(Cause::Tracker { doing, error, remedy }))
        }
    }
}

fn unrecorded(error: Box<ServerError>) -> Error {
    plain(Cause::Tracker { doing: "record what was adopted", error, remedy: None })
}

fn lost(words: String) -> Error {
    plain(Cause::ConnectionLost { words, under_way: Vec::new() })
}

fn refused(error: AdoptError) -> Error {
    plain(Cause::Adopt(error))
}

fn plain(cause: Cause) -> Error {
    Error::new(cause, Report::default())
}

const TRACKER: &str = "schema_migrations";
const LIBRARY: &str = concat!("habitat-migrate ", env!("CARGO_PKG_VERSION"));
const LOOK: &str = "look for another tool's history";
const READ: &str = "read the other tool's history";
const READ_TRACKER: &str = "read the tracker";
