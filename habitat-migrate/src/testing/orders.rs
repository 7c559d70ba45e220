//! Statements that a shared server carries out for processes that do not wait for them, and may have ended by then.
//!
//! The server has two sessions for that, one that copies databases and one that drops them. Each is fed by a pipe in the
//! server's folder, from which `shared.sh` takes whole messages of PostgreSQL's protocol to the session's socket:
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>. A pipe keeps together what is written to it
//! at once, up to 512 bytes, whoever else is writing.

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use super::account::Account;
use super::error::{Kind, ServerError};
use super::session::APPLICATION;
use super::{keeper, lease, names};
use crate::sql::{Ident, Literal};

/// The way to the two sessions of one server.
pub(super) struct Orders {
    copies: File,
    drops: File,
}

impl Orders {
    /// Gives the server in `folder` its two sessions. They need no password: only its own account can enter the folder.
    fn prepare(folder: &Path) -> Result<(), ServerError> {
        let account = Account::for_server()?;
        let failed = |source| Kind::Io { what: "give orders in", path: folder.to_owned(), source };
        let session = |first: &[u8]| {
            let mut socket = UnixStream::connect(folder.join(lease::SOCKET)).map_err(failed)?;
            socket.write_all(first).map_err(failed)?;
            Ok::<_, ServerError>(OwnedFd::from(socket))
        };
        let copies = session(&startup())?;
        let drops = session(&[startup(), query(&wait()), query(DROP_ROLES)].concat())?;
        Ok(keeper::carry(folder, &copies, &drops, account.as_ref()).map_err(failed)?)
    }

    /// The way to those of the server in `folder`, if its keeper has pipes for orders. They are kept there until there are
    /// sessions.
    pub(super) fn find(folder: &Path) -> Option<Self> {
        let open = |name| lease::open(&folder.join(name)).ok();
        Some(Self { copies: open("copies")?, drops: open("drops")? })
    }

    /// Sees to it that there are sessions: the first process makes them, and any other one if they have ended since.
    pub(super) fn begin(folder: &Path) {
        if !folder.join("carried").exists() {
            let folder = folder.to_owned();
            std::thread::spawn(move || Self::prepare(&folder));
        }
    }

    /// Orders a statement that makes a copy, to be carried out as soon as those before it are; whether there was room.
    pub(super) fn copy(&self, statement: &str) -> bool {
        order(&self.copies, &[statement])
    }

    /// Orders that a database is dropped when there is time, or once there are more than `most` of tests' databases on
    /// the server; the roles that were made for it go too.
    pub(super) fn drop(&self, name: &str, most: usize, has_roles: bool) {
        let wait = format!("CALL pg_temp.wait({}, {most})", Literal(name));
        let drop = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", Ident(name));
        let roles = Literal(&names::pattern(&names::roles_of(name))).to_string();
        let drop_roles = format!("CALL pg_temp.drop_roles({roles})");
        let statements = [wait.as_str(), &drop, &drop_roles];
        order(&self.drops, if has_roles { &statements } else { &statements[..2] });
    }
}

/// What finds no room is left undone: a copy is then made by whoever needs it, and a database goes with its server or is
/// swept when there are many.
fn order(mut pipe: &File, statements: &[&str]) -> bool {
    let message: Vec<u8> = statements.iter().flat_map(|statement| query(statement)).collect();
    message.len() <= AT_ONCE && pipe.write_all(&message).is_ok()
}

/// The message that begins a session, in version 3.0 of the protocol.
fn startup() -> Vec<u8> {
    let mut body = 196_608_i32.to_be_bytes().to_vec();
    for text in STARTUP {
        body.extend_from_slice(text.as_bytes());
        body.push(0);
    }
    body.push(0);
    [length(&body).as_slice(), &body].concat()
}

/// The message that asks for one statement.
fn query(statement: &str) -> Vec<u8> {
    let body = [statement.as_bytes(), &[0]].concat();
    [[b'Q'].as_slice(), &length(&body), &body].concat()
}

/// A message's length counts itself.
fn length(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes()
}

/// Nobody reads its errors, nor are they the tests': a template may have gone meanwhile.
const STARTUP: [&str; 8] = [
    "user",
    "postgres",
    "database",
    "postgres",
    "application_name",
    "habitat-migrate orders",
    "options",
    "-c log_min_messages=panic",
];

/// Waits until a database's last client has left, which DROP DATABASE would do in steps of 100 ms, and then until no
/// process has used the server for a moment, unless there are too many databases.
fn wait() -> String {
    let (tests, ours) = (Literal(&names::pattern(names::TEST)).to_string(), Literal(APPLICATION));
    format!(
        "CREATE PROCEDURE pg_temp.wait(name text, most bigint) LANGUAGE plpgsql AS $$
DECLARE
    since constant timestamptz := pg_catalog.clock_timestamp();
BEGIN
    WHILE EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = name)
        AND pg_catalog.clock_timestamp() < since + '200 ms'::interval LOOP
        COMMIT;
        PERFORM pg_catalog.pg_sleep(0.005);
    END LOOP;
    WHILE (SELECT pg_catalog.count(*) FROM pg_catalog.pg_database WHERE datname LIKE {tests}) <= most
        AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = {ours}
            AND (state = 'active' OR state_change > pg_catalog.clock_timestamp() - '200 ms'::interval)) LOOP
        COMMIT;
        PERFORM pg_catalog.pg_sleep(0.05);
    END LOOP;
END $$"
    )
}

/// One that owns something elsewhere stays.
const DROP_ROLES: &str = r"CREATE PROCEDURE pg_temp.drop_roles(pattern text) LANGUAGE plpgsql AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT rolname FROM pg_catalog.pg_roles WHERE rolname LIKE pattern LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP ROLE IF EXISTS %I', name);
        EXCEPTION WHEN OTHERS THEN
            NULL;
        END;
    END LOOP;
END $$";

/// What a pipe takes as one, `PIPE_BUF`, at the least.
const AT_ONCE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_protocol() {
        assert_eq!(query("SELECT 1"), b"Q\0\0\0\x0dSELECT 1\0");
        let startup = startup();
        assert_eq!(startup[..8], [0, 0, 0, startup.len() as u8, 0, 3, 0, 0]);
        assert!(startup.ends_with(b"panic\0\0"));
    }
}
