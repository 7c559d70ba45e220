//! A server that follows another one: [`Standby`].

use std::ops::Deref;
use std::time::{Duration, Instant};

use postgres::{Config, NoTls};

use super::base::Base;
use super::builder::Plan;
use super::error::{Kind, ServerError};
use super::server::Server;
use super::{data, off_runtime};

/// A streaming standby: a server that takes no writes and has what its primary has, a moment later.
///
/// ```no_run
/// use habitat_migrate::testing::Server;
///
/// let primary = Server::builder().replication().start()?;
/// let standby = primary.standby()?;
/// let database = primary.database()?;
/// database.connect()?.batch_execute("CREATE TABLE t (id int)")?;
/// standby.wait_for_replay()?;
/// standby.config().dbname(database.name()).connect(postgres::NoTls)?.query("TABLE t", &[])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is a [`Server`] besides. Let it go before its primary, or its log has a complaint about the connection.
#[derive(Debug)]
pub struct Standby {
    server: Server,
    primary: Config,
}

impl Server {
    /// A streaming standby of this server, which was started with [`Builder::replication`](super::Builder::replication). It has this
    /// server's settings.
    ///
    /// # Errors
    /// This server lets no standby follow, or is shared with others; its files cannot be copied; the standby does not start.
    pub fn standby(&self) -> Result<Standby, ServerError> {
        let external = || Kind::External { what: "standby" };
        let shared = || Kind::Shared { what: "standby" };
        let plan =
            self.plan().ok_or_else(|| if self.socket_dir().is_some() { shared() } else { external() })?;
        let (folder, data) = (self.socket_dir().ok_or_else(external)?, self.data_dir().ok_or_else(external)?);
        if !off_runtime(|| lets_standbys_follow(&self.config()))? {
            let advice = "start it with Builder::replication";
            return Err(Kind::Unfit { what: "lets no standby follow", advice }.into());
        }
        let source = format!("host='{}' port={} user=postgres", data::text(folder), self.port());
        let base = Base { primary: self.config(), data, source };
        let server = Server::start_planned(Plan {
            installation: plan.installation.clone(),
            account: plan.account.clone(),
            cache: None,
            durability: plan.durability,
            tcp: plan.tcp,
            base: Some(base),
            // Those of the primary came with its files.
            settings: Vec::new(),
            files: Vec::new(),
        })?;
        Ok(Standby { server, primary: self.config() })
    }
}

impl Standby {
    /// Waits until the standby has whatever the primary has now.
    ///
    /// # Errors
    /// One of them cannot be reached, or it takes longer than a minute.
    pub fn wait_for_replay(&self) -> Result<(), ServerError> {
        off_runtime(|| self.wait_here())
    }

    fn wait_here(&self) -> Result<(), ServerError> {
        let failed = |source| Kind::Connect { what: "compare the standby with its primary".into(), source };
        let mut primary = self.primary.connect(NoTls).map_err(failed)?;
        let mut standby = self.server.config().connect(NoTls).map_err(failed)?;
        // Commits are not waited for, so that the log's end may not have been handed on; this one is.
        primary.batch_execute(FLUSH).map_err(failed)?;
        let written: String = primary.query_one(WRITTEN, &[]).map_err(failed)?.get(0);
        let end = Instant::now() + PATIENCE;
        while !standby.query_one(REPLAYED, &[&written]).map_err(failed)?.get::<_, bool>(0) {
            if Instant::now() > end {
                let log = self.server.log_path().map(|path| data::end_of_log(&path, 0)).unwrap_or_default();
                return Err(Kind::NotReplayed { log }.into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Makes it a primary of its own, which takes writes.
    ///
    /// # Errors
    /// It cannot be reached, or takes longer than a minute.
    pub fn promote(self) -> Result<Server, ServerError> {
        let failed = |source| Kind::Connect { what: "promote the standby".into(), source };
        let promote = || self.server.config().connect(NoTls)?.query_one(PROMOTE, &[]);
        if off_runtime(promote).map_err(failed)?.get(0) {
            Ok(self.server)
        } else {
            let log = self.server.log_path().map(|path| data::end_of_log(&path, 0)).unwrap_or_default();
            Err(Kind::NotReplayed { log }.into())
        }
    }
}

impl Deref for Standby {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

fn lets_standbys_follow(primary: &Config) -> Result<bool, ServerError> {
    let failed = |source| Kind::Connect { what: "ask the primary for its settings".into(), source };
    Ok(primary.connect(NoTls).and_then(|mut client| client.query_one(FOLLOWED, &[])).map_err(failed)?.get(0))
}

const FOLLOWED: &str = "SELECT pg_catalog.current_setting('wal_level') <> 'minimal'
    AND pg_catalog.current_setting('max_wal_senders')::pg_catalog.int4 > 0";

const FLUSH: &str = "SET synchronous_commit = local; SELECT pg_catalog.pg_logical_emit_message(true, '', '')";

const WRITTEN: &str = "SELECT pg_catalog.pg_current_wal_flush_lsn()::pg_catalog.text";

const REPLAYED: &str = "SELECT pg_catalog.pg_last_wal_replay_lsn() >= $1::pg_catalog.text::pg_catalog.pg_lsn";

const PROMOTE: &str = "SELECT pg_catalog.pg_promote(true, 60)";

/// A machine under load, not a state to wait for.
const PATIENCE: Duration = Duration::from_secs(60);
