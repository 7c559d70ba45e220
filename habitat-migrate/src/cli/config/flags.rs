//! The settings as flags. They are made of [`KEYS`], so that none can be forgotten.

use std::collections::BTreeMap;
use std::fmt;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches};

use super::key::{KEYS, Kind};

/// What the flags say. Its `Debug` tells which are there, without their values: passwords are among them.
#[derive(Clone, Default)]
pub(crate) struct Flags {
    values: BTreeMap<&'static str, String>,
    /// `FOLDER` or `CONTEXT=FOLDER`.
    pub(crate) source: Vec<String>,
    /// `NAME=VALUE`.
    pub(crate) set: Vec<String>,
}

impl Flags {
    pub(crate) fn get(&self, flag: &str) -> Option<&str> {
        self.values.get(flag).map(String::as_str)
    }
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        list.entries(self.values.keys());
        list.entries(self.source.iter().map(|_| "source"));
        // Somebody may write the value alone.
        let name = |said: &String| said.split_once('=').map(|(name, _)| format!("set {name}"));
        list.entries(self.set.iter().map(|said| name(said).unwrap_or_else(|| "set".to_owned())));
        list.finish()
    }
}

const HEADING: &str = "Settings (also in habitat.toml)";

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config").long("config").value_name("FILE").help(
            "The configuration; without it the nearest habitat.toml from here upwards [env: HABITAT_CONFIG]",
        );
        let source = Arg::new("source")
            .long("source")
            .visible_alias("migration-dir")
            .value_name("[CONTEXT=]FOLDER")
            .action(ArgAction::Append)
            .help(
                "A folder of migrations, any number of times; `migrations` if not set [env: HABITAT_SOURCE]",
            );
        let set = Arg::new("set")
            .long("set")
            .value_name("NAME=VALUE")
            .action(ArgAction::Append)
            .help("The value of a placeholder, any number of times [env: HABITAT_SET]");
        let mut command = command;
        for arg in [config, source, set] {
            command = command.arg(arg.global(true).help_heading(HEADING));
        }
        for key in KEYS {
            let words = match key.kind {
                Kind::Word(words) => format!(" [{}]", words.join(", ")),
                Kind::List => ", with commas".to_owned(),
                Kind::Text | Kind::Duration | Kind::Count => String::new(),
            };
            let help = format!("{}{words} [env: {}]", key.help, variables(key.flag, &key.variable()));
            let mut arg = Arg::new(key.flag).long(key.flag).help(help).global(true).help_heading(HEADING);
            arg = arg.value_name(match key.kind {
                Kind::Text if ["dump", "provision"].contains(&key.flag) => "FILE",
                Kind::Text if ["backups", "pg-bin"].contains(&key.flag) => "FOLDER",
                Kind::Text => "VALUE",
                Kind::Word(_) => "WORD",
                Kind::Duration => "TIME",
                Kind::Count => "COUNT",
                Kind::List => "LIST",
            });
            if key.section == "checklist" {
                arg = arg.hide_short_help(true);
            }
            if key.flag == "database-url" {
                arg = arg.short('D');
            }
            command = command.arg(arg);
        }
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn variables(flag: &str, variable: &str) -> String {
    if flag == "database-url" { format!("{variable}, DATABASE_URL") } else { variable.to_owned() }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        let names = KEYS.iter().map(|key| key.flag).chain(["config"]);
        for name in names {
            if let Some(value) = matches.get_one::<String>(name) {
                self.values.insert(name, value.clone());
            }
        }
        let all = |name| matches.get_many::<String>(name).into_iter().flatten().cloned().collect();
        self.source = all("source");
        self.set = all("set");
        Ok(())
    }
}
