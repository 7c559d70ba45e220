//! A script as it is sent: with the values of its placeholders, and the way back to its file.

use std::borrow::Cow;
use std::ops::Deref;

use habitat_migrate_catalog::{Excerpt, Placeholders, Template, normalise};

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

    /// The place in the file that a byte of the text comes from.
    pub(super) fn excerpt(&self, offset: usize) -> Excerpt {
        let values = self.filling.values.filter(|_| !self.filling.names.is_empty());
        let rendered =
            values.and_then(|values| Template::of(&self.file, self.filling.names).render(values).ok());
        let offset = rendered.map_or(offset, |rendered| rendered.template_offset(offset));
        Excerpt::at(&self.file, offset)
    }
}

impl Deref for Script<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}
