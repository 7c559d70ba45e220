//! A backup while it is being written: [`Partial`]; and what is left of those whose process was killed: [`sweep`].

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::{Error, Result};
use super::name;

/// A file that is being written, removed unless it is kept.
pub(super) struct Partial {
    path: PathBuf,
    /// Open for as long as somebody writes; the system closes it, and lets go of its lock, when the process is gone.
    _lock: fs::File,
}

impl Partial {
    /// A private file beside the one that it will be.
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut hidden = OsString::from(".");
        hidden.push(path.file_name().unwrap_or_default());
        hidden.push(format!(".{}.partial", std::process::id()));
        let partial = path.with_file_name(hidden);
        let file =
            private().open(&partial).map_err(|error| Error::file(&partial, "cannot be written", error))?;
        // Where files have no locks, a file is left alone for a day instead.
        let _ = lock(&file);
        Ok(Self { path: partial, _lock: file })
    }

    /// Where it is for now.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, once it is on the disk; another file of that name is not replaced.
    pub(super) fn keep(self, path: &Path) -> Result<()> {
        let synced = fs::File::open(&self.path).and_then(|file| file.sync_all());
        let kept = synced.and_then(|()| fs::hard_link(&self.path, path));
        kept.map_err(|error| Error::file(path, "cannot be written", error))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // One that is kept has another name by now.
        let _ = fs::remove_file(&self.path);
    }
}

/// How a file is made that its owner alone may read.
pub(super) fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Removes what killed runs have left in a folder, and gives what could not be removed.
pub(super) fn sweep(folder: &Path) -> Vec<Error> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let left = entries.map(|entry| entry.path()).filter(|path| is_partial(path) && is_left(path));
    left.filter_map(|path| remove(&path).err()).collect()
}

/// Removes a file; one that somebody else has removed meanwhile is gone, too.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::file(path, "cannot be removed", error))
        }
        _ => Ok(()),
    }
}

/// Whether a file's name is one that [`Partial::create`] gives.
fn is_partial(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let inner = name.strip_prefix('.').and_then(|name| name.strip_suffix(".partial"));
    let Some((name, process)) = inner.and_then(|inner| inner.rsplit_once('.')) else { return false };
    name::read(Path::new(name)).is_some() && process.parse::<u32>().is_ok()
}

/// Whether nobody writes a file any more. The lock tells it, which holds in a folder that machines share, too; a process's number would not.
fn is_left(path: &Path) -> bool {
    let Ok(about) = fs::symlink_metadata(path) else { return false };
    let untouched = about.modified().ok().and_then(|at| at.elapsed().ok()).unwrap_or_default();
    if !about.is_file() {
        return false;
    }
    let file = fs::OpenOptions::new().write(true).open(path);
    match file.map(|file| lock(&file)) {
        Ok(Lock::Held) => false,
        // The writer locks it as soon as it is there, but not before.
        Ok(Lock::Got) => untouched > Duration::from_secs(60),
        Ok(Lock::Unknown) | Err(_) => untouched > Duration::from_secs(24 * 60 * 60),
    }
}

/// What came of asking for a file's lock.
enum Lock {
    Got,
    Held,
    Unknown,
}

#[cfg(unix)]
fn lock(file: &fs::File) -> Lock {
    match rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Lock::Got,
        Err(rustix::io::Errno::WOULDBLOCK) => Lock::Held,
        Err(_) => Lock::Unknown,
    }
}

#[cfg(not(unix))]
fn lock(_: &fs::File) -> Lock {
    Lock::Unknown
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::time::SystemTime;

    fn touched(path: &Path, ago: Duration) {
        let file = fs::OpenOptions::new().write(true).open(path).expect("a file");
        file.set_modified(SystemTime::now() - ago).expect("a time");
    }

    #[test]
    fn what_a_killed_run_has_left_goes_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let left = at(".shop_2026-11-21T06-30-00.000Z.dump.4711.partial");
        let others = [
            ".shop_2026-11-21T06-30-00.000Z.dump.partial",
            ".shop.dump.4711.partial",
            "shop_2026-11-21T06-30-00.000Z.dump.4711.partial",
            "shop_2026-11-21T06-30-00.000Z.dump",
        ]
        .map(at);
        for path in others.iter().chain([&left]) {
            fs::write(path, "PGDMP").expect("a file");
            touched(path, Duration::from_secs(120));
        }
        let link = at(".shop_2026-11-21T06-30-00.001Z.dump.4711.partial");
        std::os::unix::fs::symlink(&others[3], &link).expect("a link");
        let young = at(".shop_2026-11-21T06-30-00.002Z.dump.4711.partial");
        fs::write(&young, "").expect("a file");
        assert!(sweep(folder.path()).is_empty());
        assert!(!left.exists());
        assert!(link.exists() && young.exists() && others.iter().all(|path| path.exists()));
    }

    #[test]
    fn what_somebody_writes_stays_however_old_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let partial =
            Partial::create(&folder.path().join("shop_2026-11-21T06-30-00.000Z.dump")).expect("a file");
        assert!(is_partial(partial.path()), "{}", partial.path().display());
        touched(partial.path(), Duration::from_secs(2 * 24 * 60 * 60));
        assert!(sweep(folder.path()).is_empty());
        assert!(partial.path().exists());
    }
}
