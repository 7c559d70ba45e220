//! Invalid indexes, which a statement that works concurrently leaves where it fails: finds them, and takes them away.

use habitat_migrate_catalog::{Unit, Work};

use super::{Journal, Turn};
use crate::client::Client;
use crate::error::{Cause, InvalidIndex};
use crate::event::Event;
use crate::sql::{Ident, Literal};
use crate::tracker::{FoundIndex, IndexWork, Tracker, indexes_there};

impl<'a, C: Client> Journal<'_, 'a, C> {
    /// What is to be known before a statement that builds indexes concurrently; none for all others.
    ///
    /// The server looks names up as it will for the statement, with the script's role and search path.
    pub(super) async fn index_work(
        &mut self,
        turn: &mut Turn<'_, 'a>,
        unit: &Unit,
    ) -> Result<Option<IndexWork>, Cause> {
        let (kind, target, name) = match unit.work() {
            Work::CreateIndex { table: Some(table), name } => ("create", Some(table), name.clone()),
            Work::Reindex { target } => ("reindex", target.as_ref(), None),
            _ => return Ok(None),
        };
        let target = target.map(|parts| {
            let parts: Vec<String> = parts.iter().map(|part| Ident(part).to_string()).collect();
            parts.join(".")
        });
        let reply = self.act(turn, unit.code().start, &indexes_there(target.as_deref())).await?;
        self.leave(turn, "").await?;
        let row = reply.first("indexes");
        let value = |column| row.and_then(|row| row.value(column)).map(str::to_owned);
        Ok(Some(IndexWork {
            kind,
            relations: value(1),
            name,
            before: value(2).unwrap_or_else(|| "{}".to_owned()),
        }))
    }

    /// Drops the invalid indexes that the statement left which was under way; tells whether the index that it was to make is there,
    /// and valid.
    ///
    /// One that was there before the statement is somebody else's, and stays.
    pub(super) async fn tidy(&mut self, turn: &mut Turn<'_, 'a>) -> Result<bool, Cause> {
        let found = self.left_indexes(turn).await?;
        for index in found.iter().filter(|index| index.is_new && !index.is_valid) {
            let name = name_of(index);
            tracing::warn!(index = name, "dropping the invalid index that an earlier attempt left");
            let start = turn.units.get(turn.done).map_or(turn.script.len(), |unit| unit.code().start);
            // It is in nobody's way while it waits for those who may still use the index.
            let limits = self.act(turn, start, UNLIMITED).await?;
            // Alone: it cannot run in a transaction, as which a message of two statements counts.
            if let Err(failure) = self.run.session.run(&format!("DROP INDEX CONCURRENTLY {name}")).await {
                return Err(self.stop(turn, Some(start), failure).await);
            }
            let limit = |column| limits.first("limits").map_or("", |row| row.text(column));
            self.act(turn, start, &limited(limit(1), limit(2))).await?;
            self.leave(turn, "").await?;
            let migration = turn.job.id().clone();
            (self.run.goal.tell)(&Event::InvalidIndexDropped { migration, index: name });
        }
        Ok(found.iter().any(|index| index.is_new && index.is_valid))
    }

    /// Makes sure that no index is invalid that a statement made, or found under the name that it was to have.
    pub(super) async fn check_indexes(&mut self, turn: &mut Turn<'_, 'a>, unit: &Unit) -> Result<(), Cause> {
        if !matches!(unit.work(), Work::CreateIndex { table: Some(_), .. } | Work::Reindex { .. }) {
            return Ok(());
        }
        let found = self.left_indexes(turn).await?;
        let Some(index) = found.iter().find(|index| !index.is_valid) else { return Ok(()) };
        let invalid = InvalidIndex {
            id: turn.job.id().clone(),
            path: turn.job.path().into_owned(),
            place: turn.script.excerpt(unit.code().start),
            index: name_of(index),
            is_new: index.is_new,
            kept: turn.kept(),
        };
        let detail = format!("the index {} is invalid", invalid.index);
        self.run.clear().await;
        self.run.note(&self.run.goal.tracker.log("failure", &invalid.id, &detail)).await;
        Err(Cause::InvalidIndex(Box::new(invalid)))
    }

    async fn left_indexes(&mut self, turn: &mut Turn<'_, 'a>) -> Result<Vec<FoundIndex>, Cause> {
        let sql = self.run.goal.tracker.left_indexes(turn.job.id());
        Ok(Tracker::found_indexes(&self.leave(turn, &sql).await?))
    }
}

/// Takes the limits off that the script has set, and tells them.
const UNLIMITED: &str = "SELECT 'limits' AS \"habitat-migrate\", pg_catalog.current_setting('lock_timeout'), \
    pg_catalog.current_setting('statement_timeout');\nSET lock_timeout = 0;\nSET statement_timeout = 0;\n";

/// Sets them again.
fn limited(lock_timeout: &str, statement_timeout: &str) -> String {
    format!(
        "SET lock_timeout = {};\nSET statement_timeout = {};\n",
        Literal(lock_timeout),
        Literal(statement_timeout)
    )
}

fn name_of(index: &FoundIndex) -> String {
    format!("{}.{}", Ident(&index.schema), Ident(&index.name))
}
