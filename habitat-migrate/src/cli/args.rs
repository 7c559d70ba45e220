//! The arguments: [`Command`].

use clap::{Args, Parser};

use super::answer::Output;
use super::config::Flags;
use super::verb::Verb;

/// A verb with its arguments: parsed by clap, within a program's own command or by [`main`](super::main).
///
/// Its `Debug` tells which settings flags gave, and not their values, so that a service may log what it was called with.
#[derive(Args, Debug)]
pub struct Command {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

impl Command {
    pub(super) fn output(&self) -> Output {
        self.options.output
    }
}

/// What every verb understands.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// How results are written: text for people, JSON for programs, annotations for GitHub Actions
    #[arg(long, short, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) output: Output,
    /// Tell of nothing but results and errors
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    /// Ask nothing; in production --confirm is needed all the same
    #[arg(long, short, global = true)]
    pub(crate) yes: bool,
    /// The name of the database, for what cannot be undone in production
    #[arg(long, global = true, value_name = "DATABASE")]
    pub(crate) confirm: Vec<String>,
    /// A pooler that stands between gives each connection a session of its own
    #[arg(long, global = true)]
    pub(crate) assume_session: bool,
    #[command(flatten)]
    pub(crate) flags: Flags,
}

/// The arguments of a process that does nothing else.
#[derive(Parser, Debug)]
#[command(
    name = "habitat-migrate",
    bin_name = program_name(),
    version,
    about = "PostgreSQL migrations: written, checked, applied, verified, taken back",
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 usage, 3 pending or drift found, 4 lock not obtained, 5 refused by policy"
)]
pub(crate) struct Program {
    #[command(flatten)]
    pub(crate) command: Command,
}

/// What the user called it.
fn program_name() -> String {
    let path = std::env::args_os().next().map(std::path::PathBuf::from);
    let name =
        path.as_deref().and_then(|path| path.file_stem()).map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_else(|| "habitat-migrate".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::Program;

    #[test]
    fn r47_a_command_in_a_log_tells_which_settings_are_given_and_none_of_their_values() {
        let arguments = [
            "habitat-migrate",
            "--database-url",
            "postgres://app:hunter2@db/shop",
            "--lock-wait=hunter2",
            "up",
            "--set",
            "token=hunter2",
            "--set=hunter2",
        ];
        let program = Program::try_parse_from(arguments).expect("arguments");
        for shown in [format!("{program:?}"), format!("{program:#?}")] {
            assert!(!shown.contains("hunter2"), "{shown}");
            for told in ["Up", "database-url", "lock-wait", "set token"] {
                assert!(shown.contains(told), "{told}: {shown}");
            }
        }
    }
}
