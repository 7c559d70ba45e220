//! Tests of the migrations themselves: [`Check`], and a line for each of the usual ones.

mod fault;
mod ground;
mod repeatable;
mod reversible;
mod upgrade;
mod validation;

use habitat_migrate_catalog::{Catalog, Kind, Migration, Placeholders};

use super::off_runtime;
use super::server::Server;

pub use fault::{CheckError, Fault};
pub use repeatable::Repeatable;
pub use reversible::Reversible;
pub use upgrade::{Start, Unfilled, Upgrade, Upgraded, upgrade_from};
pub use validation::Validation;

/// Applies every migration to a fresh database and takes it back, step by step and as a whole: [`Check::reversible`] with the defaults.
///
/// # Errors
/// As [`Check::reversible`].
pub fn check_reversible(catalog: &Catalog) -> Result<Reversible, CheckError> {
    Check::of(catalog).reversible()
}

/// Runs everything twice, and each repeatable migration once more: [`Check::repeatable`] with the defaults.
///
/// # Errors
/// As [`Check::repeatable`].
pub fn check_repeatable(catalog: &Catalog) -> Result<Repeatable, CheckError> {
    Check::of(catalog).repeatable()
}

/// Everything that can be found out about a set of migrations by running it: [`Check::validate`] with the defaults.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::Catalog;
///
/// habitat_migrate::testing::validate(&Catalog::from_directory("migrations")?)?;
/// # Ok(()) }
/// ```
///
/// # Errors
/// As [`Check::validate`].
pub fn validate(catalog: &Catalog) -> Result<Validation, CheckError> {
    Check::of(catalog).validate()
}

/// How a set of migrations is to be checked: on databases of their own, with nothing to set up.
///
/// ```no_run
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::Catalog;
/// use habitat_migrate::testing::Check;
///
/// let catalog = Catalog::from_directory("migrations")?;
/// let reversible = Check::of(&catalog).allow_irreversible("03_seed").reversible()?;
/// assert_eq!(reversible.irreversible().len(), 1);
/// # Ok(()) }
/// ```
///
/// Roles belong to the whole server: they outlive the databases of a check and are in no snapshot. A migration that creates one must do so only
/// where it is not there, or be checked with a server of its own.
///
/// Migrations that are `async` functions need a `tokio_postgres::Client`, and a check has a `postgres::Client`: it reports them.
#[derive(Clone)]
pub struct Check<'a> {
    catalog: Catalog,
    server: Option<&'a Server>,
    schema: String,
    environment: String,
    placeholders: Placeholders,
    allowed: Vec<String>,
    order: ColumnOrder,
    login: Login,
    demands: Vec<Demand>,
    stops: usize,
}

/// Whether a column that comes back must come back in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ColumnOrder {
    Kept,
    Free,
}

/// Who migrates.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Login {
    Superuser,
    /// A role that owns the database and nothing else.
    Owner,
}

/// A script that every migration must have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Demand {
    Down,
    Verify,
}

impl<'a> Check<'a> {
    /// A check of these migrations, on the server that all tests share.
    pub fn of(catalog: &Catalog) -> Self {
        Self {
            catalog: catalog.clone(),
            server: None,
            schema: TRACKER.to_owned(),
            environment: "test".to_owned(),
            placeholders: Placeholders::default(),
            allowed: Vec::new(),
            order: ColumnOrder::Kept,
            login: Login::Superuser,
            demands: Vec::new(),
            stops: STOPS,
        }
    }

    /// Checks on this server instead.
    #[must_use]
    pub fn server(mut self, server: &'a Server) -> Self {
        self.server = Some(server);
        self
    }

    /// The schema of the tracker, if it matters to the scripts. It is there before the first one runs.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schema = name.into();
        self
    }

    /// The environment that the databases are recorded to belong to. Default: `test`.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>) -> Self {
        self.environment = name.into();
        self
    }

    /// The value of a placeholder.
    #[must_use]
    pub fn placeholder(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.placeholders = self.placeholders.set(name, value);
        self
    }

    /// Lets this migration, `03_seed` or `treasury:03_seed`, have no down script. It is an error if there is no such one, or if it has a down
    /// script by now.
    #[must_use]
    pub fn allow_irreversible(mut self, migration: impl Into<String>) -> Self {
        self.allowed.push(migration.into());
        self
    }

    /// Lets a column that a down script puts back be the last one of its table, as ALTER TABLE makes it.
    #[must_use]
    pub fn allow_reordered_columns(mut self) -> Self {
        self.order = ColumnOrder::Free;
        self
    }

    /// Migrates as a role that owns the database and is no superuser.
    #[must_use]
    pub fn as_owner(mut self) -> Self {
        self.login = Login::Owner;
        self
    }

    /// Has [`validate`](Self::validate) report each migration without a down script.
    #[must_use]
    pub fn require_down_scripts(mut self) -> Self {
        self.demands.push(Demand::Down);
        self
    }

    /// Has [`validate`](Self::validate) report each migration without a verify script.
    #[must_use]
    pub fn require_verify_scripts(mut self) -> Self {
        self.demands.push(Demand::Verify);
        self
    }

    /// From how many versions, at most, [`validate`](Self::validate) goes on to the end. Default: 8, evenly spread.
    #[must_use]
    pub fn stops(mut self, count: usize) -> Self {
        self.stops = count;
        self
    }

    /// Applies every migration, takes it back and applies it again, one at a time; then all of them. After each step the schema and the number of
    /// rows of each table must be what they were before.
    ///
    /// # Errors
    /// Every migration that has no down script or whose down script fails, and every difference that one leaves, with the file.
    pub fn reversible(&self) -> Result<Reversible, CheckError> {
        off_runtime(|| reversible::check(self))
    }

    /// Migrates twice, then runs every repeatable migration again as if it had changed. Neither may change the schema, the tracker or the number of
    /// rows of any table.
    ///
    /// # Errors
    /// What changed, with the file of the migration that changed it.
    pub fn repeatable(&self) -> Result<Repeatable, CheckError> {
        off_runtime(|| repeatable::check(self))
    }

    /// All that can be found out by running them: they apply from nothing; their verify scripts pass; up, down and up again are without a trace where there
    /// are down scripts; a second run and repeatable migrations change nothing; in two steps, from any version, comes out what comes out at once.
    ///
    /// # Errors
    /// Everything that was found.
    pub fn validate(&self) -> Result<Validation, CheckError> {
        off_runtime(|| validation::check(self))
    }

    /// [`reversible`](Self::reversible) as a test.
    ///
    /// # Panics
    /// With everything that was found.
    #[track_caller]
    pub fn assert_reversible(&self) {
        expect("the migrations are not reversible", self.reversible());
    }

    /// [`repeatable`](Self::repeatable) as a test.
    ///
    /// # Panics
    /// With everything that was found.
    #[track_caller]
    pub fn assert_repeatable(&self) {
        expect("the migrations are not repeatable", self.repeatable());
    }

    /// [`validate`](Self::validate) as a test.
    ///
    /// # Panics
    /// With everything that was found.
    #[track_caller]
    pub fn assert_valid(&self) {
        expect("the migrations are not valid", self.validate());
    }

    /// The versioned migrations that the environment gets, in order.
    fn versioned(&self) -> impl Iterator<Item = &Migration> {
        self.migrations(Kind::Versioned)
    }

    fn migrations(&self, kind: Kind) -> impl Iterator<Item = &Migration> {
        let gets = move |migration: &&Migration| {
            migration.kind() == kind && migration.is_for(Some(&self.environment))
        };
        self.catalog.migrations().iter().filter(gets)
    }
}

#[track_caller]
fn expect<T>(what: &str, outcome: Result<T, CheckError>) {
    if let Err(error) = outcome {
        panic!("{what}: {error}");
    }
}

/// Whether a migration can be taken back.
fn has_down(migration: &Migration) -> bool {
    migration.down().is_some() || migration.code().is_some_and(|code| code.down.is_some())
}

/// Fails unless every migration of a set goes up, down and up again without a trace: [`Check::reversible`](crate::testing::Check::reversible).
///
/// ```no_run
/// # #[cfg(feature = "derive")]
/// # mod example {
/// use habitat_migrate::{Migrations, assert_reversible};
///
/// #[derive(Migrations)]
/// #[migrations(dir = "../migrations/habitat")]
/// struct Habitat;
///
/// #[test]
/// fn migrations_go_up_and_down() {
///     assert_reversible!(Habitat);
/// }
/// # }
/// ```
///
/// What is to be otherwise stands behind the set, by the names of [`Check`](crate::testing::Check)'s methods:
/// `assert_reversible!(Habitat, allow_irreversible("03_seed"), environment("development"))`.
#[macro_export]
macro_rules! assert_reversible {
    ($migrations:ty $(, $setting:ident($($value:expr),*))* $(,)?) => {
        $crate::testing::Check::of(&<$migrations as $crate::Migrations>::CATALOG)$(.$setting($($value),*))*.assert_reversible()
    };
}

/// Fails if a second run, or a repeatable migration that runs again, changes anything: [`Check::repeatable`](crate::testing::Check::repeatable).
///
/// It takes settings as [`assert_reversible!`](crate::assert_reversible) does.
#[macro_export]
macro_rules! assert_repeatable {
    ($migrations:ty $(, $setting:ident($($value:expr),*))* $(,)?) => {
        $crate::testing::Check::of(&<$migrations as $crate::Migrations>::CATALOG)$(.$setting($($value),*))*.assert_repeatable()
    };
}

/// The whole set of migrations as one test: [`Check::validate`](crate::testing::Check::validate).
///
/// It takes settings as [`assert_reversible!`](crate::assert_reversible) does.
#[macro_export]
macro_rules! assert_valid {
    ($migrations:ty $(, $setting:ident($($value:expr),*))* $(,)?) => {
        $crate::testing::Check::of(&<$migrations as $crate::Migrations>::CATALOG)$(.$setting($($value),*))*.assert_valid()
    };
}

/// A schema that no script uses.
const TRACKER: &str = "habitat_migrate_check";

/// Each is a database and a whole run.
const STOPS: usize = 8;
