//! A script that runs without a transaction, cut into what is done and recorded as one: [`units`].

use crate::command::{Command, Control, Phrase};
use crate::lexer::Token;
use crate::statement::{LexError, Statement, statements};

/// Cuts a script into its units: its statements, and the transactions that it begins and ends itself.
///
/// # Errors
/// A quote or a comment without an end.
pub fn units(text: &str) -> Result<Vec<Unit>, LexError> {
    let mut units: Vec<Unit> = Vec::new();
    for statement in statements(text)?.into_iter().filter(|statement| !statement.is_empty()) {
        let code = &text[statement.code()];
        match units.last_mut() {
            Some(unit) if unit.work == Work::Transaction && !unit.is_closed => {
                unit.is_closed = closes(code);
                unit.statements.push(statement);
            }
            _ => {
                let work = Work::of(code);
                let is_closed = work != Work::Transaction;
                units.push(Unit { statements: vec![statement], work, is_closed });
            }
        }
    }
    Ok(units)
}

/// What is done wholly or not at all, recorded, and tried again where it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    statements: Vec<Statement>,
    work: Work,
    is_closed: bool,
}

impl Unit {
    /// Its statements: one, or all of a transaction. There is at least one.
    pub fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// From its first byte of code to its last.
    pub fn code(&self) -> std::ops::Range<usize> {
        let first = self.statements.first().map_or(0, |statement| statement.code().start);
        first..self.statements.last().map_or(first, |statement| statement.code().end)
    }

    /// What it does, as far as that makes a difference to how it is run.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// Whether it ends the transaction that it begins, if it begins one.
    pub fn is_closed(&self) -> bool {
        self.is_closed
    }
}

/// What a unit does, as far as that makes a difference to how it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Work {
    /// `CREATE INDEX CONCURRENTLY`: it leaves an invalid index where it fails.
    CreateIndex {
        /// The table with its schema, if it is named, as the server keeps names; none where that cannot be told.
        table: Option<Vec<String>>,
        /// The index, if it is named.
        name: Option<String>,
    },
    /// `REINDEX CONCURRENTLY`: it leaves invalid indexes of names that the server makes up where it fails.
    Reindex {
        /// The index or the table; none where it is all of a schema or of the database.
        target: Option<Vec<String>>,
    },
    /// Something else `CONCURRENTLY`, which waits for other transactions and lets them pass meanwhile.
    Concurrent,
    /// `SET` or `RESET`, whose effect a session keeps, and a new session lacks.
    Session,
    /// A transaction that the script begins.
    Transaction,
    /// Anything else.
    Other,
}

impl Work {
    fn of(code: &str) -> Self {
        match Command::of(code) {
            Some(Command::Control(Control::Begin)) => return Self::Transaction,
            Some(Command::Alone("CREATE INDEX CONCURRENTLY")) => return create_index(&mut Phrase::new(code)),
            Some(Command::Alone("REINDEX CONCURRENTLY")) => return reindex(&mut Phrase::new(code)),
            Some(Command::Alone(name)) if name.contains("CONCURRENTLY") => return Self::Concurrent,
            // Those of a schema and of the database are not told apart by the word.
            Some(Command::Alone(name)) if name.starts_with("REINDEX") && has_word(code, "concurrently") => {
                return Self::Reindex { target: None };
            }
            _ => {}
        }
        let mut phrase = Phrase::new(code);
        let sets = phrase.word("set") && !phrase.word("constraints") && !phrase.word("transaction");
        if sets || Phrase::new(code).word("reset") { Self::Session } else { Self::Other }
    }
}

fn create_index(phrase: &mut Phrase<'_>) -> Work {
    phrase.word("create");
    phrase.word("unique");
    phrase.word("index");
    phrase.word("concurrently");
    let mut name = None;
    if !phrase.word("on") {
        // `if` is a name, too.
        name = match phrase.word("if") {
            true if !phrase.word("not") => Some("if".to_owned()),
            conditional => {
                if conditional {
                    phrase.word("exists");
                }
                phrase.take().and_then(|(token, text)| kept(token, text))
            }
        };
        phrase.word("on");
    }
    phrase.word("only");
    Work::CreateIndex { table: qualified(phrase), name }
}

fn reindex(phrase: &mut Phrase<'_>) -> Work {
    phrase.word("reindex");
    if matches!(phrase.peek(), Some((Token::Open, _))) {
        while phrase.take().is_some_and(|(token, _)| token != Token::Close) {}
    }
    phrase.skip();
    phrase.word("concurrently");
    Work::Reindex { target: qualified(phrase) }
}

fn has_word(code: &str, key: &str) -> bool {
    let mut phrase = Phrase::new(code);
    while phrase.peek().is_some() {
        if phrase.word(key) {
            return true;
        }
        phrase.skip();
    }
    false
}

/// Whether a statement ends the transaction that it is in.
fn closes(code: &str) -> bool {
    let ends = matches!(
        Command::of(code),
        Some(Command::Control(Control::Commit | Control::Rollback | Control::Prepare))
    );
    ends && !chains(code)
}

/// Whether a transaction follows at once: `COMMIT AND CHAIN`.
fn chains(code: &str) -> bool {
    let mut phrase = Phrase::new(code);
    phrase.skip();
    let _ = phrase.word("work") || phrase.word("transaction");
    phrase.word("and") && phrase.word("chain")
}

/// A name with the one of its schema before it, if there is one.
fn qualified(phrase: &mut Phrase<'_>) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    loop {
        let (token, text) = phrase.take()?;
        parts.push(kept(token, text)?);
        if !matches!(phrase.peek(), Some((Token::Other, "."))) {
            return Some(parts);
        }
        phrase.skip();
    }
}

/// A name as the server keeps it: in lower case unless it is quoted, 63 bytes at the most.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
fn kept(token: Token, text: &str) -> Option<String> {
    let mut name = match token {
        Token::Word => text.to_ascii_lowercase(),
        Token::QuotedName if text.starts_with('"') => unquoted(text)?,
        Token::QuotedName => unescaped(&unquoted(text.get(2..)?)?)?,
        _ => return None,
    };
    let mut end = name.len().min(63);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.truncate(end);
    Some(name)
}

fn unquoted(text: &str) -> Option<String> {
    Some(text.strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\""))
}

/// The text of `U&"d\0061t\+000061"`.
fn unescaped(text: &str) -> Option<String> {
    let mut name = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('\\') {
            name.push('\\');
            rest = after;
            continue;
        }
        let (digits, length) = match rest.strip_prefix('+') {
            Some(digits) => (digits, 6),
            None => (rest, 4),
        };
        name.push(char::from_u32(u32::from_str_radix(digits.get(..length)?, 16).ok()?)?);
        rest = &digits[length..];
    }
    name.push_str(rest);
    Some(name)
}

#[cfg(test)]
#[path = "unit_tests.rs"]
mod tests;
