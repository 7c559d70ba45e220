//! Finds out why a statement about the tracker failed.

use super::{Run, TAKE_OUT, WRITE};
use crate::client::{Client, Failure, Reply, ServerError};
use crate::error::Cause;
use crate::tracker::{FORMAT, Presence, Rights, Shape};

impl<C: Client> Run<'_, C> {
    /// Asks what leaves nothing behind; `doing` says what for, where the server refuses.
    pub(super) async fn ask(&mut self, doing: &'static str, sql: &str) -> Result<Reply, Cause> {
        match self.session.ask(sql).await {
            Ok(reply) => Ok(reply),
            Err(failure) => Err(self.tracker_failure(doing, failure).await),
        }
    }

    /// The same for what may leave a transaction open.
    pub(super) async fn run(&mut self, doing: &'static str, sql: &str) -> Result<Reply, Cause> {
        match self.session.run(sql).await {
            Ok(reply) => Ok(reply),
            Err(failure) => Err(self.tracker_failure(doing, failure).await),
        }
    }

    /// A statement about the tracker failed: finds out why, and cleans up.
    pub(super) async fn tracker_failure(&mut self, doing: &'static str, failure: Failure) -> Cause {
        let error = match failure {
            Failure::Lost(words) => return Cause::ConnectionLost { words, under_way: Vec::new() },
            Failure::Server { error, .. } => error,
        };
        // In a failed transaction, which is the caller's to roll back.
        if error.code == "25P02" {
            return Cause::InTransaction;
        }
        if self.session.is_open() {
            self.clear().await;
        }
        // Undefined column: a table of this name is there, and it is not ours; or a newer version has changed it.
        if error.code == "42703" || error.code == "42883" {
            let shape = self.session.ask(&self.goal.tracker.shape()).await;
            if let Err(Failure::Server { error, .. }) = &shape {
                // The question has failed the transaction that the caller is in.
                if error.code == "25P02" {
                    return Cause::InTransaction;
                }
            }
            if let Ok(reply) = shape {
                let shape = Shape::read(&reply);
                let table = || self.goal.tracker.table().to_owned();
                if shape.format > FORMAT {
                    return Cause::NewerTracker { table: table(), format: shape.format };
                }
                if shape.is_there() && !shape.is_ours() {
                    let tool = owner_of(&shape.columns);
                    return Cause::ForeignTracker { table: table(), tool, columns: shape.columns };
                }
            }
        }
        let remedy = self.remedy(doing, &error).await;
        Cause::Tracker { doing, error, remedy }
    }

    /// The statements that give this login the rights that it lacks, or do what it may not do.
    pub(super) async fn remedy(&mut self, doing: &str, error: &ServerError) -> Option<String> {
        if error.code != "42501" {
            return None;
        }
        let writes = [WRITE, TAKE_OUT].contains(&doing);
        let rights = self.rights().await?;
        let grants = rights.grants(&self.goal.tracker, writes, doing == TAKE_OUT).join(" ");
        let upgrade = if writes { self.upgrade().await } else { None };
        match (grants.is_empty(), upgrade) {
            (_, Some(upgrade)) => Some(format!("as the tracker's owner, run:\n{grants}{upgrade}")),
            (false, None) => Some(format!("as the owner or an administrator, run:\n{grants}")),
            (true, None) => None,
        }
    }

    /// The statements that bring an older tracker to this format, which only its owner may.
    async fn upgrade(&mut self) -> Option<String> {
        let tracker = &self.goal.tracker;
        let sql = format!("SELECT 'presence' AS \"habitat-migrate\", {};\n", tracker.presence());
        let reply = self.session.ask(&sql).await.ok()?;
        let presence = Presence::read(reply.first("presence")?, 1);
        let is_older = presence.table && presence.format < FORMAT;
        is_older.then(|| format!("BEGIN;\n{}COMMIT;", tracker.upgrade(presence.format)))
    }

    /// Which rights this login has on the tracker; none if the server does not tell.
    async fn rights(&mut self) -> Option<Rights> {
        let reply = self.session.ask(&self.goal.tracker.rights()).await.ok()?;
        reply.first("rights").map(Rights::read)
    }
}

/// Which tool's tracker a table of the same name with these columns is.
fn owner_of(columns: &[String]) -> Option<&'static str> {
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    match columns.as_slice() {
        ["version"] => Some("Rails or dbmate"),
        ["version", "dirty"] => Some("golang-migrate"),
        ["version", "inserted_at"] => Some("Ecto"),
        ["version", "applied_at"] | ["version", "deployed_at", "deployed_by", "description"] => {
            Some("a script of your own")
        }
        _ => None,
    }
}
