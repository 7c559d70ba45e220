//! The order in which a new database gets migrations: [`order`].

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::{Kind, MigrationId};

/// Indices into a list of migrations.
pub(crate) type Indices = Vec<usize>;

/// Puts migrations in order, or gives cycles, each as the migrations that wait for one another in turn.
///
/// Within a context by version, and each after what it requires. Where that leaves a choice, the lower
/// *number* comes first, then the context's name: counters that run through all contexts keep their order,
/// and so do timestamps. Repeatable migrations come after all versioned ones.
///
/// `ids` is sorted and `requires[i]` holds what `ids[i]` requires.
pub(crate) fn order(ids: &[(&MigrationId, Kind)], requires: &[Indices]) -> Result<Indices, Vec<Indices>> {
    // What each one waits for: what it requires, and what is before it in its context.
    let mut waits: Vec<Indices> = requires.to_vec();
    let mut last: Option<usize> = None;
    for (at, (id, kind)) in ids.iter().enumerate() {
        if *kind == Kind::Repeatable {
            continue;
        }
        if let Some(before) = last.filter(|&before| ids[before].0.context() == id.context()) {
            waits[at].push(before);
        }
        last = Some(at);
    }
    let mut followers: Vec<Indices> = vec![Vec::new(); ids.len()];
    let mut open: Vec<usize> = vec![0; ids.len()];
    for (at, befores) in waits.iter().enumerate() {
        // All versioned ones are done before a repeatable one starts: no need to wait for one.
        for &before in befores.iter().filter(|&&before| ids[before].1 == ids[at].1) {
            followers[before].push(at);
            open[at] += 1;
        }
    }

    let mut ready: BinaryHeap<_> =
        (0..ids.len()).filter(|&at| open[at] == 0).map(|at| Reverse(Rank::of(ids[at], at))).collect();
    let mut order = Vec::with_capacity(ids.len());
    while let Some(Reverse(rank)) = ready.pop() {
        order.push(rank.at);
        for &follower in &followers[rank.at] {
            open[follower] -= 1;
            if open[follower] == 0 {
                ready.push(Reverse(Rank::of(ids[follower], follower)));
            }
        }
    }
    // A heap of both kinds would give a repeatable one first where versioned ones still wait.
    order.sort_by_key(|&at| ids[at].1 == Kind::Repeatable);
    if order.len() == ids.len() { Ok(order) } else { Err(cycles(&waits, &open)) }
}

/// What decides between migrations that could both come next.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    digits: usize,
    number: &'a str,
    context: &'a str,
    /// The list is sorted, so its index stands for the version.
    at: usize,
}

impl<'a> Rank<'a> {
    fn of((id, _): (&'a MigrationId, Kind), at: usize) -> Self {
        let number = id.version().number();
        Self { digits: number.len(), number, context: id.context(), at }
    }
}

/// The cycles among migrations that were never free to go.
fn cycles(waits: &[Indices], open: &[usize]) -> Vec<Indices> {
    const NEW: usize = 0;
    let mut walk_of: Vec<usize> = vec![NEW; open.len()];
    let mut cycles = Vec::new();
    for start in (0..open.len()).filter(|&at| open[at] > 0) {
        // Every migration that is stuck waits for another one that is: following them must come to a cycle.
        let mut path = Vec::new();
        let mut at = start;
        while walk_of[at] == NEW {
            walk_of[at] = start + 1;
            path.push(at);
            match waits[at].iter().find(|&&before| open[before] > 0) {
                Some(&before) => at = before,
                None => break,
            }
        }
        if walk_of[at] == start + 1 {
            if let Some(from) =
                path.iter().position(|&other| other == at).filter(|_| path.last() != Some(&at))
            {
                cycles.push(path.split_off(from));
            }
        }
    }
    cycles
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Version;

    /// Orders `context:version` names, given what requires what.
    fn ordered(names: &[&'static str], requires: &[(&str, &str)]) -> Result<Vec<String>, Vec<Vec<String>>> {
        let mut ids: Vec<MigrationId> = names
            .iter()
            .map(|name| {
                let (context, version) = name.split_once(':').expect("a colon");
                MigrationId::new(context, Version::new(version))
            })
            .collect();
        ids.sort();
        let at = |name: &str| ids.iter().position(|id| id.to_string() == name).expect("is in the list");
        let mut edges = vec![Vec::new(); ids.len()];
        for (from, to) in requires {
            edges[at(from)].push(at(to));
        }
        let kind = |id: &MigrationId| match id.version().number() {
            "" => Kind::Repeatable,
            _ => Kind::Versioned,
        };
        let nodes: Vec<_> = ids.iter().map(|id| (id, kind(id))).collect();
        let names = |indices: Vec<usize>| indices.into_iter().map(|at| ids[at].to_string()).collect();
        order(&nodes, &edges).map(names).map_err(|cycles| cycles.into_iter().map(names).collect())
    }

    #[test]
    fn numbers_that_run_through_all_contexts_keep_their_order() {
        let order = ordered(
            &["agreements:05", "people:04", "treasury:02", "treasury:01"],
            &[("treasury:02", "people:04"), ("agreements:05", "treasury:02")],
        );
        assert_eq!(order.expect("no cycle"), ["treasury:01", "people:04", "treasury:02", "agreements:05"]);
    }

    #[test]
    fn a_choice_falls_to_the_lower_number_then_to_the_context() {
        let order = ordered(&["a:10", "b:9", "a:2", "c:2"], &[]);
        assert_eq!(order.expect("no cycle"), ["a:2", "c:2", "b:9", "a:10"]);
    }

    #[test]
    fn repeatables_come_last_in_the_order_of_what_they_require() {
        let order = ordered(&["a:R__a", "b:R__b", "z:1", "z:2"], &[("a:R__a", "b:R__b"), ("b:R__b", "z:1")]);
        assert_eq!(order.expect("no cycle"), ["z:1", "z:2", "b:R__b", "a:R__a"]);
    }

    #[test]
    fn every_cycle_is_given_once() {
        let cycles = ordered(
            &["a:1", "a:2", "b:1", "c:1", "c:2", "d:1", "e:1"],
            &[("a:1", "b:1"), ("b:1", "a:1"), ("c:2", "d:1"), ("d:1", "c:2"), ("e:1", "a:1")],
        );
        assert_eq!(cycles.expect_err("two cycles"), [["a:1", "b:1"], ["c:2", "d:1"]]);
    }

    #[test]
    fn a_cycle_through_the_order_of_a_context_is_found() {
        let cycles = ordered(&["a:1", "a:2", "b:1"], &[("a:1", "b:1"), ("b:1", "a:2")]);
        assert_eq!(cycles.expect_err("a cycle"), [["a:1", "b:1", "a:2"]]);
    }
}
