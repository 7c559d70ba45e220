//! The graph of migrations as SVG.

use std::fmt::Write as _;

use super::lanes::{BOX, CHARACTER, Layout, MARGIN, fitted, layout};
use super::notation::told;
use super::path::{escaped, number, rounded};
use super::{Graph, Mark, Node};

/// How many hues lines have; lanes take turns.
pub(super) const HUES: usize = 6;

pub(super) fn migrations(graph: &Graph) -> String {
    let layout = layout(graph);
    let legend = legend(graph);
    let height = layout.height + if legend.is_empty() { 0.0 } else { 26.0 };
    let width = layout.width.max(300.0);
    let mut svg = begin(width, height, &label(graph));
    lanes(graph, &layout, &mut svg);
    for (place, node) in graph.nodes.iter().enumerate() {
        if let Some(after) = node.after {
            order(&layout, after, place, node.lane, &mut svg);
        }
    }
    for (origin, corners) in &layout.lines {
        let hue = graph.nodes[*origin].lane % HUES;
        let _ = writeln!(
            svg,
            "<path class=\"line hue{hue}\" d=\"{}\" marker-end=\"url(#hg-{hue})\"/>",
            rounded(corners)
        );
    }
    for (node, corner) in graph.nodes.iter().zip(&layout.boxes) {
        let width = layout.lanes[node.lane].1;
        node_box(node, *corner, width, &mut svg);
    }
    let mut x = MARGIN;
    for (mark, text) in legend {
        let y = height - 22.0;
        let _ = writeln!(
            svg,
            "<g class=\"{}\"><circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"7\"/><text class=\"sign\" x=\"{}\" y=\"{}\">{}</text>\
             <text class=\"note\" x=\"{}\" y=\"{}\">{}</text></g>",
            mark.class(),
            number(x + 7.0),
            number(y),
            number(x + 7.0),
            number(y + 4.0),
            mark.symbol(),
            number(x + 20.0),
            number(y + 4.0),
            escaped(&text),
        );
        x += 20.0 + text.chars().count() as f32 * 6.4 + 18.0;
    }
    svg.push_str("</svg>\n");
    svg
}

/// The head of a picture, with its style and the heads of its arrows.
pub(super) fn begin(width: f32, height: f32, label: &str) -> String {
    let (width, height) = (number(width.ceil()), number(height.ceil()));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"habitat-graph\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\">\n<title>{}</title>\n<style>\n{}</style>\n<defs>\n",
        escaped(label),
        include_str!("style.css"),
    );
    let heads = (0..HUES).map(|hue| (format!("hg-{hue}"), format!("hue{hue}")));
    for (name, class) in heads.chain([("hg-order".to_owned(), "order".to_owned())]) {
        let _ = writeln!(
            svg,
            "<marker id=\"{name}\" viewBox=\"0 0 8 8\" refX=\"7.5\" refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\" \
             markerUnits=\"userSpaceOnUse\"><path class=\"head {class}\" d=\"M0 0L8 4L0 8z\"/></marker>"
        );
    }
    svg.push_str("</defs>\n");
    let _ = writeln!(svg, "<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>");
    svg
}

fn lanes(graph: &Graph, layout: &Layout, svg: &mut String) {
    for (lane, ((x, width), name)) in layout.lanes.iter().zip(&graph.lanes).enumerate() {
        let told = told(graph, lane);
        let room = ((width - 16.0) / CHARACTER) as usize;
        let _ = writeln!(
            svg,
            "<rect class=\"lane hue{}\" x=\"{}\" y=\"{MARGIN}\" width=\"{}\" height=\"3\" rx=\"1.5\"/>\
             <text class=\"context\" x=\"{}\" y=\"40\">{}</text><text class=\"note end\" x=\"{}\" y=\"40\">{told}</text>",
            lane % HUES,
            number(*x),
            number(*width),
            number(*x),
            escaped(&fitted(name, room.saturating_sub(told.len()))),
            number(x + width),
        );
    }
}

/// The line of a context's own order.
fn order(layout: &Layout, after: usize, place: usize, lane: usize, svg: &mut String) {
    let (x, width) = layout.lanes[lane];
    let middle = number(x + width / 2.0);
    let (from, to) = (layout.boxes[after].1 + BOX, layout.boxes[place].1);
    let _ = writeln!(
        svg,
        "<path class=\"line order\" d=\"M{middle} {}V{}\" marker-end=\"url(#hg-order)\"/>",
        number(from),
        number(to)
    );
}

fn node_box(node: &Node, (x, y): (f32, f32), width: f32, svg: &mut String) {
    let name = fitted(node.id.version().as_str(), ((width - 40.0) / CHARACTER) as usize);
    let note = match node.mark {
        Mark::Trouble(word) | Mark::Aside(word) => format!("{word} · {}", node.note),
        _ => node.note.clone(),
    };
    // A letter of the note is narrower than one of the version.
    let note = fitted(&note, ((width - 22.0) / 5.9) as usize);
    let told = match node.mark {
        Mark::Plain => format!("{}: {}", node.id, node.description),
        mark => format!("{}: {} ({})", node.id, node.description, mark.word()),
    };
    let _ = writeln!(
        svg,
        "<g class=\"{}\"><title>{}</title><rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{BOX}\" rx=\"7\"/>\
         <circle class=\"dot\" cx=\"{}\" cy=\"{}\" r=\"7\"/><text class=\"sign\" x=\"{}\" y=\"{}\">{}</text>\
         <text class=\"version\" x=\"{}\" y=\"{}\">{}</text><text class=\"note\" x=\"{}\" y=\"{}\">{}</text></g>",
        node.mark.class(),
        escaped(&told),
        number(x),
        number(y),
        number(width),
        number(x + 17.0),
        number(y + 15.0),
        number(x + 17.0),
        number(y + 19.0),
        if node.mark == Mark::Plain { "" } else { node.mark.symbol() },
        number(x + 31.0),
        number(y + 19.0),
        escaped(&name),
        number(x + 11.0),
        number(y + 37.0),
        escaped(&note),
    );
}

/// What the marks mean, and how many there are of each; nothing where no database was asked.
pub(super) fn legend(graph: &Graph) -> Vec<(Mark, String)> {
    let mut legend: Vec<(Mark, usize)> = Vec::new();
    for node in graph.nodes.iter().filter(|node| node.mark != Mark::Plain) {
        match legend.iter_mut().find(|(mark, _)| *mark == node.mark) {
            Some((_, count)) => *count += 1,
            None => legend.push((node.mark, 1)),
        }
    }
    if !graph.has_status() {
        return Vec::new();
    }
    legend.into_iter().map(|(mark, count)| (mark, format!("{count} {}", mark.word()))).collect()
}

/// What is told to who does not see the picture.
pub(super) fn label(graph: &Graph) -> String {
    let contexts = graph.lanes.join(", ");
    format!("{} migrations of {contexts}, and what each requires", graph.nodes.len())
}
