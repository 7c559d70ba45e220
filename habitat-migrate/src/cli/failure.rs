//! Why a verb did not come to its end: [`Failure`].

use std::fmt::Display;
use std::io::Write as _;

use habitat_migrate_catalog::{Problem, Problems};
use serde_json::{Value, json};

use super::answer::{Annotation, FORMAT, Output, write_out};
use super::exit::Exit;
use super::{json, lines, paint, terminal};
use crate::backup::Backup;
use crate::connect::{ConnectError, ConnectErrorKind};
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

    /// A file cannot be read or written.
    pub(crate) fn file(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(Exit::Failed, "file", format!("cannot {doing} {}: {error}", path.display()))
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
    pub(super) fn write(self, verb: &str, output: Output) -> Exit {
        if output == Output::Json {
            let mut error = json!({ "kind": self.0.kind, "message": self.0.message });
            json::merge(&mut error, self.0.details);
            let document =
                json!({ "format": FORMAT, "verb": verb, "exit": self.0.exit.code(), "error": error });
            write_out(&document.to_string());
        }
        if output == Output::Github {
            let whole = Annotation {
                level: "error",
                path: String::new(),
                place: None,
                message: self.0.message.clone(),
            };
            let annotations = if self.0.annotations.is_empty() { vec![whole] } else { self.0.annotations };
            let lines: Vec<String> = annotations.iter().map(Annotation::line).collect();
            write_out(&lines.join("\n"));
        }
        let picture = lines::picture(&self.0.picture, terminal::columns_of_errors());
        let _ = writeln!(anstream::stderr(), "{}", paint::error(&picture));
        self.0.exit
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
        let picture = for_the_command(&format!("{error:#?}"));
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

/// The library's advice names its functions; at a terminal there are flags and verbs.
pub(crate) fn for_the_command(text: &str) -> String {
    let mut text = text.to_owned();
    for (function, flag) in ADVICE {
        text = text.replace(function, flag);
    }
    text
}

const ADVICE: [(&str, &str); 21] = [
    // The doctor's, of a database that says nothing yet.
    ("once: `Migrator::environment`", "once: `env set NAME`"),
    ("`Migrator::lock_timeout`", "`--lock-timeout`"),
    ("`Backups::lock_timeout`", "`--lock-timeout`"),
    ("`.confirm(", "`--confirm NAME` ("),
    ("in HABITAT_PG_BIN", "by --pg-bin or HABITAT_PG_BIN"),
    ("`Migrator::confirm(", "`--confirm NAME` ("),
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
