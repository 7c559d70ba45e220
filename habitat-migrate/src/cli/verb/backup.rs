//! `backup`: takes one, or lists those that there are.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::table::{Cell, table};
use crate::cli::{backups, json, paint, terminal};

#[derive(clap::Args, Debug)]
pub(crate) struct Backup {
    #[command(subcommand)]
    kind: Option<Kind>,
    /// The folder of backups; `--backups` if not set
    #[arg(long, global = true, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// Lists the backups of the database, the newest first, without asking the server
    List {
        /// Those of every database
        #[arg(long)]
        all: bool,
    },
}

impl Run for Backup {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let backups = backups::needed(context, self.folder.as_deref())?;
        if let Some(Kind::List { all }) = self.kind {
            let found = if all { backups.list_all()? } else { backups.list(&context.database()?)? };
            return Ok(listed(&found));
        }
        let (backup, removed) = backups::take(context, &backups)?;
        let mark = paint::paint(paint::GOOD, "✓");
        let mut text = format!("{mark} {backup}\n{}\n", backup.path().display());
        for old in &removed {
            text.push_str(&format!("removed {}\n", old.path().display()));
        }
        let removed: Value = removed.iter().map(|old| json!(old.path().display().to_string())).collect();
        Ok(Answer::new(text, json!({ "backup": json::backup(&backup), "removed": removed })))
    }
}

fn listed(found: &[crate::backup::Backup]) -> Answer {
    let row = |backup: &crate::backup::Backup| {
        vec![
            Cell::new(backup.taken_at().format("%Y-%m-%d %H:%M:%S UTC").to_string()),
            Cell::new(backup.database()),
            Cell::right(format!("{} KB", backup.size().div_ceil(1000))),
            Cell::new(backup.path().display().to_string()),
        ]
    };
    let rows: Vec<Vec<Cell>> = found.iter().map(row).collect();
    let text =
        if rows.is_empty() { "there is none".to_owned() } else { table(&rows, 4, terminal::columns()) };
    Answer::new(text, json!({ "backups": found.iter().map(json::backup).collect::<Value>() }))
}
