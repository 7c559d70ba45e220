//! Data folders in which a template is there already: the first test of a server that is just started waits for a copy
//! of files, and for no migration.
//!
//! One is made when a server is started for a test whose template no such folder has. The template is built before anybody
//! else may use the server, and what its data folder has then, the template and the roles that the migrations made, is copied into
//! the cache. What tests do to a server is never kept.
//!
//! It is not synced, so it counts until the machine is started again; and for a day, as migrations may go by the date.

use std::fs::{DirBuilder, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime};

use super::account::Account;
use super::cache::Cache;
use super::error::{Kind, ServerError};
use super::recipe::Recipe;
use super::{data, keeper, unique};

/// The data folder with the template of one recipe, whether there is one or not.
pub(super) struct Prepared<'a> {
    cache: &'a Cache,
    account: Option<&'a Account>,
    name: String,
}

impl<'a> Prepared<'a> {
    /// That of a recipe on a server that `cluster` describes; `None` where none is to be kept, or one start of the machine is not told
    /// from the next.
    pub(super) fn of(
        recipe: &Recipe,
        cluster: &str,
        cache: &'a Cache,
        account: Option<&'a Account>,
    ) -> Option<Self> {
        let boot = std::fs::read_to_string(BOOT).ok()?;
        let is_wanted = std::env::var(SWITCH).map_or(true, |value| value.trim() != "0");
        (is_wanted && !reads_elsewhere(recipe)).then(|| Self {
            cache,
            account,
            name: recipe.key(&format!("{cluster} {boot} {SCRIPT}")),
        })
    }

    /// Begins to make the data folder in `folder` of it, if there is one that counts.
    pub(super) fn fill(&self, folder: &Path) -> Option<Filling> {
        let lock = self.lock().ok()?;
        let (_, entry) = self.ready().into_iter().find(|(age, _)| *age < A_DAY)?;
        let mut command = keeper::shell(&[], SCRIPT, self.account);
        command.arg("fill").arg(entry).arg(folder.join("data")).arg(folder.join("whole"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut filling = Filling { script: command.spawn().ok()?, _lock: lock };
        // Until there is enough for a server to start with.
        let mut word = String::new();
        BufReader::new(filling.script.stdout.take()?).read_line(&mut word).ok()?;
        (word == "begin\n").then_some(filling)
    }

    /// Keeps a copy of the data folder in `folder`, if its server has written everything and has nothing to do, and says that it is
    /// whole. `server` is the command that the server was started by. What comes of the copy matters to later servers only: it is
    /// finished when this has returned.
    pub(super) fn put(&self, folder: &Path, is_quiet: bool, server: &[String]) -> Result<(), ServerError> {
        let (data, whole) = (folder.join("data"), folder.join("whole"));
        let is_worth_it = is_quiet && is_worth_it(&data, self.cache.root());
        let entry = if is_worth_it { self.make_room().ok() } else { None };
        let mut child = keeper::apart(SCRIPT, self.account, |command| {
            match &entry {
                // Another data folder, and otherwise the same server.
                Some(entry) => {
                    command.arg("put").arg(entry).arg(&data).arg(&whole).arg(&server[0]).args(&server[3..])
                }
                None => command.arg("whole").arg(&whole),
            };
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()
        })
        .map_err(|source| Kind::Command { name: "sh".into(), source })?;
        let ended = child.wait().is_ok_and(|status| status.success());
        if ended { Ok(()) } else { Err(Kind::Supervisor.into()) }
    }

    /// A folder of a name of its own, as what outlives a killed process must not write into the next one's. Those that do not count any
    /// more are removed, and the oldest of too many.
    fn make_room(&self) -> Result<PathBuf, ServerError> {
        let place = self.cache.prepared();
        let failed = |path: &Path, source| Kind::Io { what: "create", path: path.to_owned(), source };
        DirBuilder::new()
            .recursive(true)
            .mode(0o755)
            .create(&place)
            .map_err(|source| failed(&place, source))?;
        let _lock = self.lock()?;
        let mut ready = 0;
        for (age, entry) in entries(&place) {
            let is_ready = entry.join("ready").exists();
            ready += usize::from(is_ready);
            if age >= A_DAY || ready >= MOST || !is_ready && age >= A_WHILE {
                let _ = std::fs::remove_dir_all(entry);
            }
        }
        let entry = place.join(format!("{}.{}", self.name, unique()));
        std::fs::create_dir(&entry).map_err(|source| failed(&entry, source))?;
        Account::give(self.account, &entry)?;
        Ok(entry)
    }

    /// Removes it: no server starts with it.
    pub(super) fn discard(&self) {
        if let Ok(_lock) = self.lock() {
            for (_, entry) in self.ready() {
                let _ = std::fs::remove_dir_all(entry);
            }
        }
    }

    /// Those of this recipe that are whole, the newest first.
    fn ready(&self) -> Vec<(Duration, PathBuf)> {
        let prefix = format!("{}.", self.name);
        let is_ours = |entry: &Path| {
            entry.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
                && entry.join("ready").exists()
        };
        let mut entries = entries(&self.cache.prepared());
        entries.retain(|(_, entry)| is_ours(entry));
        entries
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

/// Whether a data folder can be kept. What is in a tablespace is elsewhere, where a second server's would be, too; and what ALTER
/// SYSTEM has set would be in force from the start.
fn is_worth_it(data: &Path, cache: &Path) -> bool {
    let has_tablespaces =
        || !std::fs::read_dir(data.join("pg_tblspc")).is_ok_and(|mut links| links.next().is_none());
    let has_settings = || {
        let settings = std::fs::read_to_string(data.join("postgresql.auto.conf")).unwrap_or_default();
        settings.lines().any(|line| !line.trim().is_empty() && !line.starts_with('#'))
    };
    let size = data::size(data);
    let free = data::free_bytes(cache).unwrap_or_default();
    size <= LARGEST && size <= free / SHARE && !has_tablespaces() && !has_settings()
}

/// Whether a template may become another one although the recipe stays: by files, by other servers, by what a function asks for.
fn reads_elsewhere(recipe: &Recipe) -> bool {
    let migrations = recipe.applied.migrations();
    let fixtures = recipe.fixtures.iter().map(|(_, text)| text.as_str());
    let mut texts = migrations.iter().map(|migration| migration.script()).chain(fixtures);
    migrations.iter().any(|migration| migration.code().is_some())
        || texts.any(|text| {
            let text = text.to_ascii_lowercase();
            let copies = |statement: &str| statement.contains("copy") && statement.contains("from '");
            ELSEWHERE.iter().any(|word| text.contains(word)) || text.split(';').any(copies)
        })
}

/// The folders in a folder, the newest first.
fn entries(place: &Path) -> Vec<(Duration, PathBuf)> {
    let entries = std::fs::read_dir(place).into_iter().flatten().flatten();
    let mut entries: Vec<_> =
        entries.map(|entry| (age(&entry.path()).unwrap_or_default(), entry.path())).collect();
    entries.sort_unstable();
    entries
}

/// How long ago something was put into a folder. A time to come is now: clocks are set.
fn age(folder: &Path) -> Option<Duration> {
    let filled = std::fs::metadata(folder).ok()?.modified().ok()?;
    Some(SystemTime::now().duration_since(filled).unwrap_or_default())
}

/// `0` there has nothing kept.
const SWITCH: &str = "HABITAT_TEST_PREPARED";

/// What a script that reads elsewhere has.
const ELSEWHERE: [&str; 5] = ["pg_read_", "lo_import", "dblink", "foreign data", "program '"];

/// Linux says here which start of the machine this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

const SCRIPT: &str = include_str!("prepared.sh");

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What is not whole by then was left by a killed process.
const A_WHILE: Duration = Duration::from_secs(600);

/// So many are kept: the catalogs that one works on at a time. Each has some 35 MB.
const MOST: usize = 4;

/// A larger one is not worth its room, in bytes; nor is one that takes up more than an eighth of what is free.
const LARGEST: u64 = 512 << 20;
const SHARE: u64 = 8;
