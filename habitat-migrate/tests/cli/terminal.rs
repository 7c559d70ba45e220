//! A terminal that a program runs at, and what a person sees on its screen.

use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use pty_process::blocking::{Command as AtTerminal, Pty, open};
use vt100::Parser;

/// What a person presses to break off.
pub(crate) const CTRL_C: &str = "\u{3}";
/// What a person presses to end the input, at the beginning of a line.
pub(crate) const CTRL_D: &str = "\u{4}";

/// A running program with a terminal of its own.
pub(crate) struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    screen: Arc<Mutex<Parser>>,
    reader: Option<JoinHandle<()>>,
}

/// How a program at a terminal ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// What is on the screen then.
    pub(crate) screen: String,
}

impl Terminal {
    /// Starts a program at a terminal of so many columns.
    pub(crate) fn start(command: Command, columns: u16) -> Self {
        let (pty, inner) = open().expect("a terminal");
        pty.resize(pty_process::Size::new(ROWS, columns)).expect("a size");
        let command =
            AtTerminal::from(interruptible(command)).env("TERM", "xterm-256color").env("LANG", "C.UTF-8");
        let child = command.spawn(inner).expect("a process");
        let size = |n: u16| NonZeroU16::new(n).expect("a terminal is not empty");
        let screen = Arc::new(Mutex::new(Parser::new(size(ROWS), size(columns), 0)));
        let pty = Arc::new(pty);
        let reader = {
            let (pty, screen) = (Arc::clone(&pty), Arc::clone(&screen));
            std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                // Linux ends what is read by an error once nobody has the other end.
                while let Ok(count @ 1..) = (&*pty).read(&mut bytes) {
                    screen.lock().expect("no reader panics").process(&bytes[..count]);
                }
            })
        };
        Self { child, pty, screen, reader: Some(reader) }
    }

    /// Waits until the screen shows these words, and gives what is on it then.
    pub(crate) fn shows(&mut self, words: &str) -> String {
        self.shows_and_never(words, &[])
    }

    /// As [`Terminal::shows`], where none of the others may be seen before.
    pub(crate) fn shows_and_never(&mut self, words: &str, others: &[&str]) -> String {
        let end = Instant::now() + BOUND;
        loop {
            let screen = self.screen();
            assert!(!others.iter().any(|other| screen.contains(other)), "one of {others:?}:\n{screen}");
            if screen.contains(words) {
                return screen;
            }
            assert!(Instant::now() < end, "{words:?} never came:\n{screen}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits for a question, and until the cursor stands one blank behind it: what is typed earlier is shown in between.
    pub(crate) fn asks(&mut self, question: &str) {
        self.shows(question);
        let end = Instant::now() + BOUND;
        loop {
            let text = {
                let parser = self.screen.lock().expect("no reader panics");
                let (row, column) = parser.screen().cursor_position();
                parser.screen().contents_between(row, 0, row, column)
            };
            if text.ends_with(&format!("{question} ")) {
                return;
            }
            assert!(Instant::now() < end, "the cursor is not behind {question:?}:\n{text:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Types what is given, which ends with `\n` if it is a line.
    pub(crate) fn types(&mut self, text: &str) {
        (&*self.pty).write_all(text.as_bytes()).expect("the terminal takes it");
    }

    /// Waits for the end.
    pub(crate) fn ends(mut self) -> Ended {
        let end = Instant::now() + BOUND;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < end, "it never ended:\n{}", self.screen());
            std::thread::sleep(Duration::from_millis(5));
        };
        self.reader.take().map(JoinHandle::join);
        Ended { code: status.code(), screen: self.screen() }
    }

    /// The rows that are not empty, with a mark where the terminal had to break a line.
    fn screen(&self) -> String {
        let parser = self.screen.lock().expect("no reader panics");
        let screen = parser.screen();
        let (_, columns) = screen.size();
        let rows = screen.rows(0, columns.get()).zip(0..).map(|(row, n)| {
            let broken = if screen.row_wrapped(n) { "↩" } else { "" };
            format!("{}{broken}\n", row.trim_end())
        });
        let text: String = rows.collect();
        format!("{}\n", text.trim_end())
    }
}

/// A command that Ctrl-C ends, also where whoever started this process has it ignore that: a shell does so in the background.
fn interruptible(command: Command) -> Command {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    if ignored & (1 << (SIGINT - 1)) == 0 {
        return command;
    }
    let mut outer = Command::new("env");
    outer.arg("--default-signal=INT").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// The number of the signal that Ctrl-C sends.
const SIGINT: u32 = 2;

/// A program that a failed test leaves behind ends with it.
impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// High enough for every page that is looked at.
const ROWS: u16 = 60;
/// How long anything may take that a test waits for.
const BOUND: Duration = Duration::from_secs(60);
