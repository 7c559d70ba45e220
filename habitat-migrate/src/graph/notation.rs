//! The graph in the notations of Mermaid and Graphviz, for those who draw it elsewhere.

use std::fmt::Write as _;

use super::{Detail, Graph, Mark};

pub(super) fn mermaid(graph: &Graph) -> String {
    let mut text = "flowchart TD\n".to_owned();
    if graph.detail == Detail::Contexts {
        for (lane, name) in graph.lanes.iter().enumerate() {
            let _ = writeln!(text, "  c{lane}[\"{}\"]", entity(&format!("{name}: {}", told(graph, lane))));
        }
        for (from, to, count) in graph.context_edges() {
            let _ = writeln!(text, "  c{from} -->|{count}| c{to}");
        }
        return text;
    }
    for (lane, name) in graph.lanes.iter().enumerate() {
        let _ = writeln!(text, "  subgraph c{lane}[\"{}\"]", entity(name));
        for (place, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.lane == lane) {
            let class = match node.mark {
                Mark::Plain => String::new(),
                mark => format!(":::{}", mark.class()),
            };
            let sign = match node.mark {
                Mark::Plain => String::new(),
                mark => format!("{} ", mark.symbol()),
            };
            let _ = writeln!(text, "    m{place}[\"{sign}{}\"]{class}", entity(node.id.version().as_str()));
        }
        text.push_str("  end\n");
    }
    for (place, node) in graph.nodes.iter().enumerate() {
        if let Some(after) = node.after {
            let _ = writeln!(text, "  m{after} -.-> m{place}");
        }
        for from in &node.requires {
            let _ = writeln!(text, "  m{from} --> m{place}");
        }
    }
    if graph.has_status() {
        text.push_str(MERMAID_CLASSES);
    }
    text
}

/// Colours that are readable on light and on dark ground.
const MERMAID_CLASSES: &str = "  \
  classDef applied stroke:#1a9a5b,stroke-width:2px
  classDef pending stroke:#4b83e0,stroke-width:2px,stroke-dasharray:5 3
  classDef trouble stroke:#e0483f,stroke-width:3px
  classDef aside stroke:#8a93a0,stroke-dasharray:2 3
";

pub(super) fn dot(graph: &Graph) -> String {
    let mut text = "digraph migrations {\n  rankdir=TB;\n  bgcolor=transparent;\n  \
                    node [shape=box, style=\"rounded,filled\", fillcolor=\"#f7f8fa\", color=\"#8a93a0\", fontname=\"sans-serif\"];\n  \
                    edge [color=\"#6b7686\"];\n"
        .to_owned();
    if graph.detail == Detail::Contexts {
        for (lane, name) in graph.lanes.iter().enumerate() {
            let _ = writeln!(
                text,
                "  c{lane} [label=\"{}\"];",
                quoted(&format!("{name}\n{}", told(graph, lane)))
            );
        }
        for (from, to, count) in graph.context_edges() {
            let _ = writeln!(text, "  c{from} -> c{to} [label=\"{count}\"];");
        }
        return text + "}\n";
    }
    for (lane, name) in graph.lanes.iter().enumerate() {
        let _ = writeln!(
            text,
            "  subgraph cluster_{lane} {{\n    label=\"{}\"; color=\"#8a93a0\"; fontname=\"sans-serif\";",
            quoted(name)
        );
        for (place, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.lane == lane) {
            let look = match node.mark {
                Mark::Plain => "",
                Mark::Applied => ", color=\"#1a7f4b\", fillcolor=\"#e5f5ec\"",
                Mark::Pending => ", color=\"#2563c9\", style=\"rounded,filled,dashed\"",
                Mark::Trouble(_) => ", color=\"#c2312b\", penwidth=2",
                Mark::Aside(_) => ", style=\"rounded,dotted\"",
            };
            let mut label = node.id.version().to_string();
            if node.mark != Mark::Plain {
                label = format!("{label}\n{}", node.mark.word());
            }
            let _ = writeln!(
                text,
                "    m{place} [label=\"{}\", tooltip=\"{}\"{look}];",
                quoted(&label),
                quoted(&node.description)
            );
        }
        text.push_str("  }\n");
    }
    for (place, node) in graph.nodes.iter().enumerate() {
        if let Some(after) = node.after {
            let _ = writeln!(text, "  m{after} -> m{place} [style=dotted, weight=8];");
        }
        for from in &node.requires {
            let _ = writeln!(text, "  m{from} -> m{place};");
        }
    }
    text + "}\n"
}

/// How far a context is, in words.
pub(super) fn told(graph: &Graph, lane: usize) -> String {
    let (count, applied, _) = graph.context_count(lane);
    match graph.has_status() {
        true => format!("{applied} of {count} applied"),
        false if count == 1 => "1 migration".to_owned(),
        false => format!("{count} migrations"),
    }
}

/// A label of Mermaid's: what has a meaning there is written as an entity.
/// <https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters>
fn entity(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | ';' | '\\' | '[' | ']' | '{' | '}' => {
                let _ = write!(safe, "#{};", u32::from(c));
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}

/// A quoted string of DOT's; a line end is one.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
