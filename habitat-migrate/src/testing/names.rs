//! The names of what a server holds for tests, and the mark that tells them from everybody else's.
//!
//! | name | what it is |
//! |---|---|
//! | `habitat_template_KEY` | a migrated database that tests' databases are copied from; nobody can connect to it |
//! | `habitat_building_KEY_…` | one that is being migrated, or whose builder was killed |
//! | `habitat_ready_KEY_…` | a copy that nobody uses yet |
//! | `habitat_test_NAME_…` | a test's database |
//! | `habitat_role_…` | a role of one test's database |

use sha2::{Digest, Sha256};

/// The connection limit of our databases: `habi` as a number, so none. It is set by CREATE DATABASE itself, so that no
/// database of ours is ever without it; a comment could only follow.
pub(super) const MARK: i32 = 0x6861_6269;

pub(super) fn template(key: &str) -> String {
    format!("{TEMPLATE}{key}")
}

pub(super) fn building(key: &str) -> String {
    format!("{BUILDING}{key}_{}", super::unique())
}

pub(super) fn ready(key: &str) -> String {
    format!("{READY}{key}_{}", super::unique())
}

/// At most 63 bytes, and nothing that would have to be quoted in a script or escaped in a URL. Of a long path the end
/// is kept: it says most.
pub(super) fn test(name: &str) -> String {
    let plain = plain(name);
    let end = plain[plain.len().saturating_sub(LONGEST)..].trim_matches('_');
    let end = if end.is_empty() { "test" } else { end };
    format!("{TEST}{end}_{}", super::unique())
}

/// What the names of all roles of a database begin with.
pub(super) fn roles_of(database: &str) -> String {
    let hash = Sha256::digest(database);
    let hash: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{ROLE}{hash}_")
}

/// The role that a database has for `name`: at most 63 bytes, nothing to quote.
pub(super) fn role(database: &str, name: &str) -> String {
    let prefix = roles_of(database);
    let mut plain = plain(name);
    if plain.len() > 63 - prefix.len() {
        // Two long names that begin alike must not become one.
        let hash = Sha256::digest(name);
        plain.truncate(63 - prefix.len() - 9);
        plain.push_str(&format!("_{:02x}{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2], hash[3]));
    }
    prefix + &plain
}

/// The key in the name of a template or of a ready copy.
pub(super) fn key(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(TEMPLATE).or_else(|| name.strip_prefix(READY))?;
    rest.split('_').next()
}

/// For LIKE, whose `_` is any character.
pub(super) fn pattern(prefix: &str) -> String {
    format!("{}%", prefix.replace('_', "\\_"))
}

fn plain(name: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' }
    };
    name.chars().map(plain).collect()
}

pub(super) const PREFIX: &str = "habitat_";
pub(super) const TEMPLATE: &str = "habitat_template_";
pub(super) const BUILDING: &str = "habitat_building_";
pub(super) const READY: &str = "habitat_ready_";
pub(super) const TEST: &str = "habitat_test_";
const ROLE: &str = "habitat_role_";

/// How much of a test's path stands in its database's name.
const LONGEST: usize = 22;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_need_no_quotes() {
        for name in ["orders::tests::a_very_long_name_that_ends_in::rejects_twins", "é\"'%_\\ \0", "", "____"]
        {
            for name in [test(name), role(&test(name), name), role("x", &name.repeat(9))] {
                assert!(name.len() <= 63, "{name}");
                assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
            }
        }
        assert!(test("orders::tests::rejects_twins").starts_with("habitat_test_tests__rejects_twins_"));
        assert!(building("0123456789abcdef").len() <= 63);
    }

    #[test]
    fn long_role_names_that_begin_alike_stay_two() {
        let long = "x".repeat(80);
        assert_ne!(role("d", &format!("{long}a")), role("d", &format!("{long}b")));
    }

    #[test]
    fn a_key_is_read_back() {
        assert_eq!(key(&template("0123")), Some("0123"));
        assert_eq!(key(&ready("0123")), Some("0123"));
        assert_eq!(key(&test("0123")), None);
    }

    #[test]
    fn an_underscore_is_no_wildcard() {
        assert_eq!(pattern("habitat_ready_"), "habitat\\_ready\\_%");
    }
}
