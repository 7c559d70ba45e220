//! A catalog as a picture: [`Graph`]. What is required by what, context beside context, and how far a database is.

use std::collections::HashMap;

use habitat_migrate_catalog::{Catalog, MigrationId};

use crate::status::{Entry, Stage, Status, took, word};

mod contexts;
mod lanes;
mod notation;
mod path;
mod svg;
mod text;

#[cfg(feature = "provision")]
pub(crate) use path::escaped;

/// What is required by what, to look at: as SVG, as Mermaid, as DOT and, by `{}`, at a terminal.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::Catalog;
/// use habitat_migrate::graph::Graph;
///
/// let catalog = Catalog::from_directory("../migrations/habitat")?;
/// let graph = Graph::of(&catalog);
/// std::fs::write(std::env::temp_dir().join("habitat.svg"), graph.to_svg())?;
/// assert!(graph.to_mermaid().starts_with("flowchart TD"));
/// print!("{graph}");
/// # Ok(()) }
/// ```
///
/// Each context is a lane, its migrations one below the other in their order; a line leads from what is required to what requires it. What
/// a context's own order says already is not drawn twice. The same catalog gives the same picture, byte for byte.
#[derive(Clone, Debug)]
pub struct Graph {
    lanes: Vec<String>,
    nodes: Vec<Node>,
    detail: Detail,
}

/// How much a [`Graph`] shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Detail {
    /// Every migration.
    #[default]
    Migrations,
    /// The contexts, and which requires which: for catalogs with hundreds of migrations.
    Contexts,
}

/// One migration.
#[derive(Clone, Debug)]
struct Node {
    id: MigrationId,
    lane: usize,
    description: String,
    /// Whether it stands in its context's order.
    ordered: bool,
    /// The one before it in its context's order.
    after: Option<usize>,
    /// What it requires, but for what its context's order says.
    requires: Vec<usize>,
    mark: Mark,
    /// When it was applied and how long it took; or what it does.
    note: String,
}

/// How a migration is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// No database was asked.
    Plain,
    Applied,
    Pending,
    Trouble(&'static str),
    Aside(&'static str),
}

impl Graph {
    /// The graph of a catalog, without a database.
    pub fn of(catalog: &Catalog) -> Self {
        let mut drawing = Drawing::default();
        for migration in catalog.migrations() {
            let requires = migration.requires().iter().map(|id| drawing.known(id)).collect();
            drawing.add(
                migration.id(),
                migration.description(),
                Mark::Plain,
                migration.is_ordered(),
                requires,
            );
        }
        Self { lanes: drawing.lanes, nodes: drawing.nodes, detail: Detail::default() }
    }

    /// Draws what is applied, pending or in trouble, too. What the database alone has stands below its context's own.
    #[must_use]
    pub fn with_status(mut self, status: &Status) -> Self {
        let entries: HashMap<&MigrationId, &Entry> =
            status.entries().iter().map(|entry| (entry.id(), entry)).collect();
        for node in &mut self.nodes {
            if let Some(entry) = entries.get(&node.id) {
                node.mark = Mark::of(entry.stage());
                node.note = entry.record().map_or_else(|| node.description.clone(), when);
            }
        }
        let (lanes, nodes) = (std::mem::take(&mut self.lanes), std::mem::take(&mut self.nodes));
        let mut drawing = Drawing::new(lanes, nodes);
        for entry in status.entries() {
            if !drawing.places.contains_key(entry.id()) {
                let place =
                    drawing.add(entry.id(), entry.description(), Mark::of(entry.stage()), false, Vec::new());
                if let Some(record) = entry.record() {
                    drawing.nodes[place].note = when(record);
                }
            }
        }
        Self { lanes: drawing.lanes, nodes: drawing.nodes, detail: self.detail }
    }

    /// How much is shown. Default: [`Detail::Migrations`].
    #[must_use]
    pub fn detail(mut self, detail: Detail) -> Self {
        self.detail = detail;
        self
    }

    /// The picture as SVG, in one file: light or dark as its viewer likes it, without scripts and without fonts from elsewhere.
    pub fn to_svg(&self) -> String {
        match self.detail {
            Detail::Migrations => svg::migrations(self),
            Detail::Contexts => contexts::svg(self),
        }
    }

    /// The graph in the notation of [Mermaid](https://mermaid.js.org/syntax/flowchart.html), which forges draw in Markdown.
    pub fn to_mermaid(&self) -> String {
        notation::mermaid(self)
    }

    /// The graph in the notation of [Graphviz](https://graphviz.org/doc/info/lang.html).
    pub fn to_dot(&self) -> String {
        notation::dot(self)
    }

    /// Whether a database was asked.
    fn has_status(&self) -> bool {
        self.nodes.iter().any(|node| node.mark != Mark::Plain)
    }

    /// Which context requires which, by how many of its migrations; both as lanes, sorted.
    fn context_edges(&self) -> Vec<(usize, usize, usize)> {
        let mut counts: std::collections::BTreeMap<(usize, usize), usize> = Default::default();
        for node in &self.nodes {
            let mut from: Vec<usize> = node.requires.iter().map(|&place| self.nodes[place].lane).collect();
            from.sort_unstable();
            from.dedup();
            for lane in from.into_iter().filter(|&lane| lane != node.lane) {
                *counts.entry((lane, node.lane)).or_default() += 1;
            }
        }
        counts.into_iter().map(|((from, to), count)| (from, to, count)).collect()
    }

    /// How many migrations a context has, how many of them are applied, and whether one of them is in trouble.
    fn context_count(&self, lane: usize) -> (usize, usize, bool) {
        let mine = || self.nodes.iter().filter(move |node| node.lane == lane);
        let applied = mine().filter(|node| node.mark == Mark::Applied).count();
        (mine().count(), applied, mine().any(|node| matches!(node.mark, Mark::Trouble(_))))
    }
}

/// A graph that is being built.
#[derive(Default)]
struct Drawing {
    lanes: Vec<String>,
    nodes: Vec<Node>,
    places: HashMap<MigrationId, usize>,
    /// The last one of each lane's order.
    last: HashMap<usize, usize>,
}

impl Drawing {
    fn new(lanes: Vec<String>, nodes: Vec<Node>) -> Self {
        let places = nodes.iter().enumerate().map(|(place, node)| (node.id.clone(), place)).collect();
        Self { lanes, nodes, places, last: HashMap::new() }
    }

    /// The place of a migration; one that the catalog declares to be elsewhere is drawn, too.
    fn known(&mut self, id: &MigrationId) -> usize {
        match self.places.get(id) {
            Some(&place) => place,
            None => self.add(id, "another program's", Mark::Aside("external"), false, Vec::new()),
        }
    }

    fn add(
        &mut self,
        id: &MigrationId,
        description: &str,
        mark: Mark,
        ordered: bool,
        requires: Vec<usize>,
    ) -> usize {
        let lane = self.lanes.iter().position(|lane| lane == id.context()).unwrap_or_else(|| {
            self.lanes.push(id.context().to_owned());
            self.lanes.len() - 1
        });
        let place = self.nodes.len();
        let after = if ordered { self.last.insert(lane, place) } else { None };
        // What its own order says already is not said again.
        let said = |&other: &usize| ordered && self.nodes[other].lane == lane && self.nodes[other].ordered;
        let mut requires: Vec<usize> = requires.into_iter().filter(|other| !said(other)).collect();
        requires.sort_unstable();
        requires.dedup();
        let description = description.to_owned();
        let note = description.clone();
        self.nodes.push(Node { id: id.clone(), lane, description, ordered, after, requires, mark, note });
        self.places.insert(id.clone(), place);
        place
    }
}

impl Mark {
    fn of(stage: &Stage) -> Self {
        match stage {
            Stage::Applied => Self::Applied,
            stage if stage.is_pending() => Self::Pending,
            Stage::Replaced | Stage::Elsewhere | Stage::Foreign | Stage::Newer(_) => Self::Aside(word(stage)),
            _ => Self::Trouble(word(stage)),
        }
    }

    /// One character for it.
    fn symbol(self) -> &'static str {
        match self {
            Self::Plain => "●",
            Self::Applied => "✓",
            Self::Pending => "○",
            Self::Trouble(_) => "!",
            Self::Aside(_) => "·",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Trouble(word) | Self::Aside(word) => word,
        }
    }

    /// The name of the class of drawings.
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Applied => "applied",
            Self::Pending => "pending",
            Self::Trouble(_) => "trouble",
            Self::Aside(_) => "aside",
        }
    }
}

fn when(record: &crate::history::Record) -> String {
    let at = record.deployed_at().format("%Y-%m-%d %H:%M");
    format!("{at} · {}", took(record.execution_time()))
}
