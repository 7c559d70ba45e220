//! A PgBouncer in front of a server: [`PgBouncer`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use postgres::{Config, NoTls};

use super::account::Account;
use super::builder::Durability;
use super::database::Database;
use super::error::{Kind, ServerError};
use super::server::Server;
use super::supervisor::Supervisor;
use super::{address, data, off_runtime};

/// A PgBouncer of your own in front of a server, gone with this value or with the process.
///
/// ```no_run
/// use habitat_migrate::testing::{PgBouncer, PoolMode, Server};
///
/// let server = Server::start()?;
/// let pooler = PgBouncer::builder(&server).pool_mode(PoolMode::Transaction).pool_size(3).start()?;
/// let mut client = pooler.config().connect(postgres::NoTls)?;
/// client.batch_execute("SELECT 1")?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It listens on a Unix socket in a folder of its own, and lets everybody in as superuser `postgres`. Run by root, it runs as the account
/// that the server has.
pub struct PgBouncer {
    supervisor: Supervisor,
    folder: PathBuf,
}

/// What a [`PgBouncer`] is started with.
#[derive(Debug)]
pub struct PgBouncerBuilder<'a> {
    server: &'a Server,
    mode: PoolMode,
    size: usize,
    settings: Vec<(String, String)>,
}

/// For how long a client has a session of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum PoolMode {
    /// Until it leaves.
    Session,
    /// Until its transaction ends. The default here, as most are set up so.
    #[default]
    Transaction,
    /// Until its statement ends; transactions of several are refused.
    Statement,
}

impl Server {
    /// A PgBouncer in transaction mode in front of this server: [`PgBouncer::builder`] with the defaults.
    ///
    /// # Errors
    /// As [`PgBouncerBuilder::start`].
    pub fn pgbouncer(&self) -> Result<PgBouncer, ServerError> {
        PgBouncer::builder(self).start()
    }
}

impl PgBouncer {
    /// A PgBouncer with a mode and a size that you choose, in front of this server, which has to outlive it.
    pub fn builder(server: &Server) -> PgBouncerBuilder<'_> {
        PgBouncerBuilder { server, mode: PoolMode::default(), size: 3, settings: Vec::new() }
    }

    /// How to connect to the database `postgres` through it.
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.host_path(&self.folder).port(PORT).user("postgres").dbname("postgres");
        config
    }

    /// The same as a connection string.
    pub fn url(&self) -> String {
        address::url(&data::text(&self.folder), PORT, "postgres", "postgres")
    }

    /// The connection string of one database of the server, through it.
    pub fn url_of(&self, database: &Database) -> String {
        address::with_database(&self.url(), database.name())
    }

    /// The folder of the Unix socket.
    pub fn socket_dir(&self) -> &Path {
        &self.folder
    }

    /// The port, which is part of the socket's name only.
    pub fn port(&self) -> u16 {
        PORT
    }

    /// What it has logged.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn log(&self) -> Result<String, ServerError> {
        data::log(&self.folder.join("log"))
    }

    fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let end = Instant::now() + PATIENCE;
        let socket = self.folder.join(format!(".s.PGSQL.{PORT}"));
        let mut console = self.config();
        // It answers there by itself, without the server.
        console.dbname("pgbouncer").user("pgbouncer");
        while !(socket.exists() && off_runtime(|| console.connect(NoTls).is_ok())) {
            if self.supervisor.exited() || Instant::now() > end {
                return Err(Kind::NotStarted { log: data::end_of_log(&self.folder.join("log"), 0) }.into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl fmt::Debug for PgBouncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PgBouncer").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl PgBouncerBuilder<'_> {
    /// For how long a client has a session of the server. Default: for a transaction.
    #[must_use]
    pub fn pool_mode(mut self, mode: PoolMode) -> Self {
        self.mode = mode;
        self
    }

    /// How many sessions of the server it has for each database. Default: 3.
    #[must_use]
    pub fn pool_size(mut self, sessions: usize) -> Self {
        self.size = sessions;
        self
    }

    /// Sets a parameter of the section `[pgbouncer]`: `max_prepared_statements`, `server_reset_query`.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// No PgBouncer is installed: what was tried, and how to install it. It does not start: the end of its log. The server is that of
    /// `HABITAT_TEST_DATABASE_URL`.
    pub fn start(self) -> Result<PgBouncer, ServerError> {
        let account = Account::for_server()?;
        let account = account.as_ref();
        let program = program()?;
        let mut refused = None;
        for parent in data::parents(Durability::ForTests, account) {
            let folder = parent.join(format!("habitat-{}", super::unique()));
            let file = folder.join("pgbouncer.ini");
            match Supervisor::ending_by("TERM", &folder, &[data::text(&program), data::text(&file)], account)
            {
                Ok(supervisor) => {
                    let mut pooler = PgBouncer { supervisor, folder };
                    let text = self.text(&pooler.folder)?;
                    data::put(&pooler.folder, "pgbouncer.ini", text.as_bytes(), account)?;
                    pooler.supervisor.start()?;
                    pooler.wait_until_ready()?;
                    return Ok(pooler);
                }
                Err(error) => refused = Some(error),
            }
        }
        Err(refused.unwrap_or_else(|| Kind::Folder { folder: std::env::temp_dir() }.into()))
    }

    fn text(&self, folder: &Path) -> Result<String, ServerError> {
        let sockets = self.server.socket_dir().ok_or(Kind::External { what: "pooler" })?;
        let mut text = format!(
            "[databases]\n* = host={} port={} user=postgres\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n\
             unix_socket_dir = {}\nauth_type = any\npool_mode = {}\ndefault_pool_size = {}\nmax_client_conn = 1000\n\
             ignore_startup_parameters = extra_float_digits\n",
            data::text(sockets),
            self.server.port(),
            data::text(folder),
            self.mode,
            self.size,
        );
        for (name, value) in &self.settings {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
                return Err(Kind::Setting { name: name.clone() }.into());
            }
            text.push_str(&format!("{name} = {}\n", value.replace('\n', " ")));
        }
        Ok(text)
    }
}

/// As PgBouncer spells it.
impl fmt::Display for PoolMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        })
    }
}

/// In `PATH`, or where packages put it, which is not in everybody's.
fn program() -> Result<PathBuf, ServerError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    find(std::env::split_paths(&path).chain(FOLDERS.map(PathBuf::from)), |file| file.is_file())
}

fn find(
    folders: impl Iterator<Item = PathBuf>,
    is_there: impl Fn(&Path) -> bool,
) -> Result<PathBuf, ServerError> {
    let mut tried = Vec::new();
    for folder in folders.filter(|folder| folder.is_absolute()) {
        let file = folder.join("pgbouncer");
        if is_there(&file) {
            return Ok(file);
        }
        let line = file.display().to_string();
        if !tried.contains(&line) {
            tried.push(line);
        }
    }
    let advice = match std::env::consts::OS {
        "macos" => "install it: brew install pgbouncer",
        _ => "install the package pgbouncer: apt install pgbouncer, dnf install pgbouncer, apk add pgbouncer",
    };
    Err(Kind::NoPooler { tried, advice }.into())
}

const FOLDERS: [&str; 5] =
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin"];

/// Only the name of a socket in a folder of its own.
const PORT: u16 = 6432;

/// How long it may take to start, on a machine under load.
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_installed_is_an_error_that_lists_the_places() {
        let folders = || ["/a", "relative", "/b", "/a"].map(PathBuf::from).into_iter();
        let error = find(folders(), |_| false).unwrap_err().to_string();
        let start = "found no PgBouncer to run\n  tried /a/pgbouncer\n  tried /b/pgbouncer\n  install";
        assert!(error.starts_with(start), "{error}");
        assert_eq!(find(folders(), |file| file.starts_with("/b")).unwrap(), Path::new("/b/pgbouncer"));
    }
}
