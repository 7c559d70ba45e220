//! What the comments at the beginning of a script declare: [`Directives`].

use std::borrow::Cow;
use std::ops::Range;

use crate::name::Role;
use crate::statement::Scan;
use crate::suggestion::nearest;
use crate::value::{self, Requirement};
use crate::{Backfill, Compatibility, Need, Problem, Settings, TransactionMode};

/// The `-- habitat:` lines of a script, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directives {
    pub(crate) description: Option<String>,
    pub(crate) requires: Vec<Requirement>,
    pub(crate) settings: Settings,
}

impl Directives {
    /// Reads those of a script, and adds what is wrong with them to `problems`.
    pub(crate) fn read(path: &str, text: &str, scan: &Scan, role: Role, problems: &mut Vec<Problem>) -> Self {
        let mut reader = Reader { path, text, role, seen: Vec::new(), directives: Self::default(), problems };
        let first_code = scan.first_code().unwrap_or(text.len());
        for mark in &scan.marks {
            if let Some(line) = Line::of(text, mark) {
                reader.take(&line, mark.start < first_code);
            }
        }
        reader.directives
    }

    /// Reads those of a script that was checked before.
    pub(crate) fn of_checked(text: &str) -> Self {
        match Scan::of(text) {
            Ok(scan) => Self::read("", text, &scan, Role::Up, &mut Vec::new()),
            Err(_) => Self::default(),
        }
    }
}

/// The keys that are understood.
const KEYS: [&str; 11] = [
    "accepts",
    "backfill",
    "breaking",
    "description",
    "environments",
    "lock-timeout",
    "needs",
    "requires",
    "role",
    "statement-timeout",
    "transaction",
];

/// Keys that a later version understands; a script that has one must not run as if it had not.
const LATER: [&str; 4] = ["placeholders", "replaces", "skip-syntax-check", "verify-as"];

/// Keys that may stand in several lines, which add up.
const LISTS: [&str; 4] = ["accepts", "environments", "needs", "requires"];

/// One line that is a directive, or was meant to be.
enum Line {
    /// `-- habitat: key value`, with the places of both.
    Directive { key: Range<usize>, value: Range<usize> },
    /// `-- no-transaction`, as sqlx has it.
    NoTransaction { place: Range<usize> },
    /// `-- habitat requires …` without its colon.
    NoColon { place: Range<usize> },
}

impl Line {
    /// What a marked comment is; `None` if it only happens to begin with the word.
    fn of(text: &str, mark: &Range<usize>) -> Option<Self> {
        let comment = &text[mark.clone()];
        let body = comment.trim_start_matches('-').trim_start_matches([' ', '\t']);
        let start = mark.end - body.len();
        let body = body.trim_end();
        if body == "no-transaction" || body.starts_with("no-transaction ") {
            return Some(Self::NoTransaction { place: start..start + body.len() });
        }
        let rest = body.get(7..)?;
        let is_ours = body.starts_with("habitat:");
        let rest = rest.trim_start_matches([' ', '\t', ':']);
        let key_start = start + body.len() - rest.len();
        let key_length = rest.find([' ', '\t', ':']).unwrap_or(rest.len());
        let key = &rest[..key_length];
        if !is_ours {
            // "Habitat: the treasury" is a title; "habitat requires" is a directive with a slip.
            let meant = KEYS.contains(&key) || LATER.contains(&key);
            return meant.then_some(Self::NoColon { place: start..key_start + key_length });
        }
        let value = rest[key_length..].trim_start_matches([' ', '\t', ':']);
        let value_start = start + body.len() - value.len();
        Some(Self::Directive {
            key: key_start..key_start + key_length,
            value: value_start..value_start + value.len(),
        })
    }
}

struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    role: Role,
    seen: Vec<&'a str>,
    directives: Directives,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn take(&mut self, line: &Line, leading: bool) {
        let (key, value) = match line {
            Line::NoTransaction { .. } if !leading => return,
            Line::NoTransaction { place } => return self.no_transaction(place.start),
            Line::NoColon { place } if leading => {
                let help = "a directive is written `-- habitat: key value`";
                return self.problem(
                    place.start,
                    "this directive lacks its colon, or `habitat` is not lower-case",
                    help,
                );
            }
            Line::NoColon { .. } => return,
            Line::Directive { key, value } => (key.clone(), value.clone()),
        };
        let name = &self.text[key.clone()];
        if !leading {
            return self.problem(
                key.start,
                "this directive stands behind the first statement, where it has no effect",
                "move it into the comment block at the beginning of the file",
            );
        }
        if !self.admits(name, key.start) {
            return;
        }
        if self.seen.contains(&name) && !LISTS.contains(&name) {
            return self.problem(key.start, format!("`{name}` is declared twice"), "keep one of the lines");
        }
        self.seen.push(name);
        if let Err(fault) = self.apply(name, &value) {
            let offset = fault.place.unwrap_or(if value.is_empty() { key.start } else { value.start });
            self.problem(offset, fault.message, fault.help);
        }
    }

    /// Whether this key may stand in this script.
    fn admits(&mut self, key: &str, offset: usize) -> bool {
        if LATER.contains(&key) {
            let help = "remove the line, or use a version of habitat-migrate that knows it";
            self.problem(offset, format!("`{key}` is not supported by this version"), help);
        } else if !KEYS.contains(&key) {
            let help = match nearest(key, KEYS.into_iter().chain(LATER)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("the keys are {}", KEYS.join(", ")),
            };
            let message = if key.is_empty() {
                "a directive without a key".to_owned()
            } else {
                format!("there is no directive `{}`", key.chars().take(60).collect::<String>())
            };
            self.problem(offset, message, help);
        } else if self.role != Role::Up
            && !matches!(key, "role" | "lock-timeout" | "statement-timeout" | "description")
        {
            let noun = self.role.noun();
            let help = "declare it in the migration's own script, which speaks for all of its scripts";
            self.problem(offset, format!("a {noun} cannot declare `{key}`"), help);
        } else {
            return true;
        }
        false
    }

    fn apply(&mut self, key: &str, place: &Range<usize>) -> Result<(), value::Fault> {
        let value = &self.text[place.clone()];
        if value.is_empty() && key != "breaking" {
            return Err(value::fault(format!("`{key}` lacks its value"), example(key)));
        }
        let Directives { description, requires, settings } = &mut self.directives;
        match key {
            "description" => *description = Some(value.to_owned()),
            "requires" => requires.extend(value::requirements(value, place.start)?),
            "transaction" if value == "none" => settings.transaction = TransactionMode::None,
            "transaction" => {
                let help = "`none` is the only value; without the line, a migration runs in a transaction";
                return Err(value::fault(format!("`transaction` cannot be {value:?}"), help));
            }
            "breaking" if value.is_empty() => settings.compatibility = Compatibility::Breaking,
            "breaking" => {
                return Err(value::fault("`breaking` takes no value", "write `-- habitat: breaking`"));
            }
            "role" => settings.role = Some(Cow::Owned(value::role(value)?)),
            "lock-timeout" => settings.lock_timeout = Some(value::timeout(value)?),
            "statement-timeout" => settings.statement_timeout = Some(value::timeout(value)?),
            "environments" => settings.environments.to_mut().extend(value::environments(value)?),
            "accepts" => settings.accepts.to_mut().extend(value::checksums(value)?),
            "needs" => {
                let needs: Vec<Need> = value::needs(value)?;
                settings.needs.to_mut().extend(needs);
            }
            "backfill" => settings.backfill = Some(Backfill::read(value, place.start)?),
            _ => unreachable!("the key was admitted"),
        }
        Ok(())
    }

    fn no_transaction(&mut self, offset: usize) {
        if self.role == Role::Up {
            self.directives.settings.transaction = TransactionMode::None;
        } else {
            self.admits("transaction", offset);
        }
    }

    fn problem(&mut self, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(self.path, self.text, offset, message).with_help(help));
    }
}

/// A line with this key that is right.
fn example(key: &str) -> String {
    let value = match key {
        "accepts" => "sha256:…",
        "backfill" => "users by id, batch 5000",
        "description" => "Accounts and their balances",
        "environments" => "development, test",
        "lock-timeout" => "2s",
        "needs" => "postgres>=15, extension pgcrypto",
        "requires" => "treasury:01_treasury_core",
        "role" => "app_owner",
        "statement-timeout" => "10min",
        _ => "none",
    };
    format!("write `-- habitat: {key} {value}`, for example")
}

#[cfg(test)]
#[path = "directive_tests.rs"]
mod tests;
