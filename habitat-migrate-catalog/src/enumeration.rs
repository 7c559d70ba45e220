//! Values of enumerated types that a transaction adds and uses at once: [`Additions`].

use std::collections::{HashMap, HashSet};

use crate::command::Phrase;
use crate::lexer::Token;
use crate::statement::Scan;

/// A literal that looks like a value which the same transaction added to an existing type.
pub(crate) struct EarlyUse<'a> {
    /// Where it stands in the script, quotes included.
    pub(crate) offset: usize,
    pub(crate) value: &'a str,
    /// The type that it was added to.
    pub(crate) name: &'a str,
}

/// The values that the scripts of one transaction add to enumerated types.
#[derive(Default)]
pub(crate) struct Additions<'a> {
    created: HashSet<String>,
    /// The types, by the value that each got.
    added: HashMap<&'a str, &'a str>,
}

impl<'a> Additions<'a> {
    /// The first use of each value that the script, or one before it, adds and that cannot be committed before.
    ///
    /// Types that the scripts themselves create do not count: their new values can be used at once. Nor do
    /// statements that only name a value: further `ALTER TYPE`, comments, and bodies that are kept as text.
    pub(crate) fn early_uses(&mut self, text: &'a str, scan: &Scan) -> Vec<EarlyUse<'a>> {
        let mut uses = Vec::new();
        for statement in scan.statements.iter().filter(|statement| !statement.is_empty()) {
            let start = statement.code().start;
            let code = &text[statement.code()];
            if self.names_only(code) || self.added.is_empty() {
                continue;
            }
            let mut phrase = Phrase::new(code);
            // The body of DO runs at once.
            let runs = phrase.word("do");
            while let Some((token, piece)) = phrase.peek() {
                let offset = start + phrase.offset();
                phrase.skip();
                match token {
                    Token::DollarText if runs => {
                        let tag = piece[1..].find('$').map_or(0, |length| length + 2);
                        let body = &piece[tag..piece.len() - tag];
                        self.uses(Phrase::new(body), offset + tag, &mut uses);
                    }
                    _ => uses.extend(self.use_of((token, piece), offset)),
                }
            }
        }
        uses
    }

    /// Whether a statement uses no value; takes down what it adds.
    fn names_only(&mut self, code: &'a str) -> bool {
        let mut phrase = Phrase::new(code);
        if phrase.word("create") && phrase.word("type") {
            self.created.extend(phrase.skip_name().map(folded));
            return true;
        }
        let mut phrase = Phrase::new(code);
        if phrase.word("comment") {
            return true;
        }
        if !(phrase.word("alter") && phrase.word("type")) {
            return false;
        }
        let Some(name) = phrase.skip_name() else { return true };
        if phrase.word("add") && phrase.word("value") && !self.created.contains(&folded(name)) {
            let _ = phrase.word("if") && phrase.word("not") && phrase.word("exists");
            if let Some(value) = phrase.peek().and_then(plain) {
                self.added.insert(value, name);
            }
        }
        true
    }

    fn uses(&mut self, mut phrase: Phrase<'a>, start: usize, uses: &mut Vec<EarlyUse<'a>>) {
        while let Some(token) = phrase.peek() {
            let offset = start + phrase.offset();
            phrase.skip();
            uses.extend(self.use_of(token, offset));
        }
    }

    fn use_of(&mut self, token: (Token, &'a str), offset: usize) -> Option<EarlyUse<'a>> {
        let value = plain(token)?;
        let name = self.added.remove(value)?;
        Some(EarlyUse { offset, value, name })
    }
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
        Additions::default()
            .early_uses(text, &scan)
            .into_iter()
            .map(|early| (early.offset, early.value))
            .collect()
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
    fn r20_a_body_that_runs_at_once_uses_values_too() {
        let text = "ALTER TYPE mood ADD VALUE 'calm';\nDO LANGUAGE plpgsql $a$ BEGIN UPDATE t SET m = 'calm'; END $a$;";
        assert_eq!(used(text), [(text.rfind("'calm'").expect("is there"), "calm")]);
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
