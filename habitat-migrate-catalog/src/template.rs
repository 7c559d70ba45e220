//! A script with placeholders: [`Template`], and the text that values make of it: [`Rendered`].

use std::borrow::Cow;
use std::ops::Range;

use crate::placeholder::fill;
use crate::slot::{Kind, Slot, Slots};
use crate::{PlaceholderError, Placeholders};

/// A script that opted in to placeholders by `-- habitat: placeholders schema, title`.
///
/// ```
/// use habitat_migrate_catalog::{Placeholders, Template};
///
/// let script = "COMMENT ON SCHEMA ${schema:identifier} IS ${title:literal};";
/// let template = Template::of(script, &["schema".into(), "title".into()]);
/// let values = Placeholders::new().set("schema", "orders").set("title", "Bob's");
/// let rendered = template.render(&values).expect("both have a value");
/// assert_eq!(rendered.text(), r#"COMMENT ON SCHEMA "orders" IS 'Bob''s';"#);
/// ```
///
/// | written | becomes |
/// |---|---|
/// | `${schema:identifier}` | the value as a quoted identifier, 63 bytes at most |
/// | `${title:literal}` | the value as a string, whatever it holds but NUL |
/// | `${count}` | the value as it is, if it is made of letters, digits and `_` |
///
/// Only names that the migration's own script declares are placeholders; it speaks for its down and verify
/// scripts too. Comments and strings are left as they are, and a dollar-quoted body is
/// searched for the two forms with a kind only. The checksum is that of the template: other values are no change.
#[derive(Clone, Debug)]
pub struct Template<'a> {
    text: &'a str,
    slots: Vec<Slot<'a>>,
}

impl<'a> Template<'a> {
    /// The template of a script that was checked, with the names that its migration's
    /// [settings](crate::Settings::placeholders) declare. Without names, nothing of the script is a placeholder.
    pub fn of(text: &'a str, names: &[Cow<'_, str>]) -> Self {
        if names.is_empty() {
            return Self { text, slots: Vec::new() };
        }
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        Self { text, slots: Slots::of(text, &names).slots }
    }

    /// The script itself, with its placeholders.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Puts the values in.
    ///
    /// # Errors
    /// Every placeholder without a value, and every value that cannot stand where it would, each once and in order.
    pub fn render(&self, values: &Placeholders) -> Result<Rendered<'a>, Vec<PlaceholderError>> {
        let mut errors: Vec<PlaceholderError> = Vec::new();
        let mut text = String::new();
        let mut values_at = Vec::with_capacity(self.slots.len());
        let mut at = 0;
        for slot in &self.slots {
            match fill(slot, values) {
                Ok(value) => {
                    text.push_str(&self.text[at..slot.range.start]);
                    let start = text.len();
                    text.push_str(&value);
                    values_at.push((start..text.len(), slot.range.clone()));
                    at = slot.range.end;
                }
                // One that stands in several places is told once.
                Err(error) if errors.iter().any(|other| other.is_alike(&error)) => {}
                Err(error) => errors.push(error),
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        if self.slots.is_empty() {
            return Ok(Rendered { text: Cow::Borrowed(self.text), values: values_at });
        }
        text.push_str(&self.text[at..]);
        Ok(Rendered { text: Cow::Owned(text), values: values_at })
    }
}

/// A template with its values: what the server gets.
#[derive(Clone)]
pub struct Rendered<'a> {
    text: Cow<'a, str>,
    /// Where each value is, and where its placeholder was.
    values: Vec<(Range<usize>, Range<usize>)>,
}

impl<'a> Rendered<'a> {
    /// The script to run.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The script to run, without what maps it back.
    pub fn into_text(self) -> Cow<'a, str> {
        self.text
    }

    /// The byte offset in the template of a byte offset of the text; inside of a value, that of its placeholder.
    pub fn template_offset(&self, offset: usize) -> usize {
        let after = self.values.partition_point(|(value, _)| value.start <= offset);
        match after.checked_sub(1).map(|last| &self.values[last]) {
            None => offset,
            Some((value, placeholder)) if offset < value.end => placeholder.start,
            Some((value, placeholder)) => placeholder.end + (offset - value.end),
        }
    }
}

/// Values may be secret: the text is not shown.
impl std::fmt::Debug for Rendered<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rendered")
            .field("length", &self.text.len())
            .field("values", &self.values.len())
            .finish()
    }
}

/// The text with something of the same length in place of every placeholder that lexes as each value would.
pub(crate) fn masked(text: &str, slots: &Slots<'_>) -> String {
    let mut masked = String::with_capacity(text.len());
    let faulty = slots.blots.iter().map(|range| (range.clone(), None));
    let mut places: Vec<(Range<usize>, Option<Kind>)> =
        slots.slots.iter().map(|slot| (slot.range.clone(), Some(slot.kind))).chain(faulty).collect();
    places.sort_by_key(|(range, _)| range.start);
    let mut at = 0;
    for (range, kind) in places {
        masked.push_str(&text[at..range.start]);
        // The name stays, so that a placeholder is told from another one.
        let inner = &text[range.start + 1..range.end - 1];
        match kind {
            Some(Kind::Literal) => masked.extend(["'", inner, "'"]),
            Some(Kind::Identifier) => masked.extend(["\"", inner, "\""]),
            Some(Kind::Plain) => masked.extend(["_", &inner.replacen('{', "_", 1), "_"]),
            None => masked.push_str(&"_".repeat(range.len())),
        }
        at = range.end;
    }
    masked.push_str(&text[at..]);
    masked
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "template_properties.rs"]
mod properties;
