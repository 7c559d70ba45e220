//! Why a verb did not come to its end: [`Failure`].

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

use habitat_migrate_catalog::{Problem, Problems};
use serde_json::{Value, json};

use super::answer::{Annotation, FORMAT, Output, unwritten, write_out};
use super::context::confirmation;
use super::exit::Exit;
use super::{json, lines, paint, terminal};
use crate::backup::Backup;
use crate::connect::{ConnectError, ConnectErrorKind, Connector};
use crate::error::{Error, ErrorKind};
use crate::report::Report;

/// What went wrong, with the exit code that tells a pipeline which kind it is.
pub(crate) struct Failure(Box<Inner>);

struct Inner {
    exit: Exit,
    kind: String,
    message: String,
    /// What a person sees, without `error: `.
    picture: String,
    details: Value,
    annotations: Vec<Annotation>,
}

impl From<Inner> for Failure {
    fn from(inner: Inner) -> Self {
        Self(Box::new(inner))
    }
}

impl Failure {
    fn new(exit: Exit, kind: impl Into<String>, message: impl Into<String>) -> Self {
        let message = message.into();
        let picture = message.clone();
        Inner { exit, kind: kind.into(), message, picture, details: json!({}), annotations: Vec::new() }
            .into()
    }

    /// Something is wrong with what the user gave; `next` says what to do.
    pub(crate) fn usage(message: impl Into<String>, next: impl Display) -> Self {
        Self::new(Exit::Usage, "usage", message).and_next(next)
    }

    /// A policy forbids it.
    pub(crate) fn refused(message: impl Into<String>, next: impl Display) -> Self {
        Self::new(Exit::Refused, "refused", message).and_next(next)
    }

    /// It was tried, and did not succeed.
    pub(crate) fn failed(message: impl Into<String>, next: impl Display) -> Self {
        Self::new(Exit::Failed, "failed", message).and_next(next)
    }

    /// A file that the user named cannot be read: nothing was tried.
    pub(crate) fn unreadable(path: &Path, error: &io::Error) -> Self {
        let next = "look at its name, and at who may read it";
        Self::new(Exit::Usage, "file", format!("cannot read {}: {error}", path.display())).and_next(next)
    }

    /// A file cannot be written; `doing` says what was tried with it.
    pub(crate) fn unwritten(doing: &str, path: &Path, error: &io::Error) -> Self {
        Self::new(Exit::Failed, "file", format!("cannot {doing} {}: {error}", path.display()))
    }

    /// There is no connection; of a server that is not there the error says so itself.
    pub(crate) fn unreached(connector: &Connector, error: ConnectError) -> Self {
        if error.kind() == ConnectErrorKind::Unavailable {
            return error.into();
        }
        Self::from(error).about(&format!("no connection to {}", connector.target()))
    }

    /// Says what to do.
    pub(crate) fn and_next(mut self, next: impl Display) -> Self {
        self.0.picture = format!("{}\n = next: {next}", self.0.message);
        self.0.details = json!({ "next": next.to_string() });
        self
    }

    /// Says in front what it is about.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.0.picture = format!("{what}\n = because: {}", self.0.picture);
        self.0.message = format!("{what}: {}", self.0.message);
        self
    }

    /// A run came to its end, and what was to follow it failed.
    pub(crate) fn behind_a_run(mut self, report: &Report) -> Self {
        self.0.exit = Exit::Failed;
        json::merge(&mut self.0.details, json!({ "report": json::report(report) }));
        self
    }

    /// Says which backup was taken before.
    pub(crate) fn and_backup(mut self, backup: &Backup) -> Self {
        self.0.picture.push_str(&format!("\n = backup: {}", backup.path().display()));
        json::merge(&mut self.0.details, json!({ "backup": json::backup(backup) }));
        self
    }

    /// Writes it: for people and annotations to standard error, as JSON to the standard output.
    ///
    /// Arguments that could not be read may name no verb.
    pub(super) fn write(self, verb: Option<&str>, output: Output) -> Exit {
        let picture = lines::picture(&self.0.picture, terminal::columns_of_errors());
        let (exit, written) = (self.0.exit, self.write_result(verb, output));
        let _ = writeln!(anstream::stderr(), "{}", paint::error(&picture));
        match written {
            Ok(()) => exit,
            Err(error) => unwritten(&error),
        }
    }

    /// The part of it that a program reads.
    pub(super) fn write_result(self, verb: Option<&str>, output: Output) -> io::Result<()> {
        let inner = *self.0;
        match output {
            Output::Text => Ok(()),
            Output::Json => {
                let mut error = json!({ "kind": inner.kind, "message": inner.message });
                json::merge(&mut error, inner.details);
                let document =
                    json!({ "format": FORMAT, "verb": verb, "exit": inner.exit.code(), "error": error });
                write_out(&document.to_string())
            }
            Output::Github => {
                let whole =
                    Annotation { level: "error", path: String::new(), place: None, message: inner.message };
                let annotations = if inner.annotations.is_empty() { vec![whole] } else { inner.annotations };
                let lines: Vec<String> = annotations.iter().map(Annotation::line).collect();
                write_out(&lines.join("\n"))
            }
        }
    }
}

/// What the library says, with the exit code of its kind.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let exit = match error.kind() {
            ErrorKind::LockTimeout => Exit::Locked,
            ErrorKind::Refused
            | ErrorKind::Unconfirmed
            | ErrorKind::ForeignTracker
            | ErrorKind::NewerTracker => Exit::Refused,
            ErrorKind::Adopt if error.adoption().is_some() => Exit::Refused,
            ErrorKind::Invalid => Exit::Usage,
            _ => Exit::Failed,
        };
        let picture = words_for_the_command(&format!("{error:#?}"));
        let kind = json::kebab(&format!("{:?}", error.kind()));
        let message = for_the_command(&error.to_string());
        let details = json::error(&error);
        Inner { exit, kind, message, picture, details, annotations: Vec::new() }.into()
    }
}

impl From<Problems> for Failure {
    fn from(problems: Problems) -> Self {
        let rendered = problems.render();
        let picture = rendered.strip_prefix("error: ").unwrap_or(&rendered).to_owned();
        Inner {
            exit: Exit::Usage,
            kind: "problems".to_owned(),
            message: problems.to_string(),
            picture,
            details: json!({ "problems": problems.iter().map(json::problem).collect::<Vec<_>>() }),
            annotations: problems.iter().map(annotation).collect(),
        }
        .into()
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Problems::from(problem).into()
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        let exit = if error.kind() == ConnectErrorKind::Invalid { Exit::Usage } else { Exit::Failed };
        Self::new(exit, "connect", error.to_string())
    }
}

impl From<crate::provision::Error> for Failure {
    fn from(error: crate::provision::Error) -> Self {
        use crate::provision::ErrorKind;

        let exit = match error.kind() {
            ErrorKind::Busy => Exit::Locked,
            ErrorKind::Refused | ErrorKind::WrongEnvironment | ErrorKind::Unconfirmed => Exit::Refused,
            _ => Exit::Failed,
        };
        let kind = format!("provision-{}", json::kebab(&format!("{:?}", error.kind())));
        let picture = format!("{error:?}");
        let picture = picture.strip_prefix("error: ").unwrap_or(&picture).to_owned();
        let done: Vec<Value> = error.done().iter().map(json::provision_step).collect();
        let details = json!({ "done": done });
        Inner { exit, kind, message: error.to_string(), picture, details, annotations: Vec::new() }.into()
    }
}

impl From<crate::backup::Error> for Failure {
    fn from(error: crate::backup::Error) -> Self {
        use crate::backup::ErrorKind;

        let exit = match error.kind() {
            ErrorKind::NotEmpty | ErrorKind::Unconfirmed => Exit::Refused,
            _ => Exit::Failed,
        };
        let kind = format!("backup-{}", json::kebab(&format!("{:?}", error.kind())));
        let picture = for_the_command(&format!("{error:?}"));
        let picture = picture.strip_prefix("error: ").unwrap_or(&picture).to_owned();
        let next = error.advice().map(|next| json!({ "next": for_the_command(&next) }));
        let details = next.unwrap_or_else(|| json!({}));
        Inner { exit, kind, message: error.to_string(), picture, details, annotations: Vec::new() }.into()
    }
}

impl From<crate::provision::DeclarationError> for Failure {
    fn from(error: crate::provision::DeclarationError) -> Self {
        let mut failure = Self::from(error.problems().clone());
        failure.0.message = error.to_string();
        failure
    }
}

pub(crate) fn annotation(problem: &Problem) -> Annotation {
    let message = match problem.help() {
        Some(help) => format!("{}\n{help}", problem.message()),
        None => problem.message().to_owned(),
    };
    let place = problem.location().map(|place| (place.line(), place.column()));
    Annotation { level: "error", path: problem.path().to_owned(), place, message }
}

/// An error's picture with its advice for the command; the lines of a script stay as they are.
fn words_for_the_command(picture: &str) -> String {
    let is_script =
        |line: &str| line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|');
    let line = |line: &str| if is_script(line) { line.to_owned() } else { for_the_command(line) };
    picture.split('\n').map(line).collect::<Vec<String>>().join("\n")
}

/// The library's advice names its functions; at a terminal there are flags and verbs.
pub(crate) fn for_the_command(text: &str) -> String {
    let mut text = text.to_owned();
    for (function, flag) in ADVICE {
        text = text.replace(function, flag);
    }
    CONFIRM.iter().fold(text, |text, function| confirmed(&text, function))
}

/// A call that confirms a database, as the flag that does.
fn confirmed(text: &str, function: &str) -> String {
    let Some((before, rest)) = text.split_once(function) else { return text.to_owned() };
    let Some((name, behind)) = rest.split_once(")`") else { return text.to_owned() };
    // The name stands there as a program writes it.
    let name = serde_json::from_str(name).unwrap_or_else(|_| name.trim_matches('"').to_owned());
    format!("{before}`{}`{behind}", confirmation(&name))
}

const CONFIRM: [&str; 2] = ["`Migrator::confirm(", "`.confirm("];

const ADVICE: [(&str, &str); 25] = [
    // Policies that are given to a run.
    ("migrate with `Missing::Ignore`", "run `up --missing ignore`"),
    ("migrate with `OutOfOrder::Apply`", "run `up --out-of-order apply`"),
    ("with `Rollback::To`", "by `down --to`"),
    ("`Migrator::target`, let `migrate` apply it", "`--to`, let `up` apply it"),
    ("`Migrator::schema(\"habitat\")`", "`--tracker-schema habitat`"),
    // No verb changes it: it would make production of a test database, and the other way round.
    ("on purpose, with `Migrator::set_environment`", "on purpose, by hand, in schema_migrations_environment"),
    // The doctor's, of a database that says nothing yet.
    ("once: `Migrator::environment`", "once: `env set NAME`"),
    ("`Migrator::lock_timeout`", "`--lock-timeout`"),
    ("`Backups::lock_timeout`", "`--lock-timeout`"),
    ("in HABITAT_PG_BIN", "by --pg-bin or HABITAT_PG_BIN"),
    ("`Migrator::schema`", "`--tracker-schema`"),
    ("`Migrator::assume_session`", "`--assume-session`"),
    ("`Migrator::restart_backfill`", "`backfill restart`"),
    ("`Migrator::accept_changed`", "`repair accept-changed`"),
    ("`Migrator::mark_applied`", "`repair mark-applied`"),
    ("`Migrator::forget`", "`repair forget`"),
    ("`Migrator::baseline`", "`baseline`"),
    ("`Migrator::environment`", "`--environment`"),
    ("`Migrator::placeholder`", "`--set NAME=VALUE`"),
    ("`Migrator::migrate`", "`up`"),
    ("`Migrator::rollback`", "`down`"),
    ("`Migrator::adopt`", "`adopt`"),
    ("`Migrator::lock_wait`", "`--lock-wait`"),
    ("`Migrator::retry_budget`", "`--retry-budget`"),
    ("run migrate again", "run `up` again"),
];

#[cfg(test)]
mod tests {
    use super::{for_the_command, words_for_the_command};

    #[test]
    fn advice_speaks_of_verbs_and_flags() {
        assert_eq!(
            for_the_command("go on with `Migrator::confirm(\"shop\")`"),
            "go on with `--confirm shop`"
        );
        assert_eq!(for_the_command("`.confirm(\"a \\\"b\")`, then"), "`--confirm 'a \"b'`, then");
        assert_eq!(for_the_command("correct it and run migrate again"), "correct it and run `up` again");
    }

    #[test]
    fn the_lines_of_a_script_are_not_advice() {
        let picture = "it failed\n  --> a.sql:1:1\n   |\n12 | -- run migrate again\n   |    ^ run migrate again\n   = next: run migrate again";
        let expected = picture.replace("next: run migrate", "next: run `up`");
        assert_eq!(words_for_the_command(picture), expected);
    }
}
