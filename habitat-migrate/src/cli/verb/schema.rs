//! `schema`: the database's schema as SQL, for review in git.

use std::path::PathBuf;

use serde_json::json;

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{backups, file, json};

#[derive(clap::Args, Debug)]
pub(crate) struct Schema {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// By pg_dump, without rows and without what names a version
    Dump {
        /// Write it to this file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

impl Run for Schema {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let Kind::Dump { file: path } = &self.kind;
        match path {
            None => {
                let answer = file::or_printed(backups::schema(context)?, None, "schema")?;
                Ok(answer.and("changed", json!(null)))
            }
            Some(path) => {
                let (text, mut value) = backups::write_schema(context, path)?;
                json::merge(&mut value, json!({ "schema": null }));
                Ok(Answer::new(text, value))
            }
        }
    }
}
