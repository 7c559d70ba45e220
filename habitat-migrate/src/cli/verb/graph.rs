//! `graph`: what requires what, as a picture.

use std::path::PathBuf;

use serde_json::json;

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::{file, terminal};
use crate::graph::{Detail, Graph};

#[derive(clap::Args, Debug)]
pub(crate) struct Picture {
    /// How it is drawn
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// The contexts alone, and which requires which
    #[arg(long)]
    contexts: bool,
    /// Ask the database what is applied
    #[arg(long)]
    applied: bool,
    /// Write it to this file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For the terminal
    #[default]
    Text,
    /// A picture in one file, light or dark
    Svg,
    /// For Markdown on a forge
    Mermaid,
    /// For Graphviz
    Dot,
}

impl Run for Picture {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let mut graph = Graph::of(migrator.catalog());
        if self.applied {
            graph = graph.with_status(&migrator.status(&mut context.client()?)?);
        }
        if self.contexts {
            graph = graph.detail(Detail::Contexts);
        }
        let text = match self.format {
            Format::Text => graph.to_text(terminal::columns()),
            Format::Svg => graph.to_svg(),
            Format::Mermaid => graph.to_mermaid(),
            Format::Dot => graph.to_dot(),
        };
        let format = format!("{:?}", self.format).to_lowercase();
        Ok(file::or_printed(text, self.file.as_deref(), "graph")?.and("format", json!(format)))
    }
}
