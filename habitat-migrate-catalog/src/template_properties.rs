use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{NAMES, values};
use super::*;
use crate::Problem;
use crate::lexer::{Lexer, Token};

/// The tokens of a text without white space and comments.
fn tokens(text: &str) -> Vec<(Token, &str)> {
    let mut lexer = Lexer::new(text);
    let mut tokens = Vec::new();
    while let Some((token, range)) = lexer.next().expect("every quote has its end") {
        if token != Token::Trivia {
            tokens.push((token, &text[range]));
        }
    }
    tokens
}

/// Pieces of SQL around placeholders that may change how each other is read.
fn pieces() -> impl Strategy<Value = String> {
    let pieces = [
        "${title:literal}",
        "${schema:identifier}",
        "${count}",
        "${nobody}",
        "${title:kind}",
        "${",
        "}",
        "$",
        "$$",
        "$a$",
        "'",
        "''",
        "\"",
        "E'",
        "e",
        "U&",
        "U&'",
        "\\",
        "\\'",
        "--",
        "\n",
        "/*",
        "*/",
        "x",
        "1",
        "_",
        "&",
        ":",
        ".",
        " ",
        " ",
        ";",
        "(",
        ")",
        "é",
        "\u{feff}",
        "COMMENT ON ",
        "'a\\'",
        "e'a\\''",
        "${count}'",
    ];
    prop::collection::vec(prop::sample::select(pieces.to_vec()), 0..24).prop_map(|pieces| pieces.concat())
}

/// Text that means something to a lexer, or any.
fn value() -> impl Strategy<Value = String> {
    let pieces =
        ["'", "\"", "\\", "$$", "$a$", "--", "/*", "\n", ";", "🦫", "a", " ", "${title}", "\r", "\u{7f}"];
    let made =
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 1..8).prop_map(|pieces| pieces.concat());
    prop_oneof![2 => made, 1 => "[^\0]{1,15}"]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    #[test]
    fn any_text_can_be_a_template(text in prop_oneof![pieces(), any::<String>()], count in prop_oneof!["[a-zé0-9_]{1,4}", any::<String>()]) {
        let names = NAMES.each_ref().map(|name| &**name);
        let slots = Slots::of(&text, &names);
        let mask = masked(&text, &slots);
        prop_assert_eq!(mask.len(), text.len());
        prop_assert_eq!(mask.matches('\n').count(), text.matches('\n').count());
        for fault in &slots.faults {
            let problem = Problem::at("a.sql", &text, fault.place.expect("each has a place"), &fault.message);
            prop_assert!(problem.location().is_some());
        }
        if let Ok(rendered) = Template::of(&text, &NAMES).render(&values().set("count", count)) {
            let mut before = 0;
            for (offset, byte) in rendered.text().bytes().enumerate() {
                let back = rendered.template_offset(offset);
                let in_value = slots.slots.iter().any(|slot| slot.range.start == back);
                prop_assert!(in_value || text.as_bytes()[back] == byte, "{offset} leads to {back}");
                prop_assert!(before <= back);
                before = back;
            }
            prop_assert_eq!(rendered.template_offset(rendered.text().len()), text.len());
            if slots.slots.is_empty() {
                prop_assert_eq!(rendered.text(), &text);
            }
        }
    }

    #[test]
    fn r48_a_value_is_one_token_whatever_it_holds(identifier in value(), literal in value()) {
        prop_assume!(identifier.len() <= 63);
        let text = "SELECT ${title:literal}, ${schema:identifier}.x; DO $$BEGIN a = ${title:literal}; END$$; SELECT y";
        let values = Placeholders::new().set("title", literal.as_str()).set("schema", identifier.as_str());
        let rendered = Template::of(text, &NAMES).render(&values).expect("both are fit");
        let tokens = tokens(rendered.text());
        let kinds: Vec<Token> = tokens.iter().map(|(token, _)| *token).collect();
        prop_assert_eq!(kinds.len(), 12, "{:?}", tokens);
        prop_assert_eq!(read_back(tokens[1].1), literal.clone());
        prop_assert_eq!((kinds[3], read_back(tokens[3].1)), (Token::QuotedName, identifier));
        let body = tokens[8].1.strip_prefix("$$").and_then(|body| body.strip_suffix("$$")).expect("a body");
        let body = self::tokens(body);
        prop_assert_eq!(body.len(), 6, "{:?}", &body);
        prop_assert_eq!(read_back(body[3].1), literal);
    }

    #[test]
    fn r48_no_value_changes_what_is_around_it(text in pieces(), identifier in value(), literal in value(), count in "[eux5]|[a-z0-9_é]{1,4}") {
        let names = NAMES.each_ref().map(|name| &**name);
        let slots = Slots::of(&text, &names);
        let mask = masked(&text, &slots);
        // What has faults is refused when it is built, and so is what cannot be read.
        if !slots.faults.is_empty() || crate::statements(&text).is_err() {
            return Ok(());
        }
        let statements = crate::statements(&mask).expect("a mask changes nothing around it");
        prop_assert_eq!(&statements, &crate::statements(&text).expect("it can be read"));
        let values = Placeholders::new().set("title", literal).set("schema", identifier).set("count", count);
        let Ok(rendered) = Template::of(&text, &NAMES).render(&values) else { return Ok(()) };
        let after = crate::statements(rendered.text()).expect("a value changes nothing around it");
        let starts: Vec<usize> = statements.iter().map(|statement| statement.code().start).collect();
        let back = |statement: &crate::Statement| rendered.template_offset(statement.code().start);
        prop_assert_eq!(after.iter().map(back).collect::<Vec<_>>(), starts);
        prop_assert_eq!(quotes(rendered.text()), quotes(&mask));
    }

    #[test]
    fn a_text_without_placeholders_is_unchanged(text in any::<String>()) {
        if text.contains("${") {
            return Ok(());
        }
        let rendered = Template::of(&text, &NAMES).render(&Placeholders::new()).expect("nothing is missing");
        prop_assert_eq!(rendered.text(), &text);
    }
}

/// How many tokens of each kind of quote a text has.
fn quotes(text: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for (token, _) in tokens(text) {
        if matches!(token, Token::Text | Token::QuotedName | Token::DollarText) {
            *counts.entry(format!("{token:?}")).or_default() += 1;
        }
    }
    counts
}

/// What the server makes of a quoted identifier or a string.
fn read_back(token: &str) -> String {
    let escapes = token.starts_with('E');
    let mut characters = token.trim_start_matches('E').chars();
    let quote = characters.next().expect("a quote");
    let mut value = String::new();
    while let Some(character) = characters.next() {
        match character {
            '\\' if escapes => match characters.next().expect("an escaped character") {
                'x' => {
                    let code: String = characters.by_ref().take(2).collect();
                    value.push(char::from(u8::from_str_radix(&code, 16).expect("two digits")));
                }
                other => value.push(other),
            },
            character if character == quote => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    value
}
