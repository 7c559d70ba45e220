//! Connections by URL: patient with a server that starts, exact about TLS.
//!
//! A [`Connector`] takes the connection strings that
//! [libpq takes](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING), URI or
//! `key = value`, and gives a client of `tokio-postgres` or `postgres`.
//!
//! # Parameters
//!
//! `host`, `hostaddr`, `port`, `user`, `password`, `dbname`, `options`, `application_name`,
//! `fallback_application_name`, `connect_timeout`, `keepalives` and its kin, `tcp_user_timeout`,
//! `target_session_attrs`, `load_balance_hosts` and `channel_binding` mean what
//! [libpq's page](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS) says. These
//! defaults differ from libpq's:
//!
//! | parameter | not given | why |
//! |---|---|---|
//! | `host` | an error | libpq's default depends on how it was built |
//! | `application_name` | `habitat-migrate` | so that `pg_stat_activity` tells who holds a lock |
//! | `connect_timeout` | 10 s for each address | one silent address must not use up the deadline |
//! | `keepalives_idle`, `_interval`, `_count` | 30 s, 10 s, 3 | a server that is gone is noticed in a minute, not in two hours |
//! | `tcp_user_timeout` | 60 s (in milliseconds, Linux only) | the same, while something is being sent |
//!
//! Environment variables (`PGHOST`, `PGPASSWORD`) and files (`passfile`, `service`) are read by
//! [`Connector::from_environment`] alone. An unknown parameter is an error. In a URI no raw `@` may stand behind the host's: it would be half a password.
//!
//! # TLS
//!
//! `sslmode` means what libpq's
//! [table of modes](https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS) says;
//! the feature `tls` is needed for all of it but `disable`.
//!
//! | `sslmode` | encrypted | certificate checked | without the feature `tls` |
//! |---|---|---|---|
//! | `disable` | no | | the same |
//! | `allow` | if the server refuses plain | chain, if there is a root certificate | plain |
//! | `prefer` (default) | if the server can | chain, if there is a root certificate; plain if it does not pass | plain |
//! | `require` | yes | chain, if there is a root certificate | an error |
//! | `verify-ca` | yes | chain | an error |
//! | `verify-full` | yes | chain and the host's name | an error |
//!
//! The root certificates are those in `sslrootcert`, else in `~/.postgresql/root.crt`, if it is there; with
//! `sslrootcert=system` they are the system's, and the mode can only be `verify-full`. `sslcert` and `sslkey`
//! (else `~/.postgresql/postgresql.crt` and `.key`) are the client's. A Unix socket never uses TLS.
//!
//! In four things this is stricter than libpq: a certificate file that is named must be there, in every mode; the
//! host's name is looked for among the certificate's alternative names only, never in its common name;
//! certificates of X.509 version 1 are refused; and a wrong password is not sent a second time in plain.
//! `sslcrl`, `sslcrldir` and `sslpassword` are not supported and refused.

mod attempt;
mod dial;
mod error;
mod failure;
mod params;
#[cfg(feature = "cli")]
mod programs;
mod settings;
mod surroundings;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::time::Duration;

pub use self::error::{ConnectError, ConnectErrorKind};
#[cfg(feature = "cli")]
pub(crate) use self::programs::Variables;
use self::settings::Settings;

/// Opens connections from a connection string, with patience for a server that is not up yet.
///
/// ```no_run
/// use std::time::Duration;
/// use habitat_migrate::connect::Connector;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let connector = Connector::new("postgresql://app:secret@db.internal/app")?.deadline(Duration::from_secs(60));
/// let client = connector.connect().await?;
/// client.batch_execute("SELECT 1").await?;
/// # Ok(())
/// # }
/// ```
///
/// Its [`Debug`](fmt::Debug) shows who is asked and never the password.
#[derive(Clone)]
pub struct Connector {
    settings: Settings,
    deadline: Duration,
}

/// The driver's TLS, or that there is none.
enum Tls {
    None,
    #[cfg(feature = "tls")]
    Rustls(tokio_postgres_rustls::MakeRustlsConnect),
}

impl Connector {
    /// Reads a connection string; nothing is opened yet.
    ///
    /// ```
    /// use habitat_migrate::connect::Connector;
    ///
    /// let uri = Connector::new("postgresql://app:secret@db.internal:6432/app?application_name=boot")?;
    /// let pairs = Connector::new("host=db.internal port=6432 user=app password=secret dbname=app")?;
    /// assert_eq!(uri.target(), pairs.target());
    /// # Ok::<(), habitat_migrate::connect::ConnectError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Invalid`](ConnectErrorKind::Invalid) if it cannot be read, names an unknown parameter or contradicts
    /// itself; [`Tls`](ConnectErrorKind::Tls) if it asks for TLS and the feature `tls` is off.
    pub fn new(connection_string: &str) -> Result<Connector, ConnectError> {
        Ok(Connector { settings: Settings::parse(connection_string)?, deadline: DEADLINE })
    }

    /// Reads a connection string, and fills in what it does not say as libpq's programs do: from `pg_service.conf`, from `PG*`
    /// variables, and the password from `.pgpass`. `variable` gives the value of a variable.
    ///
    /// ```
    /// use habitat_migrate::connect::Connector;
    ///
    /// let variable = |name: &str| (name == "PGHOST").then(|| "db.internal".to_owned());
    /// let connector = Connector::from_environment(Some("user=app dbname=shop"), variable)?;
    /// assert_eq!(connector.target(), "app@db.internal:5432/shop");
    /// # Ok::<(), habitat_migrate::connect::ConnectError>(())
    /// ```
    /// For a program of its own, `variable` is `|name| std::env::var(name).ok()`.
    ///
    /// # Errors
    ///
    /// As with [`Connector::new`]; and where neither the string nor a variable names a database, or a service is not found.
    pub fn from_environment(
        connection_string: Option<&str>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Connector, ConnectError> {
        let params = surroundings::complete(connection_string, &variable)?;
        Ok(Connector { settings: Settings::of(&params)?, deadline: DEADLINE })
    }

    /// How long to try again before giving up; 30 seconds if not set.
    ///
    /// Tried again is what passes by itself: a refused or broken connection, a socket file that is not there, a
    /// name that cannot be looked up, no answer, a server that starts (57P03), stops or has too many clients
    /// (53300), and one that is not what `target_session_attrs` wants. Anything else fails at once. An attempt
    /// begun in time has at least a second, so [`Duration::ZERO`] tries once.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Connector {
        self.deadline = deadline;
        self
    }

    /// Whom this connects to, for messages: `app@db.internal:5432/app`, with all hosts of a list.
    ///
    /// ```
    /// use habitat_migrate::connect::Connector;
    ///
    /// let connector = Connector::new("postgresql://app:secret@db1,db2:5433/app")?;
    /// assert_eq!(connector.target(), "app@db1:5432,db2:5433/app");
    /// # Ok::<(), habitat_migrate::connect::ConnectError>(())
    /// ```
    pub fn target(&self) -> String {
        self.settings.target()
    }

    /// The same for another database of the server.
    ///
    /// ```
    /// use habitat_migrate::connect::Connector;
    ///
    /// let connector = Connector::new("postgresql://app@localhost/app")?;
    /// assert_eq!(connector.to_database("my shop").target(), "app@localhost:5432/my shop");
    /// # Ok::<(), habitat_migrate::connect::ConnectError>(())
    /// ```
    #[must_use]
    pub fn to_database(&self, name: &str) -> Connector {
        let mut connector = self.clone();
        connector.settings.base.dbname(name);
        connector
    }

    /// Opens a connection for `tokio-postgres`.
    ///
    /// The task that drives it is spawned on the current runtime; it ends when the client is dropped or the
    /// connection breaks. With several hosts, each attempt goes through the list until one lets us in; as in libpq
    /// a server that answers and refuses ends it.
    ///
    /// # Errors
    ///
    /// Any [kind](ConnectErrorKind) but `Invalid`. Nothing is left open.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime whose I/O and time are enabled.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes a connection that is half open; no task is left.
    pub async fn connect(&self) -> Result<tokio_postgres::Client, ConnectError> {
        attempt::connect(&self.settings, &self.tls()?, self.deadline, &dial::Tokio).await
    }

    /// Opens a connection for `postgres`, waiting on this thread.
    ///
    /// As with all of that client, not from within an asynchronous task: use [`connect`](Connector::connect) there.
    ///
    /// ```no_run
    /// use habitat_migrate::connect::Connector;
    ///
    /// let mut client = Connector::new("host=/var/run/postgresql dbname=app")?.connect_blocking()?;
    /// let row = client.query_one("SELECT current_database()", &[])?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As with [`connect`](Connector::connect).
    #[cfg(feature = "postgres")]
    #[cfg_attr(docsrs, doc(cfg(feature = "postgres")))]
    pub fn connect_blocking(&self) -> Result<postgres::Client, ConnectError> {
        let tls = self.tls()?;
        let mut connecting =
            std::pin::pin!(attempt::connect(&self.settings, &tls, self.deadline, &dial::Blocking));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match connecting.as_mut().poll(&mut context) {
            std::task::Poll::Ready(outcome) => outcome,
            std::task::Poll::Pending => unreachable!("the blocking dial waits inside of poll"),
        }
    }

    fn tls(&self) -> Result<Tls, ConnectError> {
        if !self.settings.may_use_tls() {
            return Ok(Tls::None);
        }
        #[cfg(feature = "tls")]
        return self.settings.tls.load(self.settings.mode).map(Tls::Rustls);
        #[cfg(not(feature = "tls"))]
        Ok(Tls::None)
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("target", &self.target()).field("deadline", &self.deadline).finish()
    }
}

impl Tls {
    fn is_there(&self) -> bool {
        !matches!(self, Tls::None)
    }
}

const DEADLINE: Duration = Duration::from_secs(30);
