//! Where everything stands: a lane for each context, a row for each step, and free tracks between them for the lines.
//!
//! A line runs in the gutters between lanes and in the gaps between rows, where no box is; lines of different origins have tracks of
//! their own, so a line crosses others at right angles only. All lines of one origin share theirs, as a bus.

use std::collections::BTreeMap;

use super::Graph;

/// How wide a character of a version is, of 12 px in a monospaced font.
pub(super) const CHARACTER: f32 = 7.25;
pub(super) const BOX: f32 = 46.0;
const GAP: f32 = 26.0;
const TRACK: f32 = 9.0;
const TOP: f32 = 62.0;
pub(super) const MARGIN: f32 = 20.0;

/// The places of all boxes and lines.
pub(super) struct Layout {
    pub(super) width: f32,
    pub(super) height: f32,
    /// Where each lane begins, and how wide it is.
    pub(super) lanes: Vec<(f32, f32)>,
    /// The upper left corner of each box.
    pub(super) boxes: Vec<(f32, f32)>,
    /// The corners of each line, with its origin.
    pub(super) lines: Vec<(usize, Vec<(f32, f32)>)>,
}

/// A line from one box to another.
struct Route {
    from: usize,
    to: usize,
    /// The gutter in which it leaves; gutter `n` is to the left of lane `n`.
    leave: usize,
    /// The gutter in which it arrives, where that is another one.
    arrive: Option<usize>,
}

/// Tracks of one gutter or gap: which origin uses which, from where to where.
#[derive(Default)]
struct Tracks(BTreeMap<usize, (usize, usize)>);

impl Tracks {
    fn take(&mut self, origin: usize, from: usize, to: usize) {
        let used = self.0.entry(origin).or_insert((from, to));
        *used = (used.0.min(from), used.1.max(to));
    }

    /// The track of each origin, and how many there are: two share one where they are never side by side.
    fn assign(&self) -> (BTreeMap<usize, usize>, usize) {
        let mut ends: Vec<usize> = Vec::new();
        let mut tracks = BTreeMap::new();
        let mut origins: Vec<(&usize, &(usize, usize))> = self.0.iter().collect();
        origins.sort_by_key(|(origin, range)| (range.0, range.1, **origin));
        for (origin, (from, to)) in origins {
            let free = ends.iter().position(|end| end < from).unwrap_or(ends.len());
            match ends.get_mut(free) {
                Some(end) => *end = *to,
                None => ends.push(*to),
            }
            tracks.insert(*origin, free);
        }
        (tracks, ends.len())
    }
}

pub(super) fn layout(graph: &Graph) -> Layout {
    let rows = rows(graph);
    let count = rows.iter().map(|row| row + 1).max().unwrap_or_default();
    let routes = routes(graph);
    let mut gutters: Vec<Tracks> = (0..=graph.lanes.len()).map(|_| Tracks::default()).collect();
    let mut gaps: Vec<Tracks> = (0..=count).map(|_| Tracks::default()).collect();
    for route in &routes {
        let (from, to) = (rows[route.from], rows[route.to]);
        gutters[route.leave].take(route.from, from, to);
        if let Some(arrive) = route.arrive {
            gutters[arrive].take(route.from, to, to);
            gaps[to].take(route.from, route.leave.min(arrive), route.leave.max(arrive));
        }
    }
    let gutters: Vec<(BTreeMap<usize, usize>, usize)> = gutters.iter().map(Tracks::assign).collect();
    let gaps: Vec<(BTreeMap<usize, usize>, usize)> = gaps.iter().map(Tracks::assign).collect();

    let mut x = MARGIN;
    let mut lanes = Vec::new();
    let mut starts = Vec::new();
    for (lane, (_, tracks)) in gutters.iter().enumerate() {
        starts.push(x);
        let outer = lane == 0 || lane == graph.lanes.len();
        x += if outer && *tracks == 0 { 0.0 } else { 20.0 + TRACK * *tracks as f32 };
        if lane < graph.lanes.len() {
            lanes.push((x, lane_width(graph, lane)));
            x += lane_width(graph, lane);
        }
    }
    let mut y = TOP;
    let mut tops = Vec::new();
    for (row, (_, tracks)) in gaps.iter().take(count).enumerate() {
        y += if row == 0 { 0.0 } else { GAP } + TRACK * tracks.saturating_sub(1) as f32;
        tops.push(y);
        y += BOX;
    }

    let boxes: Vec<(f32, f32)> =
        graph.nodes.iter().zip(&rows).map(|(node, &row)| (lanes[node.lane].0, tops[row])).collect();
    let entries = entries(&routes, graph);
    let track = |gutter: usize, origin: usize| {
        starts[gutter] + 12.0 + TRACK * gutters[gutter].0.get(&origin).copied().unwrap_or_default() as f32
    };
    let line = |(n, route): (usize, &Route)| {
        let (from, to) = (&graph.nodes[route.from], &graph.nodes[route.to]);
        let side =
            |lane: usize, gutter: usize| lanes[lane].0 + if gutter > lane { lanes[lane].1 } else { 0.0 };
        let leave = (side(from.lane, route.leave), boxes[route.from].1 + BOX / 2.0);
        let last = route.arrive.unwrap_or(route.leave);
        let end = (side(to.lane, last), boxes[route.to].1 + BOX * entries[n]);
        let down = track(route.leave, route.from);
        let mut corners = vec![leave, (down, leave.1)];
        if let Some(arrive) = route.arrive {
            let row = rows[route.to];
            let lift = gaps[row].0.get(&route.from).copied().unwrap_or_default() as f32;
            let across = tops[row] - 11.0 - TRACK * lift;
            let second = track(arrive, route.from);
            corners.extend([(down, across), (second, across), (second, end.1)]);
        } else {
            corners.push((down, end.1));
        }
        corners.push(end);
        (route.from, corners)
    };
    let lines = routes.iter().enumerate().map(line).collect();
    Layout { width: x + MARGIN, height: y + MARGIN, lanes, boxes, lines }
}

/// The row of each migration: below what it requires, and below what stands before it in its lane.
fn rows(graph: &Graph) -> Vec<usize> {
    let mut rows: Vec<usize> = Vec::with_capacity(graph.nodes.len());
    let mut lowest = vec![0; graph.lanes.len()];
    for node in &graph.nodes {
        let below = node.requires.iter().map(|&place| rows[place] + 1).max().unwrap_or_default();
        let row = below.max(lowest[node.lane]);
        lowest[node.lane] = row + 1;
        rows.push(row);
    }
    rows
}

fn routes(graph: &Graph) -> Vec<Route> {
    let mut routes = Vec::new();
    for (to, node) in graph.nodes.iter().enumerate() {
        for &from in &node.requires {
            let (start, end) = (graph.nodes[from].lane, node.lane);
            let leave = if end < start { start } else { start + 1 };
            let arrive = if end > start { end } else { end + 1 };
            routes.push(Route { from, to, leave, arrive: (arrive != leave).then_some(arrive) });
        }
    }
    routes
}

/// At which height of its box each line arrives, as a part of it: those that come from one side are spread.
fn entries(routes: &[Route], graph: &Graph) -> Vec<f32> {
    let side = |route: &Route| (route.to, route.arrive.unwrap_or(route.leave) > graph.nodes[route.to].lane);
    let mut counts: BTreeMap<(usize, bool), usize> = BTreeMap::new();
    for route in routes {
        *counts.entry(side(route)).or_default() += 1;
    }
    let mut seen: BTreeMap<(usize, bool), usize> = BTreeMap::new();
    let mut entry = |route: &Route| {
        let rank = seen.entry(side(route)).or_default();
        *rank += 1;
        // Where lines leave is the middle, so an odd number keeps off it.
        let count = counts[&side(route)] + 1;
        *rank as f32 / count as f32 * 0.8 - 0.1
    };
    routes.iter().map(&mut entry).map(|part| part.clamp(0.16, 0.84)).collect()
}

fn lane_width(graph: &Graph, lane: usize) -> f32 {
    let wide = |text: &str| columns(text) as f32 * CHARACTER + 48.0;
    let mine = graph.nodes.iter().filter(|node| node.lane == lane);
    let widest = mine.map(|node| wide(node.id.version().as_str())).fold(wide(&graph.lanes[lane]), f32::max);
    widest.clamp(176.0, 320.0).ceil()
}

/// How many columns a text takes in a monospaced font.
pub(super) fn columns(text: &str) -> usize {
    text.chars().map(|c| if ('\u{1100}'..'\u{fb00}').contains(&c) && !is_narrow(c) { 2 } else { 1 }).sum()
}

/// Punctuation, arrows and signs between the letters of Korean and the ideographs.
fn is_narrow(c: char) -> bool {
    ('\u{1200}'..'\u{2e80}').contains(&c)
}

/// A text that fits into so many columns.
pub(super) fn fitted(text: &str, room: usize) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        if columns(&short) + columns(c.encode_utf8(&mut [0; 4])) + 1 > room {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}
