//! Whether a client can call the functions of a plan.

use std::borrow::Cow;

use habitat_migrate_catalog::{MigrationId, Opaque};

use super::{Plan, Refusal, Refusals};
use crate::code::{Function, Style};

impl Plan<'_> {
    /// Refuses itself where this kind of client cannot call one of its functions: see [`fit`].
    pub(crate) fn fits(&self, style: Option<Style>) -> Result<(), Refusals> {
        fit(style, self.pending().map(|m| (m.id(), m.path().into(), m.code().map(|code| code.function))))
    }
}

/// Refuses a plan of which some function is for another kind of client: known before the first statement.
///
/// # Errors
///
/// Every such function.
pub(crate) fn fit<'m>(
    style: Option<Style>,
    functions: impl IntoIterator<Item = (&'m MigrationId, Cow<'m, str>, Option<Opaque>)>,
) -> Result<(), Refusals> {
    let mut refusals = Vec::new();
    for (id, path, function) in functions {
        let Some(function) = function else { continue };
        let Some(function) = Function::of(function) else {
            refusals.push(Refusal::Unsupported {
                path: path.into_owned(),
                what: "is a function of another kind",
            });
            continue;
        };
        if style != Some(function.style()) {
            let (migration, path) = (id.clone(), path.into_owned());
            refusals.push(Refusal::OtherClient { migration, path, wants: function.style().client() });
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(Refusals::new(refusals)) }
}
