//! What a verb has at hand: [`Context`].

use std::io::Write as _;
use std::time::Duration;

use habitat_migrate_catalog::{Catalog, MigrationId};

use super::Set;
use super::args::Options;
use super::catalog;
use super::config::Settings;
use super::failure::Failure;
use super::progress::Progress;
use super::terminal;
use super::variables::Variables;
use crate::connect::Connector;
use crate::migrator::Migrator;
use crate::policy::{Changed, Missing, NewerDatabase, OutOfOrder};
use crate::provision::Connection;

/// The settings, the migrations, the database, and whoever gave the command.
pub(crate) struct Context {
    pub(crate) settings: Settings,
    variables: Variables,
    set: Set,
    quiet: bool,
    yes: bool,
    confirm: Vec<String>,
    assume_session: bool,
}

impl Context {
    /// Reads the configuration; nothing is connected yet.
    pub(crate) fn new(options: &Options, set: Set) -> Result<Self, Failure> {
        let folder = std::env::current_dir().map_err(|error| {
            Failure::failed(format!("the working folder is gone: {error}"), "change to another one")
        })?;
        let variables = Variables::read(&folder)?;
        let settings = Settings::read(&options.flags, &variables, &folder)?;
        Ok(Self {
            settings,
            variables,
            set,
            quiet: options.quiet,
            yes: options.yes,
            confirm: options.confirm.clone(),
            assume_session: options.assume_session,
        })
    }

    /// The migrations, checked.
    pub(crate) fn catalog(&self) -> Result<Catalog, Failure> {
        match &self.set {
            Set::Folders => catalog::load(&self.settings),
            Set::Embedded(migrator) => Ok(migrator.catalog().clone()),
        }
    }

    /// Whether the migrations are those of the program itself.
    pub(crate) fn is_embedded(&self) -> bool {
        matches!(self.set, Set::Embedded(_))
    }

    /// The migration that a person means.
    pub(crate) fn find(&self, catalog: &Catalog, text: &str) -> Result<MigrationId, Failure> {
        catalog::find(catalog, text)
    }

    /// A migrator with all settings.
    pub(crate) fn migrator(&self) -> Result<Migrator, Failure> {
        let mut migrator = match &self.set {
            Set::Folders => Migrator::new(catalog::load(&self.settings)?),
            Set::Embedded(migrator) => Migrator::clone(migrator),
        };
        let settings = &self.settings;
        if let Some(schema) = settings.get("tracker-schema") {
            migrator = migrator.schema(schema);
        }
        if let Some(environment) = settings.get("environment") {
            migrator = migrator.environment(environment);
        }
        if let Some(word) = settings.get("changed") {
            migrator = migrator.changed(if word == "ignore" { Changed::Ignore } else { Changed::Refuse });
        }
        if let Some(word) = settings.get("missing") {
            migrator = migrator.missing(if word == "ignore" { Missing::Ignore } else { Missing::Refuse });
        }
        if let Some(word) = settings.get("out-of-order") {
            let apply = word == "apply";
            migrator = migrator.out_of_order(if apply { OutOfOrder::Apply } else { OutOfOrder::Refuse });
        }
        if let Some(word) = settings.get("newer-database") {
            let refuse = word == "refuse";
            migrator = migrator.newer_database(if refuse {
                NewerDatabase::Refuse
            } else {
                NewerDatabase::AllowCompatible
            });
        }
        if let Some(time) = settings.duration("lock-wait") {
            migrator = migrator.lock_wait(time);
        }
        if let Some(time) = settings.duration("lock-timeout") {
            migrator = migrator.lock_timeout(time);
        }
        if let Some(time) = settings.duration("statement-timeout") {
            migrator = migrator.statement_timeout(time);
        }
        if let Some(time) = settings.duration("retry-budget") {
            migrator = migrator.retry_budget(time);
        }
        for (name, value) in &settings.placeholders {
            migrator = migrator.placeholder(name, value);
        }
        if self.assume_session {
            migrator = migrator.assume_session();
        }
        Ok(migrator)
    }

    /// Shows what a run does while it goes on.
    pub(crate) fn progress(&self) -> Progress {
        Progress::new(self.quiet)
    }

    /// How to reach the database.
    pub(crate) fn connector(&self) -> Result<Connector, Failure> {
        let said = self.settings.get("database-url");
        let connector =
            Connector::from_environment(said, |name| self.variables.get(name)).map_err(|error| {
                let by = self.settings.by("database-url").map(|by| format!("{by}: ")).unwrap_or_default();
                Failure::usage(
                    format!("{by}{error}"),
                    "name the database by --database-url, DATABASE_URL, PGHOST and its kin, or PGSERVICE",
                )
            })?;
        Ok(match self.settings.duration("connect-timeout") {
            Some(time) => connector.deadline(time),
            None => connector,
        })
    }

    /// A connection to the database.
    pub(crate) fn client(&self) -> Result<postgres::Client, Failure> {
        let connector = self.connector()?;
        connector.connect_blocking().map_err(|error| Failure::unreached(&connector, error))
    }

    /// A connection to the database, and how libpq's programs reach the same server.
    pub(crate) fn login(&self) -> Result<(postgres::Client, Connection), Failure> {
        let connector = self.connector()?;
        let mut reached = connector.connect_blocking().map(|client| (client, connector.clone()));
        let hosts = connector.each_host();
        // A program has to be told one host: the first that is as this connection wants it.
        if hosts.len() > 1 && reached.is_ok() {
            for host in hosts {
                reached =
                    host.clone().deadline(Duration::ZERO).connect_blocking().map(|client| (client, host));
                if reached.is_ok() {
                    break;
                }
            }
        }
        let (mut client, connector) = reached.map_err(|error| Failure::unreached(&connector, error))?;
        let row = client.query_one("SELECT SESSION_USER::pg_catalog.text", &[]);
        let login: String = row.and_then(|row| row.try_get(0)).map_err(|error| {
            Failure::failed(format!("the login's name cannot be read: {error}"), "try again")
        })?;
        let connection = Connection::of_connector(&connector, &login)?;
        Ok((client, connection))
    }

    /// The name of the database as the connection says it, without asking the server.
    pub(crate) fn database(&self) -> Result<String, Failure> {
        Ok(Connection::of_connector(&self.connector()?, "")?.database().to_owned())
    }

    /// Does what has no progress of its own, and says what goes on meanwhile.
    pub(crate) fn during<T>(&self, what: &str, work: impl FnOnce() -> T) -> T {
        self.progress().during(what, work)
    }

    /// Says something in passing, where progress is shown.
    pub(crate) fn tell(&self, text: &str) {
        if !self.quiet {
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// The names that a person gave in confirmation by `--confirm`.
    pub(crate) fn confirmed(&self) -> &[String] {
        &self.confirm
    }

    /// Whether `--yes` was given.
    pub(crate) fn says_yes(&self) -> bool {
        self.yes
    }

    /// Whether one `--confirm` names this database; where all of them name others, it is not the one that was meant.
    pub(crate) fn is_named(&self, database: &str) -> Result<bool, Failure> {
        if self.confirm.is_empty() || self.confirm.iter().any(|name| name == database) {
            return Ok(!self.confirm.is_empty());
        }
        let names: Vec<String> = self.confirm.iter().map(|name| format!("{name:?}")).collect();
        Err(Failure::refused(
            format!(
                "this is the database {database:?}, and --confirm names {}; nothing was done",
                names.join(", ")
            ),
            advice(database),
        ))
    }

    /// Gets a person's word for something that cannot be undone: in production by the database's name, elsewhere by yes.
    ///
    /// A database that nothing is recorded of is what this run says that it is. Without a terminal, production wants
    /// `--confirm`, and elsewhere the command itself is the word.
    pub(crate) fn confirm(
        &self,
        what: &str,
        database: &str,
        recorded: Option<&str>,
    ) -> Result<Word, Failure> {
        if recorded.or(self.environment()) == Some(PRODUCTION) {
            return self.confirm_by_name(what, database, recorded);
        }
        if self.is_named(database)? {
            return Ok(Word::Name);
        }
        if self.yes || !terminal::is_interactive() {
            return Ok(Word::Yes);
        }
        match terminal::ask(&format!("{what} in {database}? [y/N]")).as_deref() {
            Some("y" | "Y" | "yes" | "Yes") => Ok(Word::Yes),
            _ => Err(Failure::refused("nothing was done", "answer y, or give --yes")),
        }
    }

    /// Gets a person's word by the database's name, whatever `--yes` says. Where nothing is recorded, the run is for production.
    pub(crate) fn confirm_by_name(
        &self,
        what: &str,
        database: &str,
        recorded: Option<&str>,
    ) -> Result<Word, Failure> {
        let why = match recorded {
            Some(name) => format!("the database {database:?} is recorded as {name}"),
            None => format!("this run is for {PRODUCTION}, and no other is recorded in {database:?}"),
        };
        let environment = recorded.unwrap_or(PRODUCTION).to_uppercase();
        let about = format!("about to {what}, in {environment}");
        self.named(&why, &about, database, &advice(database))
    }

    /// Lets a person type a database's name, who is told what is about to be done; `why` says what is missing where nobody can be asked.
    pub(crate) fn named(&self, why: &str, about: &str, database: &str, next: &str) -> Result<Word, Failure> {
        if self.is_named(database)? {
            return Ok(Word::Name);
        }
        if self.yes || !terminal::is_interactive() {
            let enough = if self.yes { "; --yes is not enough there" } else { "" };
            return Err(Failure::refused(format!("{why}{enough}; nothing was done"), next));
        }
        typed(about, database, next)
    }

    /// What this run says that the database is for.
    fn environment(&self) -> Option<&str> {
        let by_program = match &self.set {
            Set::Folders => None,
            Set::Embedded(migrator) => migrator.environment_name(),
        };
        self.settings.get("environment").or(by_program)
    }
}

/// How a person has given their word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// By the database's name, typed or given as `--confirm`.
    Name,
    /// By yes, or by the command where nobody can be asked.
    Yes,
}

/// Lets a person type a database's name, when told what is about to be done.
pub(crate) fn typed(about: &str, database: &str, next: &str) -> Result<Word, Failure> {
    let why = match terminal::ask(&format!("{about}.\nType the database's name to go on:")) {
        Some(typed) if typed == database => return Ok(Word::Name),
        Some(_) => "that is not the database's name; nothing was done",
        None => "nothing was typed, and nothing was done",
    };
    Err(Failure::refused(why, next))
}

/// How to go on where a database's name is wanted.
fn advice(database: &str) -> String {
    format!("if this is the database that was meant, confirm it by its name: {}", confirmation(database))
}

/// The flag that confirms a database, as it can be given to a shell.
pub(crate) fn confirmation(database: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./:@%+,".contains(c);
    let word = match !database.is_empty() && database.chars().all(is_plain) {
        true => database.to_owned(),
        false => format!("'{}'", database.replace('\'', "'\\''")),
    };
    // What begins like a flag is taken for one.
    let between = if database.starts_with('-') { "=" } else { " " };
    format!("--confirm{between}{word}")
}

/// The environment in which nothing is done by mistake.
const PRODUCTION: &str = "production";

#[cfg(test)]
mod tests {
    use super::confirmation;

    #[test]
    fn a_confirmation_can_be_pasted_into_a_shell() {
        assert_eq!(confirmation("shop_2"), "--confirm shop_2");
        assert_eq!(confirmation("shop & co"), "--confirm 'shop & co'");
        assert_eq!(confirmation("anna's"), "--confirm 'anna'\\''s'");
        assert_eq!(confirmation("-shop"), "--confirm=-shop");
        assert_eq!(confirmation(""), "--confirm ''");
    }
}
