//! What the comments at the beginning of a script declare: [`Directives`].

use std::borrow::Cow;
use std::ops::Range;

use crate::lexer::{Lexer, Token};
use crate::name::Role;
use crate::statement::Scan;
use crate::suggestion::nearest;
use crate::value::{self, Requirement};
use crate::{Backfill, Compatibility, Need, Problem, Settings, TransactionMode, Version};

/// The `-- habitat:` lines of a script, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Directives {
    pub(crate) description: Option<String>,
    pub(crate) requires: Vec<Requirement>,
    /// The versions that it replaces, with their places.
    pub(crate) replaces: Vec<(Version, usize)>,
    /// The names of its placeholders, with their places.
    pub(crate) placeholders: Vec<(String, usize)>,
    pub(crate) settings: Settings,
}

impl Directives {
    /// Reads those of a script, and adds what is wrong with them to `problems`.
    pub(crate) fn read(path: &str, text: &str, scan: &Scan, role: Role, problems: &mut Vec<Problem>) -> Self {
        let mut reader = Reader::new(path, text, Some(role), problems);
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
        let mut problems = Vec::new();
        let mut reader = Reader::new("", text, None, &mut problems);
        for line in leading_marks(text).iter().filter_map(|mark| Line::of(text, mark)) {
            reader.take(&line, true);
        }
        reader.directives
    }
}

impl Settings {
    /// What the directives of a single script say, of a down or verify script in particular: `role`, `lock-timeout`,
    /// `statement-timeout`, for a down script `transaction`, for a verify script `verify-as`.
    ///
    /// A down script speaks for itself, since the one that undoes may be a program that does not know the migration:
    /// what its migration declares does not matter. The text is one that was checked when its catalog was built, or
    /// stored when the migration was applied; a line that cannot be read is passed over.
    pub fn of_script(text: &str) -> Self {
        Directives::of_checked(text).settings
    }
}

/// The comments before the first statement that may be directives.
fn leading_marks(text: &str) -> Vec<Range<usize>> {
    let mut lexer = Lexer::new(text);
    while let Ok(Some((Token::Trivia | Token::Semicolon, _))) = lexer.next() {}
    lexer.into_marks()
}

/// The keys that are understood.
const KEYS: [&str; 14] = [
    "accepts",
    "backfill",
    "breaking",
    "description",
    "environments",
    "lock-timeout",
    "needs",
    "placeholders",
    "replaces",
    "requires",
    "role",
    "statement-timeout",
    "transaction",
    "verify-as",
];

/// Keys that a later version understands; a script that has one must not run as if it had not.
const LATER: [&str; 1] = ["skip-syntax-check"];

/// Keys that may stand in several lines, which add up.
const LISTS: [&str; 6] = ["accepts", "environments", "needs", "placeholders", "replaces", "requires"];

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
    /// What the script is for; without it, every key may stand there.
    role: Option<Role>,
    seen: Vec<&'a str>,
    directives: Directives,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    fn new(path: &'a str, text: &'a str, role: Option<Role>, problems: &'a mut Vec<Problem>) -> Self {
        Self { path, text, role, seen: Vec::new(), directives: Directives::default(), problems }
    }

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
        } else if let Some(role) = self.role.filter(|&role| !may_declare(role, key)) {
            let help = match (key, role) {
                ("verify-as", _) => "declare it in the verify script: nothing else runs as that role",
                ("transaction", _) => "remove it: a verify script always runs in a transaction",
                _ => "declare it in the migration's own script, which speaks for all of its scripts",
            };
            self.problem(offset, format!("a {} cannot declare `{key}`", role.noun()), help);
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
        let Directives { description, requires, replaces, placeholders, settings } = &mut self.directives;
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
            "verify-as" => settings.verify_as = Some(Cow::Owned(value::role(value)?)),
            "lock-timeout" => settings.lock_timeout = Some(value::timeout(value)?),
            "statement-timeout" => settings.statement_timeout = Some(value::timeout(value)?),
            "environments" => settings.environments.to_mut().extend(value::environments(value)?),
            "accepts" => settings.accepts.to_mut().extend(value::checksums(value)?),
            "needs" => {
                let needs: Vec<Need> = value::needs(value)?;
                settings.needs.to_mut().extend(needs);
            }
            "replaces" => {
                for (version, place) in value::replaced(value, place.start)? {
                    if replaces.iter().any(|(other, _)| *other == version) {
                        return Err(twice(place, version.as_str()));
                    }
                    settings.replaces.to_mut().push(version.clone());
                    replaces.push((version, place));
                }
            }
            "placeholders" => {
                for (name, place) in value::placeholders(value, place.start)? {
                    if placeholders.iter().any(|(other, _)| *other == name) {
                        return Err(twice(place, &name));
                    }
                    settings.placeholders.to_mut().push(Cow::Owned(name.clone()));
                    placeholders.push((name, place));
                }
            }
            "backfill" => settings.backfill = Some(Backfill::read(value, place.start)?),
            _ => unreachable!("the key was admitted"),
        }
        Ok(())
    }

    fn no_transaction(&mut self, offset: usize) {
        if self.admits("transaction", offset) {
            self.directives.settings.transaction = TransactionMode::None;
        }
    }

    fn problem(&mut self, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(self.path, self.text, offset, message).with_help(help));
    }
}

/// Whether a script of this role may have a directive of this key.
fn may_declare(role: Role, key: &str) -> bool {
    match key {
        "role" | "lock-timeout" | "statement-timeout" | "description" => true,
        "transaction" => role != Role::Verify,
        "verify-as" => role == Role::Verify,
        _ => role == Role::Up,
    }
}

fn twice(place: usize, name: &str) -> value::Fault {
    value::fault_at(place, format!("`{name}` is named twice"), "name it once")
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
        "placeholders" => "schema, app_role",
        "replaces" => "0001_accounts, 0002_entries",
        "requires" => "treasury:01_treasury_core",
        "role" => "app_owner",
        "verify-as" => "app_user",
        "statement-timeout" => "10min",
        _ => "none",
    };
    format!("write `-- habitat: {key} {value}`, for example")
}

#[cfg(test)]
#[path = "directive_tests.rs"]
mod tests;
