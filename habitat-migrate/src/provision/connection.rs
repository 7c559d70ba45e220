//! How a program connects as a role: [`Connection`], and the [`Connections`] of a service.

use std::fmt::{self, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use super::access::AccessError;
use super::connection_file::{self, ConnectionFormat};
use super::password::Password;
use super::secret::{self, Written};
use crate::connect::Connector;
#[cfg(feature = "cli")]
use crate::connect::Variables;

/// Where a database is, and as whom to connect to it. Its `Debug` shows no password.
#[derive(Clone, Debug)]
pub struct Connection {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) user: String,
    pub(super) password: Option<Password>,
    pub(super) schema: Option<String>,
    pub(super) ssl_mode: Option<String>,
    pub(super) root_certificate: Option<String>,
    /// What libpq's programs are told, where that is more than the above.
    #[cfg(feature = "cli")]
    variables: Option<Variables>,
}

impl Connection {
    /// A connection called `name` in its service: `app`, `migration`. The host is a name, an address or the folder of a socket.
    pub fn new(
        name: impl Into<String>,
        host: impl Into<String>,
        database: impl Into<String>,
        user: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            host: host.into(),
            port: 5432,
            database: database.into(),
            user: user.into(),
            password: None,
            schema: None,
            ssl_mode: None,
            root_certificate: None,
            #[cfg(feature = "cli")]
            variables: None,
        }
    }

    /// How libpq's programs reach the database that a connector reaches, for [`backup`](crate::backup); `login` is whom the server takes
    /// it for. The password is among what programs are told, and nowhere else.
    #[cfg(feature = "cli")]
    pub(crate) fn of_connector(
        connector: &Connector,
        login: &str,
    ) -> Result<Self, crate::connect::ConnectError> {
        let mut variables = connector.variables()?;
        if variables.get("PGUSER").is_none() {
            variables.set("PGUSER", login);
        }
        let said = |name: &str| variables.get(name).unwrap_or_default().to_owned();
        let user = said("PGUSER");
        let host = variables.get("PGHOST").or_else(|| variables.get("PGHOSTADDR")).unwrap_or_default();
        // As in libpq, a database that nobody names has the login's name.
        let database = variables.get("PGDATABASE").unwrap_or(&user);
        let mut connection = Self::new("this command's", host, database, &user);
        connection.port = said("PGPORT").parse().unwrap_or(connection.port);
        connection.variables = Some(variables);
        Ok(connection)
    }

    /// The server's port; 5432 if not set.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The role's password; none is for a server that asks for none.
    #[must_use]
    pub fn password(mut self, password: Password) -> Self {
        self.password = Some(password);
        self
    }

    /// The schema that the service works in; files tell it, and the role's `search_path` should say it.
    #[must_use]
    pub fn schema(mut self, schema: impl Into<String>) -> Self {
        self.schema = Some(schema.into());
        self
    }

    /// How exact to be about TLS, in libpq's words: `require`, `verify-full`. Not written if not set.
    #[must_use]
    pub fn ssl_mode(mut self, mode: impl Into<String>) -> Self {
        self.ssl_mode = Some(mode.into());
        self
    }

    /// The file of root certificates, or `system`. Not written if not set.
    #[must_use]
    pub fn root_certificate(mut self, path: impl Into<String>) -> Self {
        self.root_certificate = Some(path.into());
        self
    }

    /// What it is called in its service.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The role that it connects as.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The database that it is to.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The connection as a URI, with the password in it, every character encoded that has a meaning there.
    ///
    /// ```
    /// use habitat_migrate::provision::{Connection, Password};
    ///
    /// let connection = Connection::new("app", "db.internal", "orders", "app").password(Password::new("a/b@c d%")?);
    /// assert_eq!(*connection.url(), "postgresql://app:a%2Fb%40c%20d%25@db.internal:5432/orders");
    /// # Ok::<(), habitat_migrate::provision::AccessError>(())
    /// ```
    pub fn url(&self) -> Zeroizing<String> {
        let mut url = Zeroizing::new(format!("postgresql://{}", Encoded(&self.user)));
        let put = |url: &mut String, piece: fmt::Arguments<'_>| {
            url.write_fmt(piece).expect("a String takes all that is written to it");
        };
        if let Some(password) = &self.password {
            put(&mut url, format_args!(":{}", Encoded(password.expose())));
        }
        match self.host.contains(':') && !self.host.starts_with('/') {
            true => put(&mut url, format_args!("@[{}]", self.host)),
            false => put(&mut url, format_args!("@{}", Encoded(&self.host))),
        }
        put(&mut url, format_args!(":{}/{}", self.port, Encoded(&self.database)));
        let settings = [("sslmode", &self.ssl_mode), ("sslrootcert", &self.root_certificate)];
        let settings = settings.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
        for ((key, value), mark) in settings.zip(['?', '&']) {
            put(&mut url, format_args!("{mark}{key}={}", Encoded(value)));
        }
        url
    }

    /// What opens this connection.
    ///
    /// # Errors
    ///
    /// [`Connect`](super::AccessErrorKind::Connect) where it is none that a [`Connector`] takes.
    pub fn connector(&self) -> Result<Connector, AccessError> {
        Connector::new(&self.url()).map_err(|error| {
            AccessError::connect(
                format!("the connection {:?} as {:?} is not usable", self.name, self.user),
                error,
            )
        })
    }

    /// The environment variables of libpq's programs.
    pub(crate) fn variables(&self) -> Vec<(String, Zeroizing<String>)> {
        #[cfg(feature = "cli")]
        if let Some(variables) = &self.variables {
            return variables.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        }
        let name = |key: &str| match key {
            "dbname" => "PGDATABASE".to_owned(),
            key => format!("PG{}", key.to_ascii_uppercase()),
        };
        self.pairs().into_iter().map(|(key, value)| (name(key), value)).collect()
    }

    /// The pairs that every format has, under libpq's names.
    pub(super) fn pairs(&self) -> Vec<(&'static str, Zeroizing<String>)> {
        let mut pairs = vec![
            ("host", self.host.clone()),
            ("port", self.port.to_string()),
            ("dbname", self.database.clone()),
            ("user", self.user.clone()),
        ];
        pairs.extend(self.password.as_ref().map(|password| ("password", password.expose().to_owned())));
        pairs.extend(self.ssl_mode.clone().map(|mode| ("sslmode", mode)));
        pairs.extend(self.root_certificate.clone().map(|path| ("sslrootcert", path)));
        pairs.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect()
    }
}

/// The connections of one service, to be written to files.
///
/// ```no_run
/// use habitat_migrate::provision::{Connection, ConnectionFormat, Connections, Password};
///
/// let password = Password::from_file_or_generate("secrets/billing_app_tst_user")?;
/// let app = Connection::new("app", "localhost", "go-labs-tst", "billing_app_tst_user").schema("billing");
/// Connections::new("billing")
///     .with(app.password(password))
///     .write("output/tst/billing-connections.yaml", &ConnectionFormat::Yaml)?;
/// # Ok::<(), habitat_migrate::provision::AccessError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Connections {
    pub(super) service: String,
    pub(super) connections: Vec<Connection>,
}

impl Connections {
    /// A service without connections.
    pub fn new(service: impl Into<String>) -> Self {
        Self { service: service.into(), connections: Vec::new() }
    }

    /// Adds a connection; its name is not another's.
    #[must_use]
    pub fn with(mut self, connection: Connection) -> Self {
        self.connections.push(connection);
        self
    }

    /// The text of a file: the same for the same connections.
    ///
    /// # Errors
    ///
    /// [`Invalid`](super::AccessErrorKind::Invalid) where two connections have one name, or a value is one that the format cannot hold.
    pub fn render(&self, format: &ConnectionFormat) -> Result<Zeroizing<String>, AccessError> {
        connection_file::render(self, format)
    }

    /// Writes a file that its owner alone may read; one that has this text is not touched.
    ///
    /// # Errors
    ///
    /// Those of [`Connections::render`], and [`File`](super::AccessErrorKind::File) where it cannot be written, or what is there is a
    /// symbolic link or open to others.
    pub fn write(&self, path: impl AsRef<Path>, format: &ConnectionFormat) -> Result<Written, AccessError> {
        secret::write(path.as_ref(), &self.render(format)?)
    }
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
struct Encoded<'a>(&'a str);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    f.write_char(byte.into())?
                }
                _ => write!(f, "%{byte:02X}")?,
            }
        }
        Ok(())
    }
}
