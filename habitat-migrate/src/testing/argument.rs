//! What a test can take: [`FromTestDatabase`] and [`FromTestDatabaseAsync`].

use std::error::Error;
use std::future::Future;

use super::TestDatabase;

/// What a test that is no `async fn` can take as an argument: made of the test's database.
///
/// The library makes a [`postgres::Client`], a `String` or `&str` with the connection string, a [`postgres::Config`], a
/// [`tokio_postgres::Config`] and the [`TestDatabase`] itself. A type of your own, a pool for one, is an argument when it
/// implements this; where it is taken by `&` or `&mut`, the test borrows it.
///
/// ```
/// use std::error::Error;
///
/// use habitat_migrate::testing::{FromTestDatabase, TestDatabase};
///
/// struct Members(postgres::Client);
///
/// impl FromTestDatabase for Members {
///     fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
///         Ok(Self(database.connect()?))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "a test that is no `async fn` cannot take `{Self}`",
    label = "no argument of a test",
    note = "it can take `postgres::Client`, `String`, `&str`, `postgres::Config`, `tokio_postgres::Config`, `TestDatabase` \
            and whatever implements `FromTestDatabase`; an `async fn` takes `tokio_postgres::Client`",
    note = "`#[habitat_migrate::test]` stands above `#[tokio::test]`, not beneath it"
)]
pub trait FromTestDatabase: Sized {
    /// Makes one, for a test that is about to run.
    ///
    /// # Errors
    /// Whatever keeps the test from running: it is reported as the test's failure.
    fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>>;
}

/// What an `async` test can take as an argument: made of the test's database, on the test's runtime.
///
/// The library makes a [`tokio_postgres::Client`], whose connection a task of the runtime drives, a `String` or `&str` with the
/// connection string, a [`tokio_postgres::Config`], a [`postgres::Config`] and the [`TestDatabase`] itself. A type of your own,
/// a pool for one, is an argument when it implements this.
///
/// ```
/// use std::error::Error;
///
/// use habitat_migrate::testing::{FromTestDatabaseAsync, TestDatabase};
///
/// struct Members(tokio_postgres::Client);
///
/// impl FromTestDatabaseAsync for Members {
///     async fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
///         Ok(Self(database.connect_async().await?))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "an `async` test cannot take `{Self}`",
    label = "no argument of an `async` test",
    note = "it can take `tokio_postgres::Client`, `String`, `&str`, `tokio_postgres::Config`, `postgres::Config`, `TestDatabase` \
            and whatever implements `FromTestDatabaseAsync`; a `postgres::Client` blocks, and is for tests that are no `async fn`"
)]
pub trait FromTestDatabaseAsync: Sized {
    /// Makes one, for a test that is about to run.
    ///
    /// # Errors
    /// Whatever keeps the test from running: it is reported as the test's failure.
    fn from_test_database(
        database: &TestDatabase,
    ) -> impl Future<Output = Result<Self, Box<dyn Error + Send + Sync>>>;
}

impl FromTestDatabase for postgres::Client {
    fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(database.connect()?)
    }
}

impl FromTestDatabaseAsync for tokio_postgres::Client {
    async fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(database.connect_async().await?)
    }
}

/// What is made in the same way for either kind of test.
macro_rules! for_both {
    ($($argument:ty: $make:expr;)*) => {$(
        impl FromTestDatabase for $argument {
            fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
                let make: fn(&TestDatabase) -> Self = $make;
                Ok(make(database))
            }
        }

        impl FromTestDatabaseAsync for $argument {
            async fn from_test_database(database: &TestDatabase) -> Result<Self, Box<dyn Error + Send + Sync>> {
                let make: fn(&TestDatabase) -> Self = $make;
                Ok(make(database))
            }
        }
    )*};
}

for_both! {
    String: TestDatabase::url;
    postgres::Config: TestDatabase::config;
    tokio_postgres::Config: TestDatabase::tokio_config;
    TestDatabase: TestDatabase::clone;
}

/// What a test takes by reference, and what has to be made for it.
pub trait Lent {
    /// What is made.
    type Made;
}

impl<T> Lent for T {
    type Made = T;
}

impl Lent for str {
    type Made = String;
}
