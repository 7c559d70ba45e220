//! How two snapshots differ, in words: [`SchemaDiff`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Object, Part};

/// How a second picture of a schema differs from a first: grouped by object, a line for each difference.
///
/// ```text
/// table public.members: column email: type text -> character varying(200)
/// table public.members: missing index members_email (CREATE INDEX members_email ON public.members USING btree (email))
/// unexpected type public.mood
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaDiff {
    differences: Vec<Difference>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Difference {
    object: String,
    /// Whether it is the order of columns alone.
    order: bool,
    text: String,
}

impl SchemaDiff {
    pub(super) fn between(then: &BTreeMap<String, Object>, now: &BTreeMap<String, Object>) -> Self {
        let mut differences = Vec::new();
        let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        for object in names {
            let mut say = |text: String| {
                differences.push(Difference {
                    object: object.clone(),
                    order: text.contains(ORDER_WORDS),
                    text,
                });
            };
            match (then.get(object), now.get(object)) {
                (Some(_), None) => say(format!("missing {object}")),
                (None, Some(_)) => say(format!("unexpected {object}")),
                (Some(then), Some(now)) => parts(object, then, now, &mut say),
                (None, None) => {}
            }
        }
        Self { differences }
    }

    /// Whether there is no difference.
    pub fn is_empty(&self) -> bool {
        self.differences.is_empty()
    }

    /// How many differences there are.
    pub fn len(&self) -> usize {
        self.differences.len()
    }

    /// Each difference, as [`Display`](fmt::Display) prints it.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.differences.iter().map(|difference| difference.text.as_str())
    }

    /// The objects that differ: `table public.members`.
    pub fn objects(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.differences.iter().map(|difference| difference.object.as_str()).filter(move |object| {
            let is_new = last != Some(*object);
            last = Some(*object);
            is_new
        })
    }

    /// The same without differences in the order of columns: a column that was dropped comes back as the last one.
    #[must_use]
    pub fn without_order_of_columns(mut self) -> Self {
        self.differences.retain(|difference| !difference.order);
        self
    }
}

impl fmt::Display for SchemaDiff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, difference) in self.differences.iter().enumerate() {
            let line_end = if n > 0 { "\n" } else { "" };
            write!(f, "{line_end}{}", difference.text)?;
        }
        Ok(())
    }
}

fn parts(object: &str, then: &Object, now: &Object, say: &mut dyn FnMut(String)) {
    let nothing = Part::new();
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    for name in names {
        match (then.get(name), now.get(name)) {
            (Some(then), None) if !name.is_empty() => {
                say(format!("{object}: missing {name}{}", summary(then)))
            }
            (None, Some(now)) if !name.is_empty() => {
                say(format!("{object}: unexpected {name}{}", summary(now)))
            }
            (then, now) => {
                let place = if name.is_empty() { object.to_owned() } else { format!("{object}: {name}") };
                properties(&place, then.unwrap_or(&nothing), now.unwrap_or(&nothing), say);
            }
        }
    }
}

/// What a part is, behind its name: its definition, or else all that is known.
fn summary(part: &Part) -> String {
    if let Some(definition) = part.get("definition") {
        return format!(" ({})", definition.split_whitespace().collect::<Vec<_>>().join(" "));
    }
    let known: Vec<String> = part.iter().map(|(property, value)| format!("{property}: {value}")).collect();
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

fn properties(place: &str, then: &Part, now: &Part, say: &mut dyn FnMut(String)) {
    let names: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
    for property in names {
        let (then, now) = (then.get(property).map(String::as_str), now.get(property).map(String::as_str));
        if then == now {
            continue;
        }
        if property == ORDER {
            let (then, now) = (then.unwrap_or_default(), now.unwrap_or_default());
            if let Some((then, now)) = reordered(then, now) {
                say(format!("{place}:{ORDER_WORDS}{then} -> {now}"));
            }
            continue;
        }
        match (then, now) {
            (Some(then), Some(now)) if then.contains('\n') || now.contains('\n') => {
                say(format!("{place}: {property} differs{}", changed_lines(then, now)));
            }
            (then, now) => {
                say(format!("{place}: {property} {} -> {}", then.unwrap_or("none"), now.unwrap_or("none")));
            }
        }
    }
}

/// The columns that both have, in either order, if the orders differ: what was added or is gone is told by itself.
fn reordered(then: &str, now: &str) -> Option<(String, String)> {
    let (then, now): (Vec<&str>, Vec<&str>) = (then.split(", ").collect(), now.split(", ").collect());
    let common = |these: &[&str], those: &[&str]| {
        these.iter().filter(|name| those.contains(name)).copied().collect::<Vec<_>>().join(", ")
    };
    let (then, now) = (common(&then, &now), common(&now, &then));
    (then != now).then_some((then, now))
}

/// The lines between what the beginnings and the ends have in common.
fn changed_lines(then: &str, now: &str) -> String {
    let (mut then, mut now): (Vec<&str>, Vec<&str>) = (then.lines().collect(), now.lines().collect());
    let start = then.iter().zip(&now).take_while(|(then, now)| then == now).count();
    then.drain(..start);
    now.drain(..start);
    let end = then.iter().rev().zip(now.iter().rev()).take_while(|(then, now)| then == now).count();
    then.truncate(then.len() - end);
    now.truncate(now.len() - end);
    let lines =
        then.iter().map(|line| format!("\n  - {line}")).chain(now.iter().map(|line| format!("\n  + {line}")));
    lines.collect()
}

const ORDER: &str = "order of columns";

const ORDER_WORDS: &str = " order of columns ";

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(parts: &[(&str, &[(&str, &str)])]) -> BTreeMap<String, Object> {
        let part = |properties: &[(&str, &str)]| {
            properties.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
        };
        let object = parts.iter().map(|(name, properties)| (name.to_string(), part(properties))).collect();
        BTreeMap::from([("table t".to_owned(), object)])
    }

    #[test]
    fn parts_and_properties_are_told_apart() {
        let then = objects(&[("", &[("owner", "a")]), ("column x", &[("type", "text")])]);
        let now = objects(&[("", &[("comment", "new"), ("owner", "a")]), ("column y", &[("type", "int")])]);
        let expected = "table t: comment none -> new\ntable t: missing column x (type: text)\n\
                        table t: unexpected column y (type: int)";
        assert_eq!(SchemaDiff::between(&then, &now).to_string(), expected);
        assert!(SchemaDiff::between(&then, &then).is_empty());
        assert_eq!(SchemaDiff::between(&then, &BTreeMap::new()).to_string(), "missing table t");
    }

    #[test]
    fn of_a_long_definition_only_the_changed_lines_are_shown() {
        let then = objects(&[("", &[("definition", "a\nb\nc\nd")])]);
        let now = objects(&[("", &[("definition", "a\nB\nc2\nd")])]);
        let expected = "table t: definition differs\n  - b\n  - c\n  + B\n  + c2";
        assert_eq!(SchemaDiff::between(&then, &now).to_string(), expected);
    }

    #[test]
    fn an_added_column_changes_no_order_and_a_moved_one_does() {
        let order = |order: &'static str| objects(&[("", &[("order of columns", order)])]);
        assert!(SchemaDiff::between(&order("a, b"), &order("a, x, b")).is_empty());
        let moved = SchemaDiff::between(&order("a, b"), &order("b, a"));
        assert_eq!(moved.to_string(), "table t: order of columns a, b -> b, a");
        assert!(moved.without_order_of_columns().is_empty());
    }
}
