//! The verbs, a module for each.

mod adopt;
mod backfill;
mod backup;
mod baseline;
mod check;
mod completions;
mod doctor;
mod down;
mod env;
mod graph;
mod history;
mod man;
mod new;
mod pending;
mod plan;
mod provision;
mod redo;
mod repair;
mod report;
mod restore;
mod schema;
mod status;
mod up;
mod verify;

use super::answer::Answer;
use super::context::Context;
use super::failure::Failure;

/// What a verb does, given its arguments.
pub(crate) trait Run {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure>;

    /// The same for a verb that needs neither settings nor migrations, whether those are sound or not.
    fn by_itself(&self) -> Option<Result<Answer, Failure>> {
        None
    }
}

/// Declares the verbs: the name that answers carry, and the arguments.
macro_rules! verbs {
    ($($(#[$doc:meta])* $variant:ident $name:literal $arguments:ty,)*) => {
        /// What to do.
        #[derive(clap::Subcommand, Debug)]
        pub(crate) enum Verb {
            $($(#[$doc])* #[command(name = $name)] $variant($arguments),)*
        }

        impl Verb {
            /// The names of all verbs.
            pub(crate) const NAMES: &'static [&'static str] = &[$($name),*];

            /// Its name, whatever alias it was called by.
            pub(crate) fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            pub(crate) fn as_run(&self) -> &dyn Run {
                match self { $(Self::$variant(arguments) => arguments,)* }
            }
        }
    };
}

verbs! {
    /// Makes the files of a new migration, with its number
    #[command(visible_aliases = ["add", "generate", "create"])]
    New "new" new::New,
    /// Tells where the database stands, migration by migration
    #[command(visible_aliases = ["info", "list"])]
    Status "status" status::Status,
    /// Tells what `up` would do, or prints it as a script for psql
    Plan "plan" plan::Plan,
    /// Applies what is pending
    #[command(visible_aliases = ["run", "migrate"])]
    Up "up" up::Up,
    /// Takes migrations back, the last one first
    #[command(visible_aliases = ["revert", "rollback", "undo"])]
    Down "down" down::Down,
    /// Takes the last migration back and applies what is pending
    Redo "redo" redo::Redo,
    /// Runs the verify scripts, and looks for what was changed since it was applied
    #[command(visible_alias = "validate")]
    Verify "verify" verify::Verify,
    /// Checks the files, without a database
    #[command(visible_alias = "lint")]
    Check "check" check::Check,
    /// Lists what is pending; exit code 3 if anything is
    Pending "pending" pending::Pending,
    /// Lists what is recorded, in the order of application
    #[command(visible_alias = "log")]
    History "history" history::History,
    /// Records migrations as applied in a database that has what they make
    Baseline "baseline" baseline::Baseline,
    /// Changes what is recorded, and runs nothing
    Repair "repair" repair::Repair,
    /// Takes over a database that another tool migrated
    Adopt "adopt" adopt::Adopt,
    /// Databases, roles and grants, by declaration
    Provision "provision" provision::Provision,
    /// Batched backfills: how far they are, and whether they go on
    Backfill "backfill" backfill::Backfill,
    /// Takes a backup of the database, or lists those that there are
    Backup "backup" backup::Backup,
    /// Restores a backup into a fresh database
    Restore "restore" restore::Restore,
    /// The database's schema as SQL
    Schema "schema" schema::Schema,
    /// What kind of database this is
    Env "env" env::Env,
    /// Looks for what would keep the database from being migrated, or from being well; exit code 3 if anything would
    Doctor "doctor" doctor::Doctor,
    /// Draws what requires what
    Graph "graph" graph::Picture,
    /// Writes one page of HTML about the database
    Report "report" report::Report,
    /// Prints completions for a shell
    Completions "completions" completions::Completions,
    /// Prints the manual page
    Man "man" man::Man,
}
