//! From sources to a catalog: [`Loader`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use crate::backfill;
use crate::directive::Directives;
use crate::folder::{Placed, scripts};
use crate::graph::{External, Graph, Node, orphan};
use crate::name::{FileName, Role};
use crate::script::Script;
use crate::value::Requirement;
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
        let mut files: BTreeMap<MigrationId, Files> = BTreeMap::new();
        let mut nodes = Vec::new();
        for source in &self.sources {
            for placed in scripts(source.as_ref(), &mut problems) {
                if let Some((id, read)) = read(placed, &mut problems) {
                    let files = files.entry(id.clone()).or_default();
                    files.add(id, read, &mut nodes, &mut problems);
                }
            }
        }
        if self.sources.is_empty() {
            problems.push(Problem::new("", "there is no source to load migrations from"));
        }
        let mut orphans = Vec::new();
        for (id, files) in files {
            match files.into_node(&id, &mut problems) {
                Ok(node) => nodes.push(node),
                Err(scripts) => {
                    orphans.extend(scripts.into_iter().map(|(role, path)| (id.clone(), role, path)))
                }
            }
        }
        let graph = Graph::new(nodes, &mut problems);
        problems.extend(orphans.iter().map(|(id, role, path)| orphan(&graph, id, *role, path)));
        let migrations = graph.into_ordered(&External::Declared(self.external), &mut problems);
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => Ok(Catalog::from_checked(migrations, Vec::new())),
        }
    }
}

/// One script of a migration.
struct Read {
    kind: Kind,
    role: Role,
    path: String,
    /// The script, unless nothing of it could be read.
    script: Option<Script>,
}

/// Takes a file's name apart and reads its script.
fn read(placed: Placed, problems: &mut Vec<Problem>) -> Option<(MigrationId, Read)> {
    let Placed { context, name, path, file } = placed;
    let name = match FileName::parse(&name) {
        Ok(name) => name,
        Err(bad) => {
            problems.push(Problem::new(path, bad.message).with_help(bad.help));
            return None;
        }
    };
    let script = match file.into_bytes() {
        Ok(bytes) => Script::read(&path, bytes.into_owned(), name.role, problems),
        Err(reason) => {
            problems.push(Problem::new(&path, format!("the file cannot be read: {reason}")));
            None
        }
    };
    Some((MigrationId::new(context, name.version), Read { kind: name.kind, role: name.role, path, script }))
}

/// The scripts of one migration.
#[derive(Default)]
struct Files {
    up: Option<Read>,
    down: Option<Read>,
    verify: Option<Read>,
}

impl Files {
    fn add(&mut self, id: MigrationId, read: Read, nodes: &mut Vec<Node>, problems: &mut Vec<Problem>) {
        let slot = match read.role {
            Role::Up => &mut self.up,
            Role::Down => &mut self.down,
            Role::Verify => &mut self.verify,
        };
        match slot {
            None => *slot = Some(read),
            // The graph tells about a migration that there is twice, as about a number that there is twice.
            Some(_) if read.role == Role::Up => {
                let Read { kind, path, .. } = read;
                nodes.push(Node { id, kind, path, migration: None, requires: Vec::new() });
            }
            Some(first) => {
                let message = format!("{id} has two {}s: {} and {}", read.role.noun(), first.path, read.path);
                problems.push(Problem::new(read.path, message).with_help("remove one of them"));
            }
        }
    }

    /// The migration of these scripts, or the scripts that have none.
    fn into_node(self, id: &MigrationId, problems: &mut Vec<Problem>) -> Result<Node, Vec<(Role, String)>> {
        let Self { up, down, verify } = self;
        let Some(up) = up else {
            return Err([down, verify].into_iter().flatten().map(|read| (read.role, read.path)).collect());
        };
        let mode = up.script.as_ref().map(|script| script.directives.settings.transaction);
        let texts = [down, verify].map(|read| {
            let script = read?.script?;
            // Without the migration it is not known how its down script runs.
            if let Some(mode) = mode {
                script.check(mode, problems);
            }
            Some(Cow::Owned(script.text))
        });
        let mut node =
            Node { id: id.clone(), kind: up.kind, path: up.path, migration: None, requires: Vec::new() };
        let Some(script) = up.script else { return Ok(node) };
        script.check(script.directives.settings.transaction, problems);
        backfill::check(&script, up.kind, problems);
        node.requires = required(&script.directives, id);
        let [down, verify] = texts;
        let Directives { description, settings, .. } = script.directives;
        let mut requires: Vec<MigrationId> = Vec::new();
        for (required, _) in &node.requires {
            if !requires.contains(required) {
                requires.push(required.clone());
            }
        }
        node.migration = Some(Migration::from_parts(Parts {
            id: id.clone(),
            kind: up.kind,
            path: script.path.into(),
            description: description.unwrap_or_else(|| words_of(id.version())).into(),
            checksum: Checksum::of(&script.text),
            script: script.text.into(),
            down,
            verify,
            requires: requires.into(),
            settings,
        }));
        Ok(node)
    }
}

/// What a script's directives require, by the migration that has them.
fn required(directives: &Directives, id: &MigrationId) -> Vec<(MigrationId, Option<usize>)> {
    let name = |requirement: &Requirement| {
        let context = requirement.context.clone().unwrap_or_else(|| id.context().to_owned());
        (MigrationId::new(context, Version::new(requirement.version.clone())), Some(requirement.offset))
    };
    directives.requires.iter().map(name).collect()
}

/// `01_treasury_core` in words: `treasury core`.
fn words_of(version: &Version) -> String {
    let name = version.as_str();
    let name =
        name.strip_prefix("R__").unwrap_or_else(|| name.trim_start_matches(|c: char| c.is_ascii_digit()));
    let words: Vec<&str> = name.split(['_', '-']).filter(|word| !word.is_empty()).collect();
    words.join(" ")
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
        let mut problems = Vec::new();
        let mut nodes = Vec::new();
        let mut folders = Vec::new();
        for catalog in catalogs {
            folders.extend(catalog.folders().iter().cloned());
            nodes.extend(catalog.migrations().iter().map(node_of));
        }
        let graph = Graph::new(nodes, &mut problems);
        let migrations = graph.into_ordered(&External::Absent, &mut problems);
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => Ok(Self::from_checked(migrations, folders)),
        }
    }
}

/// A migration that was checked, with the places of what it requires.
fn node_of(migration: &Migration) -> Node {
    let declared = match migration.requires() {
        [] => Vec::new(),
        _ => required(&Directives::of_checked(migration.script()), migration.id()),
    };
    let place =
        |id: &MigrationId| declared.iter().find(|(other, _)| other == id).and_then(|(_, offset)| *offset);
    Node {
        id: migration.id().clone(),
        kind: migration.kind(),
        path: migration.path().to_owned(),
        requires: migration.requires().iter().map(|id| (id.clone(), place(id))).collect(),
        migration: Some(migration.clone()),
    }
}

impl Settings {
    /// What the directives of a down or verify script of a catalog say: a role and timeouts of its own.
    pub fn of_script(text: &str) -> Self {
        Directives::of_checked(text).settings
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
