//! A migration that fills a large table in, batch by batch: [`Backfill`], and the script's `${range}`.
//!
//! ```sql
//! -- habitat: backfill app.users by id, batch 5000, pause 10ms
//! UPDATE app.users SET slug = lower(name) WHERE ${range} AND slug IS NULL;
//! ```

use std::borrow::Cow;
use std::ops::Range;
use std::time::Duration;

use crate::command::Phrase;
use crate::lexer::{Lexer, Token};
use crate::script::Script;
use crate::statement::Scan;
use crate::value::{Fault, fault, timeout};
use crate::{Kind, Problem, TransactionMode, statements};

/// `-- habitat: backfill users by id, batch 5000`: which table is walked, by which key, in which steps.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backfill {
    /// The table's schema, where the directive names it.
    pub schema: Option<Cow<'static, str>>,
    /// The table, as the server has its name.
    pub table: Cow<'static, str>,
    /// `as u`: what the script calls the table where its columns alone would be ambiguous.
    pub alias: Option<Cow<'static, str>>,
    /// The columns of the key, in order; there is at least one.
    pub key: Cow<'static, [Cow<'static, str>]>,
    /// How many rows a batch has at the most.
    pub batch: u32,
    /// What happens between two batches.
    pub throttle: Throttle,
}

/// How a backfill leaves the server to others between two batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Throttle {
    /// Not at all.
    None,
    /// `pause 10ms`.
    Pause(Duration),
    /// `duty 25%`: a batch that takes 100 ms is followed by a pause of 300 ms.
    Duty(u32),
}

impl Backfill {
    /// What a macro writes.
    #[doc(hidden)]
    pub const fn embedded(
        schema: Option<&'static str>,
        table: &'static str,
        alias: Option<&'static str>,
        key: &'static [Cow<'static, str>],
        batch: u32,
        throttle: Throttle,
    ) -> Self {
        Self {
            schema: match schema {
                Some(name) => Some(Cow::Borrowed(name)),
                None => None,
            },
            table: Cow::Borrowed(table),
            alias: match alias {
                Some(name) => Some(Cow::Borrowed(name)),
                None => None,
            },
            key: Cow::Borrowed(key),
            batch,
            throttle,
        }
    }

    /// Where in a script each `${range}` stands that is replaced by a batch's bounds: not those in quotes and comments.
    pub fn ranges(script: &str) -> Vec<Range<usize>> {
        let mut ranges = Vec::new();
        let mut lexer = Lexer::new(script);
        while let Ok(Some((token, range))) = lexer.next() {
            if token == Token::Other && script[range.start..].starts_with(RANGE) {
                let end = range.start + RANGE.len();
                ranges.push(range.start..end);
                lexer.skip_to(end);
            }
        }
        ranges
    }

    /// Where a script's directive stands; its beginning, where it has none.
    pub fn place(script: &str) -> usize {
        let Ok(scan) = Scan::of(script) else { return 0 };
        let is_ours = |mark: &&Range<usize>| {
            let body = script[(*mark).clone()].trim_start_matches(['-', ' ', '\t']);
            body.strip_prefix("habitat:").is_some_and(|body| body.trim_start().starts_with("backfill"))
        };
        let mark = scan.marks.iter().find(is_ours);
        mark.map_or(0, |mark| mark.start + script[mark.clone()].find("backfill").unwrap_or_default())
    }

    /// Reads `users as u by id, batch 5000, pause 10ms`; `offset` is where the value stands.
    pub(crate) fn read(value: &str, offset: usize) -> Result<Self, Fault> {
        if let Err(error) = statements(value) {
            return Err(at(offset + error.offset(), fault(error.to_string(), SHAPE)));
        }
        let mut reader = Reader { phrase: Phrase::new(value), value, offset };
        let mut table = reader.name("this is no table")?;
        let mut schema = None;
        if reader.symbol(".") {
            schema = Some(std::mem::replace(&mut table, reader.name("this is no table")?));
        }
        let alias = if reader.phrase.word("as") { Some(reader.name("this is no name")?) } else { None };
        if !reader.phrase.word("by") {
            return Err(reader.fault(
                "the backfill lacks its key",
                "write `by` and the columns by which the table is walked: `backfill users by id`",
            ));
        }
        let mut backfill = Self {
            schema: schema.map(Cow::Owned),
            table: Cow::Owned(table),
            alias: alias.map(Cow::Owned),
            key: Cow::Borrowed(&[]),
            batch: DEFAULT_BATCH,
            throttle: Throttle::None,
        };
        let mut seen: Vec<&'static str> = Vec::new();
        loop {
            let place = reader.place();
            let name = reader.name("this is no column")?;
            if reader.is_at_end_of_item() {
                if !seen.is_empty() || backfill.key.iter().any(|column| *column == name) {
                    let help = "name the columns of the key once each, before `batch`, `pause` and `duty`";
                    return Err(at(place, fault("this is no column of the key", help)));
                }
                backfill.key.to_mut().push(Cow::Owned(name));
            } else {
                let option = backfill.set(&name, reader.rest()).map_err(|fault| at(place, fault))?;
                if seen.contains(&option) || backfill.key.is_empty() {
                    return Err(at(place, fault("this stands in the wrong place, or twice", SHAPE)));
                }
                seen.push(option);
            }
            if !reader.symbol(",") {
                return Ok(backfill);
            }
        }
    }

    /// Takes `batch 5000`; gives what it is about.
    fn set(&mut self, option: &str, value: &str) -> Result<&'static str, Fault> {
        match option {
            "batch" => {
                self.batch = match value.replace('_', "").parse() {
                    Ok(rows @ 1..=MOST) => rows,
                    _ => {
                        return Err(fault(
                            "this is no size of a batch",
                            format!("write a number from 1 to {MOST}"),
                        ));
                    }
                };
                Ok("batch")
            }
            "pause" => {
                let help = "write a whole number with its unit, at most `pause 1min`: `pause 10ms`";
                match timeout(value) {
                    Ok(pause) if pause <= LONGEST => self.throttle = Throttle::Pause(pause),
                    _ => return Err(fault("this is no pause", help)),
                }
                Ok("throttle")
            }
            "duty" => {
                match value.strip_suffix('%').and_then(|number| number.trim_end().parse().ok()) {
                    Some(percent @ 1..=100) => self.throttle = Throttle::Duty(percent),
                    _ => {
                        return Err(fault(
                            "this is no duty",
                            "write how much of the time is spent in batches: `duty 50%`",
                        ));
                    }
                }
                Ok("throttle")
            }
            _ => Err(fault(
                format!("a backfill has no `{}`", option.chars().take(60).collect::<String>()),
                "it has `batch 5000`, and `pause 10ms` or `duty 50%`",
            )),
        }
    }
}

/// Checks a script that declares a backfill.
pub(crate) fn check(script: &Script, kind: Kind, problems: &mut Vec<Problem>) {
    if script.directives.settings.backfill.is_none() {
        return;
    }
    let text = &script.text;
    let mut problem = |offset, message: &str, help: &str| {
        problems.push(Problem::at(&script.path, text, offset, message).with_help(help));
    };
    let directive = Backfill::place(text);
    if !script.directives.placeholders.is_empty() {
        let help = "write the values into the script: it runs many times, and each must be the same";
        problem(directive, "a backfill cannot have placeholders", help);
    }
    if kind == Kind::Repeatable {
        let help = "give it a number, so that it runs once; a later one may fill the table in again";
        problem(directive, "a repeatable migration cannot be a backfill", help);
    }
    if script.directives.settings.transaction == TransactionMode::None {
        let help =
            "remove `transaction none`: each batch is a transaction of its own, which also moves the cursor";
        problem(directive, "a backfill cannot run without transactions", help);
    }
    let statements = statements(text).unwrap_or_default();
    let mut statements = statements.iter().filter(|statement| !statement.is_empty());
    let Some(first) = statements.next() else { return };
    if let Some(second) = statements.next() {
        let help = "move it into a migration of its own; what belongs to a batch can be written as `WITH … UPDATE …`";
        problem(second.code().start, "a backfill is one statement, and this is another", help);
    }
    if Backfill::ranges(text).is_empty() {
        let help =
            "write `WHERE ${range}`: it stands for the bounds of the batch, `id > 5000 AND id <= 10000`";
        problem(
            first.code().start,
            "this backfill has no `${range}`, so that every batch would do all of it",
            help,
        );
    }
}

/// Reads the value of a directive from its tokens.
struct Reader<'a> {
    phrase: Phrase<'a>,
    value: &'a str,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn place(&self) -> usize {
        match self.phrase.peek() {
            Some(_) => self.offset + self.phrase.offset(),
            None => self.offset + self.value.len(),
        }
    }

    fn fault(&self, message: &str, help: &str) -> Fault {
        at(self.place(), fault(message, help))
    }

    /// One name, as the server has it: in lower case, unless it is quoted.
    fn name(&mut self, what: &str) -> Result<String, Fault> {
        let name = match self.phrase.peek() {
            Some((Token::Word, word)) => word.to_ascii_lowercase(),
            Some((Token::QuotedName, quoted)) if quoted.starts_with('"') => {
                quoted[1..quoted.len() - 1].replace("\"\"", "\"")
            }
            _ => return Err(self.fault(what, SHAPE)),
        };
        // The server would cut a longer one, and might find another object by it.
        if name.is_empty() || name.len() > 63 {
            return Err(self.fault(what, "PostgreSQL's names have 1 to 63 bytes"));
        }
        self.phrase.skip();
        Ok(name)
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.phrase.peek(), Some((Token::Other, text)) if text == symbol);
        if found {
            self.phrase.skip();
        }
        found
    }

    fn is_at_end_of_item(&self) -> bool {
        self.phrase.peek().is_none_or(|(_, text)| text == ",")
    }

    /// The text up to the next comma.
    fn rest(&mut self) -> &'a str {
        let start = self.phrase.offset();
        let end = self.value[start..].find(',').map_or(self.value.len(), |comma| start + comma);
        while self.phrase.peek().is_some() && self.phrase.offset() < end {
            self.phrase.skip();
        }
        self.value[start..end].trim_end()
    }
}

fn at(place: usize, fault: Fault) -> Fault {
    Fault { place: Some(place), ..fault }
}

const RANGE: &str = "${range}";
const SHAPE: &str = "write `backfill users by id, batch 5000`; with a schema `app.users`, with several columns `by tenant, id`";
const DEFAULT_BATCH: u32 = 5_000;
const MOST: u32 = 100_000;
/// A transaction stays open for as long, without a snapshot and without a lock on the table.
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
#[path = "backfill_tests.rs"]
mod tests;
