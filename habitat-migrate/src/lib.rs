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
pub mod build;
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
    pub use habitat_migrate_catalog::*;
}
