//! Values of enumerated types that a script adds and uses at once: [`early_uses`].

use std::collections::{HashMap, HashSet};

use crate::command::Phrase;
use crate::lexer::Token;
use crate::statement::Scan;

/// A literal that looks like a value which the same transaction added to an existing type.
pub(crate) struct EarlyUse<'a> {
    /// Where it stands in the script.
    pub(crate) offset: usize,
    pub(crate) value: &'a str,
    /// The type that it was added to.
    pub(crate) name: &'a str,
}

/// The first use of each value that a script adds to an enumerated type and uses before it can be committed.
///
/// Types that the script itself creates do not count: their new values can be used at once. Nor do
/// statements that only name a value: further `ALTER TYPE`, comments, and bodies that are kept as text.
pub(crate) fn early_uses<'a>(text: &'a str, scan: &Scan) -> Vec<EarlyUse<'a>> {
    let mut created: HashSet<String> = HashSet::new();
    let mut added: HashMap<&str, &str> = HashMap::new();
    let mut uses = Vec::new();
    for statement in scan.statements.iter().filter(|statement| !statement.is_empty()) {
        let code = &text[statement.code()];
        let mut phrase = Phrase::new(code);
        if phrase.word("create") && phrase.word("type") {
            created.extend(phrase.skip_name().map(folded));
            continue;
        }
        let mut phrase = Phrase::new(code);
        if phrase.word("comment") {
            continue;
        }
        if phrase.word("alter") && phrase.word("type") {
            let Some(name) = phrase.skip_name() else { continue };
            if phrase.word("add") && phrase.word("value") && !created.contains(&folded(name)) {
                let _ = phrase.word("if") && phrase.word("not") && phrase.word("exists");
                if let Some(value) = phrase.peek().and_then(plain) {
                    added.insert(value, name);
                }
            }
            continue;
        }
        if added.is_empty() {
            continue;
        }
        let mut phrase = Phrase::new(code);
        while let Some(token) = phrase.peek() {
            let offset = statement.code().start + phrase.offset();
            phrase.skip();
            let used = plain(token).and_then(|value| Some((value, added.remove(value)?)));
            uses.extend(used.map(|(value, name)| EarlyUse { offset, value, name }));
        }
    }
    uses
}

/// The content of a string, if it stands there as it is.
fn plain((token, text): (Token, &str)) -> Option<&str> {
    let content = text.strip_prefix('\'')?.strip_suffix('\'')?;
    (token == Token::Text).then_some(content)
}

/// A name as the server compares it.
fn folded(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(quoted) => quoted.to_owned(),
        None => name.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(text: &str) -> Vec<(usize, &str)> {
        let scan = Scan::of(text).expect("the script is complete");
        early_uses(text, &scan).into_iter().map(|early| (early.offset, early.value)).collect()
    }

    #[test]
    fn r20_a_value_used_in_the_transaction_that_adds_it_is_found() {
        let text = "ALTER TYPE app.mood ADD VALUE IF NOT EXISTS 'calm' AFTER 'glad';\nUPDATE t SET m = 'calm' WHERE n = 'calm';";
        assert_eq!(used(text), [(text.find("'calm' WHERE").expect("is there"), "calm")]);
    }

    #[test]
    fn r20_values_of_a_type_of_the_same_script_can_be_used() {
        assert!(
            used("CREATE TYPE Mood AS ENUM (); ALTER TYPE \"mood\" ADD VALUE 'a'; SELECT 'a'::mood;")
                .is_empty()
        );
    }

    #[test]
    fn r20_naming_a_value_is_no_use() {
        for rest in [
            "ALTER TYPE mood ADD VALUE 'b' AFTER 'a'",
            "COMMENT ON TYPE mood IS 'a'",
            "CREATE FUNCTION f() RETURNS mood LANGUAGE sql AS $$ SELECT 'a'::mood $$",
            "SELECT 'A', 'ab', \"a\", $$a$$ -- 'a'",
        ] {
            assert!(used(&format!("ALTER TYPE mood ADD VALUE 'a'; {rest};")).is_empty(), "{rest}");
        }
        assert!(used("SELECT 'a'; ALTER TYPE mood ADD VALUE 'a';").is_empty());
    }
}
