//! Reads values out of a TOML document, and takes note of every problem with its place.

use std::ops::Range;

use habitat_migrate_catalog::{Problem, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::secret;
#[cfg(feature = "cli")]
pub(crate) use super::secret::may_stand_in;
use crate::sql::check_name;

/// The text that is read, and what is wrong with it so far.
pub(crate) struct Reader<'t> {
    pub(crate) file: &'t str,
    pub(crate) text: &'t str,
    pub(crate) problems: Vec<Problem>,
}

/// A value of the document.
pub(crate) type Node<'t> = Spanned<DeValue<'t>>;

/// The variables that a part of the document sees, with their values.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(pub(crate) Vec<(String, String)>);

impl Scope {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl<'t> Reader<'t> {
    /// Reads the text of the file that messages call `file`; what is no TOML is a problem.
    pub(crate) fn parse(file: &'t str, text: &'t str) -> (Self, DeTable<'t>) {
        let (document, errors) = DeTable::parse_recoverable(text);
        let problem = |error: toml::de::Error| {
            let start = error.span().map_or(0, |span| span.start);
            problem_at(file, text, start, error.message().trim_end().replace('\n', ", "))
        };
        let problems = errors.into_iter().map(problem).collect();
        (Self { file, text, problems }, document.into_inner())
    }

    pub(crate) fn problem(
        &mut self,
        span: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = problem_at(self.file, self.text, span.start, message).with_help(help);
        self.problems.push(problem);
    }

    /// The table that a value is; its keys are checked against those that it may have.
    pub(crate) fn table<'d>(
        &mut self,
        node: &'d Node<'t>,
        what: &str,
        keys: &[&str],
    ) -> Option<&'d DeTable<'t>> {
        let table = self.items(node, what, || format!("write `{what} = {{ … }}`"))?;
        self.keys(table, what, keys);
        Some(table)
    }

    /// The table that a value is, whose keys are names of the writer's own; `help` says how it is written.
    pub(crate) fn items<'d, H: Into<String>>(
        &mut self,
        node: &'d Node<'t>,
        what: &str,
        help: impl FnOnce() -> H,
    ) -> Option<&'d DeTable<'t>> {
        match node.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.problem(node.span(), format!("{what} is a table"), help());
                None
            }
        }
    }

    /// Takes note of keys that nobody knows.
    pub(crate) fn keys(&mut self, table: &DeTable<'t>, what: &str, keys: &[&str]) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if keys.contains(&name) {
                continue;
            }
            let help = match nearest(name, keys.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are: {}", keys.join(", ")),
            };
            self.problem(key.span(), format!("{what} has no key `{name}`"), help);
        }
    }

    /// A text, as it stands.
    pub(crate) fn text<'d>(&mut self, node: &'d Node<'t>, what: &str) -> Option<&'d str> {
        match node.get_ref() {
            DeValue::String(text) => Some(text.as_ref()),
            _ => {
                self.problem(node.span(), format!("`{what}` is a text"), format!("write `{what} = \"…\"`"));
                None
            }
        }
    }

    /// One text or a list of texts, with the place of each.
    pub(crate) fn texts<'d>(&mut self, node: &'d Node<'t>, what: &str) -> Vec<(&'d str, Range<usize>)> {
        match node.get_ref() {
            DeValue::Array(items) => {
                let read = |item: &'d Node<'t>| self.text(item, what).map(|text| (text, item.span()));
                items.iter().filter_map(read).collect()
            }
            DeValue::String(text) => vec![(text.as_ref(), node.span())],
            _ => {
                let help = format!("write `{what} = \"…\"` or `{what} = [\"…\", \"…\"]`");
                self.problem(node.span(), format!("`{what}` is a text or a list of texts"), help);
                Vec::new()
            }
        }
    }

    pub(crate) fn boolean(&mut self, node: &Node<'t>, what: &str) -> Option<bool> {
        match node.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            _ => {
                self.problem(
                    node.span(),
                    format!("`{what}` is true or false"),
                    format!("write `{what} = true`"),
                );
                None
            }
        }
    }

    pub(crate) fn count(&mut self, node: &Node<'t>, what: &str) -> Option<u32> {
        let number = match node.get_ref() {
            DeValue::Integer(number) => u32::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        // PostgreSQL keeps a limit as a signed number.
        let number = number.filter(|number| i32::try_from(*number).is_ok());
        if number.is_none() {
            let help = "write a whole number from 0 on; leave it out for no limit";
            self.problem(node.span(), format!("`{what}` is not a number of connections"), help);
        }
        number
    }

    /// Puts values in for `{name}`; `{{` stands for a brace.
    pub(crate) fn expand(&mut self, text: &str, span: Range<usize>, scope: &Scope) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            out.push_str(&rest[..at]);
            let found = &rest[at..];
            if found.starts_with("{{") || found.starts_with("}}") {
                out.push_str(&found[..1]);
                rest = &found[2..];
                continue;
            }
            let Some((name, behind)) = found[1..].split_once('}').filter(|_| found.starts_with('{')) else {
                let help = "write `{name}` for a variable, `{{` and `}}` for a brace";
                self.problem(span, format!("a brace in {text:?} has no other one"), help);
                return out;
            };
            match scope.value(name) {
                Some(value) => out.push_str(value),
                None => {
                    let known = scope.0.iter().map(|(name, _)| name.as_str());
                    let help = match nearest(name, known.clone()) {
                        Some(meant) => format!("did you mean `{{{meant}}}`?"),
                        None => {
                            let known: Vec<String> = known.map(|name| format!("{{{name}}}")).collect();
                            format!("here there are: {}", known.join(", "))
                        }
                    };
                    self.problem(span.clone(), format!("there is no variable `{name}` here"), help);
                }
            }
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    /// A name with its variables' values; PostgreSQL must be able to have it.
    pub(crate) fn name(&mut self, text: &str, span: Range<usize>, scope: &Scope) -> String {
        let before = self.problems.len();
        let name = self.expand(text, span.clone(), scope);
        if let (Err(reason), true) = (check_name(&name), self.problems.len() == before) {
            let help = "take a name of 1 to 63 bytes";
            self.problem(span, format!("PostgreSQL cannot have the name {name:?}: {reason}"), help);
        }
        name
    }
}

/// A problem at a byte offset of a document; a line that may hold a password is not shown with it.
fn problem_at(file: &str, text: &str, offset: usize, message: impl Into<String>) -> Problem {
    let problem = Problem::at(file, text, offset, message);
    if secret::may_stand_at(text, offset) { problem.without_line() } else { problem }
}

/// The value of a key.
pub(crate) fn get<'d, 't>(table: &'d DeTable<'t>, key: &str) -> Option<&'d Node<'t>> {
    table.iter().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)
}
