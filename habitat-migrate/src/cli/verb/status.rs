//! `status`: where the database stands.

use anstyle::Style;
use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, for_the_command};
use crate::cli::table::{Cell, table};
use crate::cli::{json, lines, paint, terminal};
use crate::status::{Entry, LogAccess, Stage};

#[derive(clap::Args, Debug)]
pub(crate) struct Status {
    /// Every migration, however many are applied or pending
    #[arg(long)]
    all: bool,
    /// Exit code 3 where something is pending or not as it is recorded
    #[arg(long)]
    exit_code: bool,
}

impl Run for Status {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let mut client = context.client()?;
        let status = migrator.status(&mut client)?;
        let text = text(&status, if self.all { usize::MAX } else { SHOWN });
        let good = status.is_current() && status.drift().is_empty();
        let exit = if self.exit_code && !good { Exit::Pending } else { Exit::Done };
        Ok(Answer::new(text, value(&status)).with_exit(exit))
    }
}

/// How many applied and how many pending migrations are shown unless all are wanted: the last ones, and the next ones.
const SHOWN: usize = 20;

fn text(status: &crate::Status, shown: usize) -> String {
    let is_pending = |entry: &&Entry| *entry.stage() == Stage::Pending;
    let applied = status.entries().iter().filter(|entry| *entry.stage() == Stage::Applied).count();
    let later = status.entries().iter().filter(is_pending).count().saturating_sub(shown);
    let mut earlier = applied.saturating_sub(shown);
    let mut pending = 0;
    let mut out = String::new();
    if earlier > 0 {
        out.push_str(&left_out(&format!("{earlier} applied before these")));
    }
    let mut rows = Vec::new();
    for entry in status.entries() {
        match entry.stage() {
            Stage::Applied if earlier > 0 => {
                earlier -= 1;
                continue;
            }
            Stage::Pending => {
                pending += 1;
                if pending > shown {
                    continue;
                }
            }
            _ => {}
        }
        rows.push(row(entry));
    }
    out.push_str(&table(&rows, 3, terminal::columns()));
    if later > 0 {
        out.push_str(&left_out(&format!("{later} pending after these")));
    }
    if !rows.is_empty() {
        out.push('\n');
    }
    out + &summary(status)
}

/// The line that stands for migrations that are not shown.
fn left_out(which: &str) -> String {
    let line = format!("… {which}: status --all shows them");
    paint::paint(paint::FAINT, &line) + "\n"
}

fn row(entry: &Entry) -> Vec<Cell> {
    let (word, style) = word(entry.stage());
    let (at, took, by) = match entry.record() {
        Some(record) => (
            record.deployed_at().format("%Y-%m-%d %H:%M").to_string(),
            crate::status::took(record.execution_time()),
            record.deployed_by().to_owned(),
        ),
        None => Default::default(),
    };
    vec![
        Cell::styled(word, style),
        Cell::new(entry.id().to_string()),
        Cell::new(at),
        Cell::right(took),
        Cell::new(by),
        Cell::styled(entry.description(), paint::FAINT),
    ]
}

fn word(stage: &Stage) -> (&'static str, Style) {
    let style = match stage {
        Stage::Applied => paint::GOOD,
        Stage::Pending | Stage::RunsAgain { .. } | Stage::StandsIn | Stage::HalfDone => paint::TO_DO,
        Stage::Changed { .. } | Stage::Missing | Stage::Interrupted => paint::BAD,
        Stage::Newer(_) | Stage::Replaced | Stage::Elsewhere | Stage::Foreign => paint::FAINT,
    };
    (crate::status::word(stage), style)
}

/// What stands below the table.
fn summary(status: &crate::Status) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for entry in status.entries() {
        let (word, _) = word(entry.stage());
        match counts.iter_mut().find(|(other, _)| *other == word) {
            Some((_, count)) => *count += 1,
            None => counts.push((word, 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
    let counts = if counts.is_empty() { "no migrations".to_owned() } else { counts.join(", ") };
    let environment = match status.environment() {
        Some(name) => format!("environment: {name}"),
        None => "no environment is recorded".to_owned(),
    };
    let mut out = format!("{}; {environment}\n", paint::paint(paint::BOLD, &counts));
    if status.log() == LogAccess::Denied {
        out.push_str("this login may not read schema_migrations_log: changes by hand stay unseen\n");
    }
    status.drift().iter().for_each(|drift| out.push_str(&drifted(drift)));
    out
}

/// What hands have done, and what to do about it.
pub(super) fn drifted(drift: &crate::Drift) -> String {
    let columns = terminal::columns_of_prose();
    let mark = paint::paint(paint::BAD, "drift:");
    let seen = lines::folded(&drift.to_string(), columns, "drift: ".len(), 2);
    let next = lines::folded(&for_the_command(drift.advice()), columns, NEXT.len(), NEXT.len());
    format!("{mark} {seen}\n{NEXT}{next}\n")
}

const NEXT: &str = "  next: ";

fn value(status: &crate::Status) -> Value {
    let entry = |entry: &Entry| {
        let (recorded, built) = match entry.stage() {
            Stage::Changed { recorded, built } | Stage::RunsAgain { recorded, built } => {
                (Some(recorded), Some(built))
            }
            _ => (None, None),
        };
        json!({
            "migration": entry.id().to_string(),
            "description": entry.description(),
            "stage": crate::status::word(entry.stage()).replace(' ', "-"),
            "recorded_checksum": recorded,
            "built_checksum": built,
            "record": entry.record().map(json::record),
        })
    };
    let drift = |drift: &crate::Drift| {
        json!({
            "migration": drift.migration().map(ToString::to_string),
            "message": drift.to_string(),
            "advice": json::advice(drift.advice()),
        })
    };
    json!({
        "environment": status.environment(),
        "current": status.is_current(),
        "log": if status.log() == LogAccess::Denied { "denied" } else { "read" },
        "migrations": status.entries().iter().map(entry).collect::<Value>(),
        "drift": status.drift().iter().map(drift).collect::<Value>(),
    })
}
