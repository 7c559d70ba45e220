//! `verify`: whether the database is what its migrations say.

use habitat_migrate_catalog::Catalog;
use serde_json::{Value, json};

use super::Run;
use super::status::drifted;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{json, paint};
use crate::history::State;
use crate::status::Stage;

#[derive(clap::Args, Debug)]
pub(crate) struct Verify {}

impl Run for Verify {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let mut client = context.client()?;
        let findings = migrator.verify(&mut client)?;
        let status = migrator.status(&mut client)?;
        let mut text = String::new();
        for finding in &findings {
            let picture = finding.diagnostic().to_string();
            text.push_str(&paint::error(picture.strip_prefix("finding: ").unwrap_or(&picture)));
            text.push_str("\n\n");
        }
        let differs =
            |stage: &Stage| matches!(stage, Stage::Changed { .. } | Stage::Missing | Stage::Interrupted);
        let mut differences = Vec::new();
        for entry in status.entries().iter().filter(|entry| differs(entry.stage())) {
            let word = crate::status::word(entry.stage());
            text.push_str(&format!("{} {}\n", paint::paint(paint::BAD, word), entry.id()));
            differences.push(json!({ "migration": entry.id().to_string(), "stage": word }));
        }
        status.drift().iter().for_each(|drift| text.push_str(&drifted(drift)));
        let count = findings.len() + differences.len() + status.drift().len();
        let ran = match scripts(migrator.catalog(), &status) {
            0 => "no verify script ran".to_owned(),
            1 => "1 verify script ran".to_owned(),
            count => format!("{count} verify scripts ran"),
        };
        text.push_str(&match count {
            0 => format!("{} nothing found; {ran}", paint::paint(paint::GOOD, "✓")),
            count => format!("{count} found"),
        });
        let value = json!({
            "findings": findings.iter().map(json::finding).collect::<Value>(),
            "differences": differences,
            "drift": status.drift().iter().map(|drift| json!(drift.to_string())).collect::<Value>(),
        });
        let exit = if count > 0 { Exit::Pending } else { Exit::Done };
        Ok(Answer::new(text, value).with_exit(exit))
    }
}

/// How many verify scripts there are of what is recorded as applied: those that ran.
fn scripts(catalog: &Catalog, status: &crate::Status) -> usize {
    let applied = status
        .entries()
        .iter()
        .filter(|entry| entry.record().is_some_and(|record| record.state() == State::Applied));
    let migrations = applied.filter_map(|entry| catalog.get(entry.id().context(), entry.id().version()));
    migrations.filter(|migration| migration.verify().is_some()).count()
}
