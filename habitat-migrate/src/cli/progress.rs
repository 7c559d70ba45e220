//! What a run does, shown while it goes on: one line that lives on a terminal, a line for each event elsewhere.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{paint, terminal};
use crate::event::Event;
use crate::migrator::Migrator;

/// Shows events on standard error.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    last: Arc<Mutex<Option<Instant>>>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let live = !quiet && terminal::is_live();
        Self { bar: live.then(bar), quiet, last: Arc::default() }
    }

    /// Tells of the runs of a migrator.
    pub(crate) fn watch(&self, migrator: Migrator) -> Migrator {
        let progress = self.clone();
        migrator.on_event(move |event| progress.tell(event))
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
                let _ = writeln!(anstream::stderr(), "{event}");
            }
            return;
        };
        match event {
            Event::Planned { pending } => {
                bar.set_length(u64::try_from(*pending).unwrap_or(u64::MAX));
                bar.set_message(event.to_string());
            }
            Event::Applied { .. } | Event::Undone { .. } => {
                bar.inc(1);
                bar.suspend(|| {
                    let _ = writeln!(anstream::stderr(), "{} {event}", paint::paint(paint::GOOD, "✓"));
                });
            }
            Event::Retrying { .. } | Event::InvalidIndexDropped { .. } => bar.suspend(|| {
                let _ = writeln!(anstream::stderr(), "{} {event}", paint::paint(paint::TO_DO, "!"));
            }),
            Event::Started { .. } => {
                bar.reset_elapsed();
                bar.set_message(event.to_string());
            }
            _ => bar.set_message(event.to_string()),
        }
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
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
