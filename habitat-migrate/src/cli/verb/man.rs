//! `man`: the manual pages.

use std::path::PathBuf;

use clap::CommandFactory as _;
use serde_json::json;

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::args::Program;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

#[derive(clap::Args, Debug)]
pub(crate) struct Man {
    /// Writes a page for each verb into this folder instead
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Run for Man {
    fn run(&self, _: &mut Context) -> Result<Answer, Failure> {
        self.pages()
    }

    fn by_itself(&self) -> Option<Result<Answer, Failure>> {
        Some(self.pages())
    }
}

impl Man {
    fn pages(&self) -> Result<Answer, Failure> {
        let command = Program::command();
        if let Some(folder) = &self.dir {
            let wrote =
                std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(command, folder));
            wrote.map_err(|error| Failure::unwritten("write pages to", folder, &error))?;
            let text = format!("pages are in {}", folder.display());
            return Ok(Answer::new(text, json!({ "text": null, "folder": folder })));
        }
        let mut text = Vec::new();
        // A vector takes all that is written to it.
        let _ = clap_mangen::Man::new(command).render(&mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Answer::exact(text.clone(), json!({ "text": text, "folder": null })))
    }
}
