//! What the numbers were measured on and with.

use std::fs;
use std::process::Command;
use std::thread;

use crate::Result;
use crate::server::Server;

/// The crates whose versions make a difference.
const CRATES: [&str; 8] = [
    "habitat-migrate",
    "postgres",
    "tokio-postgres",
    "refinery",
    "refinery-core",
    "sqlx",
    "diesel",
    "diesel_migrations",
];

/// The machine, the compiler, the version of the servers, the crates of a test; no date.
pub(crate) fn equipment(server: &str) -> Result<String> {
    let mut parts = base()?;
    parts.push(format!("PostgreSQL {server}"));
    Ok(format!(
        "{}; {}",
        parts.join(", "),
        versions(&["habitat-migrate", "postgres", "tokio-postgres", "sqlx"])
    ))
}

/// One paragraph: machine, compiler, server, crates, date.
pub(crate) fn describe(server: Option<&Server>) -> Result<String> {
    let mut parts = base()?;
    if let Some(server) = server {
        parts.push(format!(
            "PostgreSQL {}",
            server.ask("SELECT pg_catalog.current_setting('server_version')")?
        ));
        let durable = server.ask("SELECT pg_catalog.current_setting('fsync')")?;
        let folder = server.ask("SELECT pg_catalog.current_setting('data_directory')")?;
        let place = if folder.starts_with("/dev/shm") { "in memory" } else { "on a disk" };
        parts.push(format!("fsync {durable}, its data {place}"));
    }
    Ok(format!("Measured on {} with {}; {}.", today()?, parts.join(", "), versions(&CRATES)))
}

fn base() -> Result<Vec<String>> {
    let cores = thread::available_parallelism()?;
    Ok(vec![format!("{cores} cores of {}", processor()), std::env::consts::OS.to_owned(), compiler()?])
}

fn versions(crates: &[&str]) -> String {
    let versions = crates.iter().filter_map(|name| Some(format!("{name} {}", locked_version(name)?)));
    versions.collect::<Vec<_>>().join(", ")
}

fn processor() -> String {
    let linux = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    linux
        .or_else(|| output("sysctl", &["-n", "machdep.cpu.brand_string"]).ok())
        .unwrap_or("an unknown processor".into())
}

fn compiler() -> Result<String> {
    let version = output("rustc", &["--version"])?;
    // Without the commit and date in parentheses.
    Ok(version.split(" (").next().unwrap_or(&version).to_owned())
}

fn today() -> Result<String> {
    output("date", &["+%Y-%m-%d"])
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("{program} failed: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The version of a package that this one depends on, by the workspace's lock file.
fn locked_version(package: &str) -> Option<&'static str> {
    let lock = include_str!("../../Cargo.lock");
    let entry =
        |name: &str| lock.split_once(&format!("name = \"{name}\"\nversion = \"")).map(|(_, rest)| rest);
    // Where the workspace has several versions, whoever depends on one says which.
    let ours = entry(env!("CARGO_PKG_NAME"))?.split("[[package]]").next()?;
    match ours.split_once(&format!(" \"{package} ")) {
        Some((_, version)) => version.split('"').next(),
        None => entry(package)?.split('"').next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_versions_the_one_that_is_measured_is_named() {
        let declared = include_str!("../Cargo.toml");
        for package in ["sqlx", "refinery"] {
            let (_, rest) = declared.split_once(&format!("\n{package} = {{ version = \"")).unwrap();
            let version = rest.split('"').next().unwrap();
            assert!(locked_version(package).unwrap().starts_with(version), "{package}");
        }
        assert_eq!(locked_version("no-such-package"), None);
    }
}
