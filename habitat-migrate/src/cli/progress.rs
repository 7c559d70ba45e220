//! What a run does, shown while it goes on: one line that lives on a terminal, a line for each event elsewhere.

use std::io::Write as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{paint, terminal};
use crate::event::Event;
use crate::migrator::Migrator;

/// Shows events on standard error.
#[derive(Clone)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let live = !quiet && terminal::is_live();
        Self { bar: live.then(bar), quiet }
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
            // On a busy server that would be a line for each poll.
            if !matches!(event, Event::Waiting { waited, .. } if waited.subsec_millis() > 100 && waited.as_secs() < 1)
            {
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

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    // The template is a constant of this file, and is right.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
