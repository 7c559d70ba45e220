//! A script cut into its statements: [`statements`].

use std::fmt;
use std::ops::Range;

use crate::lexer::{Lexer, Token};

/// Cuts a script into its statements, as psql would.
///
/// ```
/// use habitat_migrate_catalog::statements;
///
/// let script = "CREATE TABLE a (); -- one\nINSERT INTO b VALUES (';');\n";
/// let statements = statements(script)?;
/// assert_eq!(&script[statements[1].code()], "INSERT INTO b VALUES (';');");
/// assert!(statements[2].is_empty(), "the last line break");
/// # Ok::<(), habitat_migrate_catalog::LexError>(())
/// ```
///
/// The ranges of the statements, one after the other, are the whole script. Semicolons in quotes,
/// comments, parentheses and bodies of routines (`BEGIN ATOMIC … END`) end no statement. The data of
/// `COPY … FROM STDIN` belongs to its statement, and a command of psql at the beginning of a statement is one.
///
/// # Errors
/// A quote or a comment without an end.
pub fn statements(text: &str) -> Result<Vec<Statement>, LexError> {
    Scan::of(text).map(|scan| scan.statements)
}

/// Where a colon stands directly before a name outside of quotes and comments: psql would look for a variable there, in a
/// subscript, say.
///
/// # Errors
/// A quote or a comment without an end.
pub fn colons(text: &str) -> Result<Vec<usize>, LexError> {
    let mut lexer = Lexer::new(text);
    let mut colons = Vec::new();
    while let Some((token, range)) = lexer.next()? {
        if token == Token::Colon {
            colons.push(range.start);
        }
    }
    Ok(colons)
}

/// One statement of a script, with the white space and the comments before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    range: Range<usize>,
    code: Range<usize>,
}

impl Statement {
    /// The bytes of the script that belong to it; the ranges of all statements are the whole script.
    pub fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// From its first byte of code to its last, without the white space and the comments around; with its semicolon.
    pub fn code(&self) -> Range<usize> {
        self.code.clone()
    }

    /// Whether it holds white space, comments or a lone semicolon only: nothing to run.
    pub fn is_empty(&self) -> bool {
        self.code.is_empty()
    }
}

/// A quote or a comment that the script does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexError {
    offset: usize,
    what: Unterminated,
}

impl LexError {
    pub(crate) fn new(offset: usize, what: Unterminated) -> Self {
        Self { offset, what }
    }

    /// The byte offset at which it begins.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// What has no end.
    pub fn what(&self) -> Unterminated {
        self.what
    }
}

impl fmt::Display for LexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} that begins here has no end", self.what)
    }
}

impl std::error::Error for LexError {}

/// What a script leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unterminated {
    /// `'…`
    String,
    /// `"…`
    Identifier,
    /// `/*…`
    Comment,
    /// `$tag$…`
    DollarQuote,
}

impl fmt::Display for Unterminated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "the string",
            Self::Identifier => "the quoted identifier",
            Self::Comment => "the comment",
            Self::DollarQuote => "the dollar-quoted string",
        })
    }
}

/// Everything that one pass over a script finds.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) statements: Vec<Statement>,
    /// What only psql understands, in order.
    pub(crate) foreign: Vec<Foreign>,
    /// Line comments that may be directives, in order.
    pub(crate) marks: Vec<Range<usize>>,
}

impl Scan {
    pub(crate) fn of(text: &str) -> Result<Self, LexError> {
        let mut splitter = Splitter {
            text,
            lexer: Lexer::new(text),
            statements: Vec::new(),
            foreign: Vec::new(),
            start: 0,
            code: None,
            nesting: Nesting::default(),
            head: Head::Start,
            last: None,
        };
        while let Some((token, range)) = splitter.lexer.next()? {
            if token != Token::Trivia {
                splitter.take(token, range);
            }
        }
        Ok(splitter.finish())
    }

    /// Where the first statement begins, or the text ends.
    pub(crate) fn first_code(&self) -> Option<usize> {
        self.statements.iter().find(|statement| !statement.is_empty()).map(|statement| statement.code.start)
    }
}

/// Something in a script that psql understands and the server does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    pub(crate) kind: ForeignKind,
    pub(crate) range: Range<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ForeignKind {
    /// `\connect other`
    MetaCommand,
    /// `:name`
    Variable,
    /// `COPY t FROM STDIN` with its data.
    CopyData,
    /// `COPY t TO STDOUT`.
    CopyOut,
}

struct Splitter<'a> {
    text: &'a str,
    lexer: Lexer<'a>,
    statements: Vec<Statement>,
    foreign: Vec<Foreign>,
    /// Where the statement begins that is being read.
    start: usize,
    /// Its code so far.
    code: Option<Range<usize>>,
    nesting: Nesting,
    head: Head,
    /// The last token of code.
    last: Option<(Token, Range<usize>)>,
}

/// How deep in parentheses and brackets a place is.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    brackets: usize,
    /// The depth inside of `JSON_OBJECT(`, where a colon stands between key and value.
    json: Option<usize>,
}

/// What the words of a statement so far make of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Head {
    Start,
    Create,
    CreateOr,
    CreateOrReplace,
    /// A function or a procedure, whose body may be `BEGIN ATOMIC … END`.
    Routine,
    RoutineBegin,
    /// In such a body; directly after `;` or `ATOMIC`, where `END` ends it.
    BodyStart,
    Body,
    Copy,
    CopyFrom,
    CopyFromStdin,
    CopyTo,
    CopyToStdout,
    Other,
}

impl Splitter<'_> {
    fn take(&mut self, token: Token, range: Range<usize>) {
        if token == Token::Backslash {
            return self.meta_command(range);
        }
        let ends = token == Token::Semicolon
            && self.nesting.parentheses == 0
            && !matches!(self.head, Head::BodyStart | Head::Body);
        if ends {
            return self.end_statement(range.end);
        }
        match token {
            Token::Open => {
                self.nesting.parentheses += 1;
                if self.nesting.json.is_none() && self.last_is_json_constructor() {
                    self.nesting.json = Some(self.nesting.parentheses);
                }
            }
            Token::Close => {
                if self.nesting.json == Some(self.nesting.parentheses) {
                    self.nesting.json = None;
                }
                self.nesting.parentheses = self.nesting.parentheses.saturating_sub(1);
            }
            Token::OpenBracket => self.nesting.brackets += 1,
            Token::CloseBracket => self.nesting.brackets = self.nesting.brackets.saturating_sub(1),
            Token::Colon if self.nesting.brackets == 0 && self.nesting.json.is_none() => {
                self.foreign.push(Foreign { kind: ForeignKind::Variable, range: range.clone() });
            }
            _ => {}
        }
        if self.head != Head::Other {
            self.head = self.next_head(token, &range);
        }
        match &mut self.code {
            Some(code) => code.end = range.end,
            None => self.code = Some(range.clone()),
        }
        self.last = Some((token, range));
    }

    fn next_head(&self, token: Token, range: &Range<usize>) -> Head {
        let word = if token == Token::Word { &self.text[range.clone()] } else { "" };
        let is = |key: &str| word.eq_ignore_ascii_case(key);
        let outside = self.nesting.parentheses == 0;
        match self.head {
            Head::Start if is("create") => Head::Create,
            Head::Start if is("copy") => Head::Copy,
            Head::Create if is("or") => Head::CreateOr,
            Head::CreateOr if is("replace") => Head::CreateOrReplace,
            Head::Create | Head::CreateOrReplace if is("function") || is("procedure") => Head::Routine,
            Head::RoutineBegin if outside && is("atomic") => Head::BodyStart,
            Head::Routine | Head::RoutineBegin if outside && is("begin") => Head::RoutineBegin,
            Head::Routine | Head::RoutineBegin => Head::Routine,
            // The body is over: what follows can no longer begin another.
            Head::BodyStart if is("end") => Head::Other,
            Head::BodyStart | Head::Body if outside && token == Token::Semicolon => Head::BodyStart,
            Head::BodyStart | Head::Body => Head::Body,
            // The grammar takes either word in either direction.
            Head::CopyFrom if outside && (is("stdin") || is("stdout")) => Head::CopyFromStdin,
            Head::CopyTo if outside && (is("stdin") || is("stdout")) => Head::CopyToStdout,
            Head::CopyFromStdin | Head::CopyToStdout => self.head,
            Head::Copy | Head::CopyFrom | Head::CopyTo if outside && is("from") => Head::CopyFrom,
            Head::Copy | Head::CopyFrom | Head::CopyTo if outside && is("to") => Head::CopyTo,
            Head::Copy | Head::CopyFrom | Head::CopyTo => Head::Copy,
            Head::Start | Head::Create | Head::CreateOr | Head::CreateOrReplace | Head::Other => Head::Other,
        }
    }

    /// `JSON_OBJECT('key': value)` is the one place in SQL, besides subscripts, where a colon stands before a name.
    fn last_is_json_constructor(&self) -> bool {
        let Some((Token::Word, range)) = &self.last else { return false };
        matches!(range.len(), 11 | 14) && {
            let word = &self.text[range.clone()];
            word.eq_ignore_ascii_case("json_object") || word.eq_ignore_ascii_case("json_objectagg")
        }
    }

    /// A command of psql is a statement of its own where one can begin; those that send what was typed end it.
    fn meta_command(&mut self, range: Range<usize>) {
        self.foreign.push(Foreign { kind: ForeignKind::MetaCommand, range: range.clone() });
        let sends = self.text[range.clone()].starts_with("\\g");
        if self.code.is_none() || sends {
            let code = self.code.take().map_or(range.start, |code| code.start);
            self.code = Some(code..range.end);
            self.push(range.end);
        } else if let Some(code) = &mut self.code {
            code.end = range.end;
        }
    }

    fn end_statement(&mut self, end: usize) {
        if let Some(code) = &mut self.code {
            code.end = end;
        }
        let mut end = end;
        if self.head == Head::CopyFromStdin {
            let start = self.code.as_ref().map_or(self.start, |code| code.start);
            self.foreign.push(Foreign { kind: ForeignKind::CopyData, range: start..end });
            end = end_of_data(self.text, end);
            if let Some(code) = &mut self.code {
                code.end = end;
            }
            self.lexer.skip_to(end);
        }
        self.push(end);
    }

    fn push(&mut self, end: usize) {
        let code = self.code.take().unwrap_or(end..end);
        if self.head == Head::CopyToStdout {
            self.foreign.push(Foreign { kind: ForeignKind::CopyOut, range: code.clone() });
        }
        self.statements.push(Statement { range: self.start..end, code });
        self.start = end;
        self.nesting = Nesting::default();
        self.head = Head::Start;
        self.last = None;
    }

    fn finish(mut self) -> Scan {
        if let Some(code) = self.code.clone() {
            if self.head == Head::CopyFromStdin {
                self.foreign.push(Foreign { kind: ForeignKind::CopyData, range: code.clone() });
            }
            self.push(code.end);
        }
        if self.start < self.text.len() {
            self.push(self.text.len());
        }
        debug_assert!(self.lexer.offset() >= self.text.len(), "the lexer reads to the end");
        // COPY is noted when it ends, after variables inside of it.
        self.foreign.sort_by_key(|foreign| foreign.range.start);
        Scan { statements: self.statements, foreign: self.foreign, marks: self.lexer.into_marks() }
    }
}

/// Where the data of `COPY … FROM STDIN;` ends: after the line `\.`, or with the text.
fn end_of_data(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    // What follows the semicolon in its own line is no data, but no statement of ours either.
    while let Some(length) = text[at..].find('\n') {
        at += length + 1;
        let rest = &bytes[at..];
        if rest.starts_with(b"\\.") && matches!(rest.get(2), None | Some(b'\n' | b'\r')) {
            return at + 2;
        }
    }
    text.len()
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
