//! A server's folder: where it is put, its initialised data folder and its settings.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::binaries::Installation;
use super::builder::Durability;
use super::cache::{Cache, Staging};
use super::error::{Kind, ServerError};
use super::program;

/// Where a server's folder may be, best first: in memory if there is room, unless it is to survive a crash.
pub(super) fn parents(durability: Durability, account: Option<&Account>) -> Vec<PathBuf> {
    let mut parents = places(durability, account);
    parents
        .retain(|parent| parent != Path::new(MEMORY) || free_bytes(MEMORY).is_some_and(|free| free >= ROOM));
    parents
}

/// The same, whether there is room or not.
pub(super) fn places(durability: Durability, account: Option<&Account>) -> Vec<PathBuf> {
    let first = match durability {
        Durability::ForTests => MEMORY,
        // /tmp is in memory on some systems, /var/tmp never is.
        Durability::Durable => "/var/tmp",
    };
    let mut places = vec![PathBuf::from(first), std::env::temp_dir(), PathBuf::from("/tmp")];
    places.retain(|place| is_short(place) && (account.is_none() || usable_by_all(place)));
    places
}

/// Whether a server's socket can be in a folder of this one.
pub(super) fn is_short(parent: &Path) -> bool {
    parent.is_absolute() && parent.as_os_str().len() <= LONGEST_PARENT
}

/// Linux's file system in memory.
const MEMORY: &str = "/dev/shm";

/// Room for some databases; containers often have 64 MB there.
const ROOM: u64 = 1 << 30;

/// A socket's path has at most 103 bytes on macOS and 107 on Linux; the folder's name and the socket's take 50.
const LONGEST_PARENT: usize = 50;

pub(super) fn free_bytes(folder: impl AsRef<Path>) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder.as_ref()).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

/// How many bytes there is room for: on the file system and, since what is there may be in memory, in the group of processes
/// that a container is.
pub(super) fn room(folder: &Path) -> u64 {
    let number = |name| std::fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?.trim().parse().ok();
    let (most, used): (Option<u64>, Option<u64>) = (number("memory.max"), number("memory.current"));
    let group = most.map_or(u64::MAX, |most| most.saturating_sub(used.unwrap_or_default()));
    free_bytes(folder).unwrap_or_default().min(group)
}

fn usable_by_all(folder: &Path) -> bool {
    let has = |folder: &Path, bits| std::fs::metadata(folder).is_ok_and(|found| found.mode() & bits == bits);
    has(folder, 0o003) && folder.ancestors().skip(1).all(|above| has(above, 0o001))
}

/// How large the files are in which a server keeps its log of writes. The first of them is there from the start, and
/// is copied with the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Segments {
    Usual,
    /// 1 MB instead of 16: a new data folder is half as large.
    Small,
}

/// Makes `data` an initialised data folder: a copy of the one in the cache, which is made first if need be.
pub(super) fn initialise(
    data: &Path,
    installation: &Installation,
    account: Option<&Account>,
    cache: Option<&Cache>,
    segments: Segments,
) -> Result<(), ServerError> {
    if let Some(template) = cache.and_then(|cache| template(cache, installation, account, segments).ok()) {
        let mut copy = Command::new("/bin/sh");
        copy.args(["-c", COPY, "habitat-migrate-copy"]).arg(template).arg(data);
        Account::apply(account, &mut copy);
        if program::output(&mut copy).is_ok() {
            return Ok(());
        }
        let _ = std::fs::remove_dir_all(data);
    }
    program::output(initdb(data, installation, account, segments).arg("--no-sync"))?;
    slim(data, account);
    Ok(())
}

/// Copies a data folder in two parts side by side, as nearly all of its files are those of three databases.
const COPY: &str = r#"
from=$1 to=$2
umask 077
mkdir "$to" "$to/base" || exit 1
set --
for each in "$from"/*; do
    [ "$each" = "$from/base" ] || set -- "$@" "$each"
done
databases=$(ls "$from/base")
first=${databases%%[!0-9]*}
{ cp -R "$@" "$to/" && cp -R "$from/base/$first" "$to/base/"; } &
half=$!
set --
for each in $databases; do
    [ "$each" = "$first" ] || set -- "$@" "$from/base/$each"
done
cp -R "$@" "$to/base/" && wait "$half"
"#;

/// Removes what makes every copy take longer: the maps of free space and of visibility, a quarter of all files, since every
/// database is copied and dropped file by file, and files of the log that wait to be used again. The server does without
/// them, and makes them anew. By the account that owns them, as links there must not lead root elsewhere; those that stay do no harm.
/// <https://www.postgresql.org/docs/current/storage-fsm.html>, <https://www.postgresql.org/docs/current/wal-configuration.html>
fn slim(data: &Path, account: Option<&Account>) {
    let mut remove = Command::new("/bin/sh");
    remove.args(["-c", SLIM, "habitat-migrate-slim"]).arg(data);
    Account::apply(account, &mut remove);
    let _ = program::output(&mut remove);
}

/// A file of the log that is in use begins with its own address, which its name tells; one that is not has that of its last use.
const SLIM: &str = r#"
rm -f "$1"/base/*/*_fsm "$1"/base/*/*_vm
cd "$1/pg_wal" || exit 0
for each in ????????????????????????; do
    [ -f "$each" ] || continue
    number=${each#????????} size=$(wc -c <"$each") found=$(od -An -t u8 -j 8 -N 8 "$each")
    address=$((0x${number%????????} * 4294967296 + 0x${number#????????} * size))
    [ "$((found))" -ge 0 ] && [ -n "$found" ] && [ "$((found))" -ne "$address" ] && rm -f "$each"
done
exit 0
"#;

impl Segments {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Usual => &[],
            Self::Small => &["--wal-segsize=1"],
        }
    }
}

fn template(
    cache: &Cache,
    installation: &Installation,
    account: Option<&Account>,
    segments: Segments,
) -> Result<PathBuf, ServerError> {
    let name = template_name(installation, account, segments);
    let data = cache.templates().join(&name);
    if !data.exists() {
        let lock = cache.lock(&name)?;
        if !data.exists() {
            let staging = Staging::new(&cache.templates(), &name)?;
            Account::give(account, staging.folder())?;
            // Synced, as it stays: a crash of the machine must not leave an empty file to every later server.
            // Under the lock until it ends: it crashes if its folder is removed, and leaves shared memory behind.
            let mut initdb = initdb(&staging.folder().join("data"), installation, account, segments);
            program::output_under(&mut initdb, &lock)?;
            slim(&staging.folder().join("data"), account);
            staging.finish("data", &name)?;
        }
    }
    Ok(data)
}

/// Told apart by everything that can change what initdb makes, or who can read it.
pub(super) fn template_name(
    installation: &Installation,
    account: Option<&Account>,
    segments: Segments,
) -> String {
    let mut hasher = DefaultHasher::new();
    installation.version.line.hash(&mut hasher);
    installation.bin.hash(&mut hasher);
    account.map(|account| account.uid).hash(&mut hasher);
    (std::env::consts::ARCH, INITDB, segments.options(), SLIM).hash(&mut hasher);
    format!("{}-{:016x}", installation.version.number, hasher.finish())
}

fn initdb(
    data: &Path,
    installation: &Installation,
    account: Option<&Account>,
    segments: Segments,
) -> Command {
    let mut command = Command::new(installation.bin.join("initdb"));
    // Its search for the time zone that the system's clock is in takes longer than the rest of its start.
    command.args(INITDB).args(segments.options()).arg("-D").arg(data).env("TZ", "UTC").env("LC_ALL", "C");
    Account::apply(account, &mut command);
    command
}

/// The same collation on every machine. Only the server's own account can reach the socket's folder, hence `trust`.
const INITDB: [&str; 4] = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C"];

/// Appends to the data folder's settings; the last line that names a setting counts.
pub(super) fn configure(data: &Path, settings: &[(&str, &str)]) -> Result<(), ServerError> {
    let mut text = String::from("\n# habitat-migrate\n");
    for (name, value) in settings {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(&byte))
        {
            return Err(Kind::Setting { name: (*name).to_owned() }.into());
        }
        let value = value.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n");
        text.push_str(&format!("{name} = '{value}'\n"));
    }
    let path = data.join("postgresql.conf");
    let write = File::options().append(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes()));
    write.map_err(|source| Kind::Io { what: "write", path, source }.into())
}

/// Puts a file of the user's into the data folder, readable by the server only, as it wants a private key.
pub(super) fn put(
    data: &Path,
    name: &str,
    text: &[u8],
    account: Option<&Account>,
) -> Result<(), ServerError> {
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, fchown};
    let path = data.join(name);
    let write = || {
        let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        if let Some(account) = account {
            fchown(&file, Some(account.uid), Some(account.gid))?;
        }
        file.write_all(text)
    };
    write().map_err(|source| Kind::Io { what: "write", path: path.clone(), source }.into())
}

/// All of a log.
pub(super) fn log(path: &Path) -> Result<String, ServerError> {
    let log = std::fs::read(path).map_err(|source| Kind::Io { what: "read", path: path.into(), source })?;
    Ok(String::from_utf8_lossy(&log).into_owned())
}

/// What the server has logged since its log was `from` bytes long, for a message: the last lines of it.
pub(super) fn end_of_log(path: &Path, from: u64) -> String {
    let log = std::fs::read(path).unwrap_or_default();
    let from = usize::try_from(from).unwrap_or(usize::MAX).min(log.len());
    let from = from.max(log.len().saturating_sub(4000));
    String::from_utf8_lossy(&log[from..]).into_owned()
}

/// How many bytes the files of a folder have.
pub(super) fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        found => found.map_or(0, |found| found.len()),
    };
    entries.map(bytes).sum()
}

/// A path as a server's setting or argument.
pub(super) fn text(path: &Path) -> String {
    String::from_utf8_lossy(path.as_os_str().as_bytes()).into_owned()
}
