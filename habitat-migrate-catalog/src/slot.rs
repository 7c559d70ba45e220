//! Where a script has placeholders: [`Slots`].
//!
//! A placeholder stands in code, or in a dollar-quoted body with a kind. It may touch other code only where
//! no value can change what that code means: whatever the values are, the script has the same statements.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::lexer::{Lexer, Token};
use crate::suggestion::nearest;
use crate::value::{Fault, fault_at, is_name};

/// One place that a value goes to.
#[derive(Clone, Debug)]
pub(crate) struct Slot<'a> {
    /// From its `$` to behind its `}`.
    pub(crate) range: Range<usize>,
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    /// The tags of the dollar-quoted bodies that it stands in, from the outermost on.
    pub(crate) bodies: Vec<&'a str>,
}

/// How a value is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `${name}`
    Plain,
    /// `${name:identifier}`
    Identifier,
    /// `${name:literal}`
    Literal,
}

/// What a script with placeholders holds.
#[derive(Debug, Default)]
pub(crate) struct Slots<'a> {
    /// Those that are right, in order.
    pub(crate) slots: Vec<Slot<'a>>,
    /// What is wrong with the others, each with its place.
    pub(crate) faults: Vec<Fault>,
    /// Where the others are, as far as they can be told from the code around them.
    pub(crate) blots: Vec<Range<usize>>,
    /// The declared names that occur, rightly or not.
    pub(crate) used: BTreeSet<&'a str>,
}

impl<'a> Slots<'a> {
    /// Those of a script that declares these names.
    pub(crate) fn of(text: &'a str, declared: &[&str]) -> Self {
        let mut finder = Finder { text, declared, found: Self::default(), open: Vec::new() };
        finder.open.push(Region { range: 0..text.len(), bodies: Vec::new() });
        while let Some(region) = finder.open.pop() {
            finder.search(&region);
        }
        let mut found = finder.found;
        found.slots.sort_by_key(|slot| slot.range.start);
        found
    }
}

/// Bodies within bodies that are looked into.
const DEPTH: usize = 8;

/// A script, or a body in it.
struct Region<'a> {
    range: Range<usize>,
    bodies: Vec<&'a str>,
}

struct Finder<'a, 'n> {
    text: &'a str,
    declared: &'n [&'n str],
    found: Slots<'a>,
    /// What is still to be searched.
    open: Vec<Region<'a>>,
}

/// What matters about the token before.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// A string of the script.
    Text,
    /// A value that becomes a string, at this offset.
    Literal(usize),
    Other,
}

impl<'a> Finder<'a, '_> {
    fn search(&mut self, region: &Region<'a>) {
        let start = region.range.start;
        let mut lexer = Lexer::new(&self.text[region.range.clone()]);
        let mut before = Before::Other;
        loop {
            let (token, range) = match lexer.next() {
                Ok(Some((token, range))) => (token, start + range.start..start + range.end),
                Ok(None) => return,
                // Who reads the script tells of a quote without an end; a body need not be SQL at all.
                Err(error) => {
                    return self.quoted(start + error.offset()..region.range.end, Token::Text, region);
                }
            };
            match token {
                Token::Trivia => continue,
                Token::Text | Token::QuotedName => self.quoted(range.clone(), token, region),
                Token::DollarText => self.body(range.clone(), region),
                Token::Word | Token::Other if self.opens(range.end - 1, region) => {
                    if let Some(end) = self.take(range.end - 1, before, region) {
                        before = match self.found.slots.last() {
                            Some(slot) if slot.range.end == end && slot.kind == Kind::Literal => {
                                Before::Literal(slot.range.start)
                            }
                            _ => Before::Other,
                        };
                        lexer.skip_to(end - start);
                        continue;
                    }
                }
                _ => {}
            }
            before = match (token, before) {
                (Token::Text, Before::Literal(offset)) => {
                    self.fault(offset, TWO_STRINGS, JOIN);
                    Before::Text
                }
                (Token::Text, _) => Before::Text,
                _ => Before::Other,
            };
        }
    }

    /// Whether `${` stands at this offset.
    fn opens(&self, offset: usize, region: &Region<'_>) -> bool {
        // The byte before a token's end may be one of a letter beyond ASCII.
        self.text.as_bytes()[offset..region.range.end].starts_with(b"${")
    }

    /// Reads the placeholder at this offset of the code; gives where the code goes on, unless there is none.
    fn take(&mut self, start: usize, before: Before, region: &Region<'a>) -> Option<usize> {
        let shape = Shape::of(self.text, start, region.range.end);
        if !region.bodies.is_empty() {
            // A body may be of any language: `${name}` means something in many of them.
            shape.as_ref().filter(|shape| shape.kind.is_some() && self.declared.contains(&shape.name))?;
        }
        let Some(shape) = shape else {
            self.fault(start, "this is no placeholder that can be read", FORMS);
            let end = self.text[..region.range.end][start..].find(['}', '\'', '"', ';', '\n', '\r'])? + start;
            let closed = self.text[end..].starts_with('}');
            return closed.then(|| self.blot(start..end + 1));
        };
        let Shape { name, kind, range } = shape;
        if !self.declared.contains(&name) {
            let help = match nearest(name, self.declared.iter().copied()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => {
                    format!("declare it at the beginning of the migration: `-- habitat: placeholders {name}`")
                }
            };
            self.fault(start, format!("the placeholder `{}` is not declared", short(name)), help);
            return Some(self.blot(range));
        }
        self.found.used.insert(name);
        let kind = match kind {
            None => Kind::Plain,
            Some("identifier") => Kind::Identifier,
            Some("literal") => Kind::Literal,
            Some(other) => {
                let help = match nearest(other, ["identifier", "literal"]) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => "the kinds are `identifier` and `literal`; without one, a value is letters, digits and `_`"
                        .to_owned(),
                };
                let offset = start + "${".len() + name.len() + ":".len();
                self.fault(offset, format!("there is no kind `{}` of placeholder", short(other)), help);
                return Some(self.blot(range));
            }
        };
        let limits = &region.range;
        let (left, right) = (&self.text[limits.start..start], &self.text[range.end..limits.end]);
        let end = range.end;
        if kind == Kind::Plain {
            if runs_into_a_quote(right) {
                let help =
                    "put white space behind it, so that no value can change how the next quote is read";
                self.fault(start, "this placeholder touches a quote", help);
                return Some(self.blot(range));
            }
            self.found.slots.push(Slot { range, name, kind, bodies: Vec::new() });
            return Some(end);
        }
        if touches(left, right) {
            let help = format!(
                "its value comes in quotes, which nothing can be joined with: put white space between, or write \
                 `${{{name}}}`, whose value has letters, digits and `_` only"
            );
            self.fault(start, "this placeholder touches what stands beside it", help);
            return Some(self.blot(range));
        }
        if kind == Kind::Literal && before != Before::Other {
            self.fault(start, TWO_STRINGS, JOIN);
        }
        self.found.slots.push(Slot { range, name, kind, bodies: region.bodies.clone() });
        Some(end)
    }

    /// A placeholder in quotes would be text.
    fn quoted(&mut self, range: Range<usize>, token: Token, region: &Region<'a>) {
        let mut at = range.start;
        while let Some(length) = self.text[at..range.end].find("${") {
            let start = at + length;
            at = start + "${".len();
            let Some(Shape { name, kind, .. }) = Shape::of(self.text, start, range.end) else { continue };
            let declared = self.declared.contains(&name);
            let counts = region.bodies.is_empty() || (declared && kind.is_some());
            if !counts {
                continue;
            }
            if declared {
                self.found.used.insert(name);
            }
            let (message, help) = if token == Token::QuotedName {
                (
                    "a placeholder inside of a quoted identifier is not replaced",
                    format!(
                        "write `${{{name}:identifier}}` in place of the whole identifier, without quotes"
                    ),
                )
            } else {
                (
                    "a placeholder inside of a string is not replaced",
                    format!(
                        "write `${{{name}:literal}}` in place of the whole string, without quotes, and join it with `||`; \
                         if these very characters are meant, write '$' || '{{{name}}}'"
                    ),
                )
            };
            self.fault(start, message, help);
        }
    }

    fn body(&mut self, range: Range<usize>, region: &Region<'a>) {
        let text = self.text;
        let body = &text[range.clone()];
        if !body.contains("${") {
            return;
        }
        let tag = match body[1..].find('$') {
            Some(length) => &body[..length + 2],
            None => return,
        };
        let mut bodies = region.bodies.clone();
        bodies.push(tag);
        let inner = Region { range: range.start + tag.len()..range.end - tag.len(), bodies };
        if inner.bodies.len() > DEPTH {
            return self.quoted(inner.range.clone(), Token::Text, &inner);
        }
        self.open.push(inner);
    }

    fn fault(&mut self, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        self.found.faults.push(fault_at(offset, message, help));
    }

    fn blot(&mut self, range: Range<usize>) -> usize {
        let end = range.end;
        self.found.blots.push(range);
        end
    }
}

const FORMS: &str = "write `${name}`, `${name:identifier}` or `${name:literal}`, without spaces; a name has letters, digits and `_`";
const TWO_STRINGS: &str = "this value would become one string with the string beside it";
const JOIN: &str = "join them with `||`";

/// `${name}` or `${name:kind}`, as it was written.
struct Shape<'a> {
    range: Range<usize>,
    name: &'a str,
    kind: Option<&'a str>,
}

impl<'a> Shape<'a> {
    /// What begins with the `${` at this offset and ends before `limit`.
    fn of(text: &'a str, start: usize, limit: usize) -> Option<Self> {
        let inner = text[..limit].get(start + "${".len()..)?;
        let length = inner
            .find(|character: char| !character.is_ascii_alphanumeric() && !matches!(character, '_' | ':'))?;
        if !inner[length..].starts_with('}') {
            return None;
        }
        let inner = &inner[..length];
        let (name, kind) = match inner.split_once(':') {
            Some((name, kind)) => (name, Some(kind)),
            None => (inner, None),
        };
        let sound = is_name(name) && kind.is_none_or(is_name);
        sound.then_some(Self { range: start..start + "${}".len() + length, name, kind })
    }
}

/// Whether the word that a plain placeholder begins touches a quote, which it could change.
fn runs_into_a_quote(right: &str) -> bool {
    let next = right.trim_start_matches(continues_word);
    // `e` before a quote gives its backslashes a meaning, `u&` does so to others; `$` would be part of the word.
    next.starts_with(['\'', '"'])
        || next.starts_with("&'")
        || next.starts_with("&\"")
        || (next.starts_with('$') && !next.starts_with("${"))
}

/// Whether a quoted value would become one token with the code before or behind it.
fn touches(left: &str, right: &str) -> bool {
    let joins = |character: char| continues_word(character) || matches!(character, '$' | '\'' | '"');
    left.ends_with(|character: char| joins(character) || character == '}')
        || left.ends_with("u&")
        || left.ends_with("U&")
        || right.starts_with(joins)
}

/// Every character beyond ASCII is a letter to the server.
fn continues_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_' || !character.is_ascii()
}

fn short(name: &str) -> String {
    name.chars().take(60).collect()
}
