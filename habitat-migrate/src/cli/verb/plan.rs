//! `plan`: what `up` would do.

use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::table::{Cell, table};
use crate::cli::{json, paint, terminal};
use crate::history::History;
use crate::migrator::Migrator;

#[derive(clap::Args, Debug)]
pub(crate) struct Plan {
    /// Only up to this migration, and what it requires
    #[arg(long, value_name = "MIGRATION")]
    to: Option<String>,
    /// The run as one script for psql
    #[arg(long)]
    sql: bool,
    /// For a new database, without asking a server; with --sql
    #[arg(long, requires = "sql")]
    offline: bool,
}

impl Run for Plan {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = targeted(context, self.to.as_deref())?;
        if self.offline {
            let sql = migrator.to_sql(&History::default())?;
            return Ok(Answer::exact(sql.clone(), json!({ "sql": sql })));
        }
        let mut client = context.client()?;
        if self.sql {
            let history = migrator.history(&mut client)?;
            let sql = migrator.to_sql(&history)?;
            return Ok(Answer::exact(sql.clone(), json!({ "sql": sql })));
        }
        let (text, value, _) = shown(&migrator, &mut client)?;
        Ok(Answer::new(text, value))
    }
}

/// A migrator that stops where it is told to.
pub(crate) fn targeted(context: &Context, to: Option<&str>) -> Result<Migrator, Failure> {
    let migrator = context.migrator()?;
    match to {
        Some(text) => {
            let target = context.find(migrator.catalog(), text)?;
            Ok(migrator.target(target))
        }
        None => Ok(migrator),
    }
}

/// The plan for people and for programs, and how many migrations are in it.
pub(crate) fn shown(
    migrator: &Migrator,
    client: &mut postgres::Client,
) -> Result<(String, Value, usize), Failure> {
    let plan = migrator.plan(client)?;
    let rows: Vec<Vec<Cell>> = plan
        .pending()
        .map(|migration| {
            let mut notes = Vec::new();
            if migration.down().is_none() {
                notes.push("no way back");
            }
            if migration.settings().transaction == habitat_migrate_catalog::TransactionMode::None {
                notes.push("no transaction");
            }
            vec![
                Cell::styled("pending", paint::TO_DO),
                Cell::new(migration.id().to_string()),
                Cell::new(notes.join(", ")),
                Cell::styled(migration.description(), paint::FAINT),
            ]
        })
        .collect();
    let mut text = table(&rows, 3, terminal::columns());
    let count = rows.len();
    text.push_str(&match count {
        0 => format!("nothing to do: {} applied\n", plan.already_applied()),
        _ => format!("\n{count} to apply, {} applied already\n", plan.already_applied()),
    });
    let value = json!({
        "pending": plan.pending().map(json::migration).collect::<Value>(),
        "already_applied": plan.already_applied(),
        "newer": json::ids(plan.newer()),
        "elsewhere": plan.elsewhere().map(|m| json!(m.id().to_string())).collect::<Value>(),
    });
    Ok((text, value, count))
}
