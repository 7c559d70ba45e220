//! What an examination is judged by: read in a few messages, without a judgement.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Examination;
use super::sessions::{self, Sessions};
use crate::backup::Backup;
use crate::client::{Client, Failure, Reply, Row};
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::provision::{RuleFinding, audit_rules_of};
use crate::report::Report;
use crate::sql::Literal;
use crate::status::Status;
use crate::tracker::{Rights, Shape, Tracker};

/// Why something could not be read; one line.
pub(super) type Seen<T> = std::result::Result<T, String>;

#[derive(Debug)]
pub(super) struct Facts {
    pub(super) version: String,
    pub(super) major: u32,
    pub(super) now: DateTime<Utc>,
    pub(super) database: String,
    pub(super) login: String,
    pub(super) superuser: bool,
    pub(super) pooled: bool,
    /// The server's address; none at a socket.
    pub(super) address: Option<String>,
    /// The version of TLS; none without.
    pub(super) tls: Option<String>,
    pub(super) recovering: bool,
    pub(super) read_only: bool,
    pub(super) settings: Vec<Setting>,
    /// What the database's comment says that it is for.
    pub(super) comment: Option<String>,
    pub(super) tracker: Shape,
    pub(super) owner: Owner,
    /// What would give this login the rights of a run that writes.
    pub(super) grants: Vec<String>,
    pub(super) sessions: Sessions,
    pub(super) rules: Seen<Vec<RuleFinding>>,
    pub(super) status: Result<Status>,
    pub(super) backup: Option<Seen<Option<Backup>>>,
}

impl Facts {
    /// The environment that the tracker records.
    pub(super) fn recorded(&self) -> Option<&str> {
        self.status.as_ref().ok().and_then(Status::environment)
    }
}

/// A setting as this session has it.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) value: String,
    /// With its unit.
    pub(super) shown: String,
    pub(super) source: String,
}

/// Who has the tracker's table.
#[derive(Debug, Default)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) is_superuser: bool,
    /// Whether this login owns it, or is a member of who does.
    pub(super) mine: bool,
}

pub(super) async fn gather<C: Client>(client: &mut C, examination: &Examination) -> Result<Facts> {
    let migrator = &examination.migrator;
    let tracker = Tracker::new(migrator.schema_name());
    let status = match migrator.status_of(client).await {
        Err(error) if is_final(error.kind()) => return Err(error),
        status => status,
    };
    let reply = ask(client, &format!("{}{}", about_server(), about_tracker(&tracker))).await?;
    let shape = ask(client, &tracker.shape()).await.map(|reply| Shape::read(&reply)).unwrap_or_default();
    let rights = ask(client, &tracker.rights()).await?;
    let rights = rights.first("rights").map(Rights::read);
    let pending = sessions::pending(migrator.catalog(), status.as_ref().ok());
    let sessions = sessions::read(client, &tracker, examination.long, &pending).await?;
    let rules =
        audit_rules_of(client, &examination.rules).await.map_err(|error| match error.server_error() {
            Some(said) => format!("{error}: {said}"),
            None => error.to_string(),
        });
    let server = reply.first("server").ok_or_else(|| silent(&tracker))?;
    let key = client.backend_key();
    let pooled = match key {
        Some(key) => server.number(6) != Some(key),
        None => client.names_encoding() && server.text(7) != "client",
    };
    let database = server.text(4).to_owned();
    let backup = examination.backups.as_ref().map(|(backups, _)| {
        backups.list(&database).map(|all| all.into_iter().next()).map_err(|error| error.to_string())
    });
    Ok(Facts {
        version: server.text(1).to_owned(),
        major: server.number::<u32>(2).unwrap_or_default() / 10_000,
        now: server.number(3).and_then(DateTime::from_timestamp_millis).unwrap_or_default(),
        database,
        login: server.text(5).to_owned(),
        superuser: server.is_true(12),
        pooled,
        address: server.value(8).map(str::to_owned),
        tls: server.value(9).map(str::to_owned),
        recovering: server.is_true(10),
        read_only: server.text(11) == "on",
        settings: reply.rows("setting").map(setting).collect(),
        comment: reply.first("comment").map(|row| row.text(1).trim().to_owned()),
        tracker: shape,
        owner: reply.first("owner").map(owner).unwrap_or_default(),
        grants: rights.map(|rights| rights.grants(&tracker, true, false)).unwrap_or_default(),
        sessions,
        rules,
        status,
        backup,
    })
}

/// Whether nothing more can be asked, or there is nothing to ask about.
fn is_final(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionLost | ErrorKind::InTransaction | ErrorKind::Invalid | ErrorKind::Stale
    )
}

pub(crate) async fn ask<C: Client>(client: &mut C, sql: &str) -> Result<Reply> {
    client.run(sql).await.map_err(|failure| {
        let cause = match failure {
            Failure::Lost(words) => Cause::ConnectionLost { words, under_way: Vec::new() },
            Failure::Server { error, .. } => {
                Cause::Tracker { doing: "examine the database", error, remedy: None }
            }
        };
        Error::new(cause, Report::default())
    })
}

fn silent(tracker: &Tracker) -> Error {
    let words = format!("the server did not answer a question about {}", tracker.table());
    Error::new(Cause::ConnectionLost { words, under_way: Vec::new() }, Report::default())
}

fn setting(row: &Row) -> Setting {
    let text = |column| row.text(column).to_owned();
    Setting { name: text(1), value: text(2), shown: text(3), source: text(4) }
}

fn owner(row: &Row) -> Owner {
    Owner { name: row.text(1).to_owned(), is_superuser: row.is_true(2), mine: row.is_true(3) }
}

/// A span of time in words.
pub(super) fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

fn about_tracker(tracker: &Tracker) -> String {
    format!(
        "SELECT 'owner' AS \"habitat-migrate\", r.rolname, r.rolsuper, pg_catalog.pg_has_role(SESSION_USER, r.oid, 'USAGE')\n\
         \x20 FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace\n\
         \x20 JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) c.relowner\n\
         \x20WHERE n.nspname OPERATOR(pg_catalog.=) {} AND c.relname OPERATOR(pg_catalog.=) 'schema_migrations';\n",
        Literal(tracker.schema())
    )
}

/// The settings that can bite; see `judge`.
pub(super) const SETTINGS: [&str; 10] = [
    "statement_timeout",
    "transaction_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "lock_timeout",
    "search_path",
    "synchronous_commit",
    "fsync",
    "full_page_writes",
    "session_replication_role",
];

fn about_server() -> String {
    let names: Vec<String> = SETTINGS.iter().map(|name| Literal(name).to_string()).collect();
    format!("{SERVER}AND s.name OPERATOR(pg_catalog.=) ANY (ARRAY[{}]);\n", names.join(", "))
}

const SERVER: &str = "\
SELECT 'server' AS \"habitat-migrate\", pg_catalog.split_part(pg_catalog.current_setting('server_version'), ' ', 1),
       pg_catalog.current_setting('server_version_num'),
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()) OPERATOR(pg_catalog.*) 1000)::pg_catalog.int8,
       pg_catalog.current_database(), SESSION_USER, pg_catalog.pg_backend_pid(),
       (SELECT s.source FROM pg_catalog.pg_settings AS s WHERE s.name OPERATOR(pg_catalog.=) 'client_encoding'),
       pg_catalog.host(pg_catalog.inet_server_addr()),
       (SELECT t.version FROM pg_catalog.pg_stat_ssl AS t WHERE t.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND t.ssl),
       pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only'),
       (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname OPERATOR(pg_catalog.=) SESSION_USER);
SELECT 'comment' AS \"habitat-migrate\", pg_catalog.substr(line, 30)
  FROM pg_catalog.pg_database AS d
 CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(pg_catalog.shobj_description(d.oid, 'pg_database'), E'\\n') AS line
 WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND line OPERATOR(pg_catalog.~~) 'habitat-migrate, environment: %';
SELECT 'setting' AS \"habitat-migrate\", 'role', pg_catalog.current_setting('role'), pg_catalog.current_setting('role'), 'session';
SELECT 'setting' AS \"habitat-migrate\", s.name, s.setting, pg_catalog.current_setting(s.name), s.source
  FROM pg_catalog.pg_settings AS s WHERE s.setting IS NOT NULL ";
