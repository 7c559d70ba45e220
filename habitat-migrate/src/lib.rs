//! PostgreSQL migrations that live inside a Rust service: checked when it is compiled, applied when it boots,
//! verified before they commit, each committed together with its record.
//!
//! ```no_run
//! # #[cfg(all(feature = "postgres", feature = "derive"))]
//! # mod example {
//! use habitat_migrate::{Catalog, Migrator};
//! use postgres::{Client, NoTls};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let migrator = Migrator::new(Catalog::from_directory("migrations")?);
//!     let mut client = Client::connect("host=localhost user=app dbname=app", NoTls)?;
//!     let report = migrator.migrate(&mut client)?;
//!     println!("{report}");
//!     Ok(())
//! }
//! # }
//! # fn main() {}
//! ```
//!
//! A program embeds its migrations by `#[derive(Migrations)]` or `migrate!`, so that every mistake in
//! them is a compile error and nothing is read when it boots.

#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "adopt")]
pub mod adopt;
mod backfill;
#[cfg(feature = "provision")]
pub mod backup;
pub mod build;
#[cfg(feature = "provision")]
pub mod checklist;
pub mod client;
mod code;
#[cfg(feature = "tokio-postgres")]
pub mod connect;
mod embed;
mod engine;
mod error;
mod event;
mod finding;
mod history;
mod lock;
mod migrator;
mod plan;
pub mod policy;
#[cfg(feature = "provision")]
pub mod provision;
mod report;
mod server;
mod sql;
mod stale;
mod status;
#[cfg(feature = "adopt")]
mod takeover;
#[cfg(feature = "testing")]
pub mod testing;
mod tracker;

#[cfg(feature = "adopt")]
pub use adopt::{Adopt, Adoption};
pub use backfill::{Backfill, BackfillState};
pub use client::Client;
#[cfg(feature = "tokio-postgres")]
pub use connect::Connector;
pub use embed::Migrations;
pub use error::{Error, ErrorKind, Result};
pub use event::{Blocker, Event, Holder};
pub use finding::Finding;

pub use habitat_migrate_catalog::{
    Catalog, Checksum, CodeMigration, Compatibility, Directory, Layout, Loader, Migration, MigrationId,
    ParseLayoutError, PlaceholderError, Placeholders, Problem, Problems, Rendered, Scripts, Source,
    SourceFile, Template, Version,
};
#[cfg(feature = "derive")]
/// # Migrations in Rust
///
/// What SQL cannot say well, a function can: it stands beside the scripts, in the same order, and commits in one
/// transaction with its record. An `async fn` is called through a `tokio_postgres::Client`, any other through a `postgres::Client`.
///
/// ```no_run
/// # #[cfg(feature = "tokio-postgres")]
/// # mod example {
/// use habitat_migrate::{Catalog, Migrator, migration};
/// use tokio_postgres::{Client, Error, Transaction};
///
/// /// `Crème brûlée` becomes `creme-brulee`.
/// #[migration(version = "0007_backfill_slugs", requires = "0006_slugs", down = forget_slugs)]
/// async fn backfill_slugs(tx: &mut Transaction<'_>) -> Result<(), Error> {
///     for row in tx.query("SELECT id, title FROM dishes WHERE slug IS NULL", &[]).await? {
///         let (id, title): (i64, String) = (row.get(0), row.get(1));
///         tx.execute("UPDATE dishes SET slug = $1 WHERE id = $2", &[&slug(&title), &id]).await?;
///     }
///     Ok(())
/// }
///
/// async fn forget_slugs(tx: &mut Transaction<'_>) -> Result<(), Error> {
///     tx.batch_execute("UPDATE dishes SET slug = NULL").await
/// }
///
/// async fn boot(client: &mut Client) -> Result<(), Box<dyn std::error::Error>> {
///     let catalog = Catalog::from_directory("migrations")?.with_code([backfill_slugs])?;
///     println!("{}", Migrator::new(catalog).migrate(client).await?);
///     Ok(())
/// }
/// # fn slug(title: &str) -> String { title.to_lowercase() }
/// # }
/// # fn main() {}
/// ```
///
/// The function may return any error that becomes a `Box<dyn Error + Send + Sync>`; it leaves nothing then. A lock that it waited
/// for in vain, a deadlock and a serialization conflict are tried again as with a script, so it may be called more than once, and must
/// leave nothing outside of its transaction that cannot be done twice. It must not end its transaction.
///
/// The checksum is of its context, version and `revision`, not of its code: a function calls others, and no refactoring of theirs must
/// make it look like another migration. A function that nobody registers with `with_code` is an unused constant, of which the
/// compiler warns. Statements that it prepares by `PREPARE` stay in the session.
///
/// # Keys
pub use habitat_migrate_macros::migration;
#[cfg(all(feature = "derive", feature = "testing", unix))]
/// # Tests
///
/// ```
/// use habitat_migrate::Migrations;
///
/// #[derive(Migrations)]
/// #[migrations(dir = "../migrations/habitat")]
/// struct Schema;
///
/// #[habitat_migrate::test(migrations = Schema)]
/// fn nobody_is_a_member_yet(mut client: postgres::Client) -> Result<(), postgres::Error> {
///     assert!(client.query("SELECT FROM people.members", &[])?.is_empty());
///     Ok(())
/// }
///
/// #[habitat_migrate::test(migrations = Schema, before = "05_agreements_core")]
/// async fn agreements_come_after_people(client: &mut tokio_postgres::Client) {
///     let report = Schema::migrator().migrate(client).await.unwrap();
///     assert!(!report.applied().is_empty());
/// }
/// ```
///
/// The database is a copy of a template, which is migrated once, on the server of [`testing::Server::shared`]: see
/// [`testing`] for which server that is. When the test passes the database is dropped; when it panics or
/// returns an error the database stays, and how to open it stands in the test's output. A test with `#[should_panic]` passes by its panic.
///
/// # Arguments
/// | type | what it is |
/// |---|---|
/// | `postgres::Client`, `&mut postgres::Client` | a connection, in a test that is no `async fn` |
/// | `tokio_postgres::Client`, `&tokio_postgres::Client`, `&mut …` | a connection in an `async` test; a task of its runtime drives it |
/// | `String`, `&str` | the connection string |
/// | `postgres::Config`, `tokio_postgres::Config` | how to connect |
/// | [`TestDatabase`](testing::TestDatabase), `&TestDatabase` | the database itself: its name, more connections, connections as other roles |
/// | a type of your own | what its [`FromTestDatabase`](testing::FromTestDatabase) makes, in an `async` test its [`FromTestDatabaseAsync`](testing::FromTestDatabaseAsync) |
///
/// All arguments speak of one database, but those that carry `#[database(…)]`: each of these has another one. Its keys are those of the attribute
/// from `migrations` to `placeholders`. Without `migrations` or `catalog` it is empty; `environment` and `server` are the test's
/// unless it says otherwise. A test without arguments shows that the migrations apply.
///
/// ```
/// use habitat_migrate::testing::TestDatabase;
/// # use habitat_migrate::Migrations;
/// # #[derive(Migrations)]
/// # #[migrations(dir = "../migrations/habitat")]
/// # struct Schema;
///
/// #[habitat_migrate::test(migrations = Schema)]
/// fn what_is_exported_can_be_imported(
///     mut from: postgres::Client,
///     #[database(migrations = Schema)] mut into: postgres::Client,
///     database: &TestDatabase, // the one of `from`
/// ) {
///     // …
/// }
/// ```
///
/// # Other attributes
/// `#[should_panic]`, `#[ignore]`, `#[cfg]`, documentation and lints may stand above or beneath. So may rstest's: beneath,
/// an argument with an attribute (`#[case]`, `#[values]`, `#[from]`) is given by rstest and any other by the database; where
/// `#[rstest]` stands above, it has to be told which arguments are not its own, by `#[ignore]`.
///
/// ```
/// # struct NoRstestHere;
/// # #[cfg(any())]
/// #[habitat_migrate::test]
/// #[rstest]
/// #[case(1, "one")]
/// #[case(2, "two")]
/// fn beneath(mut client: postgres::Client, #[case] n: i32, #[case] word: &str) {}
///
/// # #[cfg(any())]
/// #[rstest]
/// #[case(1, "one")]
/// #[habitat_migrate::test]
/// fn above(#[ignore] client: &mut postgres::Client, #[case] n: i32, #[case] word: &str) {}
/// ```
///
/// An `async` test runs on a runtime of tokio that the library makes, or on one that another attribute makes, which stands
/// *beneath*: `#[tokio::test(flavor = "multi_thread")]`. Above, it leaves no runtime on which a client could be made: a compile error.
///
/// # Errors
/// What is wrong with the attribute is a compile error at its place: an unknown key, a migration that is not there, a mistake in an
/// embedded folder, a fixture that is missing, an argument of a type that no database gives. A migration or
/// a fixture that fails fails the test, with the place in its file; also one with `#[should_panic]`.
///
/// # Keys
pub use habitat_migrate_macros::test;
#[cfg(feature = "derive")]
pub use habitat_migrate_macros::{Migrations, embed_migrations, migrate};
pub use history::{History, Record, State};
pub use migrator::Migrator;
pub use plan::{Plan, Refusal, Refusals};
pub use report::{Applied, Report};
pub use status::{Drift, Entry, LogAccess, Stage, Status};

/// What generated code names.
#[doc(hidden)]
pub mod __private {
    pub use crate::client::Work;
    pub use crate::code::*;
    #[cfg(all(feature = "testing", unix))]
    pub use crate::testing::harness as test;
    pub use habitat_migrate_catalog::*;
}
