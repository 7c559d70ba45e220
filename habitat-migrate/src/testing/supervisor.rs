//! The process between a test and its server: it stops the server and removes the folder when the test process is
//! gone, also when that was killed.
//!
//! It is a shell script, because this crate forbids `unsafe` and so cannot fork. It blocks reading a pipe that only
//! the test process holds; the kernel closes that pipe whatever ends the process.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use super::account::Account;
use super::error::{Kind, ServerError};

pub(super) struct Supervisor {
    child: Child,
    /// `None` once it was told to end.
    commands: Option<ChildStdin>,
    events: Mutex<mpsc::Receiver<Event>>,
    folder: PathBuf,
    /// The postmaster, from `started` to `exited`.
    postgres: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The folder is there, and empty but for the log.
    Folder,
    Started(u32),
    Exited,
}

impl Supervisor {
    /// A supervisor that has made `folder`, runs as `account` and is ready to start `server`.
    pub(super) fn new(
        folder: &Path,
        server: &[String],
        account: Option<&Account>,
    ) -> Result<Self, ServerError> {
        Self::ending_by("QUIT", folder, server, account)
    }

    /// The same for a program that another signal ends. What a shell starts beside itself ignores QUIT, unless it has a handler.
    pub(super) fn ending_by(
        signal: &str,
        folder: &Path,
        server: &[String],
        account: Option<&Account>,
    ) -> Result<Self, ServerError> {
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", include_str!("supervisor.sh"), "habitat-migrate-supervisor"])
            .arg(folder)
            .args(server)
            .env("HABITAT_END_SIGNAL", signal)
            // A group of its own: Ctrl-C in a terminal goes to the whole group of the tests.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        Account::apply(account, &mut command);
        let mut child = command.spawn().map_err(|source| Kind::Command { name: "/bin/sh".into(), source })?;
        let commands = child.stdin.take();
        let words = child.stdout.take();
        let (sender, events) = mpsc::channel();
        if let Some(words) = words {
            std::thread::spawn(move || {
                let lines = BufReader::new(words).lines().map_while(Result::ok);
                for event in lines.filter_map(|line| Event::parse(&line)) {
                    if sender.send(event).is_err() {
                        break;
                    }
                }
            });
        }
        let mut supervisor =
            Self { child, commands, events: Mutex::new(events), folder: folder.to_owned(), postgres: None };
        match supervisor.next_event(ANSWER) {
            Some(Event::Folder) => Ok(supervisor),
            _ => Err(Kind::Folder { folder: folder.to_owned() }.into()),
        }
    }

    /// Starts the server; it may fail later, which [`exited`](Self::exited) tells.
    pub(super) fn start(&mut self) -> Result<(), ServerError> {
        self.say("start");
        match self.next_event(ANSWER) {
            Some(Event::Started(_)) => Ok(()),
            _ => Err(Kind::Supervisor.into()),
        }
    }

    /// Sends the server a signal, if it runs.
    pub(super) fn signal(&mut self, name: &str) {
        if self.postgres.is_some() {
            self.say(name);
        }
    }

    /// Whether the server has exited by now.
    pub(super) fn exited(&mut self) -> bool {
        while self.next_event(Duration::ZERO).is_some() {}
        self.postgres.is_none()
    }

    /// Waits until the server has exited, at most for `bound`.
    pub(super) fn wait_for_exit(&mut self, bound: Duration) -> bool {
        let end = Instant::now() + bound;
        while self.postgres.is_some() {
            if self.next_event(end.saturating_duration_since(Instant::now())).is_none() {
                break;
            }
        }
        self.postgres.is_none()
    }

    pub(super) fn postgres(&self) -> Option<u32> {
        self.postgres
    }

    fn say(&mut self, word: &str) {
        if let Some(commands) = &mut self.commands {
            // A supervisor that is gone is noticed by the silence that follows.
            let _ = writeln!(commands, "{word}");
        }
    }

    fn next_event(&mut self, bound: Duration) -> Option<Event> {
        let event = self.events.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(bound).ok()?;
        match event {
            Event::Started(pid) => self.postgres = Some(pid),
            Event::Exited => self.postgres = None,
            Event::Folder => {}
        }
        Some(event)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.commands = None;
        let _ = self.child.wait();
        // It does this itself, unless somebody killed it.
        if self.folder.exists() {
            if let Some(pid) = self.postgres.and_then(|pid| rustix::process::Pid::from_raw(pid as i32)) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
                let end = Instant::now() + ANSWER;
                while rustix::process::test_kill_process(pid).is_ok() && Instant::now() < end {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Event {
    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            None if line == "folder" => Some(Self::Folder),
            Some(("started", pid)) => pid.parse().ok().map(Self::Started),
            Some(("exited", _)) => Some(Self::Exited),
            _ => None,
        }
    }
}

/// How long the supervisor may take for what it does at once: a machine under load, not a state to wait for.
const ANSWER: Duration = Duration::from_secs(30);
