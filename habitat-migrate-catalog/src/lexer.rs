//! Cuts SQL into tokens, as PostgreSQL's own scanner would: [`Lexer`].
//!
//! It knows exactly as much as is needed to find where statements end, to read their first words, and to
//! tell code from quotes and comments. It never looks back, and allocates nothing but the list of marks.

use std::ops::Range;

use crate::{LexError, Unterminated};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// White space and comments.
    Trivia,
    /// A key word or a name without quotes.
    Word,
    /// `"name"`, `U&"name"`.
    QuotedName,
    /// `'text'` of any kind.
    Text,
    /// `$tag$text$tag$`.
    DollarText,
    /// `(`
    Open,
    /// `)`
    Close,
    /// `[`
    OpenBracket,
    /// `]`
    CloseBracket,
    /// `;`
    Semicolon,
    /// `:` directly before a name, which psql would replace by a variable's value.
    Colon,
    /// A backslash, with the rest of its line: a command of psql.
    Backslash,
    /// Numbers, parameters, operators.
    Other,
}

/// Reads a text token by token.
pub(crate) struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Where a line comment begins with `-- habitat` or `-- no-transaction`.
    marks: Vec<Range<usize>>,
}

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, bytes: text.as_bytes(), at, marks: Vec::new() }
    }

    /// The line comments that may be directives, in order.
    pub(crate) fn into_marks(self) -> Vec<Range<usize>> {
        self.marks
    }

    /// The offset at which the next token begins.
    pub(crate) fn offset(&self) -> usize {
        self.at
    }

    /// Goes on at another offset.
    pub(crate) fn skip_to(&mut self, offset: usize) {
        self.at = offset;
    }

    /// The next token, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<(Token, Range<usize>)>, LexError> {
        let start = self.at;
        let Some(&byte) = self.bytes.get(start) else { return Ok(None) };
        let token = match CLASSES[usize::from(byte)] {
            Class::Space => self.trivia()?,
            Class::Letter => self.word()?,
            Class::Digit => self.number(),
            Class::Other => self.symbol(byte)?,
        };
        Ok(Some((token, start..self.at)))
    }

    fn symbol(&mut self, byte: u8) -> Result<Token, LexError> {
        match (byte, self.peek(1)) {
            (b'-', Some(b'-')) | (b'/', Some(b'*')) => return self.trivia(),
            (b'\'', _) => {
                self.plain_string(self.at)?;
                return Ok(Token::Text);
            }
            (b'"', _) => {
                self.quoted(self.at, b'"', Unterminated::Identifier)?;
                return Ok(Token::QuotedName);
            }
            (b'$', _) => return self.dollar(),
            (b'.', Some(b'0'..=b'9')) => {
                self.at += 1;
                return Ok(self.number());
            }
            (b':', Some(b':' | b'=')) => {
                self.at += 2;
                return Ok(Token::Other);
            }
            (b'\\', _) => {
                self.at = self.line_end(self.at);
                return Ok(Token::Backslash);
            }
            _ => {}
        }
        let colon = byte == b':' && self.names_a_variable();
        self.at += 1;
        Ok(match byte {
            b'(' => Token::Open,
            b')' => Token::Close,
            b'[' => Token::OpenBracket,
            b']' => Token::CloseBracket,
            b';' => Token::Semicolon,
            b':' if colon => Token::Colon,
            _ => Token::Other,
        })
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    /// Where the line that holds `from` ends, before its line break.
    fn line_end(&self, from: usize) -> usize {
        self.skip_while(from, |byte| byte != b'\n' && byte != b'\r')
    }

    /// The offset of the first byte from `from` on that is not `wanted`.
    fn skip_while(&self, from: usize, wanted: impl Fn(u8) -> bool) -> usize {
        self.bytes[from..]
            .iter()
            .position(|&byte| !wanted(byte))
            .map_or(self.bytes.len(), |length| from + length)
    }

    fn trivia(&mut self) -> Result<Token, LexError> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(byte), _) if is_space(byte) => self.at = self.skip_while(self.at + 1, is_space),
                (Some(b'-'), Some(b'-')) => self.line_comment(),
                (Some(b'/'), Some(b'*')) => self.block_comment()?,
                _ => return Ok(Token::Trivia),
            }
        }
    }

    fn line_comment(&mut self) {
        let start = self.at;
        self.at = self.line_end(start);
        let comment = &self.bytes[start + 2..self.at];
        let first =
            comment.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'-')).unwrap_or(comment.len());
        let words = &comment[first..];
        let starts =
            |prefix: &[u8]| words.len() >= prefix.len() && words[..prefix.len()].eq_ignore_ascii_case(prefix);
        if starts(b"habitat") || starts(b"no-transaction") {
            self.marks.push(start..self.at);
        }
    }

    fn block_comment(&mut self) -> Result<(), LexError> {
        let start = self.at;
        let mut depth = 1;
        self.at += 2;
        while depth > 0 {
            match (self.peek(0), self.peek(1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                }
                (Some(b'/'), Some(b'*')) => {
                    depth += 1;
                    self.at += 2;
                }
                (Some(_), _) => self.at = self.skip_while(self.at + 1, |byte| byte != b'*' && byte != b'/'),
                (None, _) => return Err(LexError::new(start, Unterminated::Comment)),
            }
        }
        Ok(())
    }

    /// A word; or a quote that begins with a letter: `E'…'`, `N'…'`, `B'…'`, `X'…'`, `U&'…'`, `U&"…"`.
    fn word(&mut self) -> Result<Token, LexError> {
        let start = self.at;
        self.at = self.skip_while(start + 1, continues_name);
        if self.at - start > 1 {
            return Ok(Token::Word);
        }
        match (self.bytes[start].to_ascii_lowercase(), self.peek(0), self.peek(1)) {
            (b'e', Some(b'\''), _) => {
                self.escape_string(start)?;
                Ok(Token::Text)
            }
            (b'n' | b'b' | b'x', Some(b'\''), _) => {
                self.plain_string(start)?;
                Ok(Token::Text)
            }
            (b'u', Some(b'&'), Some(b'\'')) => {
                self.at += 1;
                self.plain_string(start)?;
                Ok(Token::Text)
            }
            (b'u', Some(b'&'), Some(b'"')) => {
                self.at += 1;
                self.quoted(start, b'"', Unterminated::Identifier)?;
                Ok(Token::QuotedName)
            }
            _ => Ok(Token::Word),
        }
    }

    /// Letters directly after digits are junk to the server, but they are no word; and only behind a letter is `$` part of it.
    fn number(&mut self) -> Token {
        let mut junk = false;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'0'..=b'9' | b'_' => {}
                b'.' if !junk => {}
                b'$' if junk => {}
                _ if CLASSES[usize::from(byte)] == Class::Letter => junk = true,
                _ => break,
            }
            self.at += 1;
        }
        Token::Other
    }

    fn plain_string(&mut self, start: usize) -> Result<(), LexError> {
        self.quoted(start, b'\'', Unterminated::String)
    }

    /// From one quote to the next that is not doubled. `start` is where a prefix before it begins.
    fn quoted(&mut self, start: usize, quote: u8, what: Unterminated) -> Result<(), LexError> {
        let quote = char::from(quote);
        let mut from = self.at + 1;
        loop {
            // A doubled quote is one string after the other: the boundary is the same.
            let Some(length) = self.text[from..].find(quote) else { return Err(LexError::new(start, what)) };
            from += length + 1;
            if self.bytes.get(from) != Some(&(quote as u8)) {
                self.at = from;
                return Ok(());
            }
            from += 1;
        }
    }

    /// `E'…'` with its continuations: another quote after white space that holds a line break goes on with escapes.
    fn escape_string(&mut self, start: usize) -> Result<(), LexError> {
        self.at += 1;
        loop {
            match self.peek(0) {
                Some(b'\\') => self.at += 2,
                Some(b'\'') if self.peek(1) == Some(b'\'') => self.at += 2,
                Some(b'\'') => {
                    self.at += 1;
                    match self.continuation() {
                        Some(quote) => self.at = quote + 1,
                        None => return Ok(()),
                    }
                }
                Some(_) => self.at = self.skip_while(self.at + 1, |byte| byte != b'\\' && byte != b'\''),
                None => return Err(LexError::new(start, Unterminated::String)),
            }
        }
    }

    /// Where a string goes on after its closing quote.
    fn continuation(&self) -> Option<usize> {
        let mut at = self.at;
        let mut breaks = false;
        loop {
            match self.bytes.get(at)? {
                b'\n' | b'\r' => {
                    breaks = true;
                    at += 1;
                }
                b' ' | b'\t' | b'\x0b' | b'\x0c' => at += 1,
                b'-' if self.bytes.get(at + 1) == Some(&b'-') => at = self.line_end(at),
                b'\'' if breaks => return Some(at),
                _ => return None,
            }
        }
    }

    /// `$tag$…$tag$`, or a parameter, or a lone dollar sign.
    fn dollar(&mut self) -> Result<Token, LexError> {
        let start = self.at;
        let mut end = start + 1;
        while self.bytes.get(end).is_some_and(|&byte| byte != b'$' && continues_name(byte)) {
            end += 1;
        }
        let numbered = self.bytes.get(start + 1).is_some_and(u8::is_ascii_digit);
        if numbered || self.bytes.get(end) != Some(&b'$') {
            self.at += 1;
            while numbered && self.peek(0).is_some_and(|byte| byte.is_ascii_digit()) {
                self.at += 1;
            }
            return Ok(Token::Other);
        }
        let tag = &self.text[start..=end];
        match self.text[end + 1..].find(tag) {
            Some(length) => {
                self.at = end + 1 + length + tag.len();
                Ok(Token::DollarText)
            }
            None => Err(LexError::new(start, Unterminated::DollarQuote)),
        }
    }

    /// Whether what follows the colon is `name`, `'name'`, `"name"` or `{?name}`.
    fn names_a_variable(&self) -> bool {
        let starts_name = |byte: u8| CLASSES[usize::from(byte)] == Class::Letter;
        match self.peek(1) {
            Some(quote @ (b'\'' | b'"')) => {
                let name = &self.bytes[self.at + 2..];
                let length =
                    name.iter().position(|&byte| byte == b'$' || !continues_name(byte)).unwrap_or(name.len());
                length > 0 && name.get(length) == Some(&quote)
            }
            Some(b'{') => self.peek(2) == Some(b'?'),
            Some(byte) => starts_name(byte),
            None => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Digit,
    Other,
}

/// What kind of token each byte may begin. Every byte of a character beyond ASCII is a letter.
const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => Class::Space,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80..=0xff => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            _ => Class::Other,
        };
        byte += 1;
    }
    classes
};

fn is_space(byte: u8) -> bool {
    CLASSES[usize::from(byte)] == Class::Space
}

fn continues_name(byte: u8) -> bool {
    matches!(CLASSES[usize::from(byte)], Class::Letter | Class::Digit) || byte == b'$'
}
