//! One script, read and checked: [`Script`].

use crate::command::{Command, Control};
use crate::directive::Directives;
use crate::enumeration::early_uses;
use crate::name::Role;
use crate::statement::Scan;
use crate::{Problem, TransactionMode, psql};

/// The text of a file with its statements and its directives.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) path: String,
    pub(crate) text: String,
    pub(crate) directives: Directives,
    role: Role,
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
        Some(Self { path: path.to_owned(), text, directives, role, scan })
    }

    /// What it is for.
    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Checks that its statements go with the way in which the migration runs.
    pub(crate) fn check(&self, mode: TransactionMode, problems: &mut Vec<Problem>) {
        // A verify script runs in a transaction in any case: what it does is rolled back.
        if mode == TransactionMode::None && self.role != Role::Verify {
            return;
        }
        for statement in self.scan.statements.iter().filter(|statement| !statement.is_empty()) {
            let place = statement.code();
            let (message, help) = match Command::of(&self.text[place.clone()]) {
                Some(Command::Control(control)) => self.control(control),
                Some(Command::Alone(name)) => self.alone(name),
                None => continue,
            };
            problems.push(Problem::at(&self.path, &self.text, place.start, message).with_help(help));
        }
        for early in early_uses(&self.text, &self.scan) {
            let message = format!(
                "'{}' is used in the transaction that adds it to the type {}, which the server refuses (55P04)",
                short(early.value),
                short(early.name)
            );
            let help = "split the script into two migrations: one adds the value, the next one uses it";
            problems.push(Problem::at(&self.path, &self.text, early.offset, message).with_help(help));
        }
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
            Role::Up => {
                "declare `-- habitat: transaction none` at the beginning of the file, and move all else into another migration"
            }
            Role::Down => {
                "declare `-- habitat: transaction none` in the migration, which speaks for its down script too"
            }
            Role::Verify => "remove it: a verify script always runs in a transaction",
        };
        (format!("{name} cannot run in a transaction"), help.to_owned())
    }
}

/// A name or a value as far as a message shows it.
fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
