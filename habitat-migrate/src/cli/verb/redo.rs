//! `redo`: the last migration back, and what is pending then.

use super::{Run, down, up};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::drive::{Work, drive};
use crate::cli::failure::Failure;
use crate::cli::progress::Way;

#[derive(clap::Args, Debug)]
pub(crate) struct Redo {}

impl Run for Redo {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator =
            down::sure(context, context.migrator()?, "take the last migration back and apply it again")?;
        let connector = context.connector()?;
        let progress = context.progress().way(Way::BackAndForth);
        let report = drive(&progress.watch(migrator), &connector, Work::Redo);
        progress.finish();
        up::done(context, &report?)
    }
}
