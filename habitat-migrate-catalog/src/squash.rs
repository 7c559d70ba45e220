//! Migrations that stand for older ones, by `-- habitat: replaces`: [`replaced`].

use std::collections::HashMap;

use crate::graph::Node;
use crate::{Kind, MigrationId, Problem};

/// Which migration stands for each one that is replaced; what cannot be so is a problem.
///
/// `nodes` is sorted by context and version.
pub(crate) fn replaced(nodes: &[Node], problems: &mut Vec<Problem>) -> HashMap<MigrationId, usize> {
    let mut replaced: HashMap<MigrationId, usize> = HashMap::new();
    for (at, node) in nodes.iter().enumerate() {
        for (version, offset) in &node.replaces {
            let id = MigrationId::new(node.id.context().to_owned(), version.clone());
            let fault = fault(nodes, node, &id).or_else(|| {
                let first = &nodes[*replaced.get(&id)?];
                let message = format!("{id} is replaced by {} already, in {}", first.id, first.path);
                Some((
                    message,
                    "one migration stands for each that is gone: take it out of one of them".to_owned(),
                ))
            });
            match fault {
                Some((message, help)) => problems.push(node.problem(*offset, message).with_help(help)),
                None => {
                    replaced.insert(id, at);
                }
            }
        }
    }
    replaced
}

/// Why a migration cannot replace another one, and what to do.
fn fault(nodes: &[Node], node: &Node, id: &MigrationId) -> Option<(String, String)> {
    let own = &node.id;
    if node.kind == Kind::Repeatable {
        let help = "only a versioned migration replaces others; a repeatable one runs again by itself when it changes";
        return Some((format!("{own} is repeatable, and replaces {id}"), help.to_owned()));
    }
    if id == own {
        return Some((format!("{id} replaces itself"), "remove it".to_owned()));
    }
    let (old, new) = (id.version().number(), own.version().number());
    if (old.len(), old) > (new.len(), new) {
        let help = format!("a migration replaces older ones: give the file a number from {old} on");
        return Some((format!("{own} replaces {id}, which has a higher number"), help));
    }
    let place = |other: &Node| {
        let number = other.id.version().number();
        (other.id.context(), number.len(), number).cmp(&(id.context(), old.len(), old))
    };
    let first = nodes.partition_point(|other| place(other).is_lt());
    let mut same_number = nodes[first..].iter().take_while(|other| place(other).is_eq());
    let there = same_number.find(|other| other.id != *own)?;
    let help = format!("remove the file {}, or take the version out of `replaces`", there.path);
    let message = if there.id == *id {
        format!("{own} replaces {id}, which is still there: {}", there.path)
    } else {
        format!("{own} replaces {id}, and there is another migration of that number: {}", there.path)
    };
    Some((message, help))
}
