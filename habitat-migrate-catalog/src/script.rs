//! One script, read and checked: [`Script`].

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::command::{Command, Control};
use crate::directive::Directives;
use crate::enumeration::Additions;
use crate::name::Role;
use crate::slot::{Slot, Slots};
use crate::statement::Scan;
use crate::template::masked;
use crate::{Problem, TransactionMode, psql};

/// The text of a file with its statements and its directives.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) directives: Directives,
    role: Role,
    mode: TransactionMode,
    scan: Scan,
}

impl Script {
    /// Reads a script, and adds to `problems` whatever makes it one that cannot run.
    pub(crate) fn read(path: &str, text: String, role: Role, problems: &mut Vec<Problem>) -> Option<Self> {
        let scan = match Scan::of(&text) {
            Ok(scan) => scan,
            Err(error) => {
                problems
                    .push(Problem::at(path, &text, error.offset(), error.to_string()).with_help("end it"));
                return None;
            }
        };
        if scan.first_code().is_none() {
            problems.push(
                Problem::new(path, "the script holds no statement")
                    .with_help("write one, or remove the file"),
            );
        }
        let directives = Directives::read(path, &text, &scan, role, problems);
        psql::report(path, &text, &scan, problems);
        let mode = directives.settings.transaction;
        Some(Self { path: path.to_owned(), text, directives, role, mode, scan })
    }

    /// This script, run in the way that its layout says.
    pub(crate) fn run_by(self, mode: TransactionMode) -> Self {
        Self { mode, ..self }
    }

    /// How its statements are committed.
    pub(crate) fn mode(&self) -> TransactionMode {
        match self.role {
            Role::Up | Role::Down => self.mode,
            // It runs in a transaction in any case: what it does is rolled back.
            Role::Verify => TransactionMode::Wrapped,
        }
    }

    /// Finds its placeholders, and adds to `problems` what is wrong with them.
    fn view<'a>(&'a self, names: &[&str], problems: &mut Vec<Problem>) -> View<'a> {
        if names.is_empty() {
            psql::report_placeholder(&self.path, &self.text, &self.scan, problems);
            return View { script: self, text: Cow::Borrowed(&self.text), used: BTreeSet::new() };
        }
        let slots = Slots::of(&self.text, names);
        let first = |slot: &&Slot<'_>| {
            self.scan
                .statements
                .binary_search_by_key(&slot.range.start, |statement| statement.code().start)
                .is_ok()
        };
        for slot in slots.slots.iter().filter(first) {
            let help = "write the first word out: it decides whether the statement can run in a transaction";
            let message = "a statement cannot begin with a placeholder";
            problems.push(self.problem(slot.range.start, message, help));
        }
        let text = Cow::Owned(masked(&self.text, &slots));
        for fault in slots.faults {
            problems.push(self.problem(fault.place.unwrap_or_default(), fault.message, fault.help));
        }
        View { script: self, text, used: slots.used }
    }

    fn problem(&self, offset: usize, message: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::at(&self.path, &self.text, offset, message).with_help(help)
    }

    fn control(&self, control: Control) -> (String, String) {
        let noun = self.role.noun();
        let message = match control {
            Control::Begin => format!("a {noun} runs in a transaction already"),
            Control::Commit => {
                format!("this would commit the {noun}'s own transaction before its record is written")
            }
            Control::Rollback => format!("this would roll back the {noun}'s own transaction"),
            Control::Prepare => format!("this would take the {noun}'s own transaction away from it"),
        };
        let help = match self.role {
            Role::Verify => "remove it",
            Role::Up | Role::Down => {
                "remove it: the script and its record are committed together; \
                 if parts must be committed on their own, make them migrations of their own"
            }
        };
        (message, help.to_owned())
    }

    fn alone(&self, name: &str) -> (String, String) {
        let help = match self.role {
            Role::Up | Role::Down => {
                "declare `-- habitat: transaction none` at the beginning of the file, and move all else into another migration"
            }
            Role::Verify => "remove it: a verify script always runs in a transaction",
        };
        (format!("{name} cannot run in a transaction"), help.to_owned())
    }
}

/// A script as the checks see it. Its statements are where they are in the file.
struct View<'a> {
    script: &'a Script,
    /// The text with a name or a string in place of every placeholder.
    text: Cow<'a, str>,
    /// The declared names that it uses.
    used: BTreeSet<&'a str>,
}

impl View<'_> {
    /// Checks that its statements go with the way in which they run.
    fn check(&self, problems: &mut Vec<Problem>) {
        let script = self.script;
        if script.mode() == TransactionMode::None {
            return;
        }
        for statement in script.scan.statements.iter().filter(|statement| !statement.is_empty()) {
            let place = statement.code();
            let (message, help) = match Command::of(&self.text[place.clone()]) {
                Some(Command::Control(control)) => script.control(control),
                Some(Command::Alone(name)) => script.alone(name),
                None => continue,
            };
            problems.push(script.problem(place.start, message, help));
        }
    }

    /// Checks that no value is used in the transaction that adds it, in this script or in one before it.
    fn check_values<'a>(&'a self, additions: &mut Additions<'a>, problems: &mut Vec<Problem>) {
        for early in additions.early_uses(&self.text, &self.script.scan) {
            // As it stands in the file, where it may be a placeholder.
            let value = &self.script.text[early.offset..early.offset + early.value.len() + "''".len()];
            let message = format!(
                "{} is used in the transaction that adds it to the type {}, which the server refuses (55P04)",
                short(value),
                short(early.name)
            );
            let help = match self.script.role {
                Role::Verify => {
                    "the migration is verified before it commits: check the value in `pg_enum`, or in a migration after it"
                }
                Role::Up | Role::Down => {
                    "split the script into two migrations: one adds the value, the next one uses it"
                }
            };
            problems.push(self.script.problem(early.offset, message, help));
        }
    }
}

/// Checks the scripts of one migration against what its own script declares.
pub(crate) fn check(
    up: &Script,
    down: Option<&Script>,
    verify: Option<&Script>,
    problems: &mut Vec<Problem>,
) {
    let declared = &up.directives.placeholders;
    let names: Vec<&str> = declared.iter().map(|(name, _)| name.as_str()).collect();
    let views = [Some(up), down, verify].map(|script| Some(script?.view(&names, problems)));
    views.iter().flatten().for_each(|view| view.check(problems));
    let [up_view, down_view, verify_view] = &views;
    // The migration and its verification are one transaction, the way back is another.
    for transaction in [[up_view, verify_view], [down_view, &None]] {
        let mut additions = Additions::default();
        let wrapped = |view: &&View<'_>| view.script.mode() == TransactionMode::Wrapped;
        for view in transaction.into_iter().flatten().filter(wrapped) {
            view.check_values(&mut additions, problems);
        }
    }
    let used = |name: &str| views.iter().flatten().any(|view| view.used.contains(name));
    for (name, offset) in declared.iter().filter(|(name, _)| !used(name)) {
        let help = format!(
            "remove it, or write `${{{name}:literal}}` or `${{{name}:identifier}}` where its value belongs; in comments \
             and strings nothing is replaced, in dollar-quoted bodies only these two forms"
        );
        problems.push(up.problem(
            *offset,
            format!("the placeholder `{name}` is declared and never used"),
            help,
        ));
    }
}

/// A name or a value as far as a message shows it.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
