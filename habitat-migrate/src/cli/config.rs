//! What flags, variables and `habitat.toml` say: [`Settings`]. A flag comes before a variable, a variable before the file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use habitat_migrate_catalog::{Layout, nearest};

use super::failure::Failure;
use super::variables::{Variables, upwards};

mod flags;
mod key;
mod read;
#[cfg(test)]
mod schema;

pub(crate) use flags::Flags;
use key::{KEYS, Key};

/// The name of the file.
pub(crate) const FILE: &str = "habitat.toml";

/// Everything that is set, with where it was. Its `Debug` tells who said what, without the values: passwords are among them.
#[derive(Default)]
pub(crate) struct Settings {
    values: BTreeMap<&'static str, Said>,
    pub(crate) folders: Vec<FolderOf>,
    pub(crate) placeholders: BTreeMap<String, String>,
    /// The file, and the folder that its paths begin in.
    pub(crate) file: Option<PathBuf>,
}

/// A value, and who said it: `--lock-wait`, `HABITAT_LOCK_WAIT`, `habitat.toml:3:13`.
#[derive(Clone)]
pub(crate) struct Said {
    pub(crate) value: String,
    pub(crate) by: String,
}

/// A folder of scripts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FolderOf {
    pub(crate) path: PathBuf,
    pub(crate) context: Option<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("values", &self.values)
            .field("folders", &self.folders)
            .field("placeholders", &self.placeholders.keys())
            .field("file", &self.file)
            .finish()
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}", self.by)
    }
}

impl Settings {
    /// Reads all three sources.
    pub(crate) fn read(flags: &Flags, variables: &Variables, folder: &Path) -> Result<Self, Failure> {
        let named = flags.get("config").map(str::to_owned).or_else(|| variables.get("HABITAT_CONFIG"));
        let file = match named {
            Some(path) => Some(folder.join(path)),
            None => upwards(folder, FILE),
        };
        let environment = |file: Option<String>| {
            let said = flags.get("environment").map(str::to_owned);
            said.or_else(|| variables.get("HABITAT_ENVIRONMENT")).or(file)
        };
        let mut settings = match &file {
            Some(path) => read::file(path, environment)?,
            None => Self::default(),
        };
        for key in KEYS {
            if let Some(value) = variables.get(&key.variable()) {
                settings.set(key, value, key.variable())?;
            }
        }
        // What every tool of this kind understands.
        if let Some((name, value)) = variables.first(&["HABITAT_DATABASE_URL", "DATABASE_URL"]) {
            settings.values.insert("database-url", Said { value, by: name.to_owned() });
        }
        for key in KEYS {
            if let Some(value) = flags.get(key.flag) {
                settings.set(key, value.to_owned(), format!("--{}", key.flag))?;
            }
        }
        settings.folders_said(flags, variables, folder)?;
        settings.placeholders_said(flags, variables)?;
        settings.file = file;
        Ok(settings)
    }

    fn set(&mut self, key: &Key, value: String, by: String) -> Result<(), Failure> {
        let said = Said { value, by };
        if let Err((message, help)) = key.check(&said.value) {
            return Err(Failure::usage(format!("{}: {message}", said.by), help));
        }
        self.values.insert(key.flag, said);
        Ok(())
    }

    fn folders_said(&mut self, flags: &Flags, variables: &Variables, folder: &Path) -> Result<(), Failure> {
        let mut said: Vec<String> = flags.source.clone();
        if said.is_empty() {
            let listed = variables.get("HABITAT_SOURCE");
            said = listed.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        }
        if said.is_empty() {
            return Ok(());
        }
        self.folders.clear();
        for said in said {
            let (context, path) = match said.split_once('=') {
                Some((context, path)) => (Some(context.to_owned()), path),
                None => (None, said.as_str()),
            };
            if path.is_empty() {
                let help = "write --source FOLDER, or --source CONTEXT=FOLDER";
                return Err(Failure::usage("a source has no folder", help));
            }
            self.folders.push(FolderOf { path: relative(folder, path), context });
        }
        Ok(())
    }

    fn placeholders_said(&mut self, flags: &Flags, variables: &Variables) -> Result<(), Failure> {
        let listed = variables.get("HABITAT_SET");
        let listed = listed.iter().flat_map(|list| list.split(',')).map(str::to_owned);
        for said in listed.chain(flags.set.iter().cloned()) {
            let Some((name, value)) = said.split_once('=') else {
                return Err(Failure::usage("a placeholder has no value", "write --set NAME=VALUE"));
            };
            self.placeholders.insert(name.trim().to_owned(), value.to_owned());
        }
        Ok(())
    }

    /// A value, by the name of its flag.
    pub(crate) fn get(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).map(|said| said.value.as_str())
    }

    /// Who said a value.
    pub(crate) fn by(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).map(|said| said.by.as_str())
    }

    /// A length of time; it was checked when it was read.
    pub(crate) fn duration(&self, flag: &str) -> Option<Duration> {
        self.get(flag).and_then(key::duration)
    }

    pub(crate) fn layout(&self) -> Option<Layout> {
        self.get("layout").and_then(|name| name.parse().ok())
    }

    /// A whole number; it was checked when it was read.
    pub(crate) fn count(&self, flag: &str) -> Option<u32> {
        self.get(flag).and_then(|text| text.parse().ok())
    }

    /// The parts of a list.
    pub(crate) fn list(&self, flag: &str) -> impl Iterator<Item = &str> {
        self.get(flag)
            .into_iter()
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .filter(|part| !part.is_empty())
    }

    /// A file that the configuration names, from the folder that it is in.
    pub(crate) fn path(&self, flag: &str) -> Option<PathBuf> {
        self.get(flag).map(|path| self.path_of(flag, path))
    }

    /// Files that the configuration names, likewise.
    pub(crate) fn paths(&self, flag: &str) -> impl Iterator<Item = PathBuf> {
        self.list(flag).map(move |path| self.path_of(flag, path))
    }

    fn path_of(&self, flag: &str, path: &str) -> PathBuf {
        let by = self.by(flag).unwrap_or_default();
        let from_file = !by.starts_with("--") && !by.starts_with("HABITAT_");
        let folder = self.file.as_deref().and_then(Path::parent).filter(|_| from_file);
        folder.map_or_else(|| PathBuf::from(path), |folder| relative(folder, path))
    }
}

/// A path as it was written, from a folder; without the folder where that is the working one.
pub(crate) fn relative(folder: &Path, path: &str) -> PathBuf {
    let is_here = std::env::current_dir().is_ok_and(|here| here == folder);
    if is_here { PathBuf::from(path) } else { folder.join(path) }
}

/// What a person may have meant.
pub(crate) fn suggestion<'a>(word: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    match nearest(word, known.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("there are: {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Said, Settings};

    #[test]
    fn r47_settings_tell_who_said_what_and_no_value() {
        let mut settings = Settings::default();
        let value = "postgres://app:hunter2@db/shop".to_owned();
        settings.values.insert("database-url", Said { value, by: "DATABASE_URL".to_owned() });
        settings.placeholders.insert("token".to_owned(), "hunter2".to_owned());
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("by DATABASE_URL") && shown.contains("\"token\""), "{shown}");
    }
}
