//! What a test wants of its database.

use habitat_migrate_catalog::Catalog;

use super::host::Host;
use super::keep::Keep;
use super::recipe::Recipe;
use super::server::Server;
use super::test_database::TestDatabase;
use super::test_error::{Kind, TestError};
use super::{aside, names};
use crate::sql::check_name;

/// Says what is to be in a test's database when the test begins, and on which server it is.
///
/// ```no_run
/// use habitat_migrate::Catalog;
/// use habitat_migrate::testing::TestDatabase;
///
/// let catalog = Catalog::from_directory("migrations")?;
/// let database = TestDatabase::builder(&catalog)
///     .named("a_member_can_leave")
///     .environment("development")
///     .fixture("members.sql", "INSERT INTO members (name) VALUES ('Ada')")
///     .create()?;
/// let mut client = database.connect()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Databases with the same wishes are copies of one template; each other wish makes another template, which costs a
/// migration from scratch once.
#[derive(Debug, Clone)]
#[must_use]
pub struct TestDatabaseBuilder {
    name: String,
    recipe: Recipe,
    host: Wanted,
    /// The first wish that cannot be had.
    error: Option<TestError>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Shared,
    Version(String),
    Given(Host),
}

impl TestDatabaseBuilder {
    pub(super) fn new(catalog: &Catalog) -> Self {
        Self { name: "test".to_owned(), recipe: Recipe::new(catalog), host: Wanted::Shared, error: None }
    }

    /// The test's name: the end of it is part of the database's name, and the databases that failed tests leave are
    /// told apart by it. Default: `test`.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Stops behind a migration, `treasury:04_entries`, or `04_entries` if only one context has it: that migration,
    /// those before it in its context and what they require are applied, as by [`Migrator::target`](crate::Migrator::target).
    ///
    /// It replaces an earlier `to` or [`before`](Self::before).
    pub fn to(mut self, migration: impl AsRef<str>) -> Self {
        self.recipe.applied = self.recipe.catalog.clone();
        let found = self.recipe.stop_behind(migration.as_ref());
        self.note(found)
    }

    /// Stops right before a migration, to test it on a database as it will find it: everything that a new database gets
    /// before it, in all contexts, is applied, and neither it nor anything after it.
    ///
    /// [`TestDatabase::catalog`] is still the whole one, so a test applies the rest by `Migrator::new(database.catalog().clone())`.
    /// It replaces an earlier [`to`](Self::to) or `before`.
    pub fn before(mut self, migration: impl AsRef<str>) -> Self {
        self.recipe.target = None;
        let found = self.recipe.stop_before(migration.as_ref());
        self.note(found)
    }

    /// Records what kind of database it is, as [`Migrator::environment`](crate::Migrator::environment): migrations for
    /// certain environments, such as seeds, are applied only then.
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.recipe.environment = Some(name.into());
        self
    }

    /// Keeps the tracker in this schema, as [`Migrator::schema`](crate::Migrator::schema).
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.recipe.schema = Some(name.into());
        self
    }

    /// Runs SQL behind the migrations, once, when the template is built: rows that every such test begins with. Several
    /// run in the order in which they are given, each in one transaction; `file` is what errors call it.
    pub fn fixture(mut self, file: impl Into<String>, sql: impl Into<String>) -> Self {
        self.recipe.fixtures.push((file.into(), sql.into()));
        self
    }

    /// The value of a placeholder, as [`Migrator::placeholder`](crate::Migrator::placeholder). Fixtures have none.
    pub fn placeholder(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.recipe.placeholders.insert(name.into(), value.into());
        self
    }

    /// Has [`TestDatabase::connect`], the URL and the configs act as this role, with its rights and its row-level
    /// security. The migrations and the fixtures run as the server's user.
    ///
    /// A role that is not there before the migrations run is created, without the right to log in. Roles are those of
    /// the whole server, so it stays there for other databases.
    pub fn role(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        let fits = check_name(&name)
            .map_err(|reason| Kind::Name { what: "role", name: name.clone(), reason }.into());
        self.recipe.role = Some(name);
        self.note(fits)
    }

    /// Has the database on this server. A server of your own has templates of its own, too.
    pub fn server(mut self, server: &Server) -> Self {
        self.host = Wanted::Given(Host::of(server));
        self
    }

    /// Has the database on a server of this major version, `17` or `pg17`: the shared one if it is of that version, else one that
    /// is started for this process.
    pub fn server_version(mut self, version: impl Into<String>) -> Self {
        self.host = Wanted::Version(version.into());
        self
    }

    /// Makes the database.
    ///
    /// It may be called from async code, which it blocks; there, [`create_async`](Self::create_async) does not.
    ///
    /// # Errors
    /// There is no server; a migration or a fixture fails, at which every test with the same wishes gets the same
    /// error; the server's user may not create databases; `HABITAT_KEEP` is no word that is known.
    pub fn create(self) -> Result<TestDatabase, TestError> {
        aside(|| self.create_here())
    }

    /// The same, for async code; to be called in a runtime of tokio.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    ///
    /// # Cancellation
    /// The database is made all the same, and dropped at once.
    ///
    /// # Panics
    /// Outside of a runtime of tokio.
    pub async fn create_async(self) -> Result<TestDatabase, TestError> {
        match tokio::task::spawn_blocking(move || self.create()).await {
            Ok(created) => created,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => Err(Kind::Runtime(std::io::Error::other(error)).into()),
            },
        }
    }

    fn create_here(self) -> Result<TestDatabase, TestError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let keep = Keep::from_environment()?;
        let host = match self.host {
            Wanted::Shared => Host::shared(&self.recipe)?,
            Wanted::Version(text) => Host::of_version(&text, &self.recipe)?,
            Wanted::Given(host) => host,
        };
        let steward = host.steward()?;
        let name = names::test(&self.name);
        steward.give(&self.recipe, &name)?;
        TestDatabase::new(steward, name, self.name, self.recipe, keep)
    }

    fn note(mut self, result: Result<(), TestError>) -> Self {
        self.error = self.error.or(result.err());
        self
    }
}
