//! `up`: applies what is pending.

use serde_json::json;

use super::{Run, down, plan};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::drive::{Work, drive};
use crate::cli::failure::Failure;
use crate::cli::{backups, json, paint};
use crate::report::Report;

#[derive(clap::Args, Debug)]
pub(crate) struct Up {
    /// Only up to this migration, and what it requires
    #[arg(long, visible_aliases = ["target", "target-version"], value_name = "MIGRATION")]
    to: Option<String>,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Take a backup before anything is applied; where that fails, nothing is
    #[arg(long)]
    backup_first: bool,
}

impl Run for Up {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = plan::targeted(context, self.to.as_deref())?;
        if self.dry_run {
            let (text, mut value, _) = plan::shown(&migrator, &mut context.client()?)?;
            json::merge(&mut value, json!({ "dry_run": true }));
            return Ok(Answer::new(text, value));
        }
        // Nothing is asked here; a name that was given all the same is held to.
        if !context.confirmed().is_empty() {
            context.is_named(&down::database(&mut context.client()?)?)?;
        }
        let backup = match self.backup_first {
            true => backups::before(context, &migrator)?,
            false => None,
        };
        let connector = context.connector()?;
        let progress = context.progress();
        let report = drive(&progress.watch(migrator), &connector, Work::Up);
        progress.finish();
        let answer = report.and_then(|report| done(context, &report));
        if !self.backup_first {
            return answer;
        }
        let taken = backup.as_ref().map(json::backup);
        match (answer, &backup) {
            (Ok(answer), _) => Ok(answer.and("backup", json!(taken))),
            (Err(failure), Some(backup)) => Err(failure.and_backup(backup)),
            (Err(failure), None) => Err(failure),
        }
    }
}

/// What a run did.
pub(super) fn answer(report: &Report) -> Answer {
    let mark = paint::paint(paint::GOOD, "✓");
    Answer::new(format!("{mark} {report}"), json::report(report))
}

/// What a run did, once the file that is to have the schema has it.
pub(super) fn done(context: &Context, report: &Report) -> Result<Answer, Failure> {
    dumped(context, report, answer(report))
}

/// The same with an answer of one's own.
pub(super) fn dumped(context: &Context, report: &Report, answer: Answer) -> Result<Answer, Failure> {
    let Some(path) = context.settings.path("dump") else { return Ok(answer) };
    match backups::write_schema(context, &path) {
        Ok((text, dump)) => Ok(answer.and_text(&text).and("dump", dump)),
        Err(failure) => {
            let what = format!("the schema is not in {}; what the run did stays: {report}", path.display());
            Err(failure.about(&what).behind_a_run(report))
        }
    }
}
