//! What a run does, shown while it goes on: one line that lives on a terminal, a line for each event elsewhere.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anstyle::Style;
use habitat_migrate_catalog::MigrationId;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::{lines, paint, terminal};
use crate::event::{Event, Holder};
use crate::migrator::Migrator;
use crate::status::took;

/// Shows events on standard error.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    last: Arc<Mutex<Option<Instant>>>,
    run: Arc<Mutex<Run>>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let live = !quiet && terminal::is_live();
        Self { bar: live.then(bar), quiet, last: Arc::default(), run: Arc::default() }
    }

    /// Tells of the runs of a migrator.
    pub(crate) fn watch(&self, migrator: Migrator) -> Migrator {
        let progress = self.clone();
        migrator.on_event(move |event| progress.tell(event))
    }

    /// Which way the run goes, if it is not forward.
    pub(crate) fn way(self, way: Way) -> Self {
        if let Ok(mut run) = self.run.lock() {
            run.way = way;
        }
        self
    }

    /// Does what tells of no events, and says so as long as it goes on; in a log, once.
    pub(crate) fn during<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None if self.quiet => {}
            None => {
                let _ = writeln!(anstream::stderr(), "{what}");
            }
        }
        let done = work();
        self.finish();
        done
    }

    /// Takes the line that lives away.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn tell(&self, event: &Event) {
        if self.quiet {
            return;
        }
        let Some(bar) = &self.bar else {
            if !is_repeated(event) || self.is_time() {
                let _ = writeln!(anstream::stderr(), "{}", self.words(event));
            }
            return;
        };
        let words = self.words(event);
        match event {
            Event::Planned { pending } => {
                bar.set_length(u64::try_from(*pending).unwrap_or(u64::MAX));
                // Another attempt plans again; what it waits for is worth more.
                if self.run.lock().is_ok_and(|run| run.retried.is_none()) {
                    bar.set_message(words);
                }
            }
            Event::Applied { migration, duration } => {
                self.ended(migration);
                let line = format!("applied {migration} ({})", took(*duration));
                bar.inc(1);
                bar.suspend(|| write_line(paint::GOOD, "✓", &[line]));
            }
            Event::Undone { migration, duration } => {
                self.ended(migration);
                let line = format!("took {migration} back ({})", took(*duration));
                bar.inc(1);
                bar.suspend(|| write_line(paint::GOOD, "✓", &[line]));
            }
            Event::Retrying { migration, attempt, error, blockers, pause } => {
                let session = blockers.first().map(|blocker| named(&blocker.session));
                bar.set_message(live(migration, *attempt, session.as_deref()));
                // The same again is told by the line that lives.
                if !self.tells(migration, session, *attempt) {
                    return;
                }
                let again = format!("{migration}: {error}; again in {:.1} s", pause.as_secs_f64());
                let blockers = blockers.iter().map(|blocker| format!("in the way: {blocker}"));
                let lines: Vec<String> = std::iter::once(again).chain(blockers).collect();
                bar.suspend(|| write_line(paint::TO_DO, "!", &lines));
            }
            Event::InvalidIndexDropped { .. } => {
                bar.suspend(|| write_line(paint::TO_DO, "!", &[event.to_string()]));
            }
            Event::Started { migration } => self.started(bar, migration, words),
            Event::Waiting { holder, .. } => bar.set_message(match holder {
                Some(holder) => format!("waiting for another run: {}", named(holder)),
                None => "waiting for another run".to_owned(),
            }),
            _ => bar.set_message(words),
        }
    }

    /// An event in a line, which says whether a migration is applied or taken back.
    fn words(&self, event: &Event) -> String {
        let Ok(mut run) = self.run.lock() else { return event.to_string() };
        match (event, run.way) {
            (Event::Planned { pending: 1 }, Way::Back | Way::BackAndForth) => {
                "1 migration is to be taken back".to_owned()
            }
            (Event::Planned { pending }, Way::Back | Way::BackAndForth) => {
                format!("{pending} migrations are to be taken back")
            }
            (Event::Started { migration }, Way::Back | Way::BackAndForth) => {
                format!("taking {migration} back")
            }
            (Event::Undone { .. }, Way::BackAndForth) => {
                run.way = Way::Forward;
                event.to_string()
            }
            _ => event.to_string(),
        }
    }

    /// Names what is under way: several where one message carries them, of which the server does not say which one runs.
    fn started(&self, bar: &ProgressBar, migration: &MigrationId, words: String) {
        let Ok(mut run) = self.run.lock() else { return };
        if run.retried.as_ref().is_some_and(|retried| retried.migration == *migration) {
            // What it waits for stands there already.
            return;
        }
        if run.under_way.is_empty() {
            bar.reset_elapsed();
        }
        if !run.under_way.contains(migration) {
            run.under_way.push(migration.clone());
        }
        bar.set_message(match run.under_way.as_slice() {
            [first, .., last] => {
                let what = if matches!(run.way, Way::Forward) { "applying" } else { "taking back" };
                format!("{what} {} together, {first} to {last}", run.under_way.len())
            }
            _ => words,
        });
    }

    fn ended(&self, migration: &MigrationId) {
        if let Ok(mut run) = self.run.lock() {
            run.under_way.retain(|other| other != migration);
            run.retried = None;
        }
    }

    /// Whether a failed attempt has something to tell that the one before it had not; remembers it.
    fn tells(&self, migration: &MigrationId, session: Option<String>, attempt: u32) -> bool {
        let Ok(mut run) = self.run.lock() else { return true };
        let now = Retried { migration: migration.clone(), session };
        let same = attempt > 1 && run.retried.as_ref() == Some(&now);
        run.retried = Some(now);
        !same
    }
}

/// Which way a run goes.
#[derive(Clone, Copy, Default)]
pub(crate) enum Way {
    /// Migrations are applied.
    #[default]
    Forward,
    /// They are taken back.
    Back,
    /// One is taken back, and then it goes forward.
    BackAndForth,
}

/// What a run is at.
#[derive(Default)]
struct Run {
    way: Way,
    under_way: Vec<MigrationId>,
    retried: Option<Retried>,
}

/// A migration that is tried again, and who was in its way.
#[derive(PartialEq)]
struct Retried {
    migration: MigrationId,
    session: Option<String>,
}

/// The line that lives while a migration is tried again.
fn live(migration: &MigrationId, attempt: u32, session: Option<&str>) -> String {
    let next = attempt.saturating_add(1);
    match session {
        Some(session) => format!("{migration} waits for {session}; attempt {next}"),
        None => format!("applying {migration}; attempt {next}"),
    }
}

/// A session by what a person looks for: `process 4711 (billing)`.
fn named(session: &Holder) -> String {
    match &session.application {
        Some(application) => format!("process {} ({application})", session.pid),
        None => format!("process {}", session.pid),
    }
}

/// Writes lines that stay, behind a mark.
fn write_line(style: Style, mark: &str, lines: &[String]) {
    let columns = terminal::columns_of_errors();
    for (n, line) in lines.iter().enumerate() {
        let mark = if n == 0 { paint::paint(style, mark) } else { " ".to_owned() };
        let _ = writeln!(anstream::stderr(), "{mark} {}", lines::folded(line, columns, 2, 4));
    }
}

impl Progress {
    /// Whether the last line about something that goes on is old enough for another one.
    fn is_time(&self) -> bool {
        let Ok(mut last) = self.last.lock() else { return true };
        let is_time = last.is_none_or(|last| last.elapsed() >= BETWEEN);
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}

/// Whether an event comes again and again while something goes on.
fn is_repeated(event: &Event) -> bool {
    matches!(event, Event::Waiting { .. } | Event::Backfill { .. })
}

/// Between two lines about something that goes on, where lines stay.
const BETWEEN: Duration = Duration::from_secs(5);

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant of this file, and is right.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {clock}") {
        bar.set_style(style.with_key("clock", clock));
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// How long it has been under way: `0:07`, `1:02:03`.
fn clock(state: &ProgressState, out: &mut dyn std::fmt::Write) {
    let seconds = state.elapsed().as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    // A text takes all that is written to it.
    let _ = match hours {
        0 => write!(out, "{minutes}:{seconds:02}"),
        _ => write!(out, "{hours}:{minutes:02}:{seconds:02}"),
    };
}
