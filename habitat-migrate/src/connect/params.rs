//! The two spellings of a connection string, read into keys and values.
//!
//! [Connection strings](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING) are
//! `key = 'value'` pairs or a URI. They are read here, not by the driver, because the driver refuses libpq's
//! own TLS parameters, and because a piece of a password must not come back as a host or in a message.

use std::collections::BTreeMap;

use super::error::ConnectError;

/// The parameters of one connection string. A key with an empty value counts as not given, as in libpq.
#[derive(Default)]
pub(super) struct Params {
    values: BTreeMap<String, String>,
    /// Bytes, because a percent-encoded password need not be UTF-8.
    password: Option<Vec<u8>>,
    /// Whether `service`, `servicefile` and `passfile` are read, and what they say.
    files: Option<BTreeMap<String, String>>,
}

impl Params {
    /// Reads either spelling.
    pub(super) fn parse(text: &str) -> Result<Params, ConnectError> {
        Params::default().read(text)
    }

    /// Reads either spelling, for somebody who reads the files that it may name, too.
    pub(super) fn parse_with_files(text: &str) -> Result<Params, ConnectError> {
        Params { files: Some(BTreeMap::new()), ..Params::default() }.read(text)
    }

    fn read(self, text: &str) -> Result<Params, ConnectError> {
        // A string that was read from a file or a mounted secret often ends in a newline.
        let text = text.trim_ascii();
        let mut params = self;
        match SCHEMES.iter().find_map(|scheme| text.strip_prefix(scheme)) {
            Some(rest) => params.read_uri(rest)?,
            None => params.read_pairs(text)?,
        }
        params.values.retain(|_, value| !value.is_empty());
        params.password = params.password.filter(|password| !password.is_empty());
        Ok(params)
    }

    /// The value of a key, if one was given.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        debug_assert!(KNOWN.contains(&key), "{key} is read but never accepted");
        self.values.get(key).map(String::as_str)
    }

    /// The password, if one was given.
    pub(super) fn password(&self) -> Option<&[u8]> {
        self.password.as_deref()
    }

    /// The value of `service`, `servicefile` or `passfile`.
    pub(super) fn file(&self, key: &str) -> Option<&str> {
        self.files.as_ref()?.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of any key, as far as it can be shown.
    pub(super) fn given(&self, key: &str) -> Option<&str> {
        match key {
            "password" => self.password.as_ref().map(|_| ""),
            key => self.values.get(key).map(String::as_str),
        }
    }

    /// Gives a key a value from elsewhere.
    pub(super) fn fill(&mut self, key: &str, value: String) -> Result<(), ConnectError> {
        self.put_named(key, value.into_bytes(), false)
    }

    fn read_uri(&mut self, rest: &str) -> Result<(), ConnectError> {
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (credentials, hosts) = match authority.split_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        // A raw `/`, `?` or `@` inside a password would make its second half a host or a database, and those
        // are shown. No place behind the credentials needs a raw `@`, so the doubt is settled by refusing it.
        if hosts.contains('@') || tail.contains('@') {
            return Err(ConnectError::invalid(
                "the URI has an `@` behind its user and password: write `@`, `/`, `?`, `#`, `:` and `%` in them, \
                 and `@` anywhere else, as %40, %2F, %3F, %23, %3A and %25",
            ));
        }
        if let Some(credentials) = credentials {
            let (user, password) = match credentials.split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (credentials, None),
            };
            self.put("user", decode(user, "the user")?)?;
            if let Some(password) = password {
                self.put("password", decode(password, "the password")?)?;
            }
        }
        self.read_hosts(hosts)?;
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, query),
            None => (tail, ""),
        };
        self.put("dbname", decode(path.strip_prefix('/').unwrap_or(path), "the database's name")?)?;
        self.read_query(query)
    }

    fn read_hosts(&mut self, hosts: &str) -> Result<(), ConnectError> {
        let (mut names, mut ports) = (Vec::new(), Vec::new());
        for host in hosts.split(',') {
            let (name, port) = match host.strip_prefix('[') {
                Some(address) => match address.split_once(']') {
                    Some((address, "")) => (address, ""),
                    Some((address, port)) if port.starts_with(':') => (address, &port[1..]),
                    _ => {
                        return Err(ConnectError::invalid(
                            "a host in brackets is not closed before its port",
                        ));
                    }
                },
                None => host.split_once(':').unwrap_or((host, "")),
            };
            names.push(text(decode(name, "the host")?, "the host")?);
            ports.push(text(decode(port, "the port")?, "the port")?);
        }
        if names.iter().any(|name| !name.is_empty()) {
            self.values.insert("host".to_owned(), names.join(","));
        }
        if ports.iter().any(|port| !port.is_empty()) {
            self.values.insert("port".to_owned(), ports.join(","));
        }
        Ok(())
    }

    fn read_query(&mut self, query: &str) -> Result<(), ConnectError> {
        let mut behind_password = false;
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((key, value)) = pair.split_once('=') else {
                return Err(ConnectError::invalid("a parameter of the URI has no `=`"));
            };
            let key = text(decode(key, "a parameter's key")?, "a parameter's key")?;
            let value = decode(value, "a parameter's value")?;
            // The one spelling of JDBC that libpq takes in URIs.
            let (key, value) = match (key.as_str(), value.as_slice()) {
                ("ssl", b"true") => ("sslmode", b"require".to_vec()),
                (key, _) => (key, value),
            };
            self.put_named(key, value, behind_password)?;
            behind_password |= key.ends_with("password");
        }
        Ok(())
    }

    fn read_pairs(&mut self, text: &str) -> Result<(), ConnectError> {
        let mut rest = text;
        let mut behind_password = false;
        loop {
            rest = rest.trim_ascii_start();
            if rest.is_empty() {
                return Ok(());
            }
            let end = rest.find(|c: char| c == '=' || c.is_ascii_whitespace()).unwrap_or(rest.len());
            let (key, behind) = rest.split_at(end);
            let Some(behind) = behind.trim_ascii_start().strip_prefix('=') else {
                return Err(ConnectError::invalid(format!(
                    "no `=` stands behind the key at byte {}; a value with spaces needs single quotes, and a URI \
                     begins with postgresql://",
                    text.len() - rest.len(),
                )));
            };
            let (value, behind) = take_value(behind.trim_ascii_start())?;
            self.put_named(key, value.into_bytes(), behind_password)?;
            behind_password |= key.ends_with("password");
            rest = behind;
        }
    }

    /// Stores a pair whose key the user typed.
    fn put_named(&mut self, key: &str, value: Vec<u8>, behind_password: bool) -> Result<(), ConnectError> {
        if KNOWN.contains(&key) {
            return self.put(key, value);
        }
        if let (Some(files), "service" | "servicefile" | "passfile") = (&mut self.files, key) {
            files.insert(key.to_owned(), text(value, key)?);
            return Ok(());
        }
        if UNSUPPORTED.contains(&key) {
            return Err(ConnectError::invalid(format!("the parameter `{key}` is not supported yet")));
        }
        // What stands unquoted behind a password may be its second half; what is no word may be anything.
        if behind_password || key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err(ConnectError::invalid(
                "a key is unknown; it is not shown, since it may be a part of the password (quote the value, or \
                 percent-encode it in a URI)",
            ));
        }
        Err(ConnectError::invalid(format!("unknown parameter `{key}`")))
    }

    fn put(&mut self, key: &str, value: Vec<u8>) -> Result<(), ConnectError> {
        if value.contains(&0) {
            return Err(ConnectError::invalid(format!("the value of `{key}` has a zero byte")));
        }
        // The last of several wins, as in libpq.
        if key == "password" {
            self.password = Some(value);
        } else {
            let value = text(value, key)?;
            self.values.insert(key.to_owned(), value);
        }
        Ok(())
    }
}

/// Takes one value of the key = value spelling off the front: its text, and what stands behind it.
fn take_value(text: &str) -> Result<(String, &str), ConnectError> {
    let quoted = text.starts_with('\'');
    let mut value = String::new();
    let mut chars = text.char_indices().skip(usize::from(quoted));
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && c.is_ascii_whitespace() => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        return Err(ConnectError::invalid("a quoted value has no closing quote"));
    }
    Ok((value, ""))
}

fn decode(text: &str, what: &str) -> Result<Vec<u8>, ConnectError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => bytes.push((high << 4 | low) as u8),
            _ => {
                return Err(ConnectError::invalid(format!(
                    "a `%` in {what} is not followed by two hexadecimal digits"
                )));
            }
        }
    }
    Ok(bytes)
}

fn text(bytes: Vec<u8>, what: &str) -> Result<String, ConnectError> {
    String::from_utf8(bytes).map_err(|_| ConnectError::invalid(format!("{what} is not UTF-8")))
}

const SCHEMES: [&str; 2] = ["postgresql://", "postgres://"];

/// What is understood. The meaning of each is in `settings` and `tls`.
const KNOWN: [&str; 31] = [
    "application_name",
    "channel_binding",
    "client_encoding",
    "connect_timeout",
    "dbname",
    "fallback_application_name",
    "gssencmode",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslcert",
    "sslcertmode",
    "sslcompression",
    "sslkey",
    "sslmode",
    "sslnegotiation",
    "sslrootcert",
    "sslsni",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// What libpq knows besides: refused by name, so that nobody takes it for a slip of the pen.
const UNSUPPORTED: [&str; 22] = [
    "gssdelegation",
    "gsslib",
    "krbsrvname",
    "max_protocol_version",
    "min_protocol_version",
    "oauth_client_id",
    "oauth_client_secret",
    "oauth_issuer",
    "oauth_scope",
    "passfile",
    "replication",
    "require_auth",
    "requirepeer",
    "requiressl",
    "scram_client_key",
    "scram_server_key",
    "service",
    "servicefile",
    "sslcrl",
    "sslcrldir",
    "sslkeylogfile",
    "sslpassword",
];
