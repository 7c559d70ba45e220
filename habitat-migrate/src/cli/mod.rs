//! The command line: every verb of the library, for a person and for a pipeline, over a catalog or over folders.
//!
//! A program is its own migration tool by one line:
//!
//! ```no_run
//! # #[cfg(feature = "derive")]
//! # mod example {
//! use habitat_migrate::Migrations;
//!
//! #[derive(Migrations)]
//! #[migrations(dir = "../migrations/habitat")]
//! struct Schema;
//!
//! fn main() -> std::process::ExitCode {
//!     habitat_migrate::cli::main(Schema::CATALOG)
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! Or it has the verbs among those of its own, `my-service migrate status`:
//!
//! ```no_run
//! # mod example {
//! use std::process::ExitCode;
//! use clap::Parser;
//! use habitat_migrate::{Catalog, cli};
//!
//! #[derive(Parser)]
//! enum Service {
//!     /// Answers requests.
//!     Serve,
//!     /// Brings the database to what this service was built for.
//!     Migrate(cli::Command),
//! }
//!
//! fn run(service: Service, catalog: Catalog) -> ExitCode {
//!     match service {
//!         Service::Serve => ExitCode::SUCCESS,
//!         Service::Migrate(command) => command.run(catalog),
//!     }
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! Completions for a shell and manual pages are then the service's own, since only the service knows its whole command: made from it
//! by `clap_complete` and `clap_mangen`. The verbs `completions` and `man` speak for a program that is nothing but this command.
//! Likewise arguments that clap refuses are told by whoever has parsed them.
//!
//! The binary `habitat-migrate` is the same code over folders of SQL. `docs/cli.md` has every verb, the exit codes, the
//! variables, and the configuration.

mod answer;
mod args;
mod backups;
mod catalog;
mod config;
mod context;
mod drive;
mod exit;
mod failure;
mod file;
mod json;
mod lines;
mod misused;
mod numbering;
mod paint;
mod place;
mod progress;
mod table;
mod terminal;
mod variables;
mod verb;

use std::process::ExitCode;

use clap::Parser as _;
use habitat_migrate_catalog::Catalog;

pub use self::args::Command;
use self::args::Program;
use self::context::Context;
pub use self::exit::Exit;
use crate::migrator::Migrator;

/// Reads the arguments of this process, and does what they say with the migrations of this program.
///
/// A verb runs on a thread of its own, so that this may be called within an async runtime, which it blocks.
pub fn main(catalog: Catalog) -> ExitCode {
    parsed(|command| command.run(catalog))
}

/// Reads the arguments of this process, and does what they say with folders of SQL: what the binary `habitat-migrate` does.
pub fn stand_alone() -> ExitCode {
    parsed(|command| finish(command, Set::Folders))
}

impl Command {
    /// Does what the arguments say, and writes the outcome: results on the standard output, all else on standard error.
    ///
    /// The code that it returns is an [`Exit`]'s.
    pub fn run(self, catalog: Catalog) -> ExitCode {
        self.run_with(Migrator::new(catalog))
    }

    /// [`Command::run`] with a migrator whose settings are the defaults: flags, variables and `habitat.toml` come first.
    pub fn run_with(self, migrator: Migrator) -> ExitCode {
        finish(self, Set::Embedded(Box::new(migrator)))
    }
}

/// Where the migrations come from.
pub(crate) enum Set {
    /// Folders that flags, variables or `habitat.toml` name.
    Folders,
    /// The program itself has them.
    Embedded(Box<Migrator>),
}

fn parsed(run: impl FnOnce(Command) -> ExitCode) -> ExitCode {
    match Program::try_parse() {
        Ok(program) => run(program.command),
        Err(error) => misused::told(&error, std::env::args_os()).into(),
    }
}

/// Runs a verb where no async runtime is, which the blocking client needs.
fn finish(command: Command, set: Set) -> ExitCode {
    let work = move || {
        let (name, output) = (command.verb.name(), command.output());
        let verb = command.verb.as_run();
        let answer = verb.by_itself().unwrap_or_else(|| {
            Context::new(&command.options, set).and_then(|mut context| verb.run(&mut context))
        });
        match answer {
            Ok(answer) => answer.write(name, output),
            Err(failure) => failure.write(Some(name), output),
        }
    };
    match std::thread::Builder::new().name("habitat-migrate".to_owned()).spawn(work).map(|work| work.join()) {
        Ok(Ok(exit)) => exit.into(),
        // The panic's own words are on standard error by now.
        Ok(Err(_)) | Err(_) => Exit::Failed.into(),
    }
}
