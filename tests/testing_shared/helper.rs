//! Processes that use the shared server of a place of their own, and what is left at that place.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::process::{Helper, folder_for_all, helper, poll};

/// A place in which no other run's servers are, with initialised data folders of its own.
pub(crate) struct Place {
    folder: TempDir,
    cache: TempDir,
    idle: &'static str,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = folder_for_all(Path::new("/dev/shm"));
        // As the usual places are: whoever owns something there may remove it.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o1777)).unwrap();
        Self { folder, cache: folder_for_all(Path::new("/dev/shm")), idle: "0.2" }
    }

    /// Servers wait so many seconds for another user.
    pub(crate) fn idle(mut self, seconds: &'static str) -> Self {
        self.idle = seconds;
        self
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn cache(&self) -> &Path {
        self.cache.path()
    }

    pub(crate) fn command(&self, task: &str) -> Command {
        let mut command = helper(task);
        command.env("HABITAT_TEST_SERVER_FOLDER", self.path());
        command.env("HABITAT_TEST_SERVER_IDLE", self.idle);
        command.env("HABITAT_CACHE", self.cache.path());
        command
    }

    /// A process that uses the server until it is killed or its standard input ends.
    pub(crate) fn user(&self) -> Helper {
        Helper::start(&mut self.command("hold"))
    }

    /// The folders of servers here.
    pub(crate) fn servers(&self) -> Vec<PathBuf> {
        let common = std::fs::read_dir(self.path()).unwrap().flatten();
        let servers = common.filter_map(|common| std::fs::read_dir(common.path()).ok()).flatten().flatten();
        servers.map(|server| server.path()).collect()
    }

    /// The processes that were started for servers here.
    pub(crate) fn processes(&self) -> Vec<String> {
        let all = Command::new("ps").args(["-A", "-o", "pid=,stat=,args="]).output().unwrap();
        let all = String::from_utf8_lossy(&all.stdout).into_owned();
        let place = self.path().display().to_string();
        all.lines().filter(|line| line.contains(&place)).map(str::to_owned).collect()
    }

    pub(crate) fn assert_left_clean(&self) {
        let left = || std::fs::read_dir(self.path()).unwrap().next().is_none() && self.processes().is_empty();
        poll("the server, its keeper and its folder to go", || left().then_some(()));
    }
}

/// The keeper of the server with this process: its parent.
pub(crate) fn keeper_of(server: u32) -> u32 {
    let parent = Command::new("ps").args(["-o", "ppid=", "-p", &server.to_string()]).output().unwrap();
    String::from_utf8(parent.stdout).unwrap().trim().parse().unwrap()
}

/// Whether there is such a process, and it is more than an entry that nobody has read yet.
pub(crate) fn runs(process: u32) -> bool {
    let state = Command::new("ps").args(["-o", "stat=", "-p", &process.to_string()]).output().unwrap();
    let state = String::from_utf8(state.stdout).unwrap();
    !state.trim().is_empty() && !state.starts_with('Z')
}

/// Numbers that look random, and are the same in every run that is told the same seed.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
