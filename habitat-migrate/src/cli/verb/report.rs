//! `report`: one page of HTML about the database.

use std::path::PathBuf;

use serde_json::json;

use super::{Run, doctor, provision};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::file;
use crate::page;
use crate::provision::Cluster;

#[derive(clap::Args, Debug)]
pub(crate) struct Report {
    /// The file that is written, in one piece and without anything from elsewhere
    #[arg(long, value_name = "FILE")]
    html: PathBuf,
    /// Compare the server with its declaration, too: the provision file, for the environment
    #[arg(long)]
    audit: bool,
}

impl Run for Report {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let examination = doctor::examination(context)?;
        let mut page = page::read(&mut context.client()?, &examination)?;
        if self.audit {
            page = page.with_findings(audit(context)?);
        }
        let html = page.to_html();
        Ok(file::written(&self.html, &html)?.and("bytes", json!(html.len())))
    }
}

fn audit(context: &Context) -> Result<Vec<crate::provision::Finding>, Failure> {
    let wanted = provision::declared(context)?;
    let connector = context.connector()?;
    Ok(wanted.audit(&Cluster::connector_blocking(&connector))?)
}
