//! `down`: takes migrations back.

use super::{Run, up};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::drive::{Work, drive};
use crate::cli::failure::Failure;
use crate::cli::progress::Way;
use crate::cli::{json, paint};
use crate::migrator::Migrator;
use crate::policy::Rollback;

#[derive(clap::Args, Debug)]
pub(crate) struct Down {
    /// How many; one if not set
    #[arg(value_name = "COUNT", conflicts_with_all = ["to", "everything"])]
    count: Option<usize>,
    /// Whatever was applied after this migration, which stays
    #[arg(long, visible_alias = "target", value_name = "MIGRATION")]
    to: Option<String>,
    /// All of them
    #[arg(long = "all", conflicts_with = "to")]
    everything: bool,
}

impl Run for Down {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let (rollback, what) = match (&self.to, self.count) {
            _ if self.everything => (Rollback::All, "take every migration back".to_owned()),
            (Some(text), _) => {
                let to = context.find(migrator.catalog(), text)?;
                let what = format!("take back what was applied after {to}");
                (Rollback::To(to), what)
            }
            (None, None | Some(1)) => (Rollback::Last, "take the last migration back".to_owned()),
            (None, Some(count)) => (Rollback::Steps(count), format!("take the last {count} migrations back")),
        };
        let migrator = sure(context, migrator, &what)?;
        let connector = context.connector()?;
        let progress = context.progress().way(Way::Back);
        let report = drive(&progress.watch(migrator), &connector, Work::Down(rollback));
        progress.finish();
        let report = report?;
        if report.undone().is_empty() {
            let mark = paint::paint(paint::GOOD, "✓");
            let answer = Answer::new(format!("{mark} nothing to take back"), json::report(&report));
            return up::dumped(context, &report, answer);
        }
        up::done(context, &report)
    }
}

/// Asks whether this is the database that was meant, and takes its name along.
pub(super) fn sure(context: &Context, migrator: Migrator, what: &str) -> Result<Migrator, Failure> {
    let mut client = context.client()?;
    let database = database(&mut client)?;
    let history = migrator.history(&mut client)?;
    context.confirm(what, &database, history.environment())?;
    Ok(migrator.confirm(database))
}

/// The name of the database that a client is connected to.
pub(super) fn database(client: &mut postgres::Client) -> Result<String, Failure> {
    let row = client.query_one("SELECT pg_catalog.current_database()::pg_catalog.text", &[]);
    let row = row.map_err(|error| {
        Failure::failed(format!("the database's name cannot be read: {error}"), "try again")
    })?;
    Ok(row.get(0))
}
