//! Databases that stay for a person to look at: how they are marked, and when the next run of their test drops them.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sql::{Ident, Literal};

/// What this process knows of them. Tests end before and after the look at what earlier processes kept.
#[derive(Default)]
pub(super) struct Kept(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Kept by earlier processes: the database and its test.
    earlier: Vec<(String, String)>,
    /// Kept by this process.
    ours: HashSet<String>,
    /// Tests that have ended in this process.
    ended: HashSet<String>,
}

impl Kept {
    /// A test has ended: what earlier runs of it left is to be dropped now.
    pub(super) fn ended(&self, test: &str) -> Vec<String> {
        if test == NOBODYS {
            return Vec::new();
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.ended.insert(test.to_owned());
        let (of_it, others) = known.earlier.drain(..).partition(|(_, of)| of == test);
        known.earlier = others;
        let of_it: Vec<(String, String)> = of_it;
        of_it.into_iter().map(|(name, _)| name).collect()
    }

    /// This process keeps a database.
    pub(super) fn keep(&self, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).ours.insert(name.to_owned());
    }

    /// A kept database was found; whether its test has ended again since.
    pub(super) fn found(&self, name: &str, test: &str) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.ours.contains(name) || known.earlier.iter().any(|(known, _)| known == name) {
            return false;
        }
        if known.ended.contains(test) {
            return true;
        }
        known.earlier.push((name.to_owned(), test.to_owned()));
        false
    }
}

/// Says in the database's comment that it is kept, since when and for which test.
pub(super) fn comment(name: &str, test: &str) -> String {
    let comment = format!("{MARK}{} {test}", now());
    format!("COMMENT ON DATABASE {} IS {}", Ident(name), Literal(&comment))
}

/// The time and the test in such a comment.
pub(super) fn read(comment: &str) -> Option<(u64, &str)> {
    let (time, test) = comment.strip_prefix(MARK)?.split_once(' ')?;
    Some((time.parse().ok()?, test))
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

const MARK: &str = "habitat-migrate: kept ";

/// The name of tests that have none: theirs are not told apart.
const NOBODYS: &str = "test";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_test_left_goes_when_it_ends_again_before_or_after_it_is_found() {
        let kept = Kept::default();
        assert!(!kept.found("one", "sells"));
        assert_eq!(kept.ended("buys"), Vec::<String>::new());
        assert_eq!(kept.ended("sells"), ["one"]);
        assert_eq!(kept.ended("sells"), Vec::<String>::new());
        assert!(kept.found("two", "buys"));
        kept.keep("three");
        assert!(!kept.found("three", "buys"), "what this run keeps stays");
        assert!(!kept.found("four", NOBODYS));
        assert_eq!(kept.ended(NOBODYS), Vec::<String>::new());
    }

    #[test]
    fn a_comment_is_read_back() {
        let sql = comment("d", "shop::it's mine");
        let text = sql.split_once(" IS '").unwrap().1.trim_end_matches('\'').replace("''", "'");
        let (time, test) = read(&text).unwrap();
        assert!(now() - time < 10);
        assert_eq!(test, "shop::it's mine");
        assert_eq!(read("habitat-migrate: template, last used 1"), None);
    }
}
