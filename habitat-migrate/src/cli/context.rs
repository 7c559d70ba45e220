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
        if let Some(name) = self.confirm.first() {
            migrator = migrator.confirm(name);
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
        connector.connect_blocking().map_err(|error| {
            let failure: Failure = error.into();
            failure.about(&format!("no connection to {}", connector.target()))
        })
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
        let (mut client, connector) = reached?;
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

    /// Gets a person's word for something that cannot be undone: in production by the database's name, elsewhere by yes.
    ///
    /// Without a terminal, production wants `--confirm`, and elsewhere the command itself is the word.
    pub(crate) fn confirm(
        &self,
        what: &str,
        database: &str,
        environment: Option<&str>,
    ) -> Result<(), Failure> {
        if let Some(production @ "production") = environment {
            return self.confirm_by_name(what, database, production);
        }
        if self.yes || !terminal::is_interactive() {
            return Ok(());
        }
        match terminal::ask(&format!("{what} in {database}? [y/N]")).as_deref() {
            Some("y" | "Y" | "yes" | "Yes") => Ok(()),
            _ => Err(Failure::refused("nothing was done", "answer y, or give --yes")),
        }
    }

    /// Gets a person's word by the database's name, whatever `--yes` says.
    pub(crate) fn confirm_by_name(
        &self,
        what: &str,
        database: &str,
        environment: &str,
    ) -> Result<(), Failure> {
        let next =
            format!("if this is the database that was meant, confirm it by its name: --confirm {database}");
        match self.confirm.first() {
            Some(name) if name == database => return Ok(()),
            Some(name) => {
                return Err(Failure::refused(
                    format!(
                        "this is {environment}, the database {database:?} and not {name:?}; nothing was done"
                    ),
                    next,
                ));
            }
            None => {}
        }
        if self.yes || !terminal::is_interactive() {
            let why = if self.yes { "; --yes is not enough there" } else { "" };
            return Err(Failure::refused(
                format!("the database {database:?} is recorded as {environment}{why}; nothing was done"),
                next,
            ));
        }
        named(&format!("about to {what}, in {}", environment.to_uppercase()), database, &next)
    }
}

/// Lets a person type a database's name, when told what is about to be done.
pub(crate) fn named(about: &str, database: &str, next: &str) -> Result<(), Failure> {
    let why = match terminal::ask(&format!("{about}.\nType the database's name to go on:")) {
        Some(typed) if typed == database => return Ok(()),
        Some(_) => "that is not the database's name; nothing was done",
        None => "nothing was typed, and nothing was done",
    };
    Err(Failure::refused(why, next))
}
