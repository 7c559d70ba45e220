//! What a process does about databases on one server: it gives tests theirs and takes them back.
//!
//! A database is in use as long as a session holds the advisory lock of its name. That session is the steward's, so that
//! the locks of a process that was killed are free at once, and others recognise what it left.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use postgres::Client;
use tokio_postgres::Config;

use super::chores::Threads;
use super::claim::claim;
use super::hands::Hands;
use super::help::Help;
use super::kept::{self, Kept};
use super::recipe::Recipe;
use super::server::Server;
use super::session::{Session, column, connect};
use super::test_error::{Kind, TestError};
use super::{aside, names, template};
use crate::sql::{Ident, Literal};

/// The steward of one server.
pub(super) struct Steward {
    place: Place,
    /// The server, if it stops by itself once nobody uses it.
    shared: Option<&'static Server>,
    /// Who and which version: nobody else may copy a login's templates.
    login: String,
    owner: Arc<Session>,
    spares: Mutex<Vec<Session>>,
    templates: Mutex<HashMap<String, Slot>>,
    help: Help,
    kept: Arc<Kept>,
}

/// Where the server is, and the fastest way in which it copies a database.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) config: Config,
    url: String,
    strategy: &'static str,
}

type Slot = Arc<OnceLock<Result<(), TestError>>>;

/// A database that its test has no use for any more.
pub(super) struct Gone {
    pub(super) name: String,
    pub(super) test: String,
    pub(super) has_roles: bool,
}

impl Steward {
    pub(super) fn new(url: &str, shared: Option<&'static Server>) -> Result<Self, TestError> {
        let (owner, place, facts) = reach(url)?;
        let owner = Arc::new(Session::new(owner));
        let kept = Arc::new(Kept::default());
        let hands = shared.and_then(|server| Hands::find(server, &place, &owner, &kept));
        let help = match hands {
            Some(hands) => Help::Hands(Box::new(hands)),
            None => Help::Threads(Threads::start(&place, &owner, &kept)),
        };
        let (spares, templates) = (Mutex::default(), Mutex::default());
        Ok(Self { place, shared, login: facts.login, owner, spares, templates, help, kept })
    }

    pub(super) fn url(&self) -> &str {
        &self.place.url
    }

    pub(super) fn config(&self) -> postgres::Config {
        self.place.config.clone().into()
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn owner(&self) -> &Session {
        &self.owner
    }

    /// Whether the server still is the one that was connected to.
    pub(super) fn is_up(&self) -> bool {
        self.owner.try_with(|client| !client.is_closed()).unwrap_or(true)
    }

    /// Makes `name` a copy of the recipe's template, in use by this process.
    pub(super) fn give(&self, recipe: &Recipe, name: &str) -> Result<(), TestError> {
        let key = recipe.key(&self.login);
        let is_new = self.template(&key, recipe)?;
        let failed = |source| Kind::Sql { what: format!("create database {name}"), source };
        let done = self.help.done();
        let claim = self.owner.with(|client| claim(client, &key, name, &done)).map_err(failed)?;
        if !claim.taken {
            self.copy(&key, name).map_err(failed)?;
        }
        self.help.replace(&key, &claim);
        if is_new && claim.ready == 0 {
            self.help.stock(&key);
        }
        Ok(())
    }

    /// Has a database dropped soon.
    pub(super) fn take_back(&self, gone: Gone) {
        self.help.take_back(gone);
    }

    /// Leaves a database for a person to look at, with the time to do so.
    pub(super) fn leave(&self, gone: Gone) {
        if let Some(server) = self.shared {
            // If nobody keeps the server any more, it stays.
            let _ = server.linger(TO_LOOK);
        }
        self.kept.keep(&gone.name);
        aside(|| {
            self.owner.with(|client| {
                // If the server is gone, so is the database.
                let _ = client.batch_execute(&kept::comment(&gone.name, &gone.test));
                let _ = client.batch_execute(&unlock(&gone.name));
            });
        });
        // What earlier runs of this test left to look at.
        for name in self.kept.ended(&gone.test) {
            self.help.take_back(Gone { name, test: String::new(), has_roles: true });
        }
    }

    /// Builds the template once in this process, unless somebody has built it before. Whether this call has, or has found it on a
    /// server that this process has started with it.
    fn template(&self, key: &str, recipe: &Recipe) -> Result<bool, TestError> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(templates.entry(key.to_owned()).or_default());
        drop(templates);
        let mut is_new = false;
        let ensured = slot.get_or_init(|| {
            let ensured = template::ensure(self, key, recipe);
            self.help.used(key);
            ensured.map(|built| is_new = built || self.shared.is_some_and(Server::is_new))
        });
        ensured.clone().map(|()| is_new)
    }

    /// Copies the template on a connection that nobody else is using, since copies are made side by side.
    fn copy(&self, key: &str, name: &str) -> Result<(), postgres::Error> {
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let session = match spare {
            Some(session) => session,
            None => Session::new(connect(&self.place.config)?),
        };
        session.with(|client| client.batch_execute(&self.place.copy(key, name)))?;
        self.spares.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        Ok(())
    }
}

impl Place {
    /// What makes `name` a copy of the template of this key.
    pub(super) fn copy(&self, key: &str, name: &str) -> String {
        self.create(name, &names::template(key))
    }

    /// What makes `name` a copy of another database, marked as ours.
    pub(super) fn create(&self, name: &str, template: &str) -> String {
        let (name, template) = (Ident(name), Ident(template));
        format!(
            "CREATE DATABASE {name} TEMPLATE {template} {} CONNECTION LIMIT {}",
            self.strategy,
            names::MARK
        )
    }
}

/// Builds a recipe's template on a server that nobody else uses, and makes a copy for the first test; all of it is in the
/// files then. Whether they stay as they are: a migration may have left a session elsewhere.
pub(super) fn build_alone(url: &str, recipe: &Recipe) -> Result<bool, TestError> {
    let (mut client, place, facts) = reach(url)?;
    let key = recipe.key(&facts.login);
    template::build(&mut client, &place, &key, recipe)?;
    let failed = |source| Kind::Sql { what: "copy the template of the test's database".to_owned(), source };
    client.batch_execute(&place.copy(&key, &names::ready(&key))).map_err(failed)?;
    client.batch_execute("CHECKPOINT").map_err(failed)?;
    Ok(column(&client.simple_query(OTHERS).map_err(failed)?).is_empty())
}

/// Connects to a server, and asks it about itself.
fn reach(url: &str) -> Result<(Client, Place, Facts), TestError> {
    let failed = |source| Kind::Sql { what: "reach the server for tests".to_owned(), source };
    let config: Config = url.parse().map_err(failed)?;
    let mut client = connect(&config).map_err(failed)?;
    let facts = Facts::ask(&mut client).map_err(failed)?;
    if facts.names_encoding_elsewhere && is_shared(&mut client, &config).map_err(failed)? {
        return Err(Kind::Pooler.into());
    }
    Ok((client, Place { config, url: url.to_owned(), strategy: facts.strategy }, facts))
}

/// The number of a name's advisory lock, as SQL.
pub(super) fn lock(name: &str) -> String {
    format!("pg_catalog.hashtextextended({}, 0)", Literal(name))
}

pub(super) fn unlock(name: &str) -> String {
    format!("SELECT pg_catalog.pg_advisory_unlock({})", lock(name))
}

/// What one question tells about a server.
struct Facts {
    login: String,
    strategy: &'static str,
    names_encoding_elsewhere: bool,
}

impl Facts {
    fn ask(client: &mut Client) -> Result<Self, postgres::Error> {
        let messages = client.simple_query(FACTS)?;
        let facts = column(&messages);
        let fact = |n: usize| facts.get(n).copied().unwrap_or_default();
        Ok(Self {
            login: format!("{} {}", fact(0), fact(1)),
            strategy: if fact(2) == "t" { "STRATEGY FILE_COPY" } else { "" },
            names_encoding_elsewhere: fact(3) != "t",
        })
    }
}

/// Without fsync a copy of the files is faster than one through the WAL; with it, slower. PostgreSQL 15 and later.
const FACTS: &str = "SELECT pg_catalog.unnest(ARRAY[
    pg_catalog.current_setting('server_version'),
    CURRENT_USER::pg_catalog.text,
    CASE WHEN pg_catalog.current_setting('fsync') = 'off'
        AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000 THEN 't' ELSE 'f' END,
    (SELECT CASE WHEN source = 'client' THEN 't' ELSE 'f' END FROM pg_catalog.pg_settings WHERE name = 'client_encoding')])";

const OTHERS: &str = "SELECT pid FROM pg_catalog.pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()";

/// Whether a pooler gives a second client the server session of the first: then locks are nobody's.
fn is_shared(first: &mut Client, config: &Config) -> Result<bool, postgres::Error> {
    let process = |client: &mut Client| {
        let messages = client.simple_query("SELECT pg_catalog.pg_backend_pid()")?;
        Ok::<_, postgres::Error>(column(&messages).first().copied().map(str::to_owned))
    };
    let mut second = connect(config)?;
    Ok(process(first)? == process(&mut second)?)
}

/// How long the server stays for a person to look at what a failed test has left.
pub(super) const TO_LOOK: Duration = Duration::from_secs(600);
