//! `report`: one page of HTML about the database.

use std::path::PathBuf;

use serde_json::json;

use super::Run;
use super::doctor::BackupsSeen;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::page;
use crate::provision::{Cluster, Provision};

#[derive(clap::Args, Debug)]
pub(crate) struct Report {
    /// The file that is written, in one piece and without anything from elsewhere
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
    /// Compare the server with its declaration, too: the provision file, for the environment
    #[arg(long)]
    audit: bool,
    #[command(flatten)]
    backups: BackupsSeen,
}

impl Run for Report {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let examination = self.backups.examination(context)?;
        let mut page = page::read(&mut context.client()?, &examination)?;
        if self.audit {
            page = page.with_findings(audit(context)?);
        }
        let html = page.to_html();
        std::fs::write(&self.html, &html).map_err(|error| Failure::file("write", &self.html, &error))?;
        let file = self.html.display().to_string();
        Ok(Answer::new(format!("wrote {file}"), json!({ "file": file, "bytes": html.len() })))
    }
}

fn audit(context: &Context) -> Result<Vec<crate::provision::Finding>, Failure> {
    let path = context.settings.path("provision").unwrap_or_else(|| "provision.toml".into());
    let text = std::fs::read_to_string(&path).map_err(|error| Failure::file("read", &path, &error))?;
    let Some(environment) = context.settings.get("environment") else {
        let next = "name it: --environment test, HABITAT_ENVIRONMENT, or `environment` in habitat.toml";
        return Err(Failure::usage("nobody says which environment is declared", next));
    };
    let wanted = Provision::from_toml(path.to_string_lossy(), text, environment)?;
    let connector = context.connector()?;
    Ok(wanted.audit(&Cluster::connector_blocking(&connector))?)
}
