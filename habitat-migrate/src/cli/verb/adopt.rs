//! `adopt`: a database that another tool migrated.

use serde_json::{Value, json};

use super::{Run, down};
use crate::adopt::{Adoption, AdoptionState, Mismatch};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::json;

#[derive(clap::Args, Debug)]
pub(crate) struct Adopt {
    /// Records what matches; without it, only compares
    #[arg(long)]
    apply: bool,
    /// The other tool's table; without it, the one that looks like a tool's
    #[arg(long, value_name = "SCHEMA.TABLE")]
    table: Option<String>,
    /// Compare with this context alone
    #[arg(long)]
    context: Option<String>,
    /// A version whose difference is accepted, any number of times
    #[arg(long, value_name = "VERSION")]
    accept: Vec<String>,
}

impl Run for Adopt {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let mut migrator = context.migrator()?;
        let mut adopt = if self.apply { crate::Adopt::apply() } else { crate::Adopt::dry_run() };
        if let Some(table) = &self.table {
            let (schema, name) = table.split_once('.').unwrap_or(("public", table));
            adopt = adopt.table(schema, name);
        }
        if let Some(name) = &self.context {
            adopt = adopt.context(name);
        }
        adopt = adopt.accept(self.accept.iter().map(String::as_str));
        if self.apply {
            migrator = down::sure(context, migrator, "take over this database's history")?;
        }
        let adoption = migrator.adopt(&mut context.client()?, adopt)?;
        let exit = if adoption.is_clean() { Exit::Done } else { Exit::Pending };
        Ok(Answer::new(adoption.to_string(), value(&adoption)).with_exit(exit))
    }
}

fn value(adoption: &Adoption) -> Value {
    let mismatch = |mismatch: &Mismatch| {
        json!({
            "version": mismatch.version(),
            "migration": mismatch.migration().map(ToString::to_string),
            "message": mismatch.to_string(),
            "advice": json::advice(&mismatch.advice()),
        })
    };
    json!({
        "tool": adoption.tool().to_string(),
        "table": adoption.table(),
        "state": match adoption.state() {
            AdoptionState::Compared => "compared",
            AdoptionState::Recorded => "recorded",
            AdoptionState::AlreadyRecorded => "already-recorded",
        },
        "matched": adoption.matched().iter().map(|matched| json!({
            "migration": matched.id().to_string(),
            "version": matched.version(),
            "proof": matched.proof().to_string(),
        })).collect::<Value>(),
        "mismatched": adoption.mismatched().map(mismatch).collect::<Value>(),
        "accepted": adoption.accepted().map(mismatch).collect::<Value>(),
        "pending": json::ids(adoption.pending()),
    })
}
