//! What a connection string asks for, checked: where to connect, as whom, and how exact about TLS.

use std::fmt::{self, Write as _};
use std::net::IpAddr;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, LoadBalanceHosts, SslNegotiation, TargetSessionAttrs};

use super::error::ConnectError;
use super::params::Params;
#[cfg(feature = "cli")]
use super::programs::Variables;
#[cfg(feature = "tls")]
use super::tls::TlsFiles;

/// A checked connection string.
#[derive(Clone)]
pub(super) struct Settings {
    /// All but the host, the port and TLS, which differ between attempts.
    pub(super) base: Config,
    /// Never empty.
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) mode: SslMode,
    pub(super) order: LoadBalanceHosts,
    #[cfg(feature = "tls")]
    pub(super) tls: TlsFiles,
    /// The same for libpq's programs, but for the host, the port and the password.
    #[cfg(feature = "cli")]
    pub(super) variables: Variables,
}

/// One entry of the host list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Endpoint {
    pub(super) place: Place,
    pub(super) port: u16,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// A directory with a socket in it.
    Unix(String),
    /// A name to look up.
    Name(String),
    /// An address, and the name that a certificate must bear if one was given.
    Address(IpAddr, Option<String>),
}

/// `sslmode`, in the order of
/// [SSL Mode Descriptions](https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum SslMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Settings {
    pub(super) fn parse(text: &str) -> Result<Settings, ConnectError> {
        Settings::of(&Params::parse(text)?)
    }

    pub(super) fn of(params: &Params) -> Result<Settings, ConnectError> {
        let endpoints = endpoints(params)?;
        let mode = ssl_mode(params, &endpoints)?;
        Ok(Settings {
            base: base(params, mode)?,
            mode,
            order: match params.get("load_balance_hosts") {
                None | Some("disable") => LoadBalanceHosts::Disable,
                Some("random") => LoadBalanceHosts::Random,
                Some(_) => return Err(wrong("load_balance_hosts", "`disable` or `random`")),
            },
            endpoints,
            #[cfg(feature = "tls")]
            tls: TlsFiles::read_from(params)?,
            #[cfg(feature = "cli")]
            variables: Variables::of(params),
        })
    }

    /// Whether any host of the list is reached by TCP; Unix-domain sockets never use TLS.
    pub(super) fn may_use_tls(&self) -> bool {
        self.mode != SslMode::Disable && self.endpoints.iter().any(|endpoint| !endpoint.is_unix())
    }

    /// `user@host:port/dbname`, as much of it as was given.
    pub(super) fn target(&self) -> String {
        let mut target = String::new();
        if let Some(user) = self.base.get_user() {
            target.push_str(user);
            target.push('@');
        }
        for (index, endpoint) in self.endpoints.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(target, "{comma}{endpoint}").expect("a String takes all that is written to it");
        }
        if let Some(dbname) = self.base.get_dbname() {
            target.push('/');
            target.push_str(dbname);
        }
        // A name may hold a newline; a message is one line.
        target
            .chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect()
    }
}

impl Endpoint {
    pub(super) fn is_unix(&self) -> bool {
        matches!(self.place, Place::Unix(_))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Name(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Place::Unix(name) | Place::Name(name) | Place::Address(_, Some(name)) => {
                write!(f, "{name}:{}", self.port)
            }
            Place::Address(IpAddr::V6(address), None) => write!(f, "[{address}]:{}", self.port),
            Place::Address(IpAddr::V4(address), None) => write!(f, "{address}:{}", self.port),
        }
    }
}

/// Pairs hosts, addresses and ports as
/// [libpq does](https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-MULTIPLE-HOSTS).
fn endpoints(params: &Params) -> Result<Vec<Endpoint>, ConnectError> {
    let list = |key| params.get(key).map(|value| value.split(',').collect::<Vec<_>>());
    let (hosts, addresses) = (list("host"), list("hostaddr"));
    let count = match (&hosts, &addresses) {
        (Some(hosts), Some(addresses)) if hosts.len() != addresses.len() => {
            return Err(ConnectError::invalid("`host` and `hostaddr` list different numbers of servers"));
        }
        (Some(list), _) | (None, Some(list)) => list.len(),
        (None, None) => {
            return Err(ConnectError::invalid(
                "no host is named: give one, as in host=localhost or host=/var/run/postgresql",
            ));
        }
    };
    let ports = list("port").unwrap_or_else(|| vec![""]);
    if ports.len() != 1 && ports.len() != count {
        return Err(ConnectError::invalid("`port` lists neither one port nor one for each host"));
    }
    (0..count)
        .map(|index| {
            let host = hosts.as_ref().map(|hosts| hosts[index]).filter(|host| !host.is_empty());
            let address = addresses.as_ref().map(|addresses| addresses[index]).filter(|a| !a.is_empty());
            let place = match (host, address) {
                (host, Some(address)) => {
                    let address = address.parse().map_err(|_| wrong("hostaddr", "a numeric IP address"))?;
                    Place::Address(address, host.map(str::to_owned))
                }
                (Some(path), None) if path.starts_with('/') => Place::Unix(path.to_owned()),
                (Some(name), None) if name.starts_with('@') => {
                    return Err(ConnectError::invalid(
                        "sockets in the abstract namespace are not supported yet",
                    ));
                }
                (Some(name), None) => Place::Name(name.to_owned()),
                (None, None) => return Err(ConnectError::invalid("the host list has an empty entry")),
            };
            let port = match ports.get(index).or(ports.first()).copied().unwrap_or_default() {
                "" => 5432,
                port => port.parse().ok().filter(|port| *port != 0).ok_or(wrong("port", "1 to 65535"))?,
            };
            Ok(Endpoint { place, port })
        })
        .collect()
}

fn ssl_mode(params: &Params, endpoints: &[Endpoint]) -> Result<SslMode, ConnectError> {
    let system = params.get("sslrootcert") == Some("system");
    let mode = match params.get("sslmode") {
        None if system => SslMode::VerifyFull,
        None | Some("prefer") => SslMode::Prefer,
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(_) => return Err(wrong("sslmode", "disable, allow, prefer, require, verify-ca or verify-full")),
    };
    if system && mode != SslMode::VerifyFull {
        return Err(ConnectError::invalid(
            "sslrootcert=system needs sslmode=verify-full: a weaker mode is of no use",
        ));
    }
    if params.get("sslnegotiation") == Some("direct") && mode < SslMode::Require {
        return Err(ConnectError::invalid(
            "sslnegotiation=direct needs sslmode=require, verify-ca or verify-full",
        ));
    }
    if params.get("gssencmode").is_some_and(|mode| mode == "require") {
        return Err(ConnectError::invalid("gssencmode=require is not supported: encrypt by TLS"));
    }
    let tcp = endpoints.iter().any(|endpoint| !endpoint.is_unix());
    if tcp && mode >= SslMode::Require && cfg!(not(feature = "tls")) {
        return Err(ConnectError::tls(
            "sslmode asks for TLS: enable the feature `tls` of habitat-migrate".to_owned(),
        ));
    }
    let nameless = endpoints.iter().any(|endpoint| matches!(endpoint.place, Place::Address(_, None)));
    if nameless && mode == SslMode::VerifyFull {
        return Err(ConnectError::invalid(
            "sslmode=verify-full needs a `host`: the name that the certificate must bear",
        ));
    }
    Ok(mode)
}

fn base(params: &Params, mode: SslMode) -> Result<Config, ConnectError> {
    let mut base = Config::new();
    if let Some(user) = params.get("user") {
        base.user(user);
    }
    if let Some(password) = params.password() {
        base.password(password);
    }
    if let Some(dbname) = params.get("dbname") {
        base.dbname(dbname);
    }
    if let Some(options) = params.get("options") {
        base.options(options);
    }
    let fallback = params.get("fallback_application_name").unwrap_or("habitat-migrate");
    base.application_name(params.get("application_name").unwrap_or(fallback));
    if params.get("client_encoding").is_some_and(|e| !["utf8", "utf-8", "auto"].contains(&&*e.to_lowercase()))
    {
        return Err(wrong("client_encoding", "UTF8 or auto"));
    }
    base.ssl_negotiation(match params.get("sslnegotiation") {
        None | Some("postgres") => SslNegotiation::Postgres,
        Some("direct") => SslNegotiation::Direct,
        Some(_) => return Err(wrong("sslnegotiation", "`postgres` or `direct`")),
    });
    base.target_session_attrs(match params.get("target_session_attrs") {
        None | Some("any") => TargetSessionAttrs::Any,
        Some("read-write") => TargetSessionAttrs::ReadWrite,
        Some("read-only") => TargetSessionAttrs::ReadOnly,
        Some(_) => return Err(wrong("target_session_attrs", "any, read-write or read-only")),
    });
    base.channel_binding(match params.get("channel_binding") {
        None | Some("prefer") => ChannelBinding::Prefer,
        Some("disable") => ChannelBinding::Disable,
        Some("require") if mode == SslMode::Disable => {
            return Err(ConnectError::invalid(
                "channel_binding=require needs TLS, and sslmode=disable forbids it",
            ));
        }
        Some("require") => ChannelBinding::Require,
        Some(_) => return Err(wrong("channel_binding", "disable, prefer or require")),
    });
    timeouts(&mut base, params)?;
    Ok(base)
}

/// Notices a server that is gone within about a minute, where the driver would wait for two hours.
fn timeouts(base: &mut Config, params: &Params) -> Result<(), ConnectError> {
    let seconds = |key, default| Ok(positive(params, key)?.map_or(default, Duration::from_secs));
    base.keepalives(number(params, "keepalives")? != Some(0));
    base.keepalives_idle(seconds("keepalives_idle", Duration::from_secs(30))?);
    base.keepalives_interval(seconds("keepalives_interval", Duration::from_secs(10))?);
    // libpq's key, then the driver's own.
    let retries =
        positive(params, "keepalives_count")?.or(positive(params, "keepalives_retries")?).unwrap_or(3);
    base.keepalives_retries(u32::try_from(retries).unwrap_or(u32::MAX));
    match number(params, "tcp_user_timeout")? {
        None => base.tcp_user_timeout(Duration::from_secs(60)),
        // The system's own.
        Some(0) => &mut *base,
        // Milliseconds as in libpq; the driver's own parser takes seconds.
        Some(milliseconds) => base.tcp_user_timeout(Duration::from_millis(milliseconds)),
    };
    base.connect_timeout(match number(params, "connect_timeout")? {
        None => CONNECT_TIMEOUT,
        Some(0) => FOREVER,
        Some(seconds) => Duration::from_secs(seconds),
    });
    Ok(())
}

fn positive(params: &Params, key: &'static str) -> Result<Option<u64>, ConnectError> {
    Ok(number(params, key)?.filter(|number| *number > 0))
}

/// A number that is not negative; libpq takes a negative one for zero.
fn number(params: &Params, key: &'static str) -> Result<Option<u64>, ConnectError> {
    let Some(value) = params.get(key) else { return Ok(None) };
    let value: i32 = value.trim_ascii().parse().map_err(|_| wrong(key, "a whole number"))?;
    Ok(Some(u64::try_from(value).unwrap_or(0)))
}

fn wrong(key: &'static str, expected: &str) -> ConnectError {
    ConnectError::invalid(format!("the value of `{key}` is not {expected}"))
}

/// What one attempt at one host may take if the user set no `connect_timeout`: a packet filter that drops
/// everything must not use up the whole deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// `connect_timeout=0`; a number that a clock can still be moved by.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);
