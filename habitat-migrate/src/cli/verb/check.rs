//! `check`: everything that a macro would say, without a database.

use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::table::{Cell, table};
use crate::cli::{json, paint, terminal};

#[derive(clap::Args, Debug)]
pub(crate) struct Check {
    /// Every migration, in the order of application
    #[arg(long)]
    list: bool,
}

impl Run for Check {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let catalog = context.catalog()?;
        let mut text = String::new();
        if self.list {
            let rows: Vec<Vec<Cell>> = catalog
                .migrations()
                .iter()
                .map(|m| vec![Cell::new(m.id().to_string()), Cell::styled(m.description(), paint::FAINT)])
                .collect();
            text = table(&rows, 1, terminal::columns()) + "\n";
        }
        let contexts = catalog.contexts().len();
        let many = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        text.push_str(&format!(
            "{} {} of {}, all sound",
            paint::paint(paint::GOOD, "✓"),
            many(catalog.migrations().len(), "migration"),
            many(contexts, "context"),
        ));
        let value = json!({
            "migrations": catalog.migrations().iter().map(json::migration).collect::<Value>(),
            "contexts": catalog.contexts().iter().map(|c| json!({ "name": c.name(), "count": c.count() })).collect::<Value>(),
        });
        Ok(Answer::new(text, value))
    }
}
