//! What a process does about databases on one server: it gives tests theirs and takes them back.
//!
//! A database is in use as long as a session holds the advisory lock of its name. That session is the steward's, so that
//! the locks of a process that was killed are free at once, and others recognise what it left.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use postgres::Client;
use tokio_postgres::Config;

use super::chores::{self, Chore};
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
    chores: Sender<Chore>,
    gone: SyncSender<Gone>,
    kept: Arc<Kept>,
    /// Tells when the last replacement that was ordered is being made.
    order: Mutex<Option<Receiver<()>>>,
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
        let failed = |source| Kind::Sql { what: "reach the server for tests".to_owned(), source };
        let config: Config = url.parse().map_err(failed)?;
        let (chores, orders) = channel();
        let mut place = Place { config, url: url.to_owned(), strategy: "" };
        let mut owner = connect(&place.config).map_err(failed)?;
        let facts = Facts::ask(&mut owner).map_err(failed)?;
        if facts.names_encoding_elsewhere && is_shared(&mut owner, &place.config).map_err(failed)? {
            return Err(Kind::Pooler.into());
        }
        place.strategy = facts.strategy;
        let owner = Arc::new(Session::new(owner));
        let kept = Arc::new(Kept::default());
        let (gone, leavers) = sync_channel(chores::MOST_WAITING);
        chores::start(&place, &owner, &kept, orders, leavers);
        let (spares, templates) = (Mutex::default(), Mutex::default());
        Ok(Self {
            place,
            shared,
            login: facts.login,
            owner,
            spares,
            templates,
            chores,
            gone,
            kept,
            order: Mutex::default(),
        })
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
        self.template(&key, recipe)?;
        let failed = |source| Kind::Sql { what: format!("create database {name}"), source };
        if !self.owner.with(|client| claim(client, &key, name)).map_err(failed)? {
            self.copy(&key, name).map_err(failed)?;
        }
        let (under_way, order) = channel();
        // Without the thread there are no copies made ahead.
        let _ = self.chores.send(Chore::Refill(key, under_way));
        *self.order.lock().unwrap_or_else(PoisonError::into_inner) = Some(order);
        Ok(())
    }

    /// Has a database dropped soon. It waits only while too many others are waiting.
    pub(super) fn take_back(&self, gone: Gone) {
        if ends_with_its_test() {
            aside(|| self.drop_before_the_end(gone));
        } else {
            let _ = self.gone.send(gone);
        }
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
            self.supersede(&gone.test);
        });
    }

    /// Builds the template once in this process, unless somebody has built it before.
    fn template(&self, key: &str, recipe: &Recipe) -> Result<(), TestError> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(templates.entry(key.to_owned()).or_default());
        drop(templates);
        slot.get_or_init(|| {
            let ensured = template::ensure(self, key, recipe);
            let _ = self.chores.send(Chore::Used(key.to_owned()));
            ensured
        })
        .clone()
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

    /// The process may end with this test: the statements are sent now and nobody waits for their answers, as the server
    /// completes them also when their client has gone. It sleeps for a tenth of a second if a client is just leaving.
    fn drop_before_the_end(&self, gone: Gone) {
        self.supersede(&gone.test);
        let (sender, dropped) = channel();
        let owner = Arc::clone(&self.owner);
        let (name, has_roles) = (gone.name.clone(), gone.has_roles);
        std::thread::spawn(move || {
            let _ = sender.send(());
            owner.with(|client| drop(chores::drop_database(client, &name, has_roles)));
            let _ = sender.send(());
        });
        let order = self.order.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(order) = order {
            let _ = order.recv_timeout(ORDERED);
        }
        // From a thread that says that it sends to the bytes on their way.
        let _ = dropped.recv_timeout(ORDERED).and_then(|()| dropped.recv_timeout(SENT));
    }

    /// Drops what earlier runs of this test left to look at.
    fn supersede(&self, test: &str) {
        for name in self.kept.ended(test) {
            let _ = self.gone.send(Gone { name, test: String::new(), has_roles: true });
        }
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

/// The number of a name's advisory lock, as SQL.
pub(super) fn lock(name: &str) -> String {
    format!("pg_catalog.hashtextextended({}, 0)", Literal(name))
}

pub(super) fn unlock(name: &str) -> String {
    format!("SELECT pg_catalog.pg_advisory_unlock({})", lock(name))
}

/// Takes the lock of `name`, and a copy that is ready if there is one.
fn claim(client: &mut Client, key: &str, name: &str) -> Result<bool, postgres::Error> {
    client.batch_execute(&format!("SELECT pg_catalog.pg_advisory_lock({})", lock(name)))?;
    // CASE, because only a condition that comes later in it is looked at later, and looking at this one takes the lock.
    let find = format!(
        "SELECT datname FROM pg_catalog.pg_database WHERE CASE
             WHEN datname LIKE {} AND datconnlimit = {}
             THEN pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(datname, 0)) ELSE false END LIMIT 1",
        Literal(&names::pattern(&names::ready(key)[..names::READY.len() + key.len() + 1])),
        names::MARK
    );
    for _ in 0..ATTEMPTS {
        let found = client.simple_query(&find)?;
        let Some(ready) = column(&found).first().copied() else { return Ok(false) };
        let renamed =
            client.batch_execute(&format!("ALTER DATABASE {} RENAME TO {}", Ident(ready), Ident(name)));
        client.batch_execute(&unlock(ready))?;
        match renamed {
            Ok(()) => return Ok(true),
            // Another process had it, and gave its lock back after we had read its name.
            Err(error) if error.code() == Some(&postgres::error::SqlState::INVALID_CATALOG_NAME) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
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

/// Whether a pooler gives a second client the server session of the first: then locks are nobody's.
fn is_shared(first: &mut Client, config: &Config) -> Result<bool, postgres::Error> {
    let process = |client: &mut Client| {
        let messages = client.simple_query("SELECT pg_catalog.pg_backend_pid()")?;
        Ok::<_, postgres::Error>(column(&messages).first().copied().map(str::to_owned))
    };
    let mut second = connect(config)?;
    Ok(process(first)? == process(&mut second)?)
}

/// Whether the runner starts a process for each test, which says so in the environment.
fn ends_with_its_test() -> bool {
    std::env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test")
}

/// How long the server stays for a person to look at what a failed test has left.
pub(super) const TO_LOOK: Duration = Duration::from_secs(600);

/// How long the last test of a process waits for the order of a replacement to be under way; the thread may have yet to connect.
const ORDERED: Duration = Duration::from_millis(100);

/// How long a statement takes to the server, at the most.
const SENT: Duration = Duration::from_millis(2);

/// How many copies that others took in the same moment are tried before one is made.
const ATTEMPTS: usize = 5;
