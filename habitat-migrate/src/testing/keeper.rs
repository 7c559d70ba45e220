//! Starts the process that keeps a shared server, and the server with it.
//!
//! It is a shell script (`shared.sh`), because this crate forbids `unsafe` and so cannot fork. It leaves the starter's
//! session, and its descriptors: neither Ctrl-C nor the end of a test run concerns it, and no test runner waits for it.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use super::account::Account;
use super::error::{Kind, ServerError};
use super::lease::{self, Lease};
use super::{data, program};

/// A keeper that has made its folder and waits for the word to start the server.
pub(super) struct Keeper {
    folder: PathBuf,
    commands: ChildStdin,
    words: Words,
}

/// What the keeper has said, and whether the server still holds the pipe on which it said it.
struct Words {
    pipe: ChildStdout,
    heard: String,
    ended: bool,
}

impl Keeper {
    /// A keeper for a server in `folder`, which it makes. It waits `idle` for another user when the last one is gone.
    pub(super) fn new(
        folder: &Path,
        idle: Duration,
        server: &[String],
        account: Option<&Account>,
    ) -> Result<Self, ServerError> {
        let started = apart(SCRIPT, account, |command| {
            command.arg("serve").arg(folder).arg(seconds(idle)).args(server);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
            command.spawn()
        });
        let mut child = started.map_err(|source| Kind::Command { name: SHELL.into(), source })?;
        let (commands, pipe) = (child.stdin.take(), child.stdout.take());
        let _ = child.wait();
        let made = || ServerError::from(Kind::Folder { folder: folder.to_owned() });
        let mut keeper = Self {
            folder: folder.to_owned(),
            commands: commands.ok_or_else(made)?,
            words: Words::listen(pipe.ok_or_else(made)?)?,
        };
        if keeper.words.wait_for("folder\n", ANSWER) { Ok(keeper) } else { Err(made()) }
    }

    /// Starts the server in its folder, which by now has a data folder, and waits until it accepts connections.
    pub(super) fn start(mut self, start: Start) -> Result<Lease, ServerError> {
        // From here on it is this lease that keeps the server.
        let lease = Lease::take(&self.folder).ok_or(Kind::Supervisor)?;
        let word = match start {
            Start::Whole => "start\n",
            Start::Unfinished => "begin\n",
        };
        let said = self.commands.write_all(word.as_bytes());
        drop(self.commands);
        if said.is_err() || !self.words.wait_for("started ", ANSWER) {
            return Err(Kind::Supervisor.into());
        }
        let end = Instant::now() + PATIENCE;
        while !lease::has_started(&self.folder) {
            if self.words.have_ended() || Instant::now() > end {
                let log = data::end_of_log(&self.folder.join("log"), 0);
                return Err(Kind::NotStarted { log }.into());
            }
            std::thread::sleep(MOMENT);
        }
        Ok(lease)
    }
}

/// What a server is when it accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    Whole,
    /// Others do not use it until it is said to be whole.
    Unfinished,
}

/// Stops the servers in these folders if they still run, and removes the folders.
pub(super) fn sweep(folders: &[PathBuf], account: Option<&Account>) {
    if !folders.is_empty() {
        // By the account that owns them, so that nothing there can lead root to other people's files or processes.
        // What could not be removed is in nobody's way, and is tried again at the next start.
        let _ = program::output(shell(&[], SCRIPT, account).arg("sweep").args(folders));
    }
}

/// Starts what takes orders from the pipes in `folder` to the sessions behind these sockets, and ends with them.
pub(super) fn carry(
    folder: &Path,
    copies: &OwnedFd,
    drops: &OwnedFd,
    account: Option<&Account>,
) -> std::io::Result<()> {
    let mut child = apart(SCRIPT, account, |command| {
        command.arg("carry").arg(folder).stderr(Stdio::null());
        command.stdin(copies.try_clone()?).stdout(drops.try_clone()?).spawn()
    })?;
    child.wait().map(drop)
}

/// Starts a script in a session of its own. macOS has no program for that: the group of its own alone keeps the terminal's
/// signals away.
pub(super) fn apart(
    script: &str,
    account: Option<&Account>,
    start: impl Fn(&mut Command) -> std::io::Result<Child>,
) -> std::io::Result<Child> {
    match start(&mut shell(&["setsid"], script, account)) {
        Err(error) if error.kind() == ErrorKind::NotFound => start(&mut shell(&[], script, account)),
        started => started,
    }
}

/// A script, with little of this process's environment: it may outlive it, and other accounts' may read it.
pub(super) fn shell(session: &[&str], script: &str, account: Option<&Account>) -> Command {
    let words: Vec<&str> =
        session.iter().copied().chain([SHELL, "-c", script, "habitat-migrate-keeper"]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).env_clear().env("PATH", path()).env("LC_ALL", "C");
    for name in PASSED_ON {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if session.is_empty() {
        command.process_group(0);
    }
    Account::apply(account, &mut command);
    command
}

/// The user's, for programs that a server calls, and those where the script's own programs are.
fn path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if !path.is_empty() {
        path.push(":");
    }
    path.push("/usr/bin:/bin");
    path
}

impl Words {
    fn listen(pipe: ChildStdout) -> Result<Self, ServerError> {
        rustix::fs::fcntl_setfl(&pipe, rustix::fs::OFlags::NONBLOCK).map_err(|_| Kind::Supervisor)?;
        Ok(Self { pipe, heard: String::new(), ended: false })
    }

    fn wait_for(&mut self, word: &str, bound: Duration) -> bool {
        let end = Instant::now() + bound;
        loop {
            self.hear();
            if self.heard.contains(word) {
                return true;
            }
            if self.ended || Instant::now() > end {
                return false;
            }
            std::thread::sleep(MOMENT);
        }
    }

    fn have_ended(&mut self) -> bool {
        self.hear();
        self.ended
    }

    fn hear(&mut self) {
        let mut buffer = [0; 64];
        loop {
            match self.pipe.read(&mut buffer) {
                Ok(0) => break self.ended = true,
                Ok(length) => self.heard.push_str(&String::from_utf8_lossy(&buffer[..length])),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break self.ended = error.kind() != ErrorKind::WouldBlock,
            }
        }
    }
}

/// As `sleep` reads it; whole seconds are all that some systems' can do.
fn seconds(time: Duration) -> String {
    if time.subsec_nanos() == 0 { time.as_secs().to_string() } else { time.as_secs_f64().to_string() }
}

pub(super) const SCRIPT: &str = include_str!("shared.sh");

const SHELL: &str = "/bin/sh";

/// What programs of PostgreSQL that are not the system's own may need to run.
const PASSED_ON: [&str; 6] = [
    "HOME",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
    "LOCALE_ARCHIVE",
];

/// How long the keeper may take for what it does at once: a machine under load, not a state to wait for.
const ANSWER: Duration = Duration::from_secs(30);

/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// The time between two looks at what is about to be there.
const MOMENT: Duration = Duration::from_millis(1);
