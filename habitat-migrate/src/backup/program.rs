//! `pg_dump` and `pg_restore`: where they are, and how they are run.

use std::borrow::BorrowMut;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use super::error::{Cause, Error, Result};
use crate::client::Client;
use crate::provision::Connection;

/// The folders that are looked into; the usual ones if none is named.
#[derive(Clone, Debug, Default)]
pub(super) struct Folders(Option<PathBuf>);

/// The programs of one version.
#[derive(Debug)]
pub(super) struct Tools {
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Tool {
    Dump,
    Restore,
}

impl Folders {
    pub(super) fn named(folder: PathBuf) -> Self {
        Self(Some(folder))
    }

    /// The programs that fit a server best: those of its own version, or else of the nearest newer one. A `pg_restore` that is much newer
    /// sends settings that the server does not know.
    pub(super) fn find(&self, server: u32) -> Result<Tools> {
        let mut tried = Vec::new();
        let mut best: Option<(u32, PathBuf)> = None;
        for folder in self.all() {
            match version(&folder) {
                Ok(version) if version >= server => {
                    if best.as_ref().is_none_or(|(other, _)| version < *other) {
                        best = Some((version, folder));
                    }
                }
                Ok(version) => tried.push(format!("{} has those of PostgreSQL {version}", folder.display())),
                Err(why) => tried.push(format!("{} {why}", folder.display())),
            }
        }
        match best {
            Some((_, folder)) => Ok(Tools { folder }),
            None => Err(Error::new(Cause::NoProgram { wanted: server, tried })),
        }
    }

    fn all(&self) -> Vec<PathBuf> {
        if let Some(folder) = &self.0 {
            return vec![folder.clone()];
        }
        let variable = std::env::var_os("HABITAT_PG_BIN").filter(|value| !value.is_empty());
        let mut folders: Vec<PathBuf> = variable.map(PathBuf::from).into_iter().collect();
        for (parent, prefix, inner) in PLACES {
            let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
            let fits = |entry: &std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with(prefix);
            folders.extend(entries.filter(fits).map(|entry| entry.path().join(inner)));
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        folders.extend(std::env::split_paths(&path).filter(|folder| folder.is_absolute()));
        folders.retain(|folder| Tool::Dump.within(folder).exists());
        folders
    }
}

/// Where packages put them: the parent, how the folder of a version begins, and the folder of programs in it.
const PLACES: [(&str, &str, &str); 6] = [
    ("/usr/lib/postgresql", "", "bin"),
    ("/usr", "pgsql-", "bin"),
    ("/opt/homebrew/opt", "postgresql", "bin"),
    ("/usr/local/opt", "postgresql", "bin"),
    ("/home/linuxbrew/.linuxbrew/opt", "postgresql", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "", "bin"),
];

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::Dump => "pg_dump",
            Self::Restore => "pg_restore",
        }
    }

    fn within(self, folder: &Path) -> PathBuf {
        folder.join(format!("{}{}", self.name(), std::env::consts::EXE_SUFFIX))
    }
}

impl Tools {
    /// The program, told in its environment how to connect: nobody else reads that, as everybody reads arguments.
    pub(super) fn command(&self, tool: Tool, connection: &Connection) -> Command {
        let mut command = self.local(tool);
        for (name, value) in connection.variables() {
            command.env(name, value.as_str());
        }
        command
    }

    /// The program, with nothing of its caller's own settings for libpq.
    pub(super) fn local(&self, tool: Tool) -> Command {
        let mut command = Command::new(tool.within(&self.folder));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        // Messages are read by whoever reads the error.
        command.env("LC_MESSAGES", "C").stdin(Stdio::null());
        command
    }
}

/// `--dbname=dbname='…'`: a name with `=` in it would be taken for a connection string.
pub(super) fn to_database(name: &str) -> String {
    format!("--dbname=dbname='{}'", name.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Runs a program to its end and gives what it printed; the client's way of waiting is used meanwhile.
pub(super) async fn run<C: Client>(client: &mut C, mut command: impl BorrowMut<Command>) -> Result<String> {
    const POLL: Duration = Duration::from_millis(10);
    let command = command.borrow_mut().stdout(Stdio::piped()).stderr(Stdio::piped());
    let program = PathBuf::from(command.get_program());
    let failed = |error| Error::file(&program, "cannot be run", error);
    let mut running = Running(command.spawn().map_err(failed)?);
    let printed = reader(running.0.stdout.take());
    let said = reader(running.0.stderr.take());
    let status = loop {
        if let Some(status) = running.0.try_wait().map_err(failed)? {
            break status;
        }
        client.pause(POLL).await;
    };
    let printed = printed.join().unwrap_or_default();
    let said = said.join().unwrap_or_default();
    if status.success() {
        return Ok(printed);
    }
    let name = program.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let said = if said.trim().is_empty() { status.to_string() } else { said };
    let prefix = format!("{name}: ");
    let said: Vec<&str> = said.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line)).collect();
    Err(Error::new(Cause::Program { name, said: said.join("\n") }))
}

/// A program that is killed with the work that it is for.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless the work was dropped.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came until then is all that there is to tell.
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// The major version of both programs in a folder.
fn version(folder: &Path) -> std::result::Result<u32, String> {
    let [dump, restore] = [Tool::Dump, Tool::Restore].map(|tool| {
        let output = Command::new(tool.within(folder)).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|error| format!("has no {} that runs: {error}", tool.name()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        major(&text).ok_or_else(|| format!("has one that says {:?}", text.trim()))
    });
    Ok(dump?.min(restore?))
}

/// `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`
fn major(line: &str) -> Option<u32> {
    let number = line.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_distributions_and_betas_are_understood() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n"), Some(15));
        assert_eq!(major("pg_restore (PostgreSQL) 19devel"), Some(19));
        assert_eq!(major("no such thing"), None);
    }

    #[test]
    fn a_name_of_a_database_is_no_connection_string() {
        assert_eq!(to_database("a=b 'c' \\d"), r"--dbname=dbname='a=b \'c\' \\d'");
    }

    #[cfg(unix)]
    #[test]
    fn the_nearest_version_that_is_not_older_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let fake = |version: u32| {
            for name in ["pg_dump", "pg_restore"] {
                // Another process writes it: one that this process had open for writing could not be run by its other tests' children.
                let script = format!(
                    "printf '#!/bin/sh\\necho \"{name} (PostgreSQL) {version}.1\"\\n' > {name} && chmod 755 {name}"
                );
                let written = Command::new("sh").args(["-c", &script]).current_dir(folder.path()).status();
                assert!(written.expect("a shell").success());
            }
        };
        let folders = Folders::named(folder.path().to_owned());
        fake(16);
        assert_eq!(folders.find(16).expect("found").folder, folder.path());
        assert_eq!(folders.find(14).expect("found").folder, folder.path());
        let error = folders.find(17).expect_err("too old");
        assert_eq!(error.to_string(), "no pg_dump and pg_restore of PostgreSQL 17 or newer on this machine");
        assert!(format!("{error:?}").contains("has those of PostgreSQL 16"), "{error:?}");
        assert!(
            format!("{error:?}").contains("= next: install PostgreSQL 17's client programs"),
            "{error:?}"
        );
    }
}
