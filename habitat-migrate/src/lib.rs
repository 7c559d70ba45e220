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

mod backfill;
pub mod build;
pub mod client;
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
mod report;
mod server;
mod sql;
mod stale;
#[cfg(feature = "testing")]
pub mod testing;
mod tracker;

pub use backfill::{Backfill, BackfillState};
pub use client::Client;
#[cfg(feature = "tokio-postgres")]
pub use connect::Connector;
pub use embed::Migrations;
pub use error::{Error, ErrorKind, Result};
pub use event::{Blocker, Event, Holder};
pub use finding::Finding;

pub use habitat_migrate_catalog::{
    Catalog, Checksum, Compatibility, Directory, Loader, Migration, MigrationId, Problem, Problems, Scripts,
    Source, SourceFile, Version,
};
#[cfg(feature = "derive")]
pub use habitat_migrate_macros::{Migrations, embed_migrations, migrate};
pub use history::{History, Record, State};
pub use migrator::Migrator;
pub use plan::{Plan, Refusal, Refusals};
pub use report::{Applied, Report};

/// What generated code names.
#[doc(hidden)]
pub mod __private {
    pub use habitat_migrate_catalog::*;
}
