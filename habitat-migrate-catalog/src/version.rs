//! Names of migrations: [`Version`] within a context, [`MigrationId`] across contexts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A migration's version: the stem of its file, `01_treasury_core`.
///
/// Versions order naturally: by the number at their beginning, whatever its length (9 before 10, `009`
/// equal in number to `9`), then by the rest of the name. A number of several parts, as Flyway has them,
/// orders part by part: `1.2_a` before `1.10_a`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Version(Cow<'static, str>);

impl Version {
    /// The version with this text.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }

    /// The version with this text; for code that a macro generated.
    pub const fn embedded(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The whole version, `01_treasury_core`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number at its beginning, or the first part of it, without leading zeros: `1`. Empty where there is no number.
    pub fn number(&self) -> &str {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.0[..digits].trim_start_matches('0');
        if number.is_empty() && digits > 0 { "0" } else { number }
    }

    /// The number at its beginning as it is written, with all of its parts: `001`, `1.2`.
    pub(crate) fn digits(&self) -> &str {
        let bytes = self.0.as_bytes();
        let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
        let mut end = 0;
        while is_digit(end) || (end > 0 && bytes.get(end) == Some(&b'.') && is_digit(end + 1)) {
            end += 1;
        }
        &self.0[..end]
    }

    /// What stands behind the number and its underscore, or behind `R__`.
    pub(crate) fn name(&self) -> &str {
        match self.0.strip_prefix("R__") {
            Some(name) => name,
            None => self.0[self.digits().len()..].trim_start_matches('_'),
        }
    }

    /// Compares the numbers alone; parts that one of them lacks count as zero.
    pub(crate) fn compare_numbers(&self, other: &Self) -> Ordering {
        let by_value = |a: &str, b: &str| a.len().cmp(&b.len()).then_with(|| a.cmp(b));
        let first = by_value(self.number(), other.number());
        let parts = |version: &Self| version.digits().split('.').skip(1).count();
        let part = |version: &'_ Self, at: usize| {
            let part = version.digits().split('.').nth(at).unwrap_or_default();
            part.trim_start_matches('0').to_owned()
        };
        let more = 1..=parts(self).max(parts(other));
        more.fold(first, |so_far, at| so_far.then_with(|| by_value(&part(self, at), &part(other, at))))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compare_numbers(other).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Names one migration among all contexts: `treasury:01_treasury_core`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationId {
    context: Cow<'static, str>,
    version: Version,
}

impl MigrationId {
    /// The migration of this version in this context.
    pub fn new(context: impl Into<Cow<'static, str>>, version: Version) -> Self {
        Self { context: context.into(), version }
    }

    /// The migration of this version in this context; for code that a macro generated.
    pub const fn embedded(context: &'static str, version: &'static str) -> Self {
        Self { context: Cow::Borrowed(context), version: Version::embedded(version) }
    }

    /// The bounded context or module that it belongs to.
    pub fn context(&self) -> &str {
        &self.context
    }

    /// Its version within the context.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Whether a text means it, with or without its context; while a program is compiled that embeds it.
    pub(crate) const fn is_written(&self, text: &[u8]) -> bool {
        let (Cow::Borrowed(context), Cow::Borrowed(version)) = (&self.context, &self.version.0) else {
            return false;
        };
        let (context, version) = (context.as_bytes(), version.as_bytes());
        if text.len() == version.len() {
            return ends_with(text, version);
        }
        if text.len() != context.len() + 1 + version.len() {
            return false;
        }
        let (before, rest) = text.split_at(context.len());
        ends_with(before, context) && rest[0] == b':' && ends_with(rest, version)
    }
}

/// `text.ends_with(end)` while a program is compiled.
const fn ends_with(text: &[u8], end: &[u8]) -> bool {
    let mut at = 0;
    while at < end.len() && at < text.len() {
        if text[text.len() - 1 - at] != end[end.len() - 1 - at] {
            return false;
        }
        at += 1;
    }
    at == end.len()
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.width().is_some() {
            return f.pad(&format!("{}:{}", self.context, self.version));
        }
        write!(f, "{}:{}", self.context, self.version)
    }
}

impl fmt::Debug for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
