//! From sources to a catalog: [`Loader`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

use crate::backfill;
use crate::directive::Directives;
use crate::folder::scripts;
use crate::graph::{External, Graph, Node, orphan};
use crate::layout::{Read, read};
use crate::name::Role;
use crate::script;
use crate::value::Requirement;
use crate::{
    Catalog, Checksum, Directory, Kind, Layout, Migration, MigrationId, Parts, Problem, Problems, Scripts,
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
    layout: Option<Layout>,
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
    ///
    /// `context:version` declares one migration: a function of the program, which [`Catalog::with_code`] adds later.
    #[must_use]
    pub fn external(mut self, context: impl Into<String>) -> Self {
        self.external.insert(context.into());
        self
    }

    /// Says how the files of each source are named that does not say so itself; without it, their layouts are recognised.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
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
        let mut reads = Vec::new();
        for source in &self.sources {
            for placed in scripts(source.as_ref(), self.layout, &mut problems) {
                reads.extend(read(placed, &mut problems));
            }
        }
        join_by_number(&mut reads);
        for (id, read) in reads {
            let files = files.entry(id.clone()).or_default();
            files.add(id, read, &mut nodes, &mut problems);
        }
        if self.sources.is_empty() {
            problems.push(Problem::new("", "there is no source to load migrations from"));
        }
        let mut orphans = Vec::new();
        for (id, files) in files {
            match files.into_node(&id, &mut problems) {
                Ok(node) => nodes.push(node),
                Err(scripts) => orphans.extend(scripts.into_iter().map(|read| (id.clone(), read))),
            }
        }
        let graph = Graph::new(nodes, &mut problems);
        problems
            .extend(orphans.iter().map(|(id, read)| orphan(&graph, id, read.role, &read.path, read.layout)));
        let migrations = graph.into_ordered(&External::Declared(self.external), &mut problems);
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => Ok(Catalog::from_checked(migrations, Vec::new())),
        }
    }
}

/// Gives scripts of other tools the name of the migration that has their number: the tools go by the number alone.
fn join_by_number(reads: &mut [(MigrationId, Read)]) {
    let is_named = |read: &Read| read.layout.is_foreign() && read.kind == Kind::Versioned;
    let ups = reads.iter().filter(|(_, read)| is_named(read) && read.role == Role::Up);
    let mut ups: Vec<MigrationId> = ups.map(|(id, _)| id.clone()).collect();
    ups.sort();
    for (id, _) in reads.iter_mut().filter(|(_, read)| is_named(read) && read.role != Role::Up) {
        if ups.binary_search(id).is_err() {
            let same = |up: &&MigrationId| {
                up.context() == id.context() && up.version().compare_numbers(id.version()).is_eq()
            };
            if let Some(up) = ups.iter().find(same) {
                *id = up.clone();
            }
        }
    }
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
                nodes.push(Node::unread(id, kind, path));
            }
            Some(first) => {
                let message = format!("{id} has two {}s: {} and {}", read.role.noun(), first.path, read.path);
                problems.push(Problem::new(read.path, message).with_help("remove one of them"));
            }
        }
    }

    /// The migration of these scripts, or the scripts that have none.
    fn into_node(self, id: &MigrationId, problems: &mut Vec<Problem>) -> Result<Node, Vec<Read>> {
        let Self { up, down, verify } = self;
        let Some(up) = up else {
            return Err([down, verify].into_iter().flatten().collect());
        };
        let [down, verify] = [down, verify].map(|read| read?.script);
        let mut node = Node::unread(id.clone(), up.kind, up.path);
        let Some(script) = up.script else { return Ok(node) };
        script::check(&script, down.as_ref(), verify.as_ref(), problems);
        backfill::check(&script, up.kind, problems);
        node.requires = required(&script.directives, id);
        let transaction = script.mode();
        let Directives { description, replaces, mut settings, .. } = script.directives;
        settings.transaction = transaction;
        node.replaces = replaces.into_iter().map(|(version, offset)| (version, Some(offset))).collect();
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
            down: down.map(|script| script.text.into()),
            verify: verify.map(|script| script.text.into()),
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
pub(crate) fn words_of(version: &Version) -> String {
    let words: Vec<&str> = version.name().split(['_', '-']).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

impl fmt::Debug for Loader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("sources", &self.sources.len())
            .field("external", &self.external)
            .field("layout", &self.layout)
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
pub(crate) fn node_of(migration: &Migration) -> Node {
    let settings = migration.settings();
    let directives = match (migration.requires(), &*settings.replaces) {
        ([], []) => Directives::default(),
        _ => Directives::of_checked(migration.script()),
    };
    let declared = required(&directives, migration.id());
    let place =
        |id: &MigrationId| declared.iter().find(|(other, _)| other == id).and_then(|(_, offset)| *offset);
    let replaced = |version: &Version| {
        let offset =
            directives.replaces.iter().find(|(other, _)| other == version).map(|(_, offset)| *offset);
        (version.clone(), offset)
    };
    Node {
        id: migration.id().clone(),
        kind: migration.kind(),
        path: migration.path().to_owned(),
        requires: migration.requires().iter().map(|id| (id.clone(), place(id))).collect(),
        replaces: settings.replaces.iter().map(replaced).collect(),
        migration: Some(migration.clone()),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
