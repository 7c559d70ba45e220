//! `up`: applies what is pending.

use super::{Run, plan};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::drive::{Work, drive};
use crate::cli::failure::Failure;
use crate::cli::{json, paint};
use crate::report::Report;

#[derive(clap::Args, Debug)]
pub(crate) struct Up {
    /// Only up to this migration, and what it requires
    #[arg(long, visible_alias = "target", value_name = "MIGRATION")]
    to: Option<String>,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

impl Run for Up {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = plan::targeted(context, self.to.as_deref())?;
        if self.dry_run {
            let (text, mut value, _) = plan::shown(&migrator, &mut context.client()?)?;
            json::merge(&mut value, serde_json::json!({ "dry_run": true }));
            return Ok(Answer::new(text, value));
        }
        let connector = context.connector()?;
        let progress = context.progress();
        let report = drive(&progress.watch(migrator), &connector, Work::Up);
        progress.finish();
        Ok(answer(&report?))
    }
}

/// What a run did.
pub(super) fn answer(report: &Report) -> Answer {
    let mark = paint::paint(paint::GOOD, "✓");
    Answer::new(format!("{mark} {report}"), json::report(report))
}
