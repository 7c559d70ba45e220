//! This machine, as the search for binaries sees it.

use std::ffi::OsString;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
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

impl Machine<'_> {
    /// The file in the cache with what this program has said, and this account could run it: another name for another
    /// program at the same place.
    fn name_of_answer(&self, postgres: &Path) -> Option<String> {
        let found = std::fs::metadata(postgres).ok()?;
        let mut hasher = DefaultHasher::new();
        postgres.hash(&mut hasher);
        (found.dev(), found.ino(), found.size(), found.mtime(), found.ctime()).hash(&mut hasher);
        self.account.map(|account| account.uid).hash(&mut hasher);
        Some(format!("{:016x}.version", hasher.finish()))
    }
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
        // Asking takes longer than finding a server that runs: each process of a test would do it again.
        let known = self.cache.and_then(|cache| Some(cache.root().join(self.name_of_answer(postgres)?)));
        let answer = known.as_deref().and_then(|known| std::fs::read_to_string(known).ok());
        let whole = answer.filter(|line| line.ends_with('\n'));
        if let Some(version) = whole.and_then(|line| Version::parse(&line)) {
            return Ok(version);
        }
        let mut command = Command::new(postgres);
        command.arg("--version");
        Account::apply(self.account, &mut command);
        let line = program::output(&mut command).map_err(|error| format!("{error:?}"))?;
        let version = Version::parse(&line).ok_or_else(|| format!("it says {:?}", line.trim()))?;
        if let Some(known) = known {
            // What is not written, or only by half, is asked for again.
            let _ = std::fs::write(known, line);
        }
        Ok(version)
    }

    fn fetched(&self) -> Option<PathBuf> {
        self.cache.map(Cache::packages)
    }
}
