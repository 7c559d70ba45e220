//! The folder in which all shared servers of one user are, each in a folder of its own.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, lchown};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags};

use super::account::Account;
use super::error::{Kind, ServerError};
use super::lease;

/// A place for [`Common`] folders: in memory, on a disk.
pub(super) struct Common {
    path: PathBuf,
    /// Who owns it: the account that the servers run as.
    owner: u32,
    group: Option<u32>,
}

/// Nobody else starts or sweeps servers in a [`Common`] folder until this is dropped, or its process is gone.
pub(super) struct Lock {
    path: PathBuf,
    folder: File,
}

impl Lock {
    /// Whether the folder that is locked is still the one of this name.
    pub(super) fn is_in_place(&self) -> bool {
        lease::is_in_place(&self.folder, &self.path)
    }
}

impl Common {
    pub(super) fn new(parent: &Path, account: Option<&Account>) -> Self {
        let user = rustix::process::geteuid().as_raw();
        Self {
            path: parent.join(format!("habitat-{user}")),
            owner: account.map_or(user, |account| account.uid),
            group: account.map(|account| account.gid),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The folders of servers in it; none if it is not there or not ours.
    pub(super) fn servers(&self) -> Vec<PathBuf> {
        if !self.is_ours() {
            return Vec::new();
        }
        let entries = std::fs::read_dir(&self.path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    /// Takes the folder's lock; the folder is made if need be.
    ///
    /// The folder is its own lock file. The last server's keeper removes it, so the lock counts only if the folder
    /// is still in its place.
    pub(super) fn lock(&self) -> Result<Lock, ServerError> {
        let failed = |what| move |source| Kind::Io { what, path: self.path.clone(), source };
        loop {
            self.make().map_err(|_| Kind::Folder { folder: self.path.clone() })?;
            let exists = std::fs::symlink_metadata(&self.path).is_ok();
            if exists && !self.is_ours() {
                return Err(Kind::Foreign { folder: self.path.clone() }.into());
            }
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let folder = match rustix::fs::open(&self.path, flags, Mode::empty()) {
                Ok(folder) => File::from(folder),
                Err(rustix::io::Errno::NOENT) => continue,
                Err(error) => return Err(failed("lock")(error.into()).into()),
            };
            rustix::fs::flock(&folder, FlockOperation::LockExclusive)
                .map_err(|error| failed("lock")(error.into()))?;
            let lock = Lock { path: self.path.clone(), folder };
            if lock.is_in_place() {
                return Ok(lock);
            }
        }
    }

    fn make(&self) -> std::io::Result<()> {
        match DirBuilder::new().mode(0o700).create(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        // Nobody else can enter root's folder before it is given away, nor put something else in its place: the
        // parent is sticky or ours. Whoever made it may have been killed before it did this.
        let user = rustix::process::geteuid().as_raw();
        let is_users = |path: &Path| std::fs::symlink_metadata(path).is_ok_and(|found| found.uid() == user);
        if user != self.owner && is_users(&self.path) {
            lchown(&self.path, Some(self.owner), self.group)?;
        }
        Ok(())
    }

    /// Anybody can make a folder or a link of this name in a temporary folder, and what is in it would be believed.
    fn is_ours(&self) -> bool {
        std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.is_dir() && found.uid() == self.owner && found.mode() & 0o077 == 0)
    }
}
