//! Verify scripts: run before a migration commits, and on demand.

use habitat_migrate_catalog::{Migration, Settings, statements};

use super::message::{Message, Place, Text, Unit};
use super::script::{Filling, Script};
use super::settings::Limits;
use super::{Goal, Run};
use crate::client::{Client, Failure, Reply, ServerError};
use crate::error::{Cause, Error, Result};
use crate::finding::Finding;
use crate::history::{History, State};
use crate::plan::beside;
use crate::report::Report;
use crate::sql::Ident;

/// Runs the verify scripts of all migrations that are applied, and writes nothing.
pub(crate) async fn verify<C: Client>(goal: &Goal<'_>, client: &mut C) -> Result<Vec<Finding>> {
    let mut run = Run::new(goal, client);
    let outcome = run.verify().await;
    outcome.map_err(|cause| Error::new(cause, Report::default()))
}

impl<'a, C: Client> Run<'a, C> {
    async fn verify(&mut self) -> std::result::Result<Vec<Finding>, Cause> {
        let history = self.known_history().await?;
        let unit = self.unit().await?;
        let mut findings = Vec::new();
        for migration in self.goal.catalog.migrations() {
            let Some(text) = migration.verify() else { continue };
            if history.get(migration.id()).is_some_and(|record| record.state() == State::Applied) {
                let filling =
                    Filling { names: &migration.settings().placeholders, values: self.goal.wish.values };
                findings.extend(self.verify_one(migration, &Script::new(text, filling), unit).await?);
            }
        }
        Ok(findings)
    }

    /// The tracker's rows; none where there is no tracker.
    pub(super) async fn known_history(&mut self) -> std::result::Result<History, Cause> {
        match self.probe().await?.0 {
            crate::tracker::Probe::Absent => self.purpose().await,
            _ => self.history().await,
        }
    }

    async fn unit(&mut self) -> std::result::Result<Unit, Cause> {
        let reply = self.ask("read a setting", UNIT).await?;
        Ok(if reply.first("ascii").is_some() { Unit::Byte } else { Unit::Character })
    }

    pub(super) async fn verify_one(
        &mut self,
        migration: &Migration,
        text: &Script<'_>,
        unit: Unit,
    ) -> std::result::Result<Vec<Finding>, Cause> {
        let mut message = Message::default();
        message.push(0, Text::Engine, READ_ONLY);
        push(&mut message, 0, text, self.goal.limits);
        message.push(0, Text::Engine, "ROLLBACK;\n");
        let failure = match self.session.finish(message.sql()).await {
            Ok(reply) => return Ok(findings(&reply, migration, text)),
            Err(failure) => failure,
        };
        let (error, completed) = match failure {
            Failure::Server { error, completed } => (*error, completed),
            Failure::Lost(words) => return Err(Cause::ConnectionLost { words, under_way: Vec::new() }),
        };
        self.clear().await;
        let place = match message.find(&error, unit, completed) {
            Some(place) => Some(place),
            None => self.one_by_one(&message, &error).await,
        };
        let place = match place {
            Some(Place { text: Text::Verify(offset), .. }) => offset,
            _ => 0,
        };
        Ok(vec![finding(migration, text, place, error.to_string())])
    }

    /// Finds the statement that failed, for a client that does not tell.
    async fn one_by_one(&mut self, message: &Message, error: &ServerError) -> Option<Place> {
        let mut found = None;
        for (place, text) in message.texts() {
            if let Err(failure) = self.session.run(text).await {
                let same =
                    matches!(&failure, Failure::Server { error: again, .. } if again.code == error.code);
                found = same.then_some(place);
                break;
            }
        }
        self.clear().await;
        found
    }
}

/// Nothing is written by a verification on demand.
const READ_ONLY: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY;\n";

/// Whether positions count bytes.
const UNIT: &str = "SELECT 'ascii' AS \"habitat-migrate\" \
    WHERE pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII';\n";

/// Adds a verify script to a message; what its statements return, the reply watches.
///
/// It runs in a subtransaction that takes no writes and is rolled back, so that it is the same before the commit as on demand, and leaves
/// neither a row nor a setting. <https://www.postgresql.org/docs/current/sql-set-transaction.html>
pub(super) fn push(message: &mut Message, step: usize, verify: &Script<'_>, limits: Limits) {
    let settings = Settings::of_script(verify);
    let mut sql = String::from(ENTER);
    sql.push_str(&limits.timeouts(&settings));
    message.push(step, Text::Engine, &sql);
    if let Some(role) = settings.verify_as.as_ref().or(settings.role.as_ref()) {
        message.push(step, Text::Migration, &format!("SET LOCAL ROLE {};\n", Ident(role)));
    }
    for statement in statements(verify).unwrap_or_default().iter().filter(|statement| !statement.is_empty()) {
        let start = statement.code().start;
        message.push(step, Text::Engine, &Reply::watch(start));
        message.push(step, Text::Verify(start), &verify[start..statement.range().end]);
        message.push(step, Text::Engine, "\n;\n");
    }
    message.push(step, Text::Engine, Reply::UNWATCH);
    message.push(step, Text::Engine, BACK);
}

/// What did not prove what it is there to prove.
pub(super) fn findings(reply: &Reply, migration: &Migration, verify: &Script<'_>) -> Vec<Finding> {
    let disproved = reply.watched().filter_map(|watched| Some((watched.place, watched.disproof()?)));
    disproved.map(|(place, returned)| finding(migration, verify, place, returned)).collect()
}

/// A finding about the statement that begins at `place`.
fn finding(migration: &Migration, verify: &Script<'_>, place: usize, returned: String) -> Finding {
    let statement = statements(verify)
        .unwrap_or_default()
        .into_iter()
        .find(|s| s.code().contains(&place) || s.code().start == place);
    Finding {
        migration: migration.id().clone(),
        path: beside(migration.path(), "verify"),
        place: verify.excerpt(place),
        statement: statement
            .map(|s| verify.written(s.code()).trim_end_matches(';').trim_end().to_owned())
            .unwrap_or_default(),
        returned: verify.conceal(&returned),
    }
}

/// In front of a verify script.
pub(super) const ENTER: &str = "SAVEPOINT \"habitat-migrate\";\nSET LOCAL transaction_read_only = on;\n";

/// Behind a verify script.
pub(super) const BACK: &str =
    "ROLLBACK TO SAVEPOINT \"habitat-migrate\";\nRELEASE SAVEPOINT \"habitat-migrate\";\n";
