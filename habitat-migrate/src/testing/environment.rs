//! Servers that environment variables name, and which of them tests may use.

use std::net::IpAddr;
use std::time::Duration;

use postgres::Config;
use postgres::config::Host;

use super::builder;
use super::error::{Kind, ServerError};
use super::server::Server;

/// The server of `HABITAT_TEST_DATABASE_URL`, else that of `DATABASE_URL` if it is fit; a line for each that is not.
///
/// `wanted` is the major version that a test asks for by itself.
pub(super) fn server(wanted: Option<u32>, tried: &mut Vec<String>) -> Result<Option<Server>, ServerError> {
    if let Some(url) = variable(FOR_TESTS) {
        let server = Server::external(FOR_TESTS, url)?;
        match wanted {
            Some(major) if major != server.major() => tried.push(other_version(FOR_TESTS, &server)),
            _ => return Ok(Some(server)),
        }
    } else {
        tried.push(format!("{FOR_TESTS}: not set"));
    }
    match variable(GENERAL) {
        None => tried.push(format!("{GENERAL}: not set")),
        Some(url) => match general(wanted, url, Consent::read()?)? {
            Ok(server) => return Ok(Some(server)),
            Err(reason) => tried.push(reason),
        },
    }
    Ok(None)
}

/// The server of `DATABASE_URL`, or why it is passed over. Whoever has consented to its use is told of every error.
fn general(
    wanted: Option<u32>,
    url: String,
    consent: Consent,
) -> Result<Result<Server, String>, ServerError> {
    let passed_over = |reason: &str| Ok(Err(format!("{GENERAL}: {reason}")));
    match consent {
        Consent::Refused => return passed_over(&format!("not used, as {CONSENT}=0 says")),
        Consent::Given => {}
        // It is said nowhere what the address is: it may hold a password.
        Consent::IfLocal => match url.parse::<Config>() {
            Err(_) => return passed_over("no connection string"),
            Ok(config) if !is_local(&config) => {
                return passed_over(&format!(
                    "not on this machine, and tests create and drop databases; {CONSENT}=1 allows it"
                ));
            }
            Ok(_) => {}
        },
    }
    let wanted = builder::version(wanted)?;
    let server = match Server::external(GENERAL, url) {
        Ok(server) => server,
        Err(error) if consent == Consent::Given => return Err(error),
        Err(error) => return passed_over(&format!("{error:?}")),
    };
    if wanted.is_some_and(|major| major != server.major()) {
        return Ok(Err(other_version(GENERAL, &server)));
    }
    match server.may_create_databases() {
        Ok(true) => Ok(Ok(server)),
        Ok(false) if consent == Consent::Given => Err(Kind::NoRight { variable: GENERAL }.into()),
        Ok(false) => passed_over("its user may not create databases"),
        Err(error) => passed_over(&format!("{error:?}")),
    }
}

fn other_version(name: &str, server: &Server) -> String {
    format!("{name}: it is PostgreSQL {}", server.version())
}

/// Whether all that this address may lead to is on this machine. Names are not looked up: only `localhost` is known.
fn is_local(config: &Config) -> bool {
    let addresses = config.get_hostaddrs();
    let hosts = config.get_hosts().iter().all(|host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) if name.eq_ignore_ascii_case("localhost") => true,
        // An address is what a name that goes with it means.
        Host::Tcp(name) => {
            name.parse().map_or(!addresses.is_empty(), |address: IpAddr| address.is_loopback())
        }
    });
    hosts && addresses.iter().all(IpAddr::is_loopback)
}

/// What `HABITAT_TEST_USE_DATABASE_URL` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Consent {
    Given,
    Refused,
    IfLocal,
}

impl Consent {
    fn read() -> Result<Self, ServerError> {
        match variable(CONSENT).as_deref().map(str::trim) {
            None => Ok(Self::IfLocal),
            Some("1") => Ok(Self::Given),
            Some("0") => Ok(Self::Refused),
            Some(text) => {
                Err(Kind::Variable { name: CONSENT, text: text.to_owned(), wanted: "1 or 0" }.into())
            }
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.trim().is_empty())
}

const FOR_TESTS: &str = "HABITAT_TEST_DATABASE_URL";
const GENERAL: &str = "DATABASE_URL";
const CONSENT: &str = "HABITAT_TEST_USE_DATABASE_URL";

/// How long an address on this machine may take to answer.
pub(super) const ANSWER: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_and_sockets_are_local() {
        for (address, local) in [
            ("postgres://u@localhost/db", true),
            ("postgres://u@LOCALHOST:6000/db", true),
            ("postgres://u@127.0.0.1/db", true),
            ("postgres://u@127.8.8.8/db", true),
            ("postgres://u@[::1]/db", true),
            ("postgres://u@%2Ftmp/db", true),
            ("host=/run/postgresql user=u", true),
            ("postgres://u@db/db", false),
            ("postgres://u@localhost.example.com/db", false),
            ("postgres://u@10.0.0.1/db", false),
            ("postgres://u@0.0.0.0/db", false),
            ("host=localhost,db.example.com user=u", false),
            ("host=db.example.com hostaddr=127.0.0.1 user=u", true),
            ("host=localhost hostaddr=10.0.0.1 user=u", false),
            ("hostaddr=10.0.0.1 user=u", false),
        ] {
            assert_eq!(is_local(&address.parse().unwrap()), local, "{address}");
        }
    }
}
