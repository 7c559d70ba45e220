//! A script as it is sent: with the values of its placeholders, and the way back to its file.

use std::borrow::Cow;
use std::ops::{Deref, Range};

use habitat_migrate_catalog::{Excerpt, Placeholders, Template, normalise};

use crate::client::ServerError;

/// The text that is sent for a file.
pub(super) struct Script<'a> {
    file: Cow<'a, str>,
    text: Cow<'a, str>,
    filling: Filling<'a>,
}

/// The placeholders that scripts have, and their values.
#[derive(Clone, Copy)]
pub(super) struct Filling<'a> {
    pub(super) names: &'a [Cow<'static, str>],
    pub(super) values: Option<&'a Placeholders>,
}

impl Filling<'_> {
    /// For scripts without placeholders.
    pub(super) const NONE: Filling<'static> = Filling { names: &[], values: None };
}

impl<'a> Script<'a> {
    /// Fills a script in; the plan has seen to it that every placeholder has a value that fits.
    pub(super) fn new(file: &'a str, filling: Filling<'a>) -> Self {
        let file = normalise(file);
        let text = match filling.values.filter(|_| !filling.names.is_empty()) {
            None => file.clone(),
            Some(values) => match Template::of(&file, filling.names).render(values) {
                Ok(rendered) => Cow::Owned(rendered.text().to_owned()),
                Err(_) => file.clone(),
            },
        };
        Self { file, text, filling }
    }

    /// A script that was kept: it is sent as it is.
    pub(super) fn kept(text: &'a str) -> Self {
        Self { file: text.into(), text: text.into(), filling: Filling::NONE }
    }

    /// The place in the file that a byte of the text comes from.
    pub(super) fn excerpt(&self, offset: usize) -> Excerpt {
        Excerpt::at(&self.file, self.in_file(offset))
    }

    /// A part of the text as the file has it: without values.
    pub(super) fn written(&self, part: Range<usize>) -> &str {
        self.file.get(self.in_file(part.start)..self.in_file(part.end)).unwrap_or_default()
    }

    fn in_file(&self, offset: usize) -> usize {
        let values = self.filling.values.filter(|_| !self.filling.names.is_empty());
        let rendered =
            values.and_then(|values| Template::of(&self.file, self.filling.names).render(values).ok());
        rendered.map_or(offset, |rendered| rendered.template_offset(offset))
    }

    /// The server's words without the values of literals, which may be secret: it repeats what it cannot read. Up to three characters are no
    /// secret, and would be found in any word. Identifiers name what the words are about, and stay.
    pub(super) fn conceal(&self, words: &str) -> String {
        let mut words = words.to_owned();
        let is_literal = |name: &&Cow<'_, str>| self.file.contains(&format!("${{{name}:literal}}"));
        for name in self.filling.names.iter().filter(is_literal) {
            let Some(value) = self.filling.values.and_then(|values| values.get(name)) else { continue };
            if value.chars().count() > 3 {
                for form in [
                    value.replace('\\', "\\\\").replace('\'', "''"),
                    value.replace('\'', "''"),
                    value.to_owned(),
                ] {
                    words = words.replace(&form, &format!("${{{name}}}"));
                }
            }
        }
        words
    }

    /// An error of the server's, likewise.
    pub(super) fn conceal_error(&self, error: &ServerError) -> ServerError {
        let conceal = |words: &Option<String>| words.as_deref().map(|words| self.conceal(words));
        ServerError {
            message: self.conceal(&error.message),
            detail: conceal(&error.detail),
            hint: conceal(&error.hint),
            context: conceal(&error.context),
            ..error.clone()
        }
    }
}

impl Deref for Script<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
