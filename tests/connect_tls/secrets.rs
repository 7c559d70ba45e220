//! R47: thirty shapes of connection strings, every failure, and no password in any error.

use std::error::Error;
use std::net::TcpListener;
use std::time::Duration;

use habitat_migrate::connect::{ConnectError, ConnectErrorKind, Connector};
use tokio::runtime::Runtime;

use crate::{Outcome, Secured};

/// Passwords with every character that one spelling or the other gives a meaning, in words to look for.
const PASSWORDS: [&str; 6] = [
    "zebra7@quagga",
    "zebra@quagga/okapi?tapir#ibex",
    "zebra quagga",
    r"zebra'quagga\okapi",
    "zebra%41quagga%zz",
    "zébra=quagga&okapi:tapir",
];

/// Who is asked, for a spelling to put together.
#[derive(Clone, Copy)]
struct Ask<'a> {
    host: &'a str,
    port: u16,
    user: &'a str,
    dbname: &'a str,
    more: &'a [(&'a str, &'a str)],
}

impl Ask<'_> {
    fn more(&self, before_each: char) -> String {
        self.more.iter().map(|(key, value)| format!("{before_each}{key}={value}")).collect()
    }

    fn pairs(&self) -> String {
        let Ask { host, port, user, dbname, .. } = self;
        format!("host={host} hostaddr=127.0.0.1 port={port} user={user} dbname={dbname}{}", self.more(' '))
    }
}

/// Five ways to write each: three right ones, and two of people in a hurry.
const SPELLINGS: [fn(&Ask, &str) -> String; 5] = [
    |ask, password| in_authority(ask, &percent(password)),
    |ask, password| {
        let Ask { host, port, user, dbname, .. } = ask;
        let (password, more) = (percent(password), ask.more('&'));
        format!(
            "postgres:///{dbname}?host={host}&hostaddr=127.0.0.1&port={port}&user={user}&password={password}{more}"
        )
    },
    |ask, password| {
        let password = password.replace('\\', r"\\").replace('\'', r"\'");
        format!("password='{password}' {}", ask.pairs())
    },
    in_authority,
    |ask, password| format!("{} password={password}", ask.pairs()),
];

fn in_authority(ask: &Ask, password: &str) -> String {
    let Ask { host, port, user, dbname, .. } = ask;
    format!("postgresql://{user}:{password}@{host}:{port}/{dbname}?hostaddr=127.0.0.1{}", ask.more('&'))
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}

#[track_caller]
fn shows_no_password(what: &str, shown: &str) {
    for word in ["zebra", "zébra", "z\\u{e9}bra", "bra", "quagga", "okapi", "tapir", "ibex"] {
        assert!(!shown.contains(word), "{what} shows a part of the password: {shown}");
    }
}

fn check_error(what: &str, error: &ConnectError) {
    shows_no_password(what, &format!("{error} {error:?} {error:#?}"));
    let mut source = error.source();
    while let Some(error) = source {
        shows_no_password(what, &format!("{error} {error:?} {error:#?}"));
        source = error.source();
    }
}

#[test]
fn r47_no_error_shows_a_password() -> Outcome {
    use ConnectErrorKind::{Authentication, Invalid, MissingDatabase, Tls, Unavailable};
    let secured = Secured::start()?;
    let port = secured.server.tcp_port().expect("it listens on TCP");
    let closed = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let stranger = secured.folder.path().join("stranger.pem").display().to_string();
    let untrusted = [("sslmode", "verify-ca"), ("sslrootcert", &stranger)];
    let runtime = Runtime::new()?;
    let ask = Ask { host: "db.test", port, user: "anyone", dbname: "postgres", more: &[] };
    let classes = [
        (Invalid, Ask { more: &[("sslmode", "nonsense")], ..ask }),
        (Invalid, Ask { more: &[("no_such_key", "1")], ..ask }),
        (Invalid, Ask { more: &[("connect_timeout", "soon")], ..ask }),
        (Unavailable, Ask { port: closed, ..ask }),
        (Authentication, Ask { user: "app", ..ask }),
        (Authentication, Ask { user: "secure", more: &[("sslmode", "disable")], ..ask }),
        (MissingDatabase, Ask { dbname: "absent", ..ask }),
        (Tls, Ask { more: &[("sslrootcert", "system")], ..ask }),
        (Tls, Ask { more: &untrusted, ..ask }),
        (Tls, Ask { more: &[("sslmode", "require"), ("sslrootcert", "/nowhere.pem")], ..ask }),
    ];
    for (class, ask) in &classes {
        let texts = SPELLINGS.iter().flat_map(|spelling| PASSWORDS.map(|password| spelling(ask, password)));
        let reached = texts.filter(|text| refusal_shows_no_password(&runtime, text) == *class).count();
        assert!(reached >= 18, "{class:?} is what the three right spellings give: {reached}");
    }
    Ok(())
}

fn refusal_shows_no_password(runtime: &Runtime, text: &str) -> ConnectErrorKind {
    let connector = match Connector::new(text) {
        Ok(connector) => connector.deadline(Duration::ZERO),
        Err(error) => {
            check_error(text, &error);
            return error.kind();
        }
    };
    shows_no_password(text, &format!("{connector:?} {connector:#?} {}", connector.target()));
    check_error(text, &runtime.block_on(connector.connect()).expect_err(text));
    let error = connector.connect_blocking().err().expect(text);
    check_error(text, &error);
    error.kind()
}
