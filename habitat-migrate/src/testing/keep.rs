//! Which databases stay behind for a person to look at: `HABITAT_KEEP`.

use super::test_error::{Kind, TestError};

/// When a test's database stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    Always,
    Failed,
    Never,
}

impl Keep {
    /// What `HABITAT_KEEP` says; else that of failed tests.
    pub(super) fn from_environment() -> Result<Self, TestError> {
        Self::parse(std::env::var_os("HABITAT_KEEP").as_deref().map(|text| text.to_string_lossy()).as_deref())
    }

    fn parse(text: Option<&str>) -> Result<Self, TestError> {
        match text.map(str::trim) {
            None | Some("" | "failed") => Ok(Self::Failed),
            Some("always") => Ok(Self::Always),
            Some("never") => Ok(Self::Never),
            Some(text) => Err(Kind::Keep { text: text.to_owned() }.into()),
        }
    }

    pub(super) fn keeps(self, failed: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Failed => failed,
            Self::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_tests_keep_theirs_unless_told_otherwise() {
        for (text, kept_when_passed, kept_when_failed) in [
            (None, false, true),
            (Some(""), false, true),
            (Some("failed"), false, true),
            (Some(" always "), true, true),
            (Some("never"), false, false),
        ] {
            let keep = Keep::parse(text).unwrap();
            assert_eq!(
                (keep.keeps(false), keep.keeps(true)),
                (kept_when_passed, kept_when_failed),
                "{text:?}"
            );
        }
    }

    #[test]
    fn another_word_is_an_error_that_names_the_right_ones() {
        let error = Keep::parse(Some("yes")).unwrap_err().to_string();
        assert_eq!(error, "HABITAT_KEEP is `yes`: it can be `always`, `failed` or `never`");
    }
}
