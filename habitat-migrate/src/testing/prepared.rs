//! Data folders in which a template is there already: the first test of a server that is just started waits for a copy
//! of files, and for no migration.
//!
//! One is made when a server is started for a test whose template no such folder has. The template is built before anybody
//! else may use the server, and what its data folder has then, the template and the roles that the migrations made, is copied into
//! the cache. What tests do to a server is never kept.
//!
//! It is not synced, so it counts until the machine is started again; and for a day, as migrations may go by the date.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use super::account::Account;
use super::cache::Cache;
use super::error::{Kind, ServerError};
use super::recipe::Recipe;
use super::{data, program};

/// The data folder with the template of one recipe, whether there is one or not.
pub(super) struct Prepared<'a> {
    cache: &'a Cache,
    account: Option<&'a Account>,
    name: String,
}

impl<'a> Prepared<'a> {
    /// That of a recipe on a server that `cluster` describes; `None` where one start of the machine is not told from the next.
    pub(super) fn of(
        recipe: &Recipe,
        cluster: &str,
        cache: &'a Cache,
        account: Option<&'a Account>,
    ) -> Option<Self> {
        let boot = std::fs::read_to_string(BOOT).ok()?;
        Some(Self { cache, account, name: recipe.key(&format!("{cluster} {boot} {SCRIPT}")) })
    }

    /// Begins to make the data folder in `folder` of it, if there is one that counts.
    pub(super) fn fill(&self, folder: &Path) -> Option<Filling> {
        let lock = self.lock().ok()?;
        age(&self.entry().join("ready")).filter(|age| *age < A_DAY)?;
        let mut command = self.script("fill");
        command.arg(self.entry()).arg(folder.join("data")).arg(folder.join("whole"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut filling = Filling { script: command.spawn().ok()?, _lock: lock };
        // Until there is enough for a server to start with.
        let mut word = String::new();
        BufReader::new(filling.script.stdout.take()?).read_line(&mut word).ok()?;
        (word == "begin\n").then_some(filling)
    }

    /// Puts a copy of the data folder in `folder` in its place, whose server has written everything and has nothing to do, and says
    /// that it is whole. `server` is the command that the server was started by. What comes of the copy matters to later
    /// servers only: it is finished when this has returned.
    pub(super) fn put(&self, folder: &Path, server: &[String]) -> Result<(), ServerError> {
        let (data, whole) = (folder.join("data"), folder.join("whole"));
        let mut script = match is_worth_it(&data, self.cache.root()) && self.make_room().is_ok() {
            true => {
                let mut script = self.script("put");
                script.arg(self.entry()).arg(data).arg(whole);
                // Another data folder, and otherwise the same.
                script.args(server.iter().take(1).chain(server.iter().skip(3)));
                script
            }
            false => {
                let mut script = self.script("whole");
                script.arg(whole);
                script
            }
        };
        program::output(&mut script).map(drop)
    }

    /// Makes an empty folder in its place, and removes those that do not count any more, and the oldest of too many.
    fn make_room(&self) -> Result<(), ServerError> {
        let _lock = self.lock()?;
        self.remove();
        let entries = std::fs::read_dir(self.cache.prepared()).into_iter().flatten().flatten();
        let mut entries: Vec<(Duration, PathBuf)> =
            entries.map(|entry| entry.path()).map(|path| (age(&path).unwrap_or_default(), path)).collect();
        entries.sort_unstable();
        for (n, (age, path)) in entries.iter().enumerate() {
            if *age >= A_DAY || n + 1 >= MOST {
                let _ = std::fs::remove_dir_all(path);
            }
        }
        let entry = self.entry();
        let failed = |source| Kind::Io { what: "create", path: entry.clone(), source };
        std::fs::create_dir(&entry).map_err(failed)?;
        Account::give(self.account, &entry)
    }

    /// By the account that the server runs as.
    fn script(&self, mode: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "habitat-migrate-prepared", mode]);
        Account::apply(self.account, &mut command);
        command
    }

    /// Removes it: no server starts with it.
    pub(super) fn discard(&self) {
        if let Ok(_lock) = self.lock() {
            self.remove();
        }
    }

    fn remove(&self) {
        let _ = std::fs::remove_dir_all(self.entry());
    }

    fn entry(&self) -> PathBuf {
        self.cache.prepared().join(&self.name)
    }

    fn lock(&self) -> Result<File, ServerError> {
        self.cache.lock("prepared")
    }
}

/// A data folder that is being filled while a server starts in it.
pub(super) struct Filling {
    script: Child,
    _lock: File,
}

impl Filling {
    /// Waits until it is whole; the server accepts connections.
    pub(super) fn finish(mut self) -> Result<(), ServerError> {
        let told = self.script.stdin.take().is_some_and(|mut pipe| pipe.write_all(b"started\n").is_ok());
        let ended = self.script.wait().is_ok_and(|status| status.success());
        if told && ended { Ok(()) } else { Err(Kind::Supervisor.into()) }
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        // It ends by itself when nobody tells it of a server.
        drop(self.script.stdin.take());
        let _ = self.script.wait();
    }
}

/// Whether a data folder can be kept. What is in a tablespace is elsewhere, where a second server's would be, too.
fn is_worth_it(data: &Path, cache: &Path) -> bool {
    let has_tablespaces =
        || !std::fs::read_dir(data.join("pg_tblspc")).is_ok_and(|mut links| links.next().is_none());
    let size = data::size(data);
    size <= LARGEST && size <= data::room(cache) / SHARE && !has_tablespaces()
}

/// How long ago a folder was filled. One from the future is new: clocks are set.
fn age(folder: &Path) -> Option<Duration> {
    let filled = std::fs::metadata(folder).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(filled).unwrap_or_default())
}

/// Linux says here which start of the machine this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

const SCRIPT: &str = include_str!("prepared.sh");

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// So many are kept: the catalogs that one works on at a time. Each has some 30 MB.
const MOST: usize = 4;

/// A larger one is not worth its room, in bytes; nor is one that takes up more than an eighth of what is free.
const LARGEST: u64 = 512 << 20;
const SHARE: u64 = 8;
