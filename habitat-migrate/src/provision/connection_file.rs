//! The formats of connection files.

use std::collections::HashMap;
use std::fmt::{self, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::access::AccessError;
use super::connection::{Connection, Connections};
use super::connection_text::{PassField, Quoted, ShellWord};

/// What a file of connections is written in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectionFormat {
    /// `service`, and under `connections` for each one `host`, `port`, `database`, `user`, `password`, `schema`, `sslmode`, `sslrootcert`, `url`.
    Yaml,
    /// The same keys, in tables `[connections.app]`.
    Toml,
    /// Variables for a shell and for programs: `PGHOST`, `PGPORT`, `PGDATABASE`, `PGUSER`, `PGPASSWORD`, `PGSSLMODE`, `PGSSLROOTCERT` and
    /// `DATABASE_URL`; with several connections each has the connection's name before it, `APP_PGHOST`.
    Env,
    /// libpq's password file: `host:port:database:user:password`.
    /// <https://www.postgresql.org/docs/current/libpq-pgpass.html>
    Pgpass,
    /// libpq's connection service file, `pg_service.conf`, with a section `[service-name]` for each connection; it holds no
    /// password that ends in a space, so the password may better be in a [`Pgpass`](Self::Pgpass) file:
    /// leave it out of the connections that are written here.
    /// <https://www.postgresql.org/docs/current/libpq-pgservice.html>
    PgService,
    /// A manifest of Kubernetes with a Secret `service-name` for each connection.
    KubernetesSecret(KubernetesSecret),
}

/// How a manifest of Secrets is written.
///
/// The keys of each are `host`, `port`, `dbname`, `username`, `password`, `schema`, `sslmode`, `sslrootcert` and `uri`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesSecret {
    namespace: Option<String>,
    plain: bool,
}

impl KubernetesSecret {
    /// Secrets without a namespace, values in base64 under `data`.
    pub fn new() -> Self {
        Self::default()
    }

    /// The namespace of the Secrets.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }

    /// Writes the values as they are, under `stringData`.
    #[must_use]
    pub fn string_data(mut self) -> Self {
        self.plain = true;
        self
    }
}

pub(super) fn render(all: &Connections, format: &ConnectionFormat) -> Result<Zeroizing<String>, AccessError> {
    check(all)?;
    // Room enough at once: a text that grows leaves its beginnings in memory.
    let mut text = Zeroizing::new(String::with_capacity(1024 + 4096 * all.connections.len()));
    match format {
        ConnectionFormat::Yaml => yaml(all, &mut text),
        ConnectionFormat::Toml => toml(all, &mut text),
        ConnectionFormat::Env => env(all, &mut text)?,
        ConnectionFormat::Pgpass => pgpass(all, &mut text)?,
        ConnectionFormat::PgService => service(all, &mut text)?,
        ConnectionFormat::KubernetesSecret(secret) => kubernetes(all, secret, &mut text)?,
    }
    Ok(text)
}

/// What no format can hold, or would make one connection hide another.
fn check(all: &Connections) -> Result<(), AccessError> {
    let mut names: HashMap<&str, &Connection> = HashMap::new();
    for connection in &all.connections {
        if names.insert(&connection.name, connection).is_some() {
            return Err(AccessError::invalid(format!(
                "two connections of {:?} are named {:?}",
                all.service, connection.name
            )));
        }
        let texts = connection.pairs().into_iter().chain([
            ("name", Zeroizing::new(connection.name.clone())),
            ("schema", Zeroizing::new(connection.schema.clone().unwrap_or_else(|| "none".to_owned()))),
        ]);
        for (key, value) in texts {
            if value.is_empty() || value.contains(['\0', '\r', '\n']) {
                return Err(wrong(connection, key, "is empty, or has NUL or a line break in it"));
            }
        }
    }
    if all.service.is_empty() || all.service.contains(['\0', '\r', '\n']) {
        return Err(AccessError::invalid(
            "the name of the service is empty, or has NUL or a line break in it",
        ));
    }
    Ok(())
}

/// Never shows the value: it may be the password.
fn wrong(connection: &Connection, key: &str, why: &str) -> AccessError {
    AccessError::invalid(format!("{key} of connection {:?} cannot be written: it {why}", connection.name))
}

fn put(text: &mut String, line: fmt::Arguments<'_>) {
    text.write_fmt(line)
        .and_then(|()| text.write_char('\n'))
        .expect("a String takes all that is written to it");
}

/// The keys of YAML and TOML. The port is a number there, all others are texts.
fn keys(connection: &Connection) -> Vec<(&'static str, Zeroizing<String>)> {
    let quoted = |value: &str| Zeroizing::new(Quoted(value).to_string());
    let mut keys: Vec<_> = connection
        .pairs()
        .into_iter()
        .map(|(key, value)| match key {
            "port" => (key, value),
            "dbname" => ("database", quoted(&value)),
            key => (key, quoted(&value)),
        })
        .collect();
    keys.extend(connection.schema.as_ref().map(|schema| ("schema", quoted(schema))));
    keys.push(("url", quoted(&connection.url())));
    keys
}

fn yaml(all: &Connections, text: &mut String) {
    put(text, format_args!("{HEAD}"));
    put(text, format_args!("service: {}", Quoted(&all.service)));
    put(text, format_args!("connections:{}", if all.connections.is_empty() { " {}" } else { "" }));
    for connection in &all.connections {
        put(text, format_args!("  {}:", Quoted(&connection.name)));
        for (key, value) in keys(connection) {
            put(text, format_args!("    {key}: {}", *value));
        }
    }
}

fn toml(all: &Connections, text: &mut String) {
    put(text, format_args!("{HEAD}"));
    put(text, format_args!("service = {}", Quoted(&all.service)));
    for connection in &all.connections {
        put(text, format_args!("\n[connections.{}]", Quoted(&connection.name)));
        for (key, value) in keys(connection) {
            put(text, format_args!("{key} = {}", *value));
        }
    }
}

fn env(all: &Connections, text: &mut String) -> Result<(), AccessError> {
    put(text, format_args!("{HEAD}"));
    let mut seen: HashMap<String, &str> = HashMap::new();
    for connection in &all.connections {
        let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        let prefix: String = match all.connections.len() {
            1 => String::new(),
            _ => connection.name.chars().map(letter).chain(['_']).collect(),
        };
        if prefix.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(wrong(connection, "name", "begins with a digit, as no variable does"));
        }
        if let Some(other) = seen.insert(prefix.clone(), &connection.name) {
            return Err(wrong(connection, "name", &format!("gives the same variables as {other:?}")));
        }
        for (name, value) in connection.variables() {
            put(text, format_args!("{prefix}{name}={}", ShellWord(&value)));
        }
        put(text, format_args!("{prefix}DATABASE_URL={}", ShellWord(&connection.url())));
    }
    Ok(())
}

fn pgpass(all: &Connections, text: &mut String) -> Result<(), AccessError> {
    put(text, format_args!("{HEAD}"));
    let mut seen: HashMap<(&str, u16, &str, &str), &Connection> = HashMap::new();
    for connection in &all.connections {
        let Some(password) = &connection.password else { continue };
        let Connection { host, port, database, user, .. } = connection;
        // libpq takes the first line that fits.
        let other = seen.insert((host, *port, database, user), connection);
        if other
            .and_then(|other| other.password.as_ref())
            .is_some_and(|other| other.expose() != password.expose())
        {
            return Err(wrong(
                connection,
                "password",
                "differs from that of another connection of the same role",
            ));
        }
        if host.starts_with('#') {
            return Err(wrong(connection, "host", "begins with `#`, which would make the line a comment"));
        }
        let (host, database, user) = (PassField(host), PassField(database), PassField(user));
        put(text, format_args!("{host}:{port}:{database}:{user}:{}", PassField(password.expose())));
    }
    Ok(())
}

fn service(all: &Connections, text: &mut String) -> Result<(), AccessError> {
    put(text, format_args!("{HEAD}"));
    for connection in &all.connections {
        if connection.name.contains(']') || all.service.contains(']') {
            return Err(wrong(
                connection,
                "name",
                "or that of the service has `]`, which ends the name of a section",
            ));
        }
        put(text, format_args!("[{}-{}]", all.service, connection.name));
        for (key, value) in connection.pairs() {
            // libpq cuts white space off the end of a line, and knows no quotes.
            if value.ends_with(|c: char| c.is_ascii_whitespace() || c == '\x0b') {
                return Err(wrong(
                    connection,
                    key,
                    "ends in white space, which libpq cuts off: use a password file for it",
                ));
            }
            put(text, format_args!("{key}={}", *value));
        }
    }
    Ok(())
}

fn kubernetes(all: &Connections, secret: &KubernetesSecret, text: &mut String) -> Result<(), AccessError> {
    put(text, format_args!("{HEAD}"));
    for (n, connection) in all.connections.iter().enumerate() {
        if n > 0 {
            put(text, format_args!("---"));
        }
        let name = format!("{}-{}", all.service, connection.name).replace('_', "-");
        if !is_label(&name)
            || all.connections[..n]
                .iter()
                .any(|other| other.name.replace('_', "-") == connection.name.replace('_', "-"))
        {
            return Err(wrong(
                connection,
                "name",
                "gives no name of its own that Kubernetes takes (a-z, 0-9 and `-`, 63 at most)",
            ));
        }
        put(text, format_args!("apiVersion: v1\nkind: Secret\nmetadata:\n  name: {}", Quoted(&name)));
        if let Some(namespace) = &secret.namespace {
            if !is_label(namespace) {
                return Err(AccessError::invalid(format!(
                    "{namespace:?} is no namespace of Kubernetes (a-z, 0-9 and `-`, 63 at most)"
                )));
            }
            put(text, format_args!("  namespace: {}", Quoted(namespace)));
        }
        put(text, format_args!("type: Opaque\n{}:", if secret.plain { "stringData" } else { "data" }));
        let mut pairs = connection.pairs();
        pairs.extend(connection.schema.as_ref().map(|schema| ("schema", Zeroizing::new(schema.clone()))));
        pairs.push(("uri", connection.url()));
        for (key, value) in pairs {
            let key = if key == "user" { "username" } else { key };
            let value = match secret.plain {
                true => Zeroizing::new(Quoted(&value).to_string()),
                // Quoted, since base64 may look like a number.
                false => {
                    Zeroizing::new(format!("\"{}\"", *Zeroizing::new(STANDARD.encode(value.as_bytes()))))
                }
            };
            put(text, format_args!("  {key}: {}", *value));
        }
    }
    Ok(())
}

/// A label of RFC 1123.
fn is_label(name: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&name.len())
        && name.chars().all(|c| letter(c) || c == '-')
        && name.starts_with(letter)
        && name.ends_with(letter)
}

const HEAD: &str = "# Written by habitat-migrate; what is changed here by hand is written over.";
