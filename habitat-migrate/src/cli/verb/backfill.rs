//! `backfill`: batched backfills, looked after.

use serde_json::{Value, json};

use super::{Run, down};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::json;

#[derive(clap::Args, Debug)]
pub(crate) struct Backfill {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// How far each backfill is that was begun
    #[command(visible_alias = "list")]
    Status,
    /// Ends a backfill's worker behind its batch; nobody goes on until it is resumed
    Pause(Which),
    /// Lets it go on with the next `up`
    Resume(Which),
    /// Begins anew at the beginning of its table
    Restart(Which),
}

#[derive(clap::Args, Debug)]
struct Which {
    /// Which migration
    migration: String,
}

impl Run for Backfill {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let find = |which: &Which| context.find(migrator.catalog(), &which.migration);
        let backfills = match &self.kind {
            Kind::Status => migrator.backfills(&mut context.client()?)?,
            Kind::Pause(which) => vec![migrator.pause_backfill(&mut context.client()?, &find(which)?)?],
            Kind::Resume(which) => vec![migrator.resume_backfill(&mut context.client()?, &find(which)?)?],
            Kind::Restart(which) => {
                let id = find(which)?;
                let migrator =
                    down::sure(context, migrator.clone(), &format!("begin the backfill {id} anew"))?;
                vec![migrator.restart_backfill(&mut context.client()?, &id)?]
            }
        };
        let lines: Vec<String> = backfills.iter().map(ToString::to_string).collect();
        let text = if lines.is_empty() { "no backfill was begun".to_owned() } else { lines.join("\n") };
        Ok(Answer::new(text, json!({ "backfills": backfills.iter().map(json::backfill).collect::<Value>() })))
    }
}
