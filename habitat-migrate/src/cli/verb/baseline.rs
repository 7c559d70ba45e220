//! `baseline`: a database that has what migrations make, and no history of them.

use super::{Run, down, up};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

#[derive(clap::Args, Debug)]
pub(crate) struct Baseline {
    /// The last migration whose work is there; those before it and what they require are recorded, too
    migration: String,
    /// Why; it goes into the tracker's log
    #[arg(long, value_name = "REASON")]
    why: String,
}

impl Run for Baseline {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let at = context.find(migrator.catalog(), &self.migration)?;
        let what = format!("record {at} and those before it as applied, without running them,");
        let migrator = down::sure(context, migrator, &what)?;
        let report = migrator.baseline(&mut context.client()?, &at, &self.why)?;
        Ok(up::answer(&report))
    }
}
