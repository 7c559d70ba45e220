//! What would keep a database from being migrated, or from being well: [`examine`]. It reads, and tells what to do.

mod facts;
mod judge;
mod page;
mod sessions;
mod settings;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::backup::Backups;
use crate::checklist;
use crate::client::Client;
use crate::error::Result;
use crate::migrator::Migrator;
use crate::provision::Rules;
use crate::status::Status;
pub(crate) use facts::ask;

/// What a database is examined for.
#[derive(Clone, Debug)]
pub struct Examination {
    migrator: Migrator,
    rules: Rules,
    backups: Option<(Backups, Duration)>,
    long: Duration,
}

impl Examination {
    /// For the migrations of a program; its schema, environment and timeouts count.
    pub fn new(migrator: Migrator) -> Self {
        Self { migrator, rules: Rules::new(), backups: None, long: Duration::from_secs(60) }
    }

    /// The rules of the audit. Default: those that hold for every database.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Where backups are, and how old the newest may be by the server's clock.
    #[must_use]
    pub fn backups(mut self, backups: Backups, age: Duration) -> Self {
        self.backups = Some((backups, age));
        self
    }

    pub(crate) fn migrator(&self) -> &Migrator {
        &self.migrator
    }

    /// From when on a transaction is a long one. Default: one minute.
    #[must_use]
    pub fn long_transaction(mut self, age: Duration) -> Self {
        self.long = age;
        self
    }
}

/// Everything that was looked at. `{}` is a page of 80 columns:
/// ```text
/// shop at PostgreSQL 15.14 as app_owner, 2026-03-01 09:12 UTC
///
/// ok    server        PostgreSQL 15.14, which gets fixes until 2027-11-11
/// ok    connection    TLSv1.3 to 10.0.0.5
/// WARN  transactions  session 4711 (psql) is idle in transaction for 3 min and holds
///                     AccessShareLock on shop.items, which shop:02_prices names
///                     next: let it end, or run
///                     SELECT pg_catalog.pg_terminate_backend(4711)
/// ```
#[derive(Clone, Debug)]
pub struct Diagnosis {
    head: String,
    lines: Vec<Line>,
    checklist: Option<checklist::Report>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    topic: Topic,
    level: Level,
    text: String,
    next: Option<String>,
}

/// What a [`Line`] is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// The server's version.
    Server,
    /// How the connection reaches the server.
    Connection,
    /// Whether a pooler stands between.
    Pooler,
    /// Whether the server takes writes.
    Standing,
    /// What this login may do.
    Rights,
    /// The tracker's tables: their shape and their owner.
    Tracker,
    /// The lock of a run.
    Lock,
    /// What is applied, pending and changed.
    Migrations,
    /// Indexes that serve no query.
    Indexes,
    /// Constraints that old rows may break.
    Constraints,
    /// Transactions that a migration would wait for.
    Transactions,
    /// Settings that bite a migration.
    Settings,
    /// What else is unsafe by the audit's rules.
    Rules,
    /// What the database is recorded to be for.
    Environment,
    /// The newest backup.
    Backup,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// It is as it should be.
    Good,
    /// It is worth knowing.
    Note,
    /// It cannot be seen from here.
    Unseen,
    /// It may hurt.
    Warning,
    /// It hurts: a migration fails, or data is not safe.
    Problem,
}

impl Line {
    fn new(topic: Topic, level: Level, text: impl Into<String>) -> Self {
        Self { topic, level, text: text.into(), next: None }
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    /// What it is about.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        self.level
    }

    /// What was seen.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do about it; every warning and every problem has it.
    pub fn advice(&self) -> Option<&str> {
        self.next.as_deref()
    }
}

impl Diagnosis {
    /// What was looked at, in the order of the topics; several lines where several things were found.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The lines about this.
    pub fn about(&self, topic: Topic) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.topic == topic)
    }

    /// The worst of all lines.
    pub fn worst(&self) -> Level {
        self.lines.iter().map(|line| line.level).max().unwrap_or(Level::Good)
    }

    /// Whether there is neither a warning nor a problem, nor an unmet line of the checklist.
    pub fn is_healthy(&self) -> bool {
        let ready = self.checklist.as_ref().is_none_or(checklist::Report::is_ready);
        self.worst() < Level::Warning && ready
    }

    /// Adds a [`Checklist`](checklist::Checklist): what has to be so before a database serves, as its declaration says.
    #[must_use]
    pub fn with_checklist(mut self, report: checklist::Report) -> Self {
        self.checklist = Some(report);
        self
    }

    /// The checklist that was added.
    pub fn checklist(&self) -> Option<&checklist::Report> {
        self.checklist.as_ref()
    }
}

/// Examines a database, and changes nothing: no lock, no write, no right beyond reading the catalog. What this login may not see is
/// told as unseen.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn example(migrator: habitat_migrate::Migrator, client: &mut postgres::Client) -> habitat_migrate::Result<()> {
/// use habitat_migrate::doctor::{Examination, examine};
///
/// let diagnosis = examine(client, &Examination::new(migrator))?;
/// print!("{diagnosis}");
/// assert!(diagnosis.is_healthy());
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ErrorKind::ConnectionLost`](crate::ErrorKind::ConnectionLost), [`ErrorKind::InTransaction`](crate::ErrorKind::InTransaction),
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid), [`ErrorKind::Stale`](crate::ErrorKind::Stale), and
/// [`ErrorKind::Tracker`](crate::ErrorKind::Tracker) where the server refuses a question. What it finds is no error.
///
/// # Cancellation
///
/// Nothing is left behind.
pub fn examine<'a, C: Client>(
    client: &'a mut C,
    examination: &'a Examination,
) -> C::Outcome<'a, Result<Diagnosis>> {
    C::complete(Box::pin(async move { Ok(look(client, examination).await?.diagnosis) }))
}

/// A diagnosis with what it is of.
pub(crate) struct Seen {
    pub(crate) database: String,
    pub(crate) server: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) status: Result<Status>,
    pub(crate) diagnosis: Diagnosis,
}

/// [`examine`], within the work of another verb.
pub(crate) async fn look<C: Client>(client: &mut C, examination: &Examination) -> Result<Seen> {
    let facts = facts::gather(client, examination).await?;
    let diagnosis = judge::judge(examination, &facts);
    let server = format!("PostgreSQL {}", facts.version);
    Ok(Seen { database: facts.database, server, at: facts.now, status: facts.status, diagnosis })
}
