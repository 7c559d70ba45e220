//! A running server.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::{Config, NoTls};

use super::binaries::Version;
use super::builder::{Builder, Plan};
use super::database::Database;
use super::error::{Kind, ServerError};
use super::lease::Lease;
use super::local::{DEFAULT_PORT, Local};
use super::{address, data, environment, shared};

/// A PostgreSQL server of your own, which is gone when this value is, or the process.
///
/// ```no_run
/// use habitat_migrate::testing::Server;
/// use postgres::NoTls;
///
/// let server = Server::start()?;
/// let mut client = server.config().connect(NoTls)?;
/// assert_eq!(client.query_one("SELECT 1", &[])?.get::<_, i32>(0), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Server {
    config: Config,
    url: String,
    version: String,
    major: u32,
    /// `None` for a server that an environment variable names.
    local: Option<Local>,
    /// Whether it is one for all, and this process has started it.
    is_new: bool,
    #[cfg(feature = "testing-tls")]
    authority: Option<super::tls::Authority>,
}

/// How a server is told to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// When the last client has left; at most a minute is waited for that.
    Smart,
    /// At once, in order: clients are disconnected, everything is written. The log then has a `FATAL` for each client,
    /// also for one that was just leaving.
    Fast,
    /// As after a crash: nothing is written, and the next start recovers.
    Immediate,
}

impl Server {
    /// A new server, for this value's life.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start() -> Result<Self, ServerError> {
        Self::builder().start()
    }

    /// A server with a version, settings or files that you choose.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The server that all test processes of this user share; the first one that needs it starts it.
    ///
    /// The [module](super#which-server) tells which one it is. It stops by itself 10 seconds after its last process
    /// is gone, however that ended. It belongs to all of them: what a test does to the whole server, such as a role
    /// that it creates, is there for all others too. [`start`](Self::start) gives a test one of its own.
    ///
    /// ```no_run
    /// use habitat_migrate::testing::Server;
    ///
    /// let database = Server::shared()?.database()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Builder::start`], the same one for each call; or the server of `HABITAT_TEST_DATABASE_URL` cannot be
    /// reached; or an environment variable has a value that it cannot have.
    pub fn shared() -> Result<&'static Self, &'static ServerError> {
        shared::server(None, None)
    }

    /// The same with this major version: 17. It is another server than that of another version.
    ///
    /// ```no_run
    /// use habitat_migrate::testing::Server;
    ///
    /// assert_eq!(Server::shared_version(17)?.major(), 17);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`shared`](Self::shared). Servers of the environment that have another version are passed over.
    pub fn shared_version(major: u32) -> Result<&'static Self, &'static ServerError> {
        shared::server(Some(major), None)
    }

    /// Has a shared server wait at least `time` for another user once its last process is gone, so that a person can
    /// look at what a test has left. It changes nothing for a server that others do not use.
    ///
    /// # Errors
    /// The process that keeps the server is gone.
    pub fn linger(&self, time: Duration) -> Result<(), ServerError> {
        self.local.as_ref().map_or(Ok(()), |local| local.linger(time))
    }

    /// A database of a new, unique name that starts with `prefix`; it is dropped with the value.
    ///
    /// # Errors
    /// The server cannot be reached, or the user may not create databases.
    pub fn create_database(&self, prefix: &str) -> Result<Database, ServerError> {
        Database::create(&self.config, &self.url, prefix)
    }

    /// A database of a new, unique name; it is dropped with the value.
    ///
    /// # Errors
    /// As [`create_database`](Self::create_database).
    pub fn database(&self) -> Result<Database, ServerError> {
        self.create_database("test")
    }

    /// How to connect to the database `postgres` as superuser `postgres`.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// The same as a URI that libpq, tokio-postgres and sqlx understand.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The version of the server, `17.2`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The major version of the server, 17.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> Option<&Path> {
        self.local.as_ref().map(Local::folder)
    }

    /// The port, which is part of the socket's name too.
    pub fn port(&self) -> u16 {
        match &self.local {
            Some(local) => local.port(),
            None => self.config.get_ports().first().copied().unwrap_or(DEFAULT_PORT),
        }
    }

    /// The port on 127.0.0.1, if the server listens there: see [`Builder::listen_tcp`].
    pub fn tcp_port(&self) -> Option<u16> {
        self.local.as_ref()?.tcp_port()
    }

    /// The data folder.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.local.as_ref().map(Local::data_dir)
    }

    /// The file that the server logs to.
    pub fn log_path(&self) -> Option<PathBuf> {
        self.local.as_ref().map(Local::log_path)
    }

    /// What the server has logged since it was first started.
    ///
    /// # Errors
    /// The file cannot be read, or the environment names the server, whose log is not known then.
    pub fn log(&self) -> Result<String, ServerError> {
        self.local.as_ref().ok_or(Kind::External { what: "log" })?.log()
    }

    /// The process of the server, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.local.as_ref()?.pid()
    }

    /// Stops the server and starts it again with the same data, also if it has crashed or was killed.
    ///
    /// # Errors
    /// It did not stop within a minute, or did not start: the error ends with its log. Or others use it too.
    pub fn restart(&mut self, shutdown: Shutdown) -> Result<(), ServerError> {
        self.local.as_mut().ok_or(Kind::External { what: "restart" })?.restart(shutdown)
    }

    /// Stops the server, removes its folder and gives back its log.
    ///
    /// # Errors
    /// It did not stop within a minute: it is then stopped as by [`Shutdown::Immediate`]. The log cannot be read. Or
    /// others use it too.
    pub fn stop(mut self, shutdown: Shutdown) -> Result<String, ServerError> {
        let local = self.local.as_mut().ok_or(Kind::External { what: "shutdown" })?;
        local.stop(shutdown)?;
        local.log()
    }

    /// Starts what was planned.
    pub(super) fn start_planned(plan: Plan) -> Result<Self, ServerError> {
        let version = plan.installation.version.clone();
        Ok(Self::of(Local::start_planned(plan)?, version))
    }

    /// One that others use too, for as long as this process lives.
    pub(super) fn held(folder: PathBuf, lease: Lease, version: Version) -> Self {
        Self::of(Local::held(folder, lease), version)
    }

    fn of(local: Local, version: Version) -> Self {
        let url = address::url(&data::text(local.folder()), local.port(), "postgres", "postgres");
        Self {
            config: local.config(),
            url,
            version: version.number,
            major: version.major,
            local: Some(local),
            is_new: false,
            #[cfg(feature = "testing-tls")]
            authority: None,
        }
    }

    /// The same, as one that this process has started.
    pub(super) fn started_here(self) -> Self {
        Self { is_new: true, ..self }
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    /// What it was started with; `None` for the server that was there already.
    pub(super) fn plan(&self) -> Option<&Plan> {
        self.local.as_ref()?.plan()
    }

    #[cfg(feature = "testing-tls")]
    pub(super) fn with_authority(self, authority: Option<super::tls::Authority>) -> Self {
        Self { authority, ..self }
    }

    #[cfg(feature = "testing-tls")]
    pub(super) fn authority(&self) -> Option<&super::tls::Authority> {
        self.authority.as_ref()
    }

    /// The server that the environment variable `variable` names.
    pub(super) fn external(variable: &'static str, url: String) -> Result<Self, ServerError> {
        let config: Config = url.parse().map_err(|_| Kind::Address { variable })?;
        let failed = |source| Kind::Connect { what: format!("ask the server of {variable}"), source };
        let ask = || {
            let mut config = config.clone();
            if config.get_connect_timeout().is_none() {
                config.connect_timeout(environment::ANSWER);
            }
            config.connect(NoTls)?.query_one(VERSION, &[])
        };
        let row = super::off_runtime(ask).map_err(failed)?;
        let (number, version) = (row.get::<_, i32>(0), row.get(1));
        Ok(Self {
            config,
            url,
            version,
            major: number.unsigned_abs() / 10_000,
            local: None,
            is_new: false,
            #[cfg(feature = "testing-tls")]
            authority: None,
        })
    }

    /// Whether its user may do what tests do.
    pub(super) fn may_create_databases(&self) -> Result<bool, ServerError> {
        let failed = |source| Kind::Connect { what: "ask for the user's rights".into(), source };
        let ask = || self.config.connect(NoTls)?.query_one(MAY_CREATE, &[]);
        Ok(super::off_runtime(ask).map_err(failed)?.get(0))
    }
}

impl Shutdown {
    pub(super) fn signal(self) -> &'static str {
        match self {
            Self::Smart => "TERM",
            Self::Fast => "INT",
            Self::Immediate => "QUIT",
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("version", &self.version).field("config", &self.config).finish()
    }
}

const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
       pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1)";

const MAY_CREATE: &str =
    "SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user";
