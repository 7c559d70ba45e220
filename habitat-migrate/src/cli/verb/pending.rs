//! `pending`: whether there is anything to do, for a pipeline.

use super::{Run, plan};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;

#[derive(clap::Args, Debug)]
pub(crate) struct Pending {}

impl Run for Pending {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let (text, value, count) = plan::shown(&migrator, &mut context.client()?)?;
        let exit = if count > 0 { Exit::Pending } else { Exit::Done };
        Ok(Answer::new(text, value).with_exit(exit))
    }
}
