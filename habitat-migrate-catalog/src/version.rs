//! Names of migrations: [`Version`] within a context, [`MigrationId`] across contexts.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A migration's version: the stem of its file, `01_treasury_core`.
///
/// Versions order naturally: by the number at their beginning, whatever its length (9 before 10, `009`
/// equal in number to `9`), then by the rest of the name.
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

    /// The number at its beginning, without leading zeros: `1`. Empty where there is no number.
    pub fn number(&self) -> &str {
        let digits = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let number = self.0[..digits].trim_start_matches('0');
        if number.is_empty() && digits > 0 { "0" } else { number }
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mine, theirs) = (self.number(), other.number());
        (mine.len().cmp(&theirs.len())).then_with(|| mine.cmp(theirs)).then_with(|| self.0.cmp(&other.0))
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
