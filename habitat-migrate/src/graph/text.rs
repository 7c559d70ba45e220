//! The graph at a terminal: a rail for each context, as `git log --graph` has them.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use super::lanes::{columns, fitted};
use super::notation::told;
use super::svg::legend;
use super::{Detail, Graph, Mark, Node};

/// What a terminal has at the least.
const COLUMNS: usize = 80;
/// More rails than these would leave no room for names.
const RAILS: usize = 12;

/// Lines of 80 columns.
/// ```text
/// ┌ treasury
/// │  ┌ people
/// │  │  ┌ agreements
/// ●  │  │   treasury:01_treasury_core
/// │  ●  │   people:04_people_core
/// ├──┼──●   agreements:05_agreements_core  ← treasury:01, people:04
/// ```
impl Display for Graph {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(COLUMNS))
    }
}

impl Graph {
    /// The graph as lines of so many columns, for a terminal that has more or less than 80.
    pub fn to_text(&self, width: usize) -> String {
        match self.detail {
            Detail::Contexts => contexts(self, width),
            Detail::Migrations => migrations(self, width),
        }
    }
}

fn contexts(graph: &Graph, width: usize) -> String {
    let edges = graph.context_edges();
    let widest = graph.lanes.iter().map(|name| columns(name)).max().unwrap_or_default();
    let counted = (0..graph.lanes.len()).map(|lane| told(graph, lane).len()).max().unwrap_or_default();
    let mut text = String::new();
    for (lane, name) in graph.lanes.iter().enumerate() {
        let from: Vec<&str> =
            edges.iter().filter(|edge| edge.1 == lane).map(|edge| graph.lanes[edge.0].as_str()).collect();
        let mut line = padded(name, widest + 2) + &padded(&told(graph, lane), counted + 2);
        if !from.is_empty() {
            line += &format!("← {}", from.join(", "));
        }
        text += fitted(line.trim_end(), width.max(20)).as_str();
        text.push('\n');
    }
    text
}

fn migrations(graph: &Graph, width: usize) -> String {
    let lanes = graph.lanes.len();
    let rails = if (2..=RAILS).contains(&lanes) { lanes } else { 0 };
    let mut text = heads(graph, rails);
    // From its name, above its first migration, a rail goes down to the last row that concerns it.
    let mut last = vec![0; lanes];
    for (place, node) in graph.nodes.iter().enumerate() {
        last[node.lane] = place;
        node.requires.iter().for_each(|&other| last[graph.nodes[other].lane] = place);
    }
    let wide = |node: &Node| columns(&node.id.to_string());
    let needs = |node: &&Node| !node.requires.is_empty();
    let name = graph.nodes.iter().filter(needs).map(wide).max().unwrap_or_default().min(width / 2);
    for (place, node) in graph.nodes.iter().enumerate() {
        let rail = match rails {
            0 => format!("{} ", node.mark.symbol()),
            _ => rail_row(graph, node, rails, |lane| last[lane] > place) + " ",
        };
        let mut told = padded(&node.id.to_string(), name);
        if let Mark::Trouble(word) | Mark::Aside(word) = node.mark {
            told = format!("{}  {word}", told.trim_end());
        }
        if !node.requires.is_empty() {
            let from: Vec<String> = node.requires.iter().map(|&other| short(&graph.nodes[other])).collect();
            told += &format!("  ← {}", from.join(", "));
        }
        let room = width.max(40).saturating_sub(columns(&rail));
        text += (rail + &fitted(told.trim_end(), room)).trim_end();
        text.push('\n');
    }
    let legend: Vec<String> =
        legend(graph).iter().map(|(mark, text)| format!("{} {text}", mark.symbol())).collect();
    if !legend.is_empty() {
        text += &format!("\n{}\n", legend.join(", "));
    }
    text
}

/// The names of the rails, each on a line of its own above its rail.
fn heads(graph: &Graph, rails: usize) -> String {
    let mut text = String::new();
    for lane in 0..rails {
        text += &"│  ".repeat(lane);
        text += &format!("┌ {}\n", graph.lanes[lane]);
    }
    text
}

/// The rails beside one migration, with the line from what it requires.
fn rail_row(graph: &Graph, node: &Node, rails: usize, is_open: impl Fn(usize) -> bool) -> String {
    let from: BTreeSet<usize> = node.requires.iter().map(|&other| graph.nodes[other].lane).collect();
    let low = from.first().copied().unwrap_or(node.lane).min(node.lane);
    let high = from.last().copied().unwrap_or(node.lane).max(node.lane);
    let mut row = String::new();
    for lane in 0..rails {
        let within = lane > low && lane < high;
        row.push_str(match lane {
            lane if lane == node.lane => node.mark.symbol(),
            lane if from.contains(&lane) && lane == low => "├",
            lane if from.contains(&lane) && lane == high => "┤",
            lane if from.contains(&lane) => "┼",
            // A line that passes behind a rail.
            lane if is_open(lane) => "│",
            _ if within => "─",
            _ => " ",
        });
        row.push_str(if lane >= low && lane < high { "──" } else { "  " });
    }
    row
}

/// `people:04`: a number is enough, since it is unique in its context.
fn short(node: &Node) -> String {
    let version = node.id.version().as_str();
    let number = version.find(|c: char| !c.is_ascii_digit()).map_or(version, |end| &version[..end]);
    format!("{}:{}", node.id.context(), if number.is_empty() { version } else { number })
}

fn padded(text: &str, width: usize) -> String {
    text.to_owned() + &" ".repeat(width.saturating_sub(columns(text)))
}
