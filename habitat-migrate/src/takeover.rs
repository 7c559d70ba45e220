//! Adopting, with a server: asks for the other tool's history, has it compared, and records what matches.

use crate::adopt::{self, Adopt, AdoptError, Adoption, AdoptionState, Matched, Mode};
use crate::client::{Client, Failure, Reply};
use crate::engine::{self, Goal};
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::history::History;
use crate::plan::{self, Deployed, Taken};
use crate::report::Report;

/// Adopts a database, or says what adopting it would mean.
pub(crate) async fn adopt<C: Client>(goal: &Goal<'_>, client: &mut C, adopt: &Adopt) -> Result<Adoption> {
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
    let taken: Vec<Taken> = missing.iter().map(|matched| taken(matched, &adoption)).collect();
    let decide = |catalog, history: &History| plan::take_over(catalog, history, &taken, goal.wish);
    let report = engine::amend(goal, client, &decide).await?;
    if report.repaired().is_empty() {
        // Another process was first.
        adoption.state = AdoptionState::AlreadyRecorded;
        return Ok(adoption);
    }
    let (tool, table) = (adoption.tool, &adoption.table);
    tracing::info!(%tool, table, recorded = missing.len(), "adopted");
    adoption.state = AdoptionState::Recorded;
    Ok(adoption)
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

/// What is recorded of a migration that was matched.
fn taken(matched: &Matched, adoption: &Adoption) -> Taken {
    let at = matched.applied_at().map(|time| format!("{}+00", time.format("%Y-%m-%d %H:%M:%S%.6f")));
    let why = format!(
        "{}, table {}, version {}: {}",
        adoption.tool,
        adoption.table,
        matched.version(),
        matched.proof()
    );
    let by = matched.applied_by().map(str::to_owned);
    Taken { id: matched.id().clone(), deployed: Deployed { at, by, took: matched.execution_time() }, why }
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
const LOOK: &str = "look for another tool's history";
const READ: &str = "read the other tool's history";
