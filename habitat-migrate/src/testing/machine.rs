//! This machine, as the search for binaries sees it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::account::Account;
use super::binaries::{System, Version};
use super::cache::Cache;
use super::program;

pub(super) struct Machine<'a> {
    /// Programs that this account cannot run are of no use.
    pub(super) account: Option<&'a Account>,
    pub(super) cache: Option<&'a Cache>,
}

impl System for Machine<'_> {
    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    fn list(&self, folder: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
    }

    fn real_folder(&self, file: &Path) -> Option<PathBuf> {
        Some(std::fs::canonicalize(file).ok()?.parent()?.to_owned())
    }

    fn pg_config_bindir(&self) -> Option<PathBuf> {
        let line = program::output(Command::new("pg_config").arg("--bindir")).ok()?;
        Some(PathBuf::from(line.trim()))
    }

    fn version(&self, postgres: &Path) -> Result<Version, String> {
        let mut command = Command::new(postgres);
        command.arg("--version");
        Account::apply(self.account, &mut command);
        let line = program::output(&mut command).map_err(|error| format!("{error:?}"))?;
        Version::parse(&line).ok_or_else(|| format!("it says {:?}", line.trim()))
    }

    fn fetched(&self) -> Option<PathBuf> {
        self.cache.map(Cache::packages)
    }
}
