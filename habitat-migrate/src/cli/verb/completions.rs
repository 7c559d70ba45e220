//! `completions`: for shells.

use clap::CommandFactory as _;
use clap_complete::Shell;
use serde_json::json;

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::args::Program;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

#[derive(clap::Args, Debug)]
pub(crate) struct Completions {
    /// For which shell
    shell: Shell,
}

impl Run for Completions {
    fn run(&self, _: &mut Context) -> Result<Answer, Failure> {
        self.printed()
    }

    fn by_itself(&self) -> Option<Result<Answer, Failure>> {
        Some(self.printed())
    }
}

impl Completions {
    fn printed(&self) -> Result<Answer, Failure> {
        let mut command = Program::command();
        let name = command.get_bin_name().unwrap_or("habitat-migrate").to_owned();
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut text);
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(Answer::exact(text.clone(), json!({ "text": text })))
    }
}
