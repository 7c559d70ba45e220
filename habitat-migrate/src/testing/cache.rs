//! The folder that keeps, from one run to the next, what takes long to make: fetched packages, initialised data
//! folders, and those that have a template already.
//!
//! It is `HABITAT_CACHE`, else `habitat-migrate` in `XDG_CACHE_HOME` or `~/.cache`. For root it is in `/var/cache`,
//! because the account that the server then runs as cannot enter root's home. Who has no home that can be written to
//! gets a folder in the temporary one.

use std::fs::{DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::error::{Kind, ServerError};

pub(super) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// The cache of this user; `None` if no folder for it can be had.
    pub(super) fn open() -> Option<Self> {
        let user = rustix::process::geteuid();
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(named) = variable("HABITAT_CACHE") {
            return Self::at(std::path::absolute(named).ok()?);
        }
        let usual = if user.is_root() {
            Some(PathBuf::from("/var/cache"))
        } else {
            let home = variable("HOME").map(|home| home.join(".cache"));
            variable("XDG_CACHE_HOME").or(home).filter(|folder| folder.is_absolute())
        };
        usual.and_then(|folder| Self::at(folder.join("habitat-migrate"))).or_else(|| {
            let folder = std::env::temp_dir().join(format!("habitat-migrate-{}", user.as_raw()));
            let cache = Self::at(folder)?;
            // Anybody can make a folder of that name in the temporary one, and we run what is in it.
            let metadata = std::fs::symlink_metadata(&cache.root).ok()?;
            let ours = metadata.is_dir() && metadata.uid() == user.as_raw() && metadata.mode() & 0o022 == 0;
            ours.then_some(cache)
        })
    }

    fn at(root: PathBuf) -> Option<Self> {
        let cache = Self { root };
        for folder in [cache.root.clone(), cache.packages(), cache.templates()] {
            DirBuilder::new().recursive(true).mode(0o755).create(&folder).ok()?;
            rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).ok()?;
        }
        Some(cache)
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether other accounts can read what is in it.
    pub(super) fn is_open_to_all(&self) -> bool {
        let open = |folder: &Path| std::fs::metadata(folder).is_ok_and(|found| found.mode() & 0o001 != 0);
        self.packages().ancestors().all(open)
    }

    /// Where each fetched version of PostgreSQL has a folder.
    pub(super) fn packages(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Where each build of PostgreSQL has an initialised data folder.
    pub(super) fn templates(&self) -> PathBuf {
        self.root.join("initdb")
    }

    /// Where data folders are that have a template.
    pub(super) fn prepared(&self) -> PathBuf {
        self.root.join("prepared")
    }

    /// Keeps other processes out of the making of `what` until the file is dropped. The kernel lets go of the lock
    /// of a process that is killed.
    pub(super) fn lock(&self, what: &str) -> Result<File, ServerError> {
        let path = self.root.join(format!("{what}.lock"));
        let lock = || {
            let file = File::options().create(true).append(true).open(&path)?;
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
            Ok(file)
        };
        lock().map_err(|source| Kind::Io { what: "lock", path: path.clone(), source }.into())
    }
}

/// A folder in `parent` for making something that [`Staging::finish`] then puts beside it, whole or not at all. Hold
/// the lock of `name`: what killed processes left under that name is removed.
pub(super) struct Staging {
    folder: PathBuf,
}

impl Staging {
    pub(super) fn new(parent: &Path, name: &str) -> Result<Self, ServerError> {
        let prefix = format!(".{name}.");
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        // A name of its own: a program that outlives its killed starter must not write into the next one's folder.
        let folder = parent.join(format!("{prefix}{}", super::unique()));
        match DirBuilder::new().mode(0o755).create(&folder) {
            Ok(()) => Ok(Self { folder }),
            Err(source) => Err(Kind::Io { what: "create", path: folder, source }.into()),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Moves `inner` of this folder to `name` beside it; the rest goes.
    pub(super) fn finish(self, inner: &str, name: &str) -> Result<PathBuf, ServerError> {
        let place = self.folder.with_file_name(name);
        match std::fs::rename(self.folder.join(inner), &place) {
            Ok(()) => Ok(place),
            Err(source) => Err(Kind::Io { what: "create", path: place, source }.into()),
        }
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
