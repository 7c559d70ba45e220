//! Values for the placeholders of scripts: [`Placeholders`], and how each gets into the SQL.

use std::collections::BTreeMap;
use std::fmt;

use crate::slot::{Kind, Slot};

/// The values that a program gives for the placeholders of its scripts.
///
/// ```
/// use habitat_migrate_catalog::Placeholders;
///
/// let placeholders = Placeholders::new().set("schema", "orders").set("title", "Bob's orders");
/// assert_eq!(format!("{placeholders:?}"), r#"Placeholders {"schema", "title"}"#);
/// ```
///
/// A value may be any text: the script says by the placeholder's kind how it is quoted. `Debug` shows the names alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Placeholders(BTreeMap<String, String>);

impl Placeholders {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the value of a placeholder, in place of an earlier one.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The names that have a value, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The value of a placeholder.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Placeholders ")?;
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A placeholder that has no value, or one that cannot stand where it would. It never shows the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceholderError {
    name: String,
    offset: usize,
    reason: Reason,
}

impl PlaceholderError {
    /// The placeholder's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The byte offset in the template at which it stands, the first of several.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Whether another one says the same of the same placeholder.
    pub(crate) fn is_alike(&self, other: &Self) -> bool {
        (&self.name, self.reason) == (&other.name, other.reason)
    }
}

impl fmt::Display for PlaceholderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.reason {
            Reason::Missing => write!(f, "there is no value for the placeholder `{name}`"),
            Reason::NotPlain => write!(
                f,
                "the value of the placeholder `{name}` is not made of letters, digits and `_`: write \
                 `${{{name}:identifier}}` or `${{{name}:literal}}` to have it quoted"
            ),
            Reason::Empty => {
                write!(f, "the value of the placeholder `{name}` is empty, which no identifier can be")
            }
            Reason::Long => write!(
                f,
                "the value of the placeholder `{name}` is longer than 63 bytes, which PostgreSQL would cut off"
            ),
            Reason::Nul => {
                write!(f, "the value of the placeholder `{name}` holds NUL, which PostgreSQL's text cannot")
            }
            Reason::EndsBody => write!(
                f,
                "the value of the placeholder `{name}` would end the dollar-quoted body in which it stands: give the \
                 body another tag, `$body$` say"
            ),
        }
    }
}

impl std::error::Error for PlaceholderError {}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    Missing,
    NotPlain,
    Empty,
    Long,
    Nul,
    EndsBody,
}

/// What stands in the place of a slot.
pub(crate) fn fill(slot: &Slot<'_>, values: &Placeholders) -> Result<String, PlaceholderError> {
    let refuse = |reason| PlaceholderError { name: slot.name.to_owned(), offset: slot.range.start, reason };
    let value = values.get(slot.name).ok_or_else(|| refuse(Reason::Missing))?;
    match slot.kind {
        Kind::Plain if is_plain(value) => Ok(value.to_owned()),
        Kind::Plain => Err(refuse(Reason::NotPlain)),
        _ if value.contains('\0') => Err(refuse(Reason::Nul)),
        Kind::Literal => Ok(literal(value, !slot.bodies.is_empty())),
        Kind::Identifier if value.is_empty() => Err(refuse(Reason::Empty)),
        // The server would cut it, and might find another object by what is left.
        Kind::Identifier if value.len() > 63 => Err(refuse(Reason::Long)),
        Kind::Identifier if slot.bodies.iter().any(|tag| value.contains(tag)) => {
            Err(refuse(Reason::EndsBody))
        }
        Kind::Identifier => Ok(format!("\"{}\"", value.replace('"', "\"\""))),
    }
}

/// Whether a value is part of a word or a number wherever it stands.
fn is_plain(value: &str) -> bool {
    !value.is_empty() && value.chars().all(|character| character.is_alphanumeric() || character == '_')
}

/// A string with this content, whatever `standard_conforming_strings` is.
///
/// In a dollar-quoted body it has no dollar sign, so that it cannot end the body.
fn literal(value: &str, in_body: bool) -> String {
    let hides_dollars = in_body && value.contains('$');
    let mut quoted = String::with_capacity(value.len() + 3);
    quoted.push_str(if hides_dollars || value.contains('\\') { "E'" } else { "'" });
    for character in value.chars() {
        match character {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '$' if hides_dollars => quoted.push_str("\\x24"),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}
