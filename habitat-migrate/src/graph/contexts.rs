//! The graph of contexts as SVG: a column of boxes, with what goes down to the right of it and what goes back up to the left.

use std::fmt::Write as _;

use super::lanes::{CHARACTER, MARGIN, columns, fitted};
use super::path::{escaped, number, rounded};
use super::{Graph, svg};

const BOX: f32 = 44.0;
const PITCH: f32 = 66.0;
const TRACK: f32 = 13.0;

pub(super) fn svg(graph: &Graph) -> String {
    let edges = graph.context_edges();
    let (down, up): (Vec<_>, Vec<_>) = edges.into_iter().partition(|(from, to, _)| from < to);
    let widest = graph.lanes.iter().map(|name| columns(name)).max().unwrap_or_default();
    let width = (widest as f32 * 8.2 + 40.0).clamp(200.0, 320.0);
    let room = |tracks: usize| if tracks == 0 { 0.0 } else { 26.0 + TRACK * tracks as f32 };
    let left = MARGIN + room(up.len());
    let right = left + width;
    let all = right + room(down.len()) + MARGIN;
    let height = MARGIN * 2.0 + PITCH * graph.lanes.len() as f32 - (PITCH - BOX);
    let label = format!("the contexts {}, and which requires which", graph.lanes.join(", "));
    let mut svg = svg::begin(all, height.max(BOX), &label);
    let top = |lane: usize| MARGIN + PITCH * lane as f32;
    for (side, edges) in [(1.0, &down), (-1.0, &up)] {
        // Short ones stand near the boxes, and so cross few others.
        let mut edges: Vec<_> = edges.iter().collect();
        edges.sort_by_key(|(from, to, _)| (from.abs_diff(*to), *from, *to));
        for (track, (from, to, count)) in edges.into_iter().enumerate() {
            let edge = if side > 0.0 { right } else { left };
            let x = edge + side * (18.0 + TRACK * track as f32);
            let start = (edge, top(*from) + BOX * 0.68);
            let end = (edge, top(*to) + BOX * 0.32);
            let corners = [start, (x, start.1), (x, end.1), end];
            let hue = from % svg::HUES;
            let _ = writeln!(
                svg,
                "<g><title>{count} of {} require {}</title><path class=\"line hue{hue}\" d=\"{}\" marker-end=\"url(#hg-{hue})\"/></g>",
                escaped(&graph.lanes[*to]),
                escaped(&graph.lanes[*from]),
                rounded(&corners),
            );
        }
    }
    for (lane, name) in graph.lanes.iter().enumerate() {
        let (count, applied, trouble) = graph.context_count(lane);
        let class = match () {
            () if !graph.has_status() => "plain",
            () if trouble => "trouble",
            () if applied == count => "applied",
            () => "pending",
        };
        let told = match graph.has_status() {
            true => format!("{applied} of {count} applied"),
            false => format!("{count} in all"),
        };
        let y = top(lane);
        let _ = writeln!(
            svg,
            "<g class=\"{class}\"><rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{BOX}\" rx=\"7\"/>\
             <rect class=\"lane hue{}\" x=\"{}\" y=\"{}\" width=\"4\" height=\"{}\" rx=\"2\"/>\
             <text class=\"context\" x=\"{}\" y=\"{}\">{}</text><text class=\"note\" x=\"{}\" y=\"{}\">{told}</text></g>",
            number(left),
            number(y),
            number(width),
            lane % svg::HUES,
            number(left + 7.0),
            number(y + 8.0),
            number(BOX - 16.0),
            number(left + 20.0),
            number(y + 20.0),
            escaped(&fitted(name, ((width - 28.0) / CHARACTER) as usize)),
            number(left + 20.0),
            number(y + 36.0),
        );
    }
    svg.push_str("</svg>\n");
    svg
}
