//! Whether a line of a document may hold a password, so that no message shows it: [`may_stand_at`].

use habitat_migrate_catalog::nearest;

/// Whether a secret may stand in the line around a byte offset: beside its key, in an address with a login, or in a table of values that
/// nobody but their owner knows. It is better to hide a line too many.
pub(crate) fn may_stand_at(text: &str, offset: usize) -> bool {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let start = text[..offset].rfind('\n').map_or(0, |at| at + 1);
    let end = text[offset..].find('\n').map_or(text.len(), |at| offset + at);
    // The rest of a text that began on a line above.
    let is_open = |mark: &str| text[..start].matches(mark).count() % 2 == 1;
    let header = text[..end].lines().rev().find(|line| line.trim_start().starts_with('['));
    is_open("\"\"\"")
        || is_open("'''")
        || may_stand_in(&text[start..end])
        || header.is_some_and(names_one)
        || within_values(&text[..start])
}

/// Whether a text by itself may hold one: a connection string, or something beside the word.
pub(crate) fn may_stand_in(text: &str) -> bool {
    let lower = text.to_lowercase();
    let marks = ["password", "passwd", "secret", "database-url", "database_url", "placeholder", "://", "@"];
    marks.iter().any(|mark| lower.contains(mark))
        || lower.split_once('=').is_some_and(|(key, _)| names_one(key))
}

/// Whether a key or a header is one that secrets stand in, or was meant to be.
fn names_one(key: &str) -> bool {
    let parts = key.split(['.', '[', ']', '{']).map(|part| part.trim().trim_matches(['"', '\'']));
    parts.filter(|part| !part.is_empty()).any(|part| nearest(part, KEYS).is_some())
}

/// Whether a table of values in braces began on a line above, and no header came since.
fn within_values(above: &str) -> bool {
    let Some(at) = above.to_ascii_lowercase().rfind(VALUES) else { return false };
    above[at..].contains('{') && !above[at..].contains("\n[")
}

const VALUES: &str = "placeholders";
const KEYS: [&str; 2] = ["database-url", VALUES];

#[cfg(test)]
mod tests {
    use super::may_stand_at;

    fn hides(text: &str, words: &str) -> bool {
        may_stand_at(text, text.find(words).expect("the words are in it"))
    }

    #[test]
    fn r47_lines_that_may_hold_a_secret_are_told_from_others() {
        for text in [
            "database_url = \"hunter2\"",
            "databse-url = \"hunter2",
            "environments.production.\"database-url\" = \"hunter2",
            "db = \"postgres://app:hunter2",
            "db = \"host=x passwd=hunter2\"",
            "-- é @hunter2",
            "[placeholders]\na = \"b\"\n\nc = \"hunter2\n",
            "[environments.test.placeholder]\nc = \"hunter2",
            "placeholders.token = \"hunter2",
            "placeholders = { a = \"hunter2\"",
            "test = { placeholders = { a = \"hunter2\"",
            "placeholders = {\n  a = \"hunter2\n",
            "x = { placeholders = {\n\n  a = \"hunter2\n",
            "url = \"\"\"\nhost=x\nhunter2",
            "url = '''\nhunter2",
        ] {
            assert!(hides(text, "hunter2"), "{text}");
        }
        for (text, words) in [
            ("layout = \"sqlxx\"", "sqlxx"),
            ("database-url = \"x\"\nlayout = \"sqlxx\"", "sqlxx"),
            ("[placeholders]\na = \"b\"\n[timeouts]\nlock = \"2\"", "2"),
            ("placeholders = {\n a = \"b\" }\n[timeouts]\nlock = \"2\"", "2"),
            ("fodlers = [\"a\"]", "fodlers"),
            ("a = \"\"\"\nb\n\"\"\"\nchangd = \"ignore\"", "changd"),
        ] {
            assert!(!hides(text, words), "{text}");
        }
        assert!(!may_stand_at("a = 1", 99) && !may_stand_at("", 0));
    }
}
