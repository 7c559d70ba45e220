//! `doctor`: what would keep the database from being migrated, or from being well.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use super::Run;
use crate::backup::Backups;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{json, terminal};
use crate::doctor::{Diagnosis, Examination, examine};

#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(super) backups: BackupsSeen,
}

/// Where backups are, for a verb that looks at their age.
#[derive(clap::Args, Debug)]
pub(crate) struct BackupsSeen {
    /// The folder of backups
    #[arg(long, value_name = "FOLDER")]
    backups: Option<PathBuf>,
    /// How many hours old the newest backup may be
    #[arg(long, value_name = "HOURS", default_value_t = 24)]
    backup_hours: u32,
}

impl BackupsSeen {
    /// What the database is examined for.
    pub(super) fn examination(&self, context: &Context) -> Result<Examination, Failure> {
        let examination = Examination::new(context.migrator()?);
        Ok(match &self.backups {
            Some(folder) => examination
                .backups(Backups::new(folder), Duration::from_secs(u64::from(self.backup_hours) * 3600)),
            None => examination,
        })
    }
}

impl Run for Doctor {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let examination = self.backups.examination(context)?;
        let diagnosis = examine(&mut context.client()?, &examination)?;
        let exit = if diagnosis.is_healthy() { Exit::Done } else { Exit::Pending };
        Ok(Answer::new(diagnosis.to_text(terminal::columns()), value(&diagnosis)).with_exit(exit))
    }
}

fn value(diagnosis: &Diagnosis) -> Value {
    let line = |line: &crate::doctor::Line| {
        json!({
            "topic": line.topic().to_string(),
            "level": json::kebab(&format!("{:?}", line.level())),
            "seen": line.text(),
            "next": line.advice(),
        })
    };
    json!({ "healthy": diagnosis.is_healthy(), "lines": diagnosis.lines().iter().map(line).collect::<Value>() })
}
