//! Backups by `pg_dump`, and their way back: complete or refused, named by database and time, kept for as long as you say.
//!
//! ```no_run
//! # #[cfg(feature = "postgres")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use habitat_migrate::backup::{Backups, Restore};
//! use habitat_migrate::provision::{Connection, Password};
//!
//! let admin = Connection::new("admin", "db.internal", "habitat", "habitat_admin")
//!     .password(Password::from_file("secrets/habitat_admin")?);
//! let mut client = admin.connector()?.connect_blocking()?;
//!
//! let backups = Backups::new("backups").keep_days(30).keep_newest(7);
//! let backup = backups.create(&mut client, &admin)?;
//! println!("{backup}");
//!
//! let drill = Connection::new("drill", "db.internal", "habitat_drill", "habitat_admin")
//!     .password(Password::from_file("secrets/habitat_admin")?);
//! let mut client = drill.connector()?.connect_blocking()?;
//! Restore::of(&backup).run(&mut client, &drill)?;
//! # Ok(()) }
//! # #[cfg(not(feature = "postgres"))] fn main() {}
//! ```
//!
//! `pg_dump` and `pg_restore` are the server's own or newer. They are looked for in [`Backups::programs`], in `HABITAT_PG_BIN`,
//! where packages put them, and on `PATH`. Passwords are handed to them in their environment and never as arguments.

mod error;
mod list;
mod lock;
mod name;
mod partial;
mod program;
mod question;
mod restore;
mod schema;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use error::{Error, ErrorKind, Result};
pub use restore::Restore;
#[cfg(feature = "cli")]
pub(crate) use restore::look;
pub use schema::dump_schema;
#[cfg(feature = "cli")]
pub(crate) use schema::dump_schema_by;

use crate::client::Client;
use crate::provision::Connection;
use error::Cause;
use partial::{Partial, sweep};
use program::{Folders, Tool};

/// A folder of backups, and how long they are kept in it.
#[derive(Clone, Debug)]
pub struct Backups {
    folder: PathBuf,
    days: Option<u32>,
    newest: Option<usize>,
    patience: Duration,
    folders: Folders,
}

/// What came of a backup.
pub(crate) struct Taken {
    pub(crate) backup: Backup,
    /// Those that nothing kept any longer.
    pub(crate) removed: Vec<Backup>,
    /// Why files are still there that should have gone, too.
    pub(crate) left: Vec<Error>,
}

/// One backup: a file of `pg_dump`'s custom format, compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backup {
    path: PathBuf,
    database: String,
    taken_at: DateTime<Utc>,
    size: u64,
}

impl Backups {
    /// The backups in this folder, which is made when it is needed. All of them are kept.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let (patience, folders) = (lock::PATIENCE, Folders::default());
        Self { folder: folder.into(), days: None, newest: None, patience, folders }
    }

    /// Keeps those of the last days, counted back from the newest.
    #[must_use]
    pub fn keep_days(mut self, days: u32) -> Self {
        self.days = Some(days);
        self
    }

    /// Keeps the newest ones of each database, however old they are. With [`Backups::keep_days`] a backup goes when neither keeps it; the
    /// newest never goes.
    #[must_use]
    pub fn keep_newest(mut self, count: usize) -> Self {
        self.newest = Some(count);
        self
    }

    /// How long `pg_dump` waits for the tables that it reads, in whole milliseconds; it fails behind one that somebody holds in ACCESS EXCLUSIVE mode for
    /// longer. Default: 30 s.
    #[must_use]
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.patience = timeout;
        self
    }

    /// The folder of `pg_dump` and `pg_restore`, and no other.
    #[must_use]
    pub fn programs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folders = Folders::named(folder.into());
        self
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes a backup of the database that the connection is for, reads it through with `pg_restore --list`, and then removes those that
    /// nothing keeps any longer.
    ///
    /// The client is a connection of the same login to the same database: it asks what `pg_dump` would not tell. It is complete or it is
    /// refused: where row-level security holds for the login (`FORCE` holds the owner, too), each such table needs a policy that shows the
    /// login every row. The file is the login's alone (mode 0600), and has its name only once it is whole.
    ///
    /// What a killed run has left of its file in the folder is removed as well. An old file that cannot be removed is a warning in the log and no
    /// error, as the backup is there; the next one tries again.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::NoProgram`], [`ErrorKind::HiddenRows`], [`ErrorKind::WrongConnection`], [`ErrorKind::Locked`], [`ErrorKind::Program`],
    /// [`ErrorKind::File`], [`ErrorKind::Server`], [`ErrorKind::Lost`]. No backup is left then, and none is removed.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, `pg_dump` is killed and its file removed.
    pub fn create<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        connection: &'a Connection,
    ) -> C::Outcome<'a, Result<Backup>> {
        C::complete(Box::pin(async move {
            let taken = self.take(client, connection).await?;
            for error in &taken.left {
                tracing::warn!("{error}");
            }
            tracing::info!(removed = taken.removed.len(), "backed up {}", taken.backup);
            Ok(taken.backup)
        }))
    }

    /// [`Backups::create`], with what became of the files that nothing kept any longer.
    #[cfg(feature = "cli")]
    pub(crate) fn create_and_prune<'a, C: Client>(
        &'a self,
        client: &'a mut C,
        connection: &'a Connection,
    ) -> C::Outcome<'a, Result<Taken>> {
        C::complete(Box::pin(self.take(client, connection)))
    }

    async fn take<C: Client>(&self, client: &mut C, connection: &Connection) -> Result<Taken> {
        let server = question::server(client, connection).await?;
        let tools = self.folders.find(server.version)?;
        let hidden = question::hidden_tables(client).await?;
        if !hidden.is_empty() {
            return Err(Error::new(Cause::HiddenRows { login: server.login, tables: hidden }));
        }
        make_folder(&self.folder)?;
        let mut left = sweep(&self.folder);
        let path = self.folder.join(name::of(&server.database, server.time));
        let partial = Partial::create(&path)?;
        let mut dump = tools.command(Tool::Dump, connection);
        dump.args(["--format=custom", "--no-password", &lock::argument(self.patience), "--file"]);
        dump.arg(partial.path());
        // Without it a session that policies hold is an error; with it, what they show is all, as was seen above.
        if !server.bypasses_policies {
            dump.arg("--enable-row-security");
        }
        if let Err(error) = program::run(client, dump).await {
            return Err(lock::explained(client, error, self.patience).await);
        }
        let mut list = tools.local(Tool::Restore);
        program::run(client, list.arg("--list").arg(partial.path())).await?;
        let backup = partial.keep(&path).and_then(|()| Backup::open(&path))?;
        let (removed, stay) = self.clear(&server.database);
        left.extend(stay);
        Ok(Taken { backup, removed, left })
    }

    /// The backups of a database, the newest first. A file that [`Backups::create`] has not named is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] where the folder cannot be read; one that is not there is empty.
    pub fn list(&self, database: &str) -> Result<Vec<Backup>> {
        let mut backups = self.list_all()?;
        backups.retain(|backup| backup.database == database);
        Ok(backups)
    }

    /// The backups of all databases, the newest first.
    ///
    /// # Errors
    ///
    /// As with [`Backups::list`].
    pub fn list_all(&self) -> Result<Vec<Backup>> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::file(&self.folder, "cannot be read", error)),
        };
        let mut backups = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| Error::file(&self.folder, "cannot be read", error))?.path();
            if name::read(&path).is_some() && path.is_file() && !path.is_symlink() {
                backups.push(Backup::open(&path)?);
            }
        }
        backups.sort_by_key(|backup| std::cmp::Reverse(backup.taken_at));
        Ok(backups)
    }

    /// Removes the backups of a database that nothing keeps any longer, and tells which. [`Backups::create`] does it by itself.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] where the folder cannot be read, or one cannot be removed; all others are.
    pub fn prune(&self, database: &str) -> Result<Vec<Backup>> {
        let (removed, stay) = self.clear(database);
        stay.into_iter().next().map_or(Ok(removed), Err)
    }

    /// Removes what it can, and also gives why others stay.
    fn clear(&self, database: &str) -> (Vec<Backup>, Vec<Error>) {
        let backups = match self.list(database) {
            Ok(backups) => backups,
            Err(error) => return (Vec::new(), vec![error]),
        };
        let newest = backups.first().map(|backup| backup.taken_at).unwrap_or_default();
        let (mut removed, mut stay) = (Vec::new(), Vec::new());
        for (rank, backup) in backups.into_iter().enumerate() {
            if self.keeps(rank, newest - backup.taken_at) {
                continue;
            }
            match partial::remove(&backup.path) {
                Ok(()) => removed.push(backup),
                Err(error) => stay.push(error),
            }
        }
        (removed, stay)
    }

    /// Whether a backup stays: `rank` is 0 for the newest.
    fn keeps(&self, rank: usize, age: chrono::TimeDelta) -> bool {
        let young = self.days.map(|days| age <= chrono::TimeDelta::days(days.into()));
        let among = self.newest.map(|count| rank < count);
        rank == 0 || young == Some(true) || among == Some(true) || (young.is_none() && among.is_none())
    }
}

impl Backup {
    /// A backup by its file, whose name is as [`Backups::create`] gave it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::File`] where it is not there or has another name.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let Some((database, taken_at)) = name::read(&path) else {
            let why =
                std::io::Error::other("its name is not of the form DATABASE_2026-01-31T12-00-00.000Z.dump");
            return Err(Error::file(&path, "is no backup", why));
        };
        let meta = fs::metadata(&path).map_err(|error| Error::file(&path, "cannot be read", error))?;
        Ok(Self { path, database, taken_at, size: meta.len() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The database that it was taken of.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// When it was begun, by the server's clock.
    pub fn taken_at(&self) -> DateTime<Utc> {
        self.taken_at
    }

    /// The size of the file, in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// One line: `habitat at 2026-01-31 12:00:00 UTC, 148 KB`.
impl fmt::Display for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.taken_at.format("%Y-%m-%d %H:%M:%S UTC");
        write!(f, "{} at {at}, {} KB", self.database, self.size.div_ceil(1000))
    }
}

fn make_folder(folder: &Path) -> Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(|error| Error::file(folder, "cannot be made", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[test]
    fn a_backup_stays_while_any_rule_keeps_it_and_the_newest_always() {
        let all = Backups::new("b");
        assert!(all.keeps(99, TimeDelta::days(9999)));
        let days = Backups::new("b").keep_days(30);
        assert!(days.keeps(5, TimeDelta::days(30)) && !days.keeps(1, TimeDelta::days(31)));
        let count = Backups::new("b").keep_newest(2);
        assert!(count.keeps(1, TimeDelta::days(400)) && !count.keeps(2, TimeDelta::zero()));
        let both = Backups::new("b").keep_days(30).keep_newest(2);
        assert!(both.keeps(1, TimeDelta::days(400)) && both.keeps(9, TimeDelta::days(1)));
        assert!(!both.keeps(2, TimeDelta::days(31)));
        assert!(Backups::new("b").keep_newest(0).keep_days(0).keeps(0, TimeDelta::zero()));
    }
}
