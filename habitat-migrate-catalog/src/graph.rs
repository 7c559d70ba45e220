//! Migrations of all sources together, and what they require of one another: [`Graph`].

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::name::Role;
use crate::order::{Indices, order};
use crate::squash::replaced;
use crate::suggestion::nearest;
use crate::{Kind, Layout, Migration, MigrationId, Problem, Version};

/// One migration among the others.
pub(crate) struct Node {
    pub(crate) id: MigrationId,
    pub(crate) kind: Kind,
    pub(crate) path: String,
    /// The migration, unless its script has problems that leave nothing of it.
    pub(crate) migration: Option<Migration>,
    /// What it requires, with the place of the directive in its script.
    pub(crate) requires: Vec<(MigrationId, Option<usize>)>,
    /// The versions of its context that it replaces, likewise.
    pub(crate) replaces: Vec<(Version, Option<usize>)>,
}

impl Node {
    /// A migration of which nothing but its name is known.
    pub(crate) fn unread(id: MigrationId, kind: Kind, path: String) -> Self {
        Self { id, kind, path, migration: None, requires: Vec::new(), replaces: Vec::new() }
    }

    /// What messages call it: its file, or its function and where that is.
    fn shown(&self) -> String {
        match self.migration.as_ref().and_then(Migration::function) {
            Some(function) => format!("`{function}` ({})", self.path),
            None => self.path.clone(),
        }
    }

    pub(crate) fn problem(&self, offset: Option<usize>, message: String) -> Problem {
        match (&self.migration, offset) {
            (Some(migration), Some(offset)) => Problem::at(&self.path, migration.script(), offset, message),
            _ => Problem::new(&self.path, message),
        }
    }
}

/// Contexts whose migrations are known elsewhere.
pub(crate) enum External {
    /// Those that were declared.
    Declared(BTreeSet<String>),
    /// Each that holds no migration here.
    Absent,
}

/// Migrations sorted by context and version.
pub(crate) struct Graph {
    nodes: Vec<Node>,
    index: HashMap<MigrationId, usize>,
    /// Where the migrations of each context are.
    contexts: BTreeMap<String, std::ops::Range<usize>>,
    /// Which one stands for a migration that is no file any more.
    replaced: HashMap<MigrationId, usize>,
}

impl Graph {
    /// Sorts the migrations, and tells which share a number.
    pub(crate) fn new(mut nodes: Vec<Node>, problems: &mut Vec<Problem>) -> Self {
        nodes.sort_by(|a, b| (&a.id, &a.path).cmp(&(&b.id, &b.path)));
        let mut first = 0;
        for at in 1..nodes.len() {
            let (one, other) = (&nodes[first], &nodes[at]);
            if same_number(one, other) {
                problems.push(duplicate(one, other));
            } else {
                first = at;
            }
        }
        let mut contexts: BTreeMap<String, std::ops::Range<usize>> = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate() {
            contexts.entry(node.id.context().to_owned()).or_insert(at..at).end = at + 1;
        }
        let index = nodes.iter().enumerate().map(|(at, node)| (node.id.clone(), at)).collect();
        let replaced = replaced(&nodes, problems);
        Self { nodes, index, contexts, replaced }
    }

    /// The migrations in order, if everything that they require can be had.
    pub(crate) fn into_ordered(self, external: &External, problems: &mut Vec<Problem>) -> Vec<Migration> {
        let requires: Vec<Indices> = self
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| self.resolve(at, node, external, problems))
            .collect();
        let ids: Vec<(&MigrationId, Kind)> = self.nodes.iter().map(|node| (&node.id, node.kind)).collect();
        match order(&ids, &requires) {
            Ok(order) => {
                let Self { nodes, replaced, .. } = self;
                let ids: Vec<MigrationId> = nodes.iter().map(|node| node.id.clone()).collect();
                let mut nodes: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
                let migration = |at: usize| Some(present(nodes[at].take()?.migration?, &replaced, &ids));
                order.into_iter().filter_map(migration).collect()
            }
            Err(cycles) => {
                problems.extend(cycles.iter().map(|cycle| self.cycle(cycle)));
                Vec::new()
            }
        }
    }

    /// The migration that a script without one is nearest to.
    pub(crate) fn nearest(&self, id: &MigrationId) -> Option<&Version> {
        let versions = || self.versions(id.context());
        let same = |version: &&Version| version.compare_numbers(id.version()).is_eq();
        let numbered = !id.version().number().is_empty();
        versions().find(|version| numbered && same(version)).or_else(|| {
            let meant = nearest(id.version().as_str(), versions().map(Version::as_str))?;
            versions().find(|version| version.as_str() == meant)
        })
    }

    fn versions(&self, context: &str) -> impl Iterator<Item = &Version> {
        let range = self.contexts.get(context).cloned().unwrap_or(0..0);
        self.nodes[range].iter().map(|node| node.id.version())
    }

    /// What a migration requires of those that are here; what cannot be had is a problem.
    fn resolve(&self, at: usize, node: &Node, external: &External, problems: &mut Vec<Problem>) -> Indices {
        let mut found = HashSet::new();
        for (id, offset) in &node.requires {
            let Some(&required) = self.index.get(id).or_else(|| self.replaced.get(id)) else {
                problems.extend(self.missing(node, id, *offset, external));
                continue;
            };
            let (message, help) = match (node.kind, self.nodes[required].kind) {
                _ if required == at && *id != node.id => {
                    (format!("{} requires {id}, which it replaces", node.id), "remove it".to_owned())
                }
                _ if required == at => (
                    format!("{id} requires itself"),
                    "remove it".to_owned(),
                ),
                (Kind::Versioned, Kind::Repeatable) => (
                    format!("{} requires {id}, which is repeatable", node.id),
                    "repeatable migrations run after all versioned ones; put what is needed into a versioned one".to_owned(),
                ),
                (Kind::Versioned, Kind::Versioned) if required > at && id.context() == node.id.context() => (
                    format!(
                        "{} requires {}, which comes after it in its own context",
                        node.id,
                        self.named(id, required)
                    ),
                    format!(
                        "within a context the number decides the order, so this is a cycle: {} -> {id} -> {}; \
                         give one of them another number",
                        node.id, node.id
                    ),
                ),
                _ => {
                    found.insert(required);
                    continue;
                }
            };
            problems.push(node.problem(*offset, message).with_help(help));
        }
        let mut found: Indices = found.into_iter().collect();
        found.sort_unstable();
        found
    }

    /// A required migration in words, with the one that replaces it.
    fn named(&self, id: &MigrationId, at: usize) -> String {
        match &self.nodes[at].id {
            found if found == id => id.to_string(),
            found => format!("{id}, replaced by {found}"),
        }
    }

    fn missing(
        &self,
        node: &Node,
        id: &MigrationId,
        offset: Option<usize>,
        external: &External,
    ) -> Option<Problem> {
        let context = id.context();
        let known = self.contexts.contains_key(context);
        let help = match external {
            External::Declared(names) if names.contains(context) || names.contains(&id.to_string()) => {
                return None;
            }
            External::Absent if !known => return None,
            _ if known => match self.nearest(id) {
                Some(meant) => format!("did you mean `{context}:{meant}`?"),
                None => {
                    format!("a version is the name of its file without `.sql`; {context} holds none like it")
                }
            },
            _ => match nearest(context, self.contexts.keys().map(String::as_str)) {
                Some(meant) => {
                    format!(
                        "did you mean the context `{meant}`? If it is kept elsewhere, declare {context:?} as external"
                    )
                }
                None => format!(
                    "load the context {context:?} too, or declare it as external if it is kept elsewhere"
                ),
            },
        };
        Some(node.problem(offset, format!("{} requires {id}, which does not exist", node.id)).with_help(help))
    }

    fn cycle(&self, cycle: &[usize]) -> Problem {
        // Start where a person can change something: at a directive that leads on to the next one.
        let replaces = |id: &MigrationId, to: &MigrationId| {
            self.replaced.get(id).is_some_and(|&at| self.nodes[at].id == *to)
        };
        let requires = |from: usize, to: usize| {
            let to = &self.nodes[to].id;
            let mut required = self.nodes[from].requires.iter();
            required.find(|(id, _)| id == to || replaces(id, to)).map(|(_, offset)| *offset)
        };
        let next = |at: usize| cycle[(at + 1) % cycle.len()];
        let start = (0..cycle.len()).find(|&at| requires(cycle[at], next(at)).is_some()).unwrap_or(0);
        let mut names = vec![self.nodes[cycle[start]].id.to_string()];
        for step in 0..cycle.len() {
            let at = (start + step) % cycle.len();
            let (from, to) = (cycle[at], next(at));
            // Of a run within one context its ends say enough.
            let implied = |from: usize, to: usize| requires(from, to).is_none();
            let following = next((at + 1) % cycle.len());
            if step + 1 < cycle.len() && implied(from, to) && implied(to, following) {
                continue;
            }
            names.push(self.nodes[to].id.to_string());
        }
        let node = &self.nodes[cycle[start]];
        let offset = requires(cycle[start], next(start)).flatten();
        let message = format!("migrations wait for each other: {}", names.join(" -> "));
        node.problem(offset, message).with_help(
            "`->` reads “must come after”, by a `requires` or by the number within a context; take one of them out",
        )
    }
}

/// A migration that requires what is there, in place of what that replaces.
fn present(migration: Migration, replaced: &HashMap<MigrationId, usize>, ids: &[MigrationId]) -> Migration {
    if !migration.requires().iter().any(|id| replaced.contains_key(id)) {
        return migration;
    }
    let mut requires: Vec<MigrationId> = Vec::new();
    for id in migration.requires() {
        let id = replaced.get(id).map_or(id, |&at| &ids[at]);
        if !requires.contains(id) {
            requires.push(id.clone());
        }
    }
    migration.requiring(requires)
}

/// Whether two migrations that are neighbours in order have one number, or one name where there is none.
fn same_number(one: &Node, other: &Node) -> bool {
    let (a, b) = (&one.id, &other.id);
    a.context() == b.context()
        && one.kind == other.kind
        && match one.kind {
            Kind::Versioned => a.version().compare_numbers(b.version()).is_eq(),
            Kind::Repeatable => a.version() == b.version(),
        }
}

fn duplicate(one: &Node, other: &Node) -> Problem {
    let context = one.id.context();
    let number = match one.id.version().digits() {
        several if several.contains('.') => several,
        _ => one.id.version().number(),
    };
    let (first, second) = (one.shown(), other.shown());
    let (message, help) = if one.id == other.id {
        let help =
            "a context has each version once, from whichever source; remove or rename one of the files";
        (format!("{} is defined twice, in {first} and in {second}", one.id), help)
    } else {
        let help = "give one of them the next free number; the one that no database has yet, if there is one";
        (format!("two migrations of {context} have the number {number}: {first} and {second}"), help)
    };
    Problem::new(&other.path, message).with_help(help)
}

/// A down or verify script whose migration does not exist.
pub(crate) fn orphan(graph: &Graph, id: &MigrationId, role: Role, path: &str, layout: Layout) -> Problem {
    let help = match graph.nearest(id) {
        Some(meant) => format!("did you mean `{}`?", layout.file_of(meant, role)),
        None => {
            format!("its migration would be `{}` in the same folder", layout.file_of(id.version(), Role::Up))
        }
    };
    Problem::new(path, format!("this {} belongs to no migration: there is no {id}", role.noun()))
        .with_help(help)
}
