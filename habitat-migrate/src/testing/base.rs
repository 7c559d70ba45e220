//! A copy of a running server's data folder, for a standby to begin with.
//!
//! It is what pg_basebackup does, which not every installation has: the server is told that a backup begins, its files
//! are copied while it goes on, and what it says at the end of the backup makes of them one moment again.
//! <https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP>

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use postgres::{Config, NoTls};

use super::account::Account;
use super::error::{Kind, ServerError};
use super::{data, off_runtime};

/// The server that a standby follows.
pub(super) struct Base {
    pub(super) primary: Config,
    pub(super) data: PathBuf,
    /// The primary as the standby's connection string.
    pub(super) source: String,
}

impl Base {
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Makes `to` a copy of the primary's data folder.
    pub(super) fn copy_to(&self, to: &Path, account: Option<&Account>) -> Result<(), ServerError> {
        off_runtime(|| self.copy_here(to, account))
    }

    fn copy_here(&self, to: &Path, account: Option<&Account>) -> Result<(), ServerError> {
        let failed = |source| Kind::Connect { what: "copy the primary".into(), source };
        let mut client = self.primary.connect(NoTls).map_err(failed)?;
        let has_tablespaces: bool = client.query_one(TABLESPACES, &[]).map_err(failed)?.get(0);
        if has_tablespaces {
            let advice = "a standby on the same machine could not have its own";
            return Err(Kind::Unfit { what: "has tablespaces", advice }.into());
        }
        let version: i32 = client.query_one(VERSION, &[]).map_err(failed)?.get(0);
        // The functions have had these names since PostgreSQL 15.
        let (start, stop) = if version >= 150_000 { (START_15, STOP_15) } else { (START_14, STOP_14) };
        client.query(start, &[]).map_err(failed)?;
        copy(&self.data, to, Path::new(""), account)?;
        let label: String = client.query_one(stop, &[]).map_err(failed)?.get(0);
        data::put(to, "backup_label", label.as_bytes(), account)
    }
}

/// Copies a folder and what is in it, apart from what belongs to the process that runs in it.
fn copy(from: &Path, to: &Path, inner: &Path, account: Option<&Account>) -> Result<(), ServerError> {
    let failed = |what, path: &Path, source| Kind::Io { what, path: path.to_owned(), source };
    fs::create_dir(to).map_err(|source| failed("create", to, source))?;
    own(to, 0o700, account).map_err(|source| failed("give away", to, source))?;
    for entry in fs::read_dir(from).map_err(|source| failed("read", from, source))? {
        let entry = entry.map_err(|source| failed("read", from, source))?;
        let (name, path) = (entry.file_name(), entry.path());
        let (inner, to) = (inner.join(&name), to.join(&name));
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if EMPTY.iter().any(|folder| inner.parent() == Some(Path::new(folder)))
            || LEFT_OUT.iter().any(|file| inner == Path::new(file))
        {
            continue;
        }
        if is_folder {
            copy(&path, &to, &inner, account)?;
            continue;
        }
        match fs::copy(&path, &to).and_then(|_| own(&to, 0o600, account)) {
            // The server removes files all the time; the log tells the standby that it did.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            copied => copied.map_err(|source| failed("copy", &path, source))?,
        }
    }
    if inner == Path::new("pg_wal") {
        let status = to.join("archive_status");
        fs::create_dir(&status).map_err(|source| failed("create", &status, source))?;
        own(&status, 0o700, account).map_err(|source| failed("give away", &status, source))?;
    }
    Ok(())
}

fn own(path: &Path, mode: u32, account: Option<&Account>) -> std::io::Result<()> {
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    match account {
        Some(account) => chown(path, Some(account.uid), Some(account.gid)),
        None => Ok(()),
    }
}

/// Folders of which a copy has none of the files: the log comes by the connection.
const EMPTY: [&str; 8] = [
    "pg_wal",
    "pg_replslot",
    "pg_dynshmem",
    "pg_notify",
    "pg_serial",
    "pg_snapshots",
    "pg_stat_tmp",
    "pg_subtrans",
];

const LEFT_OUT: [&str; 3] = ["postmaster.pid", "postmaster.opts", "standby.signal"];

const TABLESPACES: &str =
    "SELECT EXISTS (SELECT FROM pg_catalog.pg_tablespace WHERE pg_catalog.pg_tablespace_location(oid) <> '')";

const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4";

const START_15: &str = "SELECT pg_catalog.pg_backup_start('standby', true)";
const STOP_15: &str = "SELECT labelfile FROM pg_catalog.pg_backup_stop(false)";
const START_14: &str = "SELECT pg_catalog.pg_start_backup('standby', true, false)";
const STOP_14: &str = "SELECT labelfile FROM pg_catalog.pg_stop_backup(false, false)";
