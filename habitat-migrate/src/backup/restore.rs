//! The way back: [`Restore`].

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;

use super::error::{Cause, Error, Result};
use super::partial::private;
use super::program::{self, Folders, Tool};
use super::question::Target;
use super::{Backup, list, question};
use crate::client::Client;
use crate::provision::Connection;

/// A backup that is to be restored into a fresh database.
#[derive(Clone, Debug)]
pub struct Restore {
    backup: Backup,
    confirmed: BTreeSet<String>,
    folders: Folders,
}

impl Restore {
    /// Restores this one.
    pub fn of(backup: &Backup) -> Self {
        Self { backup: backup.clone(), confirmed: BTreeSet::new(), folders: Folders::default() }
    }

    /// The name of the database to restore into, as a person typed it: one that is recorded as production is left alone without.
    #[must_use]
    pub fn confirm(mut self, database: impl Into<String>) -> Self {
        self.confirmed.insert(database.into());
        self
    }

    /// The folder of `pg_restore`, and no other.
    #[must_use]
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders = Folders::named(folder.into());
        self
    }

    /// Restores into the database that the connection is for, all of it or nothing: in one transaction.
    ///
    /// The database is a fresh one, without tables: one that was just created, or just provisioned. The roles that own things and have
    /// rights in the backup are there; provisioning makes them. What the database is recorded as stays what it is: production's
    /// backup does not make production of another database; one that is recorded as nothing becomes what the backup says. Statistics are
    /// gathered behind it; where that fails, the log has a warning.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unconfirmed`](super::ErrorKind::Unconfirmed), [`ErrorKind::NotEmpty`](super::ErrorKind::NotEmpty),
    /// [`ErrorKind::NoProgram`](super::ErrorKind::NoProgram), [`ErrorKind::WrongConnection`](super::ErrorKind::WrongConnection),
    /// [`ErrorKind::Program`](super::ErrorKind::Program), [`ErrorKind::File`](super::ErrorKind::File),
    /// [`ErrorKind::Server`](super::ErrorKind::Server), [`ErrorKind::Lost`](super::ErrorKind::Lost). The database is as it was then.
    ///
    /// [`ErrorKind::Unrecorded`](super::ErrorKind::Unrecorded): everything is restored then, and [`Error::advice`] tells what is left to do.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, `pg_restore` is killed, and the server rolls back.
    pub fn run<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        connection: &'a Connection,
    ) -> C::Outcome<'a, Result<()>> {
        C::complete(Box::pin(async move {
            if let Some(error) = self.restore(client, connection).await? {
                tracing::warn!("the data is restored; its statistics are not gathered: {error}");
            }
            Ok(())
        }))
    }

    /// [`Restore::run`], with why statistics were not gathered.
    #[cfg(feature = "cli")]
    pub(crate) fn run_and_tell<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        connection: &'a Connection,
    ) -> C::Outcome<'a, Result<Option<Error>>> {
        C::complete(Box::pin(self.restore(client, connection)))
    }

    async fn restore<C: Client>(&self, client: &mut C, connection: &Connection) -> Result<Option<Error>> {
        let server = question::server(client, connection).await?;
        let database = server.database;
        let tools = self.folders.find(server.version)?;
        let target = question::target(client).await?;
        if let Some(recorded) = precious(&target) {
            if !self.confirmed.contains(&database) {
                return Err(Error::new(Cause::Unconfirmed { database, recorded: recorded.to_owned() }));
            }
        }
        let target = fresh(&database, target)?;
        let mut read = tools.local(Tool::Restore);
        let all = program::run(client, read.arg("--list").arg(self.backup.path())).await?;
        let wanted = Wanted::write(&list::without(&all, &target))?;
        let mut restore = tools.command(Tool::Restore, connection);
        restore
            .args(["--exit-on-error", "--single-transaction", "--no-password", "--use-list"])
            .arg(&wanted.0);
        // Materialized views are filled behind the policies of what they read.
        if !server.bypasses_policies {
            restore.arg("--enable-row-security");
        }
        restore.arg(program::to_database(connection.database())).arg(self.backup.path());
        program::run(client, restore).await?;
        // It is committed from here on.
        if let Err(why) = question::keep_record(client, &target).await {
            let recorded = target.recorded.into_iter().next().unwrap_or_default();
            return Err(Error::new(Cause::Unrecorded { database, recorded, why }));
        }
        Ok(client.run("ANALYZE").await.map_err(Error::failed).err())
    }
}

/// The target, if nothing is in it.
fn fresh(database: &str, target: Target) -> Result<Target> {
    if target.relations.is_empty() {
        return Ok(target);
    }
    Err(Error::new(Cause::NotEmpty { database: database.to_owned(), found: target.relations }))
}

fn precious(target: &Target) -> Option<&str> {
    target.recorded.iter().map(String::as_str).find(|kind| is_precious(kind))
}

/// Looks whether a database may be restored into, before a person is asked; gives the environment that wants its name in confirmation.
#[cfg(feature = "cli")]
pub(crate) fn look<'a, C: Client>(
    client: &'a mut C,
    database: &'a str,
) -> C::Outcome<'a, Result<Option<String>>> {
    C::complete(Box::pin(async move {
        let target = fresh(database, question::target(client).await?)?;
        Ok(precious(&target).map(str::to_owned))
    }))
}

/// Whether an environment is one where a person has to be sure: production, whatever the user calls it.
fn is_precious(recorded: &str) -> bool {
    !matches!(recorded, "test" | "development" | "staging")
}

/// The list for `pg_restore`, removed behind it.
struct Wanted(PathBuf);

impl Wanted {
    fn write(text: &str) -> Result<Self> {
        let mut random = [0; 8];
        let folder = std::env::temp_dir();
        getrandom::fill(&mut random)
            .map_err(|error| Error::file(&folder, "has no file", std::io::Error::other(error)))?;
        let path = folder.join(format!("habitat-restore-{:016x}", u64::from_ne_bytes(random)));
        let failed = |error| Error::file(&path, "cannot be written", error);
        let mut file = private().open(&path).map_err(failed)?;
        let wanted = Self(path.clone());
        file.write_all(text.as_bytes()).map_err(failed)?;
        Ok(wanted)
    }
}

impl Drop for Wanted {
    fn drop(&mut self) {
        // The system clears its temporary folder as well.
        let _ = std::fs::remove_file(&self.0);
    }
}
