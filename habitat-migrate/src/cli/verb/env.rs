//! `env`: what kind of database this is.

use serde_json::json;

use super::{Run, down};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

#[derive(clap::Args, Debug)]
pub(crate) struct Env {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// What is recorded
    Show,
    /// Records it, once and for all
    Set {
        /// production, staging, development, test, or a name of your own
        name: String,
    },
}

impl Run for Env {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let mut client = context.client()?;
        if let Kind::Set { name } = &self.kind {
            let history = migrator.history(&mut client)?;
            if history.environment().is_none() {
                let database = down::database(&mut client)?;
                context.confirm(&format!("record {name}, once and for all,"), &database, None)?;
            }
            let migrator = migrator.environment(name);
            migrator.record_environment(&mut client)?;
            return Ok(Answer::new(
                format!("this database is recorded as {name}"),
                json!({ "environment": name }),
            ));
        }
        let history = migrator.history(&mut client)?;
        let environment = history.environment();
        let text = environment.unwrap_or("no environment is recorded: `env set NAME` does").to_owned();
        Ok(Answer::new(text, json!({ "environment": environment })))
    }
}
