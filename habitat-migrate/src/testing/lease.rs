//! A share in a server that other processes use too: the kernel gives it back, whatever ends this process.
//!
//! It is the writing end of a pipe in the server's folder, whose reading end the server's keeper (`shared.sh`) holds.
//! So one pipe tells both sides all they need: the keeper learns that the last user is gone, and a user learns
//! whether there still is a keeper.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Holds one server for as long as it is not dropped.
pub(super) struct Lease {
    pipe: File,
    path: PathBuf,
}

/// What a server's folder looks like from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It has a keeper, who will remove it.
    Kept,
    /// Its keeper was killed, or never got far.
    Abandoned,
}

impl Lease {
    /// A lease on the server in `folder`, whether that accepts connections or not; `None` if it has no keeper or is
    /// about to stop.
    pub(super) fn take(folder: &Path) -> Option<Self> {
        let path = folder.join(OPEN);
        let mut pipe = open(&path).ok()?;
        // The keeper starts its idle time anew when it reads this, even if we are gone again by then.
        pipe.write_all(b"\n").ok()?;
        let lease = Self { pipe, path };
        lease.is_good().then_some(lease)
    }

    /// Has the server wait at least so long for another user when the last one is gone.
    pub(super) fn extend(&self, idle: Duration) -> std::io::Result<()> {
        let seconds = idle.as_secs().saturating_add(u64::from(idle.subsec_nanos() > 0)).min(LONGEST);
        (&self.pipe).write_all(format!("{seconds}\n").as_bytes())
    }

    /// Whether the pipe still stands where it was opened: the keeper renames it before it looks for users once more,
    /// so that it either sees this lease or has taken its name away before.
    fn is_good(&self) -> bool {
        is_in_place(&self.pipe, &self.path)
    }

    /// Whether the server is whole and accepts connections.
    pub(super) fn is_ready(&self) -> bool {
        // The file of a killed server says that it has started, too.
        self.path.parent().is_some_and(|folder| {
            folder.join("whole").exists() && has_started(folder) && is_heard(&folder.join(SOCKET))
        })
    }
}

/// Whether a socket is somebody's. A server starts a process for each connection that somebody makes, and this makes none: it asks for
/// another type of socket, which is refused in another way than where there is nobody.
/// <https://pubs.opengroup.org/onlinepubs/9799919799/functions/connect.html>
fn is_heard(socket: &Path) -> bool {
    let asked = UnixDatagram::unbound().and_then(|asker| asker.connect(socket));
    match asked.map_err(|error| error.raw_os_error().map(Errno::from_raw_os_error)) {
        Err(Some(Errno::PROTOTYPE)) => true,
        Err(Some(Errno::CONNREFUSED | Errno::NOENT)) => false,
        _ => UnixStream::connect(socket).is_ok(),
    }
}

/// Whether a process is making the server in this folder fit for all.
pub(super) fn is_unfinished(folder: &Path) -> bool {
    open(&folder.join(OPEN)).is_ok() && !folder.join("whole").exists()
}

/// Whether the server in this folder accepts connections, as far as it says so itself.
pub(super) fn has_started(folder: &Path) -> bool {
    let status = std::fs::read_to_string(folder.join("data/postmaster.pid")).unwrap_or_default();
    status.lines().nth(7).is_some_and(|status| status.trim() == "ready")
}

/// Whether anybody looks after this folder. Only who holds the lock of its parent knows that nobody is just making it.
pub(super) fn state(folder: &Path) -> State {
    for name in [OPEN, SHUT] {
        match open(&folder.join(name)) {
            Ok(_) => return State::Kept,
            Err(Errno::NOENT) => {}
            Err(_) => return State::Abandoned,
        }
    }
    State::Abandoned
}

/// Whether what was opened still has this name.
pub(super) fn is_in_place(held: &File, path: &Path) -> bool {
    match (held.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Opens the writing end; it fails with `NXIO` if nobody holds the reading end.
pub(super) fn open(path: &Path) -> Result<File, Errno> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let pipe = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    let is_pipe = pipe.metadata().is_ok_and(|found| found.file_type().is_fifo());
    if is_pipe { Ok(pipe) } else { Err(Errno::NXIO) }
}

const OPEN: &str = "lease";
const SHUT: &str = "shut";
/// A year, in seconds, which every `sleep` understands.
pub(super) const LONGEST: u64 = 31_536_000;

pub(super) const SOCKET: &str = ".s.PGSQL.5432";
