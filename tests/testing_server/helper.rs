//! A process of its own that holds a server, to be killed, and ways to see what it leaves.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use postgres::Client;
use postgres::types::FromSql;
use tempfile::TempDir;

/// The test `helper_process`, running by itself.
pub(crate) struct Helper {
    pub(crate) child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Helper {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What the helper says; nothing if it failed.
    pub(crate) fn line(&mut self) -> String {
        let mut lines = self.lines.by_ref().map(Result::unwrap);
        lines.find_map(|line| Some(line.split_once("HELPER ")?.1.to_owned())).unwrap_or_default()
    }

    /// The server's process and folder.
    pub(crate) fn server(&mut self) -> (u32, PathBuf) {
        let line = self.line();
        let Some((pid, folder)) = line.split_once(' ') else { panic!("{}", self.complaint()) };
        (pid.parse().unwrap(), folder.into())
    }

    /// Everything else that it wrote, until its end.
    pub(crate) fn complaint(&mut self) -> String {
        let mut text = String::new();
        self.lines.by_ref().map(Result::unwrap).for_each(|line| text.push_str(&line));
        self.child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        text
    }
}

pub(crate) fn helper(task: &str) -> Command {
    helper_of(&std::env::current_exe().unwrap(), task)
}

pub(crate) fn helper_of(program: &Path, task: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["--ignored", "--exact", "helper_process", "--nocapture"]);
    command.env("HABITAT_TEST_HELPER", task).env("HABITAT_TEST_SERVER_IDLE", "0");
    command.env_remove("HABITAT_TEST_DATABASE_URL").env_remove("DATABASE_URL");
    command
}

/// A temporary folder that the account of root's servers may enter.
pub(crate) fn cache_for_all() -> TempDir {
    folder_for_all(&std::env::temp_dir())
}

/// The same in `parent`, if there is such a folder.
pub(crate) fn folder_for_all(parent: &Path) -> TempDir {
    let folder = tempfile::tempdir_in(parent).or_else(|_| tempfile::tempdir()).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

pub(crate) fn folder_named(prefix: &str) -> Option<PathBuf> {
    let parents = [PathBuf::from("/dev/shm"), std::env::temp_dir(), PathBuf::from("/tmp")];
    let entries = parents.iter().flat_map(std::fs::read_dir).flatten().flatten();
    entries
        .map(|entry| entry.path())
        .find(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix)))
}

pub(crate) fn one<T: for<'a> FromSql<'a>>(client: &mut Client, query: &str) -> T {
    client.query_one(query, &[]).unwrap().get(0)
}

pub(crate) fn assert_gone(pid: u32, folder: &Path) {
    poll("the server to stop", || (!lives(pid)).then_some(()));
    poll("the folder to go", || (!folder.exists()).then_some(()));
}

pub(crate) fn lives(pid: u32) -> bool {
    Command::new("kill").args(["-0", &pid.to_string()]).stderr(Stdio::null()).status().unwrap().success()
}

pub(crate) fn send(signal: &str, target: &str) {
    assert!(Command::new("kill").args(["-s", signal, "--", target]).status().unwrap().success());
}

pub(crate) fn poll<T>(what: &str, mut state: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(value) = state() {
            return value;
        }
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}
