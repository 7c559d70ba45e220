//! Where the runs take place: servers that nobody else uses, and the children that use them.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::way::Way;
use crate::Result;

/// A folder for shared servers, and a cache of their data folders. It ends with the value.
pub(super) struct Ground {
    folder: TempDir,
    cache: Option<PathBuf>,
    idle: &'static str,
}

impl Ground {
    /// With the cache that this user has.
    pub(super) fn new(idle: &'static str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("hb").tempdir_in(memory())?;
        open(folder.path())?;
        Ok(Self { folder, cache: None, idle })
    }

    /// With a cache of its own, in which there is nothing yet.
    pub(super) fn bare(idle: &'static str) -> Result<Self> {
        let mut ground = Self::new(idle)?;
        let cache = ground.folder.path().join("cache");
        fs::create_dir(&cache)?;
        open(&cache)?;
        ground.cache = Some(cache);
        Ok(ground)
    }

    /// A child of this program on this ground.
    pub(super) fn child(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(super::CHILD).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        for name in ["DATABASE_URL", "HABITAT_TEST_DATABASE_URL", "HABITAT_KEEP", "NEXTEST_EXECUTION_MODE"] {
            command.env_remove(name);
        }
        command.env("HABITAT_TEST_SERVER_FOLDER", self.folder.path());
        command.env("HABITAT_TEST_SERVER_IDLE", self.idle);
        if let Some(cache) = &self.cache {
            command.env("HABITAT_CACHE", cache);
        }
        Ok(command)
    }

    /// A child for one way, on the server of this address.
    pub(super) fn child_for(&self, what: &str, way: Way, address: &str, more: &[&str]) -> Result<Command> {
        let ours = matches!(way, Way::Ours | Way::OursCold);
        let mut arguments = vec![what, way.word(), if ours { "-" } else { address }];
        arguments.extend(more);
        let mut command = self.child(&arguments)?;
        if !ours {
            command.env("DATABASE_URL", address);
        }
        Ok(command)
    }

    /// Waits until no server is left here.
    pub(super) fn wait_for_rest(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        while self.servers()? > 0 {
            if Instant::now() > end {
                return Err(format!("a server in {} does not stop", self.folder.path().display()).into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    fn servers(&self) -> Result<usize> {
        let ours = |name: &str| name.starts_with("habitat-");
        let entries = fs::read_dir(self.folder.path())?.flatten();
        Ok(entries.filter(|entry| entry.file_name().to_str().is_some_and(ours)).count())
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // Its folder goes next.
        let _ = self.wait_for_rest();
    }
}

/// The shared server of a ground, held by a child.
pub(super) struct Held {
    child: Child,
    pub(super) address: String,
}

impl Held {
    pub(super) fn start(ground: &Ground) -> Result<Self> {
        let mut child = ground.child(&["keep"])?.stdin(Stdio::piped()).spawn()?;
        let mut line = String::new();
        if let Some(output) = &mut child.stdout {
            BufReader::new(output).read_line(&mut line)?;
        }
        let held = Self { child, address: line.trim().to_owned() };
        if held.address.is_empty() { Err("there is no server for the runs".into()) } else { Ok(held) }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// How long a child takes, as a whole; what it printed.
pub(super) fn finish(command: &mut Command) -> Result<(Duration, String)> {
    let start = Instant::now();
    let mut child = command.spawn()?;
    let mut output = String::new();
    if let Some(stdout) = &mut child.stdout {
        stdout.read_to_string(&mut output)?;
    }
    let status = child.wait()?;
    let took = start.elapsed();
    if status.success() { Ok((took, output)) } else { Err(format!("{command:?}: {status}").into()) }
}

/// Where servers for tests are put by themselves, if there is such a place.
fn memory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() }
}

/// Lets the server's account in, where it is another one.
fn open(folder: &Path) -> Result<()> {
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?)
}

/// How long a server may take to stop.
const PATIENCE: Duration = Duration::from_secs(20);
