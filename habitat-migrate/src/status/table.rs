//! A status as a person reads it at a terminal.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{Entry, LogAccess, Stage, Status};
use crate::history::Record;

/// What a terminal has at the least.
const COLUMNS: usize = 80;
/// How wide the column of migrations is at the most; a longer name has a line of its own.
const NAME: usize = 34;
/// How far the details stand in.
const INDENT: usize = 13;

impl Display for Status {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let width = |entry: &Entry| entry.id.to_string().chars().count();
        let name = self.entries.iter().map(width).filter(|width| *width <= NAME).max().unwrap_or_default();
        for entry in &self.entries {
            write_entry(entry, name, f)?;
        }
        if !self.entries.is_empty() {
            writeln!(f)?;
        }
        self.write_summary(f)?;
        self.write_drift(f)
    }
}

impl Status {
    fn write_summary(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for entry in &self.entries {
            let word = word(&entry.stage);
            match counts.iter_mut().find(|(other, _)| *other == word) {
                Some((_, count)) => *count += 1,
                None => counts.push((word, 1)),
            }
        }
        let counts: Vec<String> = counts.into_iter().map(|(word, count)| format!("{count} {word}")).collect();
        let counts = if counts.is_empty() { "no migrations".to_owned() } else { counts.join(", ") };
        let environment = match &self.environment {
            Some(name) => format!("environment: {name}"),
            None => "no environment is recorded".to_owned(),
        };
        wrap(f, 0, &format!("{counts}; {environment}"))
    }

    fn write_drift(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if self.log == LogAccess::Denied {
            wrap(
                f,
                0,
                "this login may not read schema_migrations_log: rows that were added, removed or altered by hand stay unseen",
            )?;
        } else if self.drift.is_empty() {
            wrap(f, 0, "the tracker's rows are those that its log tells of")?;
        }
        for drift in &self.drift {
            wrap(f, 0, &format!("drift: {drift}"))?;
            wrap(f, 2, &format!("next: {}", drift.advice()))?;
        }
        Ok(())
    }
}

fn write_entry(entry: &Entry, name: usize, f: &mut Formatter<'_>) -> fmt::Result {
    let id = entry.id.to_string();
    write!(f, "{:<width$}", word(&entry.stage), width = INDENT)?;
    match &entry.record {
        None => writeln!(f, "{id}")?,
        Some(record) if id.chars().count() > NAME => {
            writeln!(f, "{id}")?;
            writeln!(f, "{:indent$}{}", "", details(record, COLUMNS - INDENT), indent = INDENT)?;
        }
        Some(record) => writeln!(f, "{id:<name$}  {}", details(record, COLUMNS - INDENT - name - 2))?,
    }
    match &entry.stage {
        Stage::Changed { recorded, built } | Stage::RunsAgain { recorded, built } => {
            let (recorded, built) = (abridged(recorded), abridged(built));
            writeln!(f, "{:INDENT$}applied: {recorded}, in the program: {built}", "")
        }
        _ => Ok(()),
    }
}

/// When, for how long, by whom.
fn details(record: &Record, room: usize) -> String {
    let at = record.deployed_at().format("%Y-%m-%d %H:%M");
    let mut text = format!("{at}  {:>8}  ", took(record.execution_time()));
    let room = room.saturating_sub(text.chars().count()).max(1);
    let by = record.deployed_by();
    if by.chars().count() <= room {
        text.push_str(by);
    } else {
        text.extend(by.chars().take(room - 1));
        text.push('…');
    }
    text
}

pub(crate) fn took(time: Duration) -> String {
    match time.as_secs_f64() {
        0.0 => "-".to_owned(),
        seconds if seconds < 1.0 => format!("{:.1} ms", seconds * 1e3),
        seconds if seconds < 60.0 => format!("{seconds:.1} s"),
        seconds if seconds < 3600.0 => format!("{:.1} min", seconds / 60.0),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
}

/// Enough of a checksum to tell two of them apart.
fn abridged(checksum: &str) -> String {
    let short: String = checksum.chars().take("sha256:".len() + 12).collect();
    if short.len() < checksum.len() { short + "…" } else { short }
}

pub(crate) fn word(stage: &Stage) -> &'static str {
    match stage {
        Stage::Applied => "applied",
        Stage::Pending => "pending",
        Stage::Changed { .. } => "changed",
        Stage::RunsAgain { .. } => "runs again",
        Stage::StandsIn => "stands in",
        Stage::Missing => "missing",
        Stage::Newer(_) => "newer",
        Stage::HalfDone => "half done",
        Stage::Interrupted => "interrupted",
        Stage::Replaced => "replaced",
        Stage::Elsewhere => "elsewhere",
        Stage::Foreign => "foreign",
    }
}

/// Writes a sentence in lines that fit; the second and later ones stand in.
fn wrap(f: &mut Formatter<'_>, indent: usize, text: &str) -> fmt::Result {
    let mut line = " ".repeat(indent);
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > COLUMNS {
            writeln!(f, "{line}")?;
            line = " ".repeat(indent + 2);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(f, "{line}")
}
