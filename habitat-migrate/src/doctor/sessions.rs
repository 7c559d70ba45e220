//! Who is in the way: sessions with long transactions, with locks on what the plan changes, and with the lock of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use habitat_migrate_catalog::{Catalog, Migration};

use super::facts::ask;
use crate::client::{Client, Row};
use crate::engine::{self, BLOCKERS};
use crate::error::Result;
use crate::event::Holder;
use crate::lock::Lock;
use crate::status::{Stage, Status};
use crate::tracker::Tracker;

#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Those whose transaction is a long one.
    pub(super) long: Vec<Session>,
    /// Those that hold locks on what a pending migration names: the lock, the table and the migration.
    pub(super) blocking: Vec<(Session, String)>,
    /// Who holds the lock of a run.
    pub(super) holder: Option<Session>,
    /// Transactions that were prepared and neither committed nor rolled back: the name and the age.
    pub(super) prepared: Vec<(String, Duration)>,
    /// How many sessions this login may not see.
    pub(super) unseen: u32,
}

/// Another session of this database.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) pid: i32,
    pub(super) who: String,
    /// What it does, where the server tells it.
    pub(super) state: Option<String>,
    /// How old its transaction is.
    pub(super) age: Option<Duration>,
}

/// The migrations that a run would apply.
pub(super) fn pending<'c>(catalog: &'c Catalog, status: Option<&Status>) -> Vec<&'c Migration> {
    let entries = status.map(Status::entries).unwrap_or_default().iter();
    let pending = entries
        .filter(|entry| matches!(entry.stage(), Stage::Pending | Stage::HalfDone | Stage::RunsAgain { .. }));
    pending.filter_map(|entry| catalog.get(entry.id().context(), entry.id().version())).collect()
}

pub(super) async fn read<C: Client>(
    client: &mut C,
    tracker: &Tracker,
    long: Duration,
    pending: &[&Migration],
) -> Result<Sessions> {
    let reply = ask(client, &format!("{SESSIONS}{BLOCKERS}{}", Lock::of(tracker).holder())).await?;
    let all: BTreeMap<i32, Session> =
        reply.rows("session").filter_map(session).map(|session| (session.pid, session)).collect();
    let known = |holder: Holder| {
        let unknown =
            Session { pid: holder.pid, who: who(None, holder.application), state: None, age: holder.age };
        all.get(&holder.pid).cloned().unwrap_or(unknown)
    };
    let mut blocking: Vec<(Session, String)> = Vec::new();
    for blocker in reply.rows("blocker").filter_map(engine::read_blocker) {
        let named = pending.iter().find(|migration| engine::concerns(&blocker, migration.script()));
        let Some(migration) = named else { continue };
        let what = format!("{} on {}, which {} names", blocker.mode, blocker.relation, migration.id());
        // One line for a session; what it holds first is enough to find it.
        if blocking.iter().all(|(session, _)| session.pid != blocker.session.pid) {
            blocking.push((known(blocker.session), what));
        }
    }
    Ok(Sessions {
        long: all.values().filter(|session| session.age.is_some_and(|age| age >= long)).cloned().collect(),
        blocking,
        holder: reply.first("holder").and_then(Lock::read_holder).map(known),
        prepared: reply.rows("prepared").map(|row| (row.text(1).to_owned(), row.micros(2))).collect(),
        unseen: reply.first("unseen").and_then(|row| row.number(1)).unwrap_or_default(),
    })
}

fn session(row: &Row) -> Option<Session> {
    let text = |column| row.value(column).filter(|text| !text.is_empty()).map(str::to_owned);
    let age = row.number(5).map(Duration::from_micros);
    Some(Session { pid: row.number(1)?, who: who(text(2), text(3)), state: text(4), age })
}

/// `psql by alice`
fn who(login: Option<String>, application: Option<String>) -> String {
    match (application, login) {
        (Some(application), Some(login)) => format!("{application} by {login}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => "unknown".to_owned(),
    }
}

/// No text of a query: it may hold what is secret.
const SESSIONS: &str = "\
SELECT 'session' AS \"habitat-migrate\", a.pid, a.usename, a.application_name, a.state,
       (EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) a.xact_start) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8
  FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
   AND a.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() ORDER BY a.xact_start, a.pid;
SELECT 'unseen' AS \"habitat-migrate\", pg_catalog.count(*) FROM pg_catalog.pg_stat_activity AS a
 WHERE a.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND a.state IS NULL
   AND a.backend_type IS NULL;
SELECT 'prepared' AS \"habitat-migrate\", p.gid,
       (EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) p.prepared) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8
  FROM pg_catalog.pg_prepared_xacts AS p WHERE p.database OPERATOR(pg_catalog.=) pg_catalog.current_database() ORDER BY p.prepared;
";
