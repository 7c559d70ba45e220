//! `down`: takes migrations back.

use super::{Run, up};
use crate::cli::answer::Answer;
use crate::cli::context::{Context, Word};
use crate::cli::drive::{Work, drive};
use crate::cli::failure::Failure;
use crate::cli::progress::Way;
use crate::cli::{json, paint};
use crate::migrator::Migrator;
use crate::policy::Rollback;

#[derive(clap::Args, Debug)]
pub(crate) struct Down {
    /// How many; one if not set
    #[arg(value_name = "COUNT", conflicts_with_all = ["number", "to", "everything"])]
    count: Option<usize>,
    /// The same, as diesel has it
    #[arg(long, short, value_name = "COUNT", conflicts_with_all = ["to", "everything"])]
    number: Option<usize>,
    /// Whatever was applied after this migration, which stays
    #[arg(long, visible_aliases = ["target", "target-version"], value_name = "MIGRATION")]
    to: Option<String>,
    /// All of them
    #[arg(long = "all", conflicts_with = "to")]
    everything: bool,
}

impl Run for Down {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let (rollback, what) = match (&self.to, self.count.or(self.number)) {
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

/// Asks whether this is the database that was meant, and takes its name along if a person gave it: a bare yes leaves the
/// library's own question open, should the database have become production meanwhile.
pub(super) fn sure(context: &Context, migrator: Migrator, what: &str) -> Result<Migrator, Failure> {
    let mut client = context.client()?;
    let database = database(&mut client)?;
    let history = migrator.history(&mut client)?;
    Ok(match context.confirm(what, &database, history.environment())? {
        Word::Name => migrator.confirm(database),
        Word::Yes => migrator,
    })
}

/// The name of the database that a client is connected to.
pub(super) fn database(client: &mut postgres::Client) -> Result<String, Failure> {
    let row = client.query_one("SELECT pg_catalog.current_database()::pg_catalog.text", &[]);
    let row = row.map_err(|error| {
        Failure::failed(format!("the database's name cannot be read: {error}"), "try again")
    })?;
    Ok(row.get(0))
}
