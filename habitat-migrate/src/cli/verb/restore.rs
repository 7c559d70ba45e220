//! `restore`: a backup, into a fresh database.

use std::path::PathBuf;

use serde_json::json;

use super::Run;
use crate::backup::{self, Backup};
use crate::cli::answer::Answer;
use crate::cli::context::{Context, Word};
use crate::cli::failure::Failure;
use crate::cli::{backups, json, paint};

#[derive(clap::Args, Debug)]
pub(crate) struct Restore {
    /// The backup
    #[arg(value_name = "FILE", required_unless_present = "newest", conflicts_with = "newest")]
    file: Option<PathBuf>,
    /// The newest one in the folder of backups, of this database
    #[arg(long)]
    newest: bool,
    /// The newest one of another database
    #[arg(long, value_name = "DATABASE", requires = "newest")]
    of: Option<String>,
    /// The folder of backups; `--backups` if not set
    #[arg(long, requires = "newest", value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl Run for Restore {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let backup = self.backup(context)?;
        let (mut client, connection) = context.login()?;
        let database = connection.database();
        let recorded = backup::look(&mut client, database)?;
        let what = format!(
            "restore {}, as it was on {}",
            backup.database(),
            backup.taken_at().format("%Y-%m-%d %H:%M:%S UTC")
        );
        let word = match recorded.as_deref() {
            Some(_) => context.confirm_by_name(&what, database, recorded.as_deref())?,
            None => context.confirm(&what, database, None)?,
        };
        let mut restore = backup::Restore::of(&backup);
        if word == Word::Name {
            restore = restore.confirm(database);
        }
        if let Some(programs) = backups::programs(context) {
            restore = restore.programs(programs);
        }
        let what = format!("restoring {} into {database}", backup.path().display());
        if let Some(error) = context.during(&what, || restore.run_and_tell(&mut client, &connection))? {
            backups::warn("the data is restored; its statistics are not gathered", &error, "run `ANALYZE`");
        }
        let mark = paint::paint(paint::GOOD, "✓");
        let text = format!("{mark} {database} has what was backed up of {backup}");
        Ok(Answer::new(text, json!({ "database": database, "backup": json::backup(&backup) })))
    }
}

impl Restore {
    fn backup(&self, context: &Context) -> Result<Backup, Failure> {
        if let Some(file) = &self.file {
            return Ok(Backup::open(file)?);
        }
        let backups = backups::needed(context, self.folder.as_deref())?;
        let database = match &self.of {
            Some(name) => name.clone(),
            None => context.database()?,
        };
        backups.list(&database)?.into_iter().next().ok_or_else(|| {
            let folder = backups.folder().display();
            Failure::failed(
                format!("there is no backup of {database} in {folder}"),
                "`backup list --all` tells what there is; `--newest --of DATABASE` takes another database's",
            )
        })
    }
}
