//! `history`: what is recorded.

use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::table::{Cell, table};
use crate::cli::{json, paint, terminal};

#[derive(clap::Args, Debug)]
pub(crate) struct History {
    /// Only this many, the last ones
    #[arg(long, short = 'n', value_name = "COUNT")]
    last: Option<usize>,
}

impl Run for History {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let history = migrator.history(&mut context.client()?)?;
        let records = history.records();
        let records = &records[records.len().saturating_sub(self.last.unwrap_or(usize::MAX))..];
        let rows: Vec<Vec<Cell>> = records
            .iter()
            .map(|record| {
                vec![
                    Cell::new(record.deployed_at().format("%Y-%m-%d %H:%M:%S").to_string()),
                    Cell::new(record.id().to_string()),
                    Cell::right(crate::status::took(record.execution_time())),
                    Cell::new(record.deployed_by()),
                    Cell::new(json::kebab(&format!("{:?}", record.state()))),
                    Cell::styled(record.description(), paint::FAINT),
                ]
            })
            .collect();
        let text = if rows.is_empty() {
            "nothing is recorded".to_owned()
        } else {
            table(&rows, 4, terminal::columns())
        };
        let value = json!({
            "environment": history.environment(),
            "records": records.iter().map(json::record).collect::<Value>(),
        });
        Ok(Answer::new(text, value))
    }
}
