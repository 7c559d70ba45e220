//! The verbs that change what is recorded, and run nothing.

use habitat_migrate_catalog::MigrationId;

use super::Migrator;
use crate::client::Client;
use crate::engine;
use crate::error::{Cause, Error, Result};
use crate::history::History;
use crate::plan::{self, Refusal, Repair};
use crate::report::Report;

impl Migrator {
    /// Records this migration, those before it in its context and what they require as applied, without running them: for a database that
    /// has what they make already, and no history of them. `why` goes into the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) where the database has a history of one of the catalog's contexts, and those of [`Migrator::history`].
    pub fn baseline<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        at: &'a MigrationId,
        why: &'a str,
    ) -> C::Outcome<'a, Result<Report>> {
        C::complete(Box::pin(self.repair(client, Repair::Baseline(at), why)))
    }

    /// Records one migration as applied, without running it: somebody did by hand what it does, or completed it. `why` goes into the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) where it is recorded already or not in the catalog, and those of [`Migrator::history`].
    pub fn mark_applied<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
        why: &'a str,
    ) -> C::Outcome<'a, Result<Report>> {
        C::complete(Box::pin(self.repair(client, Repair::MarkApplied(migration), why)))
    }

    /// Takes the record of one migration out, without undoing it: somebody did that by hand. It is pending then. `why` goes into the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) where it is not recorded, and those of [`Migrator::history`].
    pub fn forget<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
        why: &'a str,
    ) -> C::Outcome<'a, Result<Report>> {
        C::complete(Box::pin(self.repair(client, Repair::Forget(migration), why)))
    }

    /// Records the checksum that a migration has now: its text was changed in a way that does not matter. `why` goes into the log.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) where it is not recorded or not in the catalog, and those of [`Migrator::history`].
    pub fn accept_changed<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        migration: &'a MigrationId,
        why: &'a str,
    ) -> C::Outcome<'a, Result<Report>> {
        C::complete(Box::pin(self.repair(client, Repair::Accept(migration), why)))
    }

    /// Records what kind of database this is, as [`Migrator::environment`] says, and nothing else. The tracker is created where there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused) where another environment is recorded,
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) where none is said, and those of [`Migrator::history`].
    pub fn record_environment<'a, C: Client>(&'a self, client: &'a mut C) -> C::Outcome<'a, Result<()>> {
        C::complete(Box::pin(async move {
            let goal = self.goal()?;
            let Some(said) = self.environment.as_deref() else {
                let what = "there is no environment to record: say it by `Migrator::environment`".to_owned();
                return Err(Error::new(Cause::Invalid(what), Report::default()));
            };
            let decide = |_: &_, history: &History| match history.environment() {
                Some(recorded) if recorded != said => {
                    let (recorded, said) = (recorded.to_owned(), said.to_owned());
                    Err(Refusal::Environment { recorded, said }.into())
                }
                _ => Ok(Vec::new()),
            };
            engine::amend(&goal, client, &decide).await.map(drop)
        }))
    }

    async fn repair<C: Client>(&self, client: &mut C, repair: Repair<'_>, why: &str) -> Result<Report> {
        let goal = self.goal()?;
        let decide = |catalog, history: &History| plan::repair(catalog, history, repair, why, goal.wish);
        engine::amend(&goal, client, &decide).await
    }
}
