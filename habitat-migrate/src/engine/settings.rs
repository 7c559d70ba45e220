//! The session's settings: what the caller had set comes back after every script, what a script set goes.

use std::fmt::Write as _;
use std::time::Duration;

use habitat_migrate_catalog as catalog;

use super::message::Unit;
use crate::client::{Reply, Row};
use crate::sql::{Ident, Literal};

/// What the session looked like when the run began.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) server_version: u32,
    pub(super) unit: Unit,
    login: String,
    role: String,
    changed: Vec<(String, String)>,
    cleaning: String,
    /// Whether the server can look after its client while a statement runs, and was not told to.
    watches: bool,
}

/// How long statements may take, and wait for locks, where a migration does not say so itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) lock_timeout: Option<Duration>,
    pub(crate) statement_timeout: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { lock_timeout: Some(Duration::from_secs(2)), statement_timeout: None }
    }
}

impl Settings {
    /// How many columns [`Settings::columns`] has.
    pub(super) const COLUMNS: usize = 4 + CLEANING.len() + 1;

    /// What to select first, once the lock is held.
    pub(super) fn columns() -> String {
        let mut sql = String::from(
            "SESSION_USER, pg_catalog.current_setting('role'), pg_catalog.current_setting('server_version_num'), \
             pg_catalog.current_setting('server_encoding') OPERATOR(pg_catalog.=) 'SQL_ASCII'",
        );
        for (_, there) in CLEANING {
            let _ = write!(sql, ", NOT EXISTS ({there})");
        }
        sql + WATCHES
    }

    /// Asks for what the caller has set in this session.
    pub(super) fn query() -> String {
        "SELECT 'setting' AS \"habitat-migrate\", s.name, s.setting FROM pg_catalog.pg_settings AS s \
         WHERE s.source OPERATOR(pg_catalog.=) 'session';\n"
            .to_owned()
    }

    /// Reads the row of [`Settings::columns`] and the rows of [`Settings::query`].
    pub(super) fn read(row: &Row, reply: &Reply) -> Self {
        let nothing_there = |n: &usize| row.is_true(1 + 4 + n);
        let cleaning = (0..CLEANING.len()).filter(nothing_there).map(|n| CLEANING[n].0).collect();
        let changed = reply.rows("setting").map(|row| (row.text(1).to_owned(), row.text(2).to_owned()));
        Self {
            login: row.text(1).to_owned(),
            role: row.text(2).to_owned(),
            server_version: row.number(3).unwrap_or_default(),
            unit: if row.is_true(4) { Unit::Byte } else { Unit::Character },
            cleaning,
            watches: row.is_true(1 + 4 + CLEANING.len()),
            // The transaction's own characteristics show up as settings, too.
            changed: changed.filter(|(name, _)| !name.starts_with("transaction_")).collect(),
        }
    }

    /// The statements that undo whatever a script has left in a session that is there for the migrations alone.
    pub(super) fn restore_all() -> String {
        let cleaning: String = CLEANING.iter().map(|(statement, _)| *statement).collect();
        format!("{cleaning}SET SESSION AUTHORIZATION DEFAULT;\nRESET ALL;\nRESET ROLE;\n")
    }

    /// The statements that undo whatever a script has left in the session.
    ///
    /// RESET ALL goes back to what the connection began with, and leaves the role alone.
    /// <https://www.postgresql.org/docs/current/sql-reset.html>,
    /// <https://www.postgresql.org/docs/current/sql-set-session-authorization.html>
    pub(super) fn restore(&self) -> String {
        self.restored(&self.cleaning)
    }

    /// The same, but for prepared statements: behind a function of the program they are its driver's, which goes on to use them.
    pub(super) fn restore_but_statements(&self) -> String {
        self.restored(&self.cleaning.replace(DEALLOCATE, ""))
    }

    fn restored(&self, cleaning: &str) -> String {
        let mut sql = format!("{}SET SESSION AUTHORIZATION {};\nRESET ALL;\n", cleaning, Ident(&self.login));
        for (name, value) in &self.changed {
            let (name, value) = (Literal(name), Literal(value));
            let _ = writeln!(sql, "SELECT pg_catalog.set_config({name}, {value}, false);");
        }
        if self.role != "none" {
            let _ = writeln!(sql, "SET ROLE {};", Ident(&self.role));
        }
        sql
    }

    /// Who the caller is.
    pub(super) fn identity(&self) -> Identity {
        Identity { session: self.login.clone(), role: self.role.clone() }
    }

    /// The statement by which the server notices while a statement runs that its client is gone, and ends it; none where it cannot,
    /// or does already. `scope` is LOCAL or SESSION.
    ///
    /// <https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-CLIENT-CONNECTION-CHECK-INTERVAL>
    pub(super) fn watch(&self, scope: &str) -> String {
        match self.watches {
            true => format!("SET {scope} client_connection_check_interval = {WATCH};\n"),
            false => String::new(),
        }
    }
}

/// Who a session acts as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) session: String,
    /// `none` where it is the session's own.
    pub(super) role: String,
}

impl Identity {
    /// The statements that make a session act so.
    pub(super) fn take_on(&self) -> String {
        let mut sql = format!("SET SESSION AUTHORIZATION {};\n", Ident(&self.session));
        match self.role.as_str() {
            "none" => sql.push_str("SET ROLE NONE;\n"),
            role => {
                let _ = writeln!(sql, "SET ROLE {};", Ident(role));
            }
        }
        sql
    }
}

impl Limits {
    /// The statements that prepare a transaction for a script.
    pub(super) fn prepare(self, settings: &catalog::Settings) -> String {
        let mut sql = self.timeouts(settings);
        if let Some(role) = &settings.role {
            let _ = writeln!(sql, "SET LOCAL ROLE {};", Ident(role));
        }
        sql
    }

    /// Whether a statement that waits for nothing but a lock ends before the server would look for its client.
    pub(super) fn waits_briefly(self, settings: &catalog::Settings) -> bool {
        let timeout = settings.lock_timeout.or(self.lock_timeout);
        timeout.is_some_and(|timeout| timeout <= Duration::from_millis(u64::from(WATCH)))
    }

    /// Those about timeouts, for a transaction.
    pub(super) fn timeouts(self, settings: &catalog::Settings) -> String {
        self.timeouts_for("LOCAL", settings)
    }

    /// Those about timeouts; `scope` is LOCAL or SESSION.
    pub(super) fn timeouts_for(self, scope: &str, settings: &catalog::Settings) -> String {
        let mut sql = String::new();
        let timeouts = [
            ("lock_timeout", settings.lock_timeout.or(self.lock_timeout)),
            ("statement_timeout", settings.statement_timeout.or(self.statement_timeout)),
        ];
        for (name, timeout) in timeouts {
            if let Some(timeout) = timeout {
                // Zero would mean no limit, so a fraction of a millisecond counts as one.
                let millis = timeout.as_millis().max(1).min(i32::MAX as u128);
                let _ = writeln!(sql, "SET {scope} {name} = {millis};");
            }
        }
        sql
    }
}

/// Takes prepared statements away.
const DEALLOCATE: &str = "DEALLOCATE ALL;\n";

/// What a script may leave in the session: the statement that takes it all away, and the query that tells whether the
/// caller has some, too. Where it has, nothing is taken away.
const CLEANING: [(&str, &str); 4] = [
    (
        "DISCARD TEMP;\n",
        "SELECT FROM pg_catalog.pg_class AS c WHERE c.relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()",
    ),
    (DEALLOCATE, "SELECT FROM pg_catalog.pg_prepared_statements"),
    ("CLOSE ALL;\n", "SELECT FROM pg_catalog.pg_cursors AS c WHERE c.is_holdable"),
    ("UNLISTEN *;\n", "SELECT FROM pg_catalog.pg_listening_channels()"),
];

/// Whether the server runs where it can look after its client, and does not do so yet.
const WATCHES: &str = ", pg_catalog.strpos(pg_catalog.version(), 'linux') OPERATOR(pg_catalog.>) 0 \
    AND pg_catalog.current_setting('client_connection_check_interval', true) OPERATOR(pg_catalog.=) '0'";

/// How often it looks, in milliseconds.
const WATCH: u32 = 5000;
