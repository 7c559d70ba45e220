//! What a server is started with.

use std::path::Path;

use super::account::Account;
use super::cache::Cache;
use super::error::{Kind, ServerError};
use super::machine::Machine;
use super::server::Server;
use super::{binaries, data, fetch};

/// Starts a server of your own making: another version, other settings, TLS, a disk.
///
/// ```no_run
/// use habitat_migrate::testing::Server;
///
/// let server = Server::builder().version(17).setting("log_statement", "all").start()?;
/// server.create_database("people")?.connect()?.batch_execute("SELECT 1")?;
/// assert!(server.log()?.contains("SELECT 1"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Builder {
    version: Option<u32>,
    settings: Vec<(String, String)>,
    files: Vec<(String, Vec<u8>)>,
    listen: Listen,
    durability: Durability,
    replication: Replication,
    #[cfg(feature = "testing-tls")]
    tls: Option<super::tls::Wish>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Replication {
    #[default]
    None,
    Streaming,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Listen {
    #[default]
    Socket,
    SocketAndTcp,
}

/// Whether the server's data would survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Durability {
    #[default]
    ForTests,
    Durable,
}

/// What is known once a builder's wishes are settled, and is needed to start the server and to start it again.
pub(super) struct Plan {
    pub(super) installation: binaries::Installation,
    pub(super) account: Option<Account>,
    pub(super) cache: Option<Cache>,
    pub(super) durability: Durability,
    pub(super) tcp: bool,
    /// What it is a copy of; a new cluster if it is none.
    pub(super) base: Option<super::base::Base>,
    pub(super) settings: Vec<(String, String)>,
    pub(super) files: Vec<(String, Vec<u8>)>,
}

impl Builder {
    /// Asks for a major version of PostgreSQL: 17. It is fetched if it is not installed.
    ///
    /// Without it the environment variable `HABITAT_PG` decides, and without that one the first version found.
    pub fn version(mut self, major: u32) -> Self {
        self.version = Some(major);
        self
    }

    /// Sets a parameter of the server, as in `postgresql.conf`. The last value that is given for a name counts, and
    /// it counts more than what this library sets, save for the port and the socket's folder.
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Puts a file into the data folder before the server starts: `pg_hba.conf`, a key.
    ///
    /// Only the server's account can read it. The name is relative to the data folder.
    pub fn file(mut self, name: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// Listens on a free port of 127.0.0.1 too. Everybody on this machine may then connect, without a password.
    pub fn listen_tcp(mut self) -> Self {
        self.listen = Listen::SocketAndTcp;
        self
    }

    /// Offers TLS, with a certificate for `localhost` and 127.0.0.1 by an authority that is made for this server: see
    /// [`Server::ca_certificate`] and [`Server::tls_url`]. It listens on TCP too, as sockets have no TLS.
    ///
    /// ```no_run
    /// use habitat_migrate::testing::Server;
    ///
    /// let server = Server::builder().tls().start()?;
    /// println!("{}", server.tls_url("postgres", "postgres").expect("it has TLS"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "testing-tls")]
    pub fn tls(mut self) -> Self {
        self.tls.get_or_insert_default();
        self.listen_tcp()
    }

    /// Offers TLS with a certificate that is for this host, too.
    #[cfg(feature = "testing-tls")]
    pub fn tls_host(mut self, host: impl Into<String>) -> Self {
        self.tls.get_or_insert_default().hosts.push(host.into());
        self.listen_tcp()
    }

    /// Offers TLS, and refuses connections by TCP without it; those by the Unix socket stay.
    #[cfg(feature = "testing-tls")]
    pub fn tls_only(self) -> Self {
        self.tls().file("pg_hba.conf", TLS_ONLY)
    }

    /// Lets standbys follow: see [`Server::standby`].
    pub fn replication(mut self) -> Self {
        self.replication = Replication::Streaming;
        self
    }

    /// Offers TLS with this certificate and key, both PEM. It listens on TCP too, as sockets have no TLS.
    pub fn tls_with(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.file("server.crt", certificate).file("server.key", key).setting("ssl", "on").listen_tcp()
    }

    /// Keeps the server's own defaults for durability (`fsync`, `synchronous_commit`, `full_page_writes`, `wal_level`)
    /// and its data on a disk: for benchmarks, and for tests of crashes.
    pub fn durable(mut self) -> Self {
        self.durability = Durability::Durable;
        self
    }

    /// Starts the server and waits until it accepts connections.
    ///
    /// # Errors
    /// A [`ServerError`] that lists what was tried when there is no PostgreSQL to run, and that ends with the server's
    /// own log when it does not start. Nothing is left running and no folder is left then.
    pub fn start(self) -> Result<Server, ServerError> {
        let wanted = version(self.version)?;
        let account = Account::for_server()?;
        let cache = Cache::open();
        let machine = Machine { account: account.as_ref(), cache: cache.as_ref() };
        let installation = match binaries::find(&machine, wanted) {
            Ok(installation) => installation,
            Err(tried) => fetch::fetch(&machine, wanted, tried)?,
        };
        let (settings, files) = (self.settings.clone(), self.files.clone());
        let mut plan = Plan {
            installation,
            account,
            cache,
            durability: self.durability,
            tcp: self.listen == Listen::SocketAndTcp,
            base: None,
            settings: Vec::new(),
            files: Vec::new(),
        };
        if self.replication == Replication::Streaming {
            plan.settings.extend(REPLICATION.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        #[cfg(feature = "testing-tls")]
        let authority = match &self.tls {
            Some(wish) => Some(wish.fulfil(&mut plan)?),
            None => None,
        };
        // What the caller says counts more than what this library does.
        plan.settings.extend(settings);
        plan.files.extend(files);
        let server = Server::start_planned(plan)?;
        #[cfg(feature = "testing-tls")]
        let server = server.with_authority(authority);
        Ok(server)
    }
}

impl Plan {
    /// Makes the data folder in `folder`.
    pub(super) fn initialise(&self, folder: &Path) -> Result<(), ServerError> {
        let (data, account) = (folder.join("data"), self.account.as_ref());
        if let Some(base) = &self.base {
            base.copy_to(&data, account)?;
            let listen = if self.tcp { "127.0.0.1" } else { "" };
            data::configure(&data, &[("primary_conninfo", base.source()), ("listen_addresses", listen)])?;
            return data::put(&data, "standby.signal", b"", account);
        }
        data::initialise(&data, &self.installation, account, self.cache.as_ref(), data::Segments::Usual)?;
        let tcp = if self.tcp { "127.0.0.1" } else { "" };
        let mut settings = vec![("listen_addresses", tcp), ("max_connections", "200")];
        if self.durability == Durability::ForTests {
            settings.extend(FOR_TESTS);
        }
        settings.extend(self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        data::configure(&data, &settings)?;
        self.files.iter().try_for_each(|(name, text)| data::put(&data, name, text, account))
    }

    /// Says where in `folder` the socket is to be. This is ours to say: the server is looked for there.
    pub(super) fn place(&self, folder: &Path, port: u16) -> Result<(), ServerError> {
        let socket = data::text(folder);
        data::configure(
            &folder.join("data"),
            &[("unix_socket_directories", &socket), ("port", &port.to_string())],
        )
    }
}

/// Nothing that only a crash of the machine would need.
pub(super) const FOR_TESTS: [(&str, &str); 6] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    // In the data folder, so that it goes with it even if the server is killed.
    ("dynamic_shared_memory_type", "mmap"),
];

/// What a standby needs of its primary. Enough of the log is kept for one that starts late.
const REPLICATION: [(&str, &str); 4] =
    [("wal_level", "replica"), ("max_wal_senders", "10"), ("hot_standby", "on"), ("wal_keep_size", "256MB")];

#[cfg(feature = "testing-tls")]
const TLS_ONLY: &str =
    "local all all trust\nlocal replication all trust\nhostssl all all 127.0.0.1/32 trust\n";

/// The major version to look for: the one that is asked for, else that of `HABITAT_PG`.
pub(super) fn version(wanted: Option<u32>) -> Result<Option<u32>, ServerError> {
    match std::env::var("HABITAT_PG") {
        _ if wanted.is_some() => Ok(wanted),
        Ok(text) if !text.trim().is_empty() => {
            text.trim().parse().map(Some).map_err(|_| Kind::Version { text }.into())
        }
        _ => Ok(None),
    }
}
