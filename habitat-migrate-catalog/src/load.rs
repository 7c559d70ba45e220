//! From sources to a catalog: [`Loader`].

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;

use crate::source::shown_path;
use crate::{
    Catalog, Checksum, Directory, Kind, Migration, MigrationId, Parts, Problem, Problems, Scripts, Settings,
    Source, Version,
};

/// Reads sources, checks everything, and gives a [`Catalog`] or every problem that it found.
///
/// ```no_run
/// use habitat_migrate_catalog::{Directory, Loader};
///
/// let catalog = Loader::new()
///     .source(Directory::new("migrations/agreements"))
///     .external("people")
///     .load()?;
/// # Ok::<(), habitat_migrate_catalog::Problems>(())
/// ```
#[derive(Default)]
pub struct Loader<'a> {
    sources: Vec<Box<dyn Source + 'a>>,
    external: BTreeSet<String>,
}

impl<'a> Loader<'a> {
    /// A loader without sources.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source. Several may contribute to one context.
    #[must_use]
    pub fn source(mut self, source: impl Source + 'a) -> Self {
        self.sources.push(Box::new(source));
        self
    }

    /// Declares that migrations of this context are known elsewhere: they may be required although no source holds them.
    #[must_use]
    pub fn external(mut self, context: impl Into<String>) -> Self {
        self.external.insert(context.into());
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// Every problem of every file, sorted by path, line and column.
    pub fn load(self) -> Result<Catalog, Problems> {
        let mut problems = Vec::new();
        let mut migrations = Vec::new();
        for source in &self.sources {
            let files = match source.files() {
                Ok(files) => files,
                Err(more) => {
                    problems.extend(more);
                    continue;
                }
            };
            for file in files {
                let path = shown_path(&source.prefix(), file.path());
                let context = match file.path().rsplit_once('/') {
                    Some((folder, _)) => folder.to_owned(),
                    None => source.context().unwrap_or_else(|| source.name()).into_owned(),
                };
                let name = file.path().rsplit('/').next().unwrap_or_default();
                let Some(stem) = name.strip_suffix(".sql") else { continue };
                let Ok(text) = std::str::from_utf8(file.bytes().unwrap_or_default()) else {
                    problems.push(Problem::new(path, "the script is not UTF-8"));
                    continue;
                };
                migrations.push(Migration::from_parts(Parts {
                    id: MigrationId::new(context, Version::new(stem.to_owned())),
                    kind: Kind::Versioned,
                    path: path.into(),
                    description: stem.to_owned().into(),
                    script: text.to_owned().into(),
                    checksum: Checksum::of(text),
                    down: None,
                    verify: None,
                    requires: Cow::Borrowed(&[]),
                    settings: Settings::DEFAULT,
                }));
            }
        }
        migrations.sort_by(|a, b| a.id().cmp(b.id()));
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => Ok(Catalog::from_checked(migrations, Vec::new())),
        }
    }
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("sources", &self.sources.len())
            .field("external", &self.external)
            .finish()
    }
}

impl Catalog {
    /// Loads one source.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn load(source: impl Source) -> Result<Self, Problems> {
        Loader::new().source(source).load()
    }

    /// Loads a folder that holds scripts, or one folder for each context.
    ///
    /// # Errors
    /// Every problem of every file.
    pub fn from_directory(path: impl Into<PathBuf>) -> Result<Self, Problems> {
        Self::load(Directory::new(path))
    }

    /// Loads scripts that are given as text: `[("01_table.sql", "CREATE TABLE …")]`.
    ///
    /// # Errors
    /// Every problem of every script.
    pub fn from_scripts<N, T>(
        context: impl Into<String>,
        scripts: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self, Problems>
    where
        N: Into<String>,
        T: Into<Cow<'static, str>>,
    {
        Self::load(Scripts::new(context, scripts))
    }

    /// Joins catalogs, and checks what they require of each other. A required context that none of them holds is external.
    ///
    /// # Errors
    /// A number that two of them have, a required migration that is not there, a cycle.
    pub fn combine(catalogs: impl IntoIterator<Item = Self>) -> Result<Self, Problems> {
        let migrations = catalogs.into_iter().flat_map(|catalog| catalog.migrations().to_vec()).collect();
        Ok(Self::from_checked(migrations, Vec::new()))
    }
}
