//! An error as a person sees it at a terminal: the place in the script, what was kept, what to do next.

use std::fmt;

use habitat_migrate_catalog::Excerpt;

use super::{Cause, Error, NOTHING};
use crate::client::ServerError;

pub(super) struct Diagnostic<'a>(pub(super) &'a Error);

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {:?}", self.0)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.cause {
            // One to a line, each with its own advice.
            Cause::Refused(_) => f.write_str(NOTHING)?,
            _ => write!(f, "{self}")?,
        }
        let mut notes = Notes { f, margin: 1 };
        match &self.0.cause {
            Cause::Migration(failed) => {
                notes.place(&failed.path, failed.place.as_ref(), &failed.error)?;
                notes.server(&failed.error)?;
                for blocker in &failed.blockers {
                    notes.note("in the way", &blocker.to_string())?;
                }
            }
            Cause::Function(failed) => {
                write!(notes.f, "\n --> {}", failed.path)?;
                for (n, words) in failed.words().iter().enumerate() {
                    notes.note(if n == 0 { "error" } else { "because" }, words)?;
                }
                if let Some(error) = &failed.server {
                    notes.note("server", &error.to_string())?;
                    notes.server(error)?;
                }
            }
            Cause::Unverified { findings, .. } => {
                for finding in findings {
                    notes.picture(&finding.path, &finding.place, &finding.returned)?;
                }
            }
            Cause::InvalidIndex(invalid) => {
                notes.picture(
                    &invalid.path,
                    &invalid.place,
                    &format!("it leaves {} invalid", invalid.index),
                )?;
            }
            Cause::Hindered(hindered) => notes.picture(&hindered.path, &hindered.place, "")?,
            Cause::EndedItself { path, error, .. } => {
                write!(notes.f, "\n --> {path}")?;
                notes.note("server", &error.to_string())?;
            }
            Cause::Tracker { error, .. } => {
                notes.note("server", &error.to_string())?;
                notes.server(error)?;
            }
            Cause::Refused(refusals) => {
                for refusal in refusals.iter() {
                    notes.note("refused", &refusal.to_string())?;
                    notes.note("help", &refusal.advice())?;
                }
            }
            Cause::ForeignTracker { columns, .. } => notes.note("its columns", &columns.join(", "))?,
            Cause::ConnectionLost { under_way, .. } if !under_way.is_empty() => {
                let names: Vec<String> = under_way.iter().map(ToString::to_string).collect();
                notes.note("under way", &abridged(&names))?;
            }
            #[cfg(feature = "tokio-postgres")]
            Cause::Connect(error) => notes.note("because", &error.to_string())?,
            #[cfg(feature = "adopt")]
            Cause::Adopt(error) => {
                notes.note("because", &error.to_string())?;
                error.notes().iter().try_for_each(|(name, text)| notes.note(name, text))?;
            }
            _ => {}
        }
        let applied: Vec<String> = self.0.report.applied().iter().map(|a| a.id().to_string()).collect();
        if !applied.is_empty() {
            notes.note("applied before it", &abridged(&applied))?;
        }
        self.0.cause.next().iter().try_for_each(|next| notes.note("next", next))
    }
}

/// The lines below an error's first, indented as rustc does.
struct Notes<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    margin: usize,
}

impl Notes<'_, '_> {
    fn place(&mut self, path: &str, place: Option<&Excerpt>, error: &ServerError) -> fmt::Result {
        let Some(place) = place else {
            write!(self.f, "\n --> {path}")?;
            return self.note("server", &error.to_string());
        };
        self.picture(path, place, &error.to_string())
    }

    fn picture(&mut self, path: &str, place: &Excerpt, words: &str) -> fmt::Result {
        self.margin = place.location().line().to_string().len();
        let mut picture = String::new();
        place.render(path, words, &mut picture)?;
        write!(self.f, "\n{}", picture.trim_end())
    }

    fn server(&mut self, error: &ServerError) -> fmt::Result {
        let notes = [("detail", &error.detail), ("hint", &error.hint), ("context", &error.context)];
        for (name, text) in notes {
            text.iter().try_for_each(|text| self.note(name, text))?;
        }
        Ok(())
    }

    fn note(&mut self, name: &str, text: &str) -> fmt::Result {
        let margin = " ".repeat(self.margin);
        write!(self.f, "\n{margin} = {name}: ")?;
        // Whoever lays the lines out for a terminal gets each as one.
        let room = if self.f.alternate() { usize::MAX } else { WIDTH };
        for (n, line) in wrapped(text, room).iter().enumerate() {
            if n > 0 {
                write!(self.f, "\n{margin}   ")?;
            }
            self.f.write_str(line)?;
        }
        Ok(())
    }
}

/// The lines of a note: the first is cut where it gets too wide to read, what follows it is to be copied as it is.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut given = text.lines();
    let mut lines = vec![String::new()];
    for word in given.next().unwrap_or_default().split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < room => *line += &format!(" {word}"),
            _ => lines.push(word.to_owned()),
        }
    }
    lines.extend(given.map(str::to_owned));
    lines
}

/// The names, at most eight of them.
pub(super) fn abridged(names: &[String]) -> String {
    match names.len() {
        0..=8 => names.join(", "),
        n => format!("{}, … and {} more", names[..7].join(", "), n - 7),
    }
}

const WIDTH: usize = 88;
