//! Identifiers and literals in SQL text: the only two ways in which a value gets into a statement.

use std::fmt;

/// An identifier, quoted: `"order"`.
///
/// Any text without NUL is safe, see [`check_name`] for what PostgreSQL can keep as it is.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
#[derive(Clone, Copy)]
pub(crate) struct Ident<'a>(pub(crate) &'a str);

impl fmt::Display for Ident<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for (n, piece) in self.0.split('"').enumerate() {
            if n > 0 {
                f.write_str("\"\"")?;
            }
            f.write_str(piece)?;
        }
        f.write_str("\"")
    }
}

/// A string literal, quoted: `'it''s'`.
///
/// Backslashes make it an `E''` string, so that it means the same whatever `standard_conforming_strings` is.
/// PostgreSQL has no text with NUL; one becomes U+FFFD.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS>
#[derive(Clone, Copy)]
pub(crate) struct Literal<'a>(pub(crate) &'a str);

impl fmt::Display for Literal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.contains('\\') { " E'" } else { "'" })?;
        for c in self.0.chars() {
            match c {
                '\'' => f.write_str("''")?,
                '\\' => f.write_str("\\\\")?,
                '\0' => f.write_str("\u{fffd}")?,
                c => fmt::Write::write_char(f, c)?,
            }
        }
        f.write_str("'")
    }
}

/// Tells why PostgreSQL cannot have an object of this name, or would silently give it another one.
///
/// Names are cut at 63 bytes (`NAMEDATALEN` - 1) without an error, so a longer one is refused here.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    match name {
        "" => Err("it is empty"),
        name if name.contains('\0') => Err("it contains NUL"),
        name if name.len() > 63 => Err("it is longer than 63 bytes"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a quoted identifier or literal the way in which PostgreSQL's lexer does.
    fn unquote(text: &str, quote: char, escapes: bool) -> Option<String> {
        let mut chars = text.chars();
        let mut out = String::new();
        (chars.next() == Some(quote)).then_some(())?;
        loop {
            match chars.next()? {
                '\\' if escapes => out.push(chars.next()?),
                c if c == quote => match chars.next() {
                    None => return Some(out),
                    Some(c) if c == quote => out.push(quote),
                    Some(_) => return None,
                },
                c => out.push(c),
            }
        }
    }

    proptest! {
        #[test]
        fn r48_an_identifier_reads_back_as_it_was(name in "[^\0]*") {
            prop_assert_eq!(unquote(&Ident(&name).to_string(), '"', false), Some(name));
        }

        #[test]
        fn r48_a_literal_reads_back_as_it_was(text in "[^\0]*") {
            let quoted = Literal(&text).to_string();
            let (body, escapes) = match quoted.strip_prefix(" E") {
                Some(body) => (body, true),
                None => (quoted.as_str(), false),
            };
            prop_assert!(escapes || !body.contains('\\'));
            prop_assert_eq!(unquote(body, '\'', escapes), Some(text));
        }
    }

    #[test]
    fn r48_names_that_postgresql_cannot_keep_are_refused() {
        assert!(check_name(&"x".repeat(63)).is_ok());
        assert!(check_name(&"x".repeat(64)).is_err());
        assert!(check_name(&"é".repeat(32)).is_err());
        assert!(check_name("a\0b").is_err());
        assert!(check_name("").is_err());
    }
}
