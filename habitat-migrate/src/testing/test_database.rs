//! A migrated database for one test.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use habitat_migrate_catalog::Catalog;
use postgres::{Client, Config, NoTls};

use super::keep::Keep;
use super::recipe::Recipe;
use super::steward::{Gone, Steward, TO_LOOK};
use super::test_builder::TestDatabaseBuilder;
use super::test_error::{Kind, TestError};
use super::{address, aside, names};

/// A test's own database, with a catalog's migrations applied: a copy of a template, made in milliseconds.
///
/// ```no_run
/// use habitat_migrate::Catalog;
/// use habitat_migrate::testing::TestDatabase;
///
/// let catalog = Catalog::from_scripts("shop", [("01_items.sql", "CREATE TABLE items (name text);")])?;
/// let database = TestDatabase::create(&catalog)?;
/// database.connect()?.batch_execute("INSERT INTO items VALUES ('tea')")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// The value is a handle: a clone is the same database. With the last one the database is dropped, in the background;
/// or it stays, if the test failed: if a handle is dropped while its thread panics, or [`fail`](Self::fail) was called.
/// What stays is said on standard error, with the command that opens it. `HABITAT_KEEP=always` keeps every database,
/// `never` none.
#[derive(Clone)]
pub struct TestDatabase(Arc<Inner>);

struct Inner {
    steward: Arc<Steward>,
    name: String,
    test: String,
    url: String,
    config: tokio_postgres::Config,
    recipe: Recipe,
    keep: Keep,
    outcome: AtomicU8,
    /// Whether roles of its own may have been made.
    has_roles: AtomicBool,
}

impl TestDatabase {
    /// A database with all of the catalog's migrations, on [the shared server](super::Server::shared).
    ///
    /// It may be called from async code, which it blocks.
    ///
    /// # Errors
    /// As [`TestDatabaseBuilder::create`].
    pub fn create(catalog: &Catalog) -> Result<Self, TestError> {
        Self::builder(catalog).create()
    }

    /// The same, for async code; to be called in a runtime of tokio.
    ///
    /// # Errors
    /// As [`TestDatabaseBuilder::create`].
    ///
    /// # Cancellation
    /// As [`TestDatabaseBuilder::create_async`].
    ///
    /// # Panics
    /// As [`TestDatabaseBuilder::create_async`].
    pub async fn create_async(catalog: &Catalog) -> Result<Self, TestError> {
        Self::builder(catalog).create_async().await
    }

    /// A database with less than all migrations, with rows to begin with, or on another server.
    pub fn builder(catalog: &Catalog) -> TestDatabaseBuilder {
        TestDatabaseBuilder::new(catalog)
    }

    pub(super) fn new(
        steward: Arc<Steward>,
        name: String,
        test: String,
        recipe: Recipe,
        keep: Keep,
    ) -> Result<Self, TestError> {
        let url = address::with_database(steward.url(), &name);
        let parsed = url.parse::<tokio_postgres::Config>();
        let mut config =
            parsed.map_err(|source| Kind::Sql { what: format!("name database {name}"), source })?;
        let url = match &recipe.role {
            Some(role) => {
                act_as(&mut config, role);
                address::with_role(&url, role)
            }
            None => url,
        };
        let (outcome, has_roles) = (AtomicU8::new(PASSED), AtomicBool::new(false));
        Ok(Self(Arc::new(Inner { steward, name, test, url, config, recipe, keep, outcome, has_roles })))
    }

    /// The database's name: letters, digits and underscores, unlike any other's.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// A connection string that libpq, postgres, tokio-postgres and sqlx understand.
    pub fn url(&self) -> String {
        self.0.url.clone()
    }

    /// How to connect to it.
    pub fn config(&self) -> Config {
        self.0.config.clone().into()
    }

    /// The same for tokio-postgres.
    pub fn tokio_config(&self) -> tokio_postgres::Config {
        self.0.config.clone()
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// The server is gone, or has no connection to spare.
    pub fn connect(&self) -> Result<Client, TestError> {
        self.connect_by(self.config())
    }

    /// A new connection to it that acts as another role from its first statement on: `current_user` is that role,
    /// `RESET ROLE` does not leave it, and `session_user` is the server's user.
    ///
    /// # Errors
    /// There is no such role, or the server's user may not act as it; and those of [`connect`](Self::connect).
    pub fn connect_as(&self, role: &str) -> Result<Client, TestError> {
        self.connect_by(self.config_as(role).into())
    }

    /// A new connection for async code; a task of the current runtime drives it.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    pub async fn connect_async(&self) -> Result<tokio_postgres::Client, TestError> {
        self.connect_async_by(self.tokio_config()).await
    }

    /// As [`connect_as`](Self::connect_as), for async code.
    ///
    /// # Errors
    /// As [`connect_as`](Self::connect_as).
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    pub async fn connect_async_as(&self, role: &str) -> Result<tokio_postgres::Client, TestError> {
        self.connect_async_by(self.config_as(role)).await
    }

    /// How to connect to the server's database `postgres`, as its user.
    pub fn server(&self) -> Config {
        self.0.steward.config()
    }

    /// The whole catalog that the database was made for, also if only a part of it is applied.
    pub fn catalog(&self) -> &Catalog {
        &self.0.recipe.catalog
    }

    /// A name for a role that only this test has: roles are those of the whole server, and another test's role of the
    /// same name would be the same role.
    ///
    /// The test creates it, `CREATE ROLE "…"`; it is dropped with the database. The name needs no quotes.
    pub fn role_name(&self, name: &str) -> String {
        self.0.has_roles.store(true, Ordering::Relaxed);
        names::role(&self.0.name, name)
    }

    /// Tells that the test failed, so that the database stays. A panic is noticed without it.
    pub fn fail(&self) {
        let _ = self.0.outcome.compare_exchange(PASSED, FAILED, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Ends the test's use of this handle with its result, which counts whatever panics were noticed before: a test
    /// passes that panics as it should.
    pub fn finish(self, passed: bool) {
        let (from, to) = if passed { (FAILED, PASSED) } else { (PASSED, FAILED) };
        let _ = self.0.outcome.compare_exchange(from, to, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Leaves the database where it is, whatever comes of the test, and gives back the command that opens it.
    ///
    /// It stays until its server stops, for a day at most. A password is not in the command.
    pub fn keep(&self) -> String {
        self.0.outcome.store(KEPT, Ordering::Relaxed);
        self.0.command()
    }

    fn connect_by(&self, config: Config) -> Result<Client, TestError> {
        aside(|| config.connect(NoTls)).map_err(|source| self.0.unreachable(source))
    }

    async fn connect_async_by(
        &self,
        config: tokio_postgres::Config,
    ) -> Result<tokio_postgres::Client, TestError> {
        let (client, connection) =
            config.connect(NoTls).await.map_err(|source| self.0.unreachable(source))?;
        tokio::spawn(connection);
        Ok(client)
    }

    fn config_as(&self, role: &str) -> tokio_postgres::Config {
        let mut config = self.0.config.clone();
        act_as(&mut config, role);
        config
    }
}

impl Inner {
    fn unreachable(&self, source: postgres::Error) -> TestError {
        Kind::Sql { what: format!("connect to database {}", self.name), source }.into()
    }

    fn command(&self) -> String {
        format!("psql '{}'", address::without_password(&self.config, &self.name))
    }

    fn end(&mut self) {
        let outcome = *self.outcome.get_mut();
        let gone = Gone {
            name: std::mem::take(&mut self.name),
            test: std::mem::take(&mut self.test),
            has_roles: *self.has_roles.get_mut(),
        };
        if outcome != KEPT && !self.keep.keeps(outcome == FAILED) {
            return self.steward.take_back(gone);
        }
        if outcome != KEPT {
            eprintln!(
                "the database of test {} is kept; a server that this library has started stops {} minutes after its last \
                 test:\n  psql '{}'",
                gone.test,
                TO_LOOK.as_secs() / 60,
                address::without_password(&self.config, &gone.name),
            );
        }
        self.steward.leave(gone);
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fail();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for TestDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestDatabase").field("name", &self.0.name).field("test", &self.0.test).finish()
    }
}

/// The last setting of a name counts.
fn act_as(config: &mut tokio_postgres::Config, role: &str) {
    let options = match config.get_options() {
        Some(options) => format!("{options} {}", address::role_option(role)),
        None => address::role_option(role),
    };
    config.options(options);
}

const PASSED: u8 = 0;
const FAILED: u8 = 1;
const KEPT: u8 = 2;
