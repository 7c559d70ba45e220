//! What has to hold before the first statement of a run that needs a session of its own.

use std::collections::HashMap;

use habitat_migrate_catalog::{Checksum, MigrationId, Unit, units};

use super::super::job::{Job, Worker};
use super::super::{READ, Run};
use crate::client::{Client, Row};
use crate::error::Cause;
use crate::plan::{Refusal, Refusals};
use crate::sql::Literal;
use crate::tracker::{Direction, Progress, Tracker};

/// How far the migrations came that runs before this one began.
#[derive(Debug, Default)]
pub(in super::super) struct Journals {
    /// Whether the table of progress is there.
    pub(super) table: bool,
    progress: HashMap<MigrationId, Progress>,
}

impl Journals {
    /// How far an earlier run came; none where there was none.
    pub(super) fn of(&self, job: &Job<'_>) -> Option<&Progress> {
        self.progress.get(job.id()).filter(|_| job.resumes())
    }
}

impl<'a, C: Client> Run<'a, C> {
    /// Refuses, before anything is written, what cannot be carried out statement by statement; reads how far earlier runs came.
    pub(in super::super) async fn check_journals(&mut self, jobs: &[Job<'a>]) -> Result<Journals, Cause> {
        let mine: Vec<&Job<'a>> = jobs.iter().filter(|job| job.worker() == Worker::Journal).collect();
        let Some(first) = mine.first() else { return Ok(Journals::default()) };
        let reply = self.run(READ, &facts(&self.goal.tracker)).await?;
        let Some(row) = reply.first("session") else { return Err(self.silent().await) };
        if !self.goal.assume_session && self.is_pooled(row) {
            let (migration, address) = (first.id().clone(), address(row));
            self.clear().await;
            return Err(Cause::Pooler { migration, address });
        }
        let mut journals = Journals { table: row.is_true(7), progress: HashMap::new() };
        if journals.table {
            let reply = self.run(READ, &self.goal.tracker.read_progress()).await?;
            journals.progress = Tracker::progresses(&reply).into_iter().collect();
        }
        let refusals: Vec<Refusal> = mine.into_iter().filter_map(|job| refusal(job, &journals)).collect();
        if refusals.is_empty() {
            return Ok(journals);
        }
        self.clear().await;
        Err(Cause::Refused(Refusals::new(refusals)))
    }

    async fn silent(&mut self) -> Cause {
        self.clear().await;
        let words = "the server did not answer the question".to_owned();
        Cause::ConnectionLost { words, under_way: Vec::new() }
    }

    /// Whether a connection pooler stands between: another process answers than the one that the driver was told of; or the
    /// server has not heard what the driver says when it connects.
    ///
    /// A pooler keeps connections to the server that it has made itself. With a driver that tells neither, nothing is
    /// noticed before the lock is lost.
    fn is_pooled(&mut self, row: &Row) -> bool {
        match self.session.hints() {
            (Some(key), _) => row.number(1) != Some(key),
            (None, names_encoding) => names_encoding && row.text(2) != "client",
        }
    }
}

/// What to ask about the session.
fn facts(tracker: &Tracker) -> String {
    // Only a superuser and members of pg_read_all_settings see where the sockets are; others get no row.
    let setting = |name| {
        format!(
            "(SELECT s.setting FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) '{name}')"
        )
    };
    format!(
        "SELECT 'session' AS \"habitat-migrate\", pg_catalog.pg_backend_pid(), (SELECT s.source FROM pg_catalog.pg_settings AS s \
         WHERE s.name OPERATOR(pg_catalog.=) 'client_encoding'), pg_catalog.host(pg_catalog.inet_server_addr()), \
         pg_catalog.inet_server_port(), {directories}, {port}, pg_catalog.to_regclass({progress}) IS NOT NULL;\n",
        directories = setting("unix_socket_directories"),
        port = setting("port"),
        progress = Literal(tracker.progress()),
    )
}

/// Where the server itself is, as the pooler reaches it.
fn address(row: &Row) -> Option<String> {
    if let Some(host) = row.value(3) {
        return Some(format!("host={host} port={}", row.text(4)));
    }
    let directory = row.value(5)?.split(',').next().map(str::trim).filter(|name| !name.is_empty())?;
    Some(format!("host={directory} port={}", row.text(6)))
}

/// Why a migration cannot be begun or gone on with.
fn refusal(job: &Job<'_>, journals: &Journals) -> Option<Refusal> {
    let migration = job.id().clone();
    let script = job.script();
    let units = units(&script).unwrap_or_default();
    if units.iter().any(|unit| !unit.is_closed()) {
        let what = "begins a transaction that it does not end";
        return Some(Refusal::Unsupported { path: job.path().into_owned(), what });
    }
    if !job.resumes() {
        return None;
    }
    let Some(progress) = journals.of(job) else { return Some(Refusal::Interrupted { migration }) };
    match (progress.direction, job.direction()) {
        (Direction::Up, Direction::Down) => return Some(Refusal::HalfApplied { migration }),
        (Direction::Down, Direction::Up) => return Some(Refusal::HalfUndone { migration }),
        _ => {}
    }
    let is_same = |unit: &Unit, done: &String| Checksum::of(script.written(unit.code())).to_string() == *done;
    let changed = (0..progress.done.len())
        .find(|n| !units.get(*n).is_some_and(|unit| is_same(unit, &progress.done[*n])))?;
    let offset = units.get(changed).map_or(script.len(), |unit| unit.code().start);
    let location = script.excerpt(offset).location();
    let location = (location.line(), location.column());
    Some(Refusal::Rewritten { migration, path: job.path().into_owned(), statement: changed + 1, location })
}
