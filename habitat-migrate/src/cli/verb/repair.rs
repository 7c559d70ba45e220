//! `repair`: changes what is recorded.

use habitat_migrate_catalog::{Catalog, MigrationId, Version};

use super::{Run, down, up};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;

#[derive(clap::Args, Debug)]
pub(crate) struct Repair {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// Records a migration as applied: somebody did by hand what it does
    MarkApplied(Arguments),
    /// Takes the record of a migration out: somebody undid it by hand
    Forget(Arguments),
    /// Records the checksum that a migration has now: its change does not matter
    #[command(visible_alias = "accept")]
    AcceptChanged(Arguments),
}

#[derive(clap::Args, Debug)]
struct Arguments {
    /// Which one: people:04_people_core, or 04_people_core, or 4
    migration: String,
    /// Why; it goes into the tracker's log
    #[arg(long, value_name = "REASON")]
    why: String,
}

impl Run for Repair {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let (what, arguments) = match &self.kind {
            Kind::MarkApplied(arguments) => ("record as applied", arguments),
            Kind::Forget(arguments) => ("take out the record of", arguments),
            Kind::AcceptChanged(arguments) => ("accept the text of", arguments),
        };
        let id = match (&self.kind, context.find(migrator.catalog(), &arguments.migration)) {
            (_, Ok(id)) => id,
            (Kind::Forget(_), Err(failure)) => {
                recorded(migrator.catalog(), &arguments.migration).ok_or(failure)?
            }
            (_, Err(failure)) => return Err(failure),
        };
        let migrator = down::sure(context, migrator, &format!("{what} {id}"))?;
        let mut client = context.client()?;
        let report = match &self.kind {
            Kind::MarkApplied(_) => migrator.mark_applied(&mut client, &id, &arguments.why)?,
            Kind::Forget(_) => migrator.forget(&mut client, &id, &arguments.why)?,
            Kind::AcceptChanged(_) => migrator.accept_changed(&mut client, &id, &arguments.why)?,
        };
        Ok(up::answer(&report))
    }
}

/// A migration whose file is gone, by its whole name.
fn recorded(catalog: &Catalog, text: &str) -> Option<MigrationId> {
    let (context, version) = text.split_once(':')?;
    let known = catalog.contexts().iter().any(|known| known.name() == context);
    (known && !version.is_empty())
        .then(|| MigrationId::new(context.to_owned(), Version::new(version.to_owned())))
}
