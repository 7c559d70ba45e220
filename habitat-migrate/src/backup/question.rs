//! What is asked of the server before a backup is taken or restored.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::error::{Cause, Error, Result};
use crate::client::{Client, Reply, Row};
use crate::event::Holder;
use crate::provision::Connection;
use crate::sql::{Ident, Literal};

/// The server and the login, as the client's connection sees them.
pub(super) struct Server {
    pub(super) version: u32,
    pub(super) time: DateTime<Utc>,
    pub(super) database: String,
    pub(super) login: String,
    /// Whether no policy holds for the login: a superuser, or BYPASSRLS.
    pub(super) bypasses_policies: bool,
}

/// What is in a database that is to be restored into.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// What it is recorded as: by its comment, and by trackers that wait for their migrations.
    pub(super) recorded: Vec<String>,
    /// The schemas of those trackers.
    pub(super) environments: Vec<String>,
    /// What is there beside them.
    pub(super) relations: Vec<String>,
    pub(super) schemas: Vec<String>,
    pub(super) extensions: Vec<String>,
}

pub(super) async fn server<C: Client>(client: &mut C, connection: &Connection) -> Result<Server> {
    let reply = ask(client, SERVER).await?;
    let wrong = |why: String| Error::new(Cause::WrongConnection(why));
    let row = reply.first("server").ok_or_else(|| wrong("the server did not tell its version".to_owned()))?;
    let number: u32 = row.number(1).unwrap_or_default();
    let (database, login) = (row.text(3).to_owned(), row.text(4).to_owned());
    if database != connection.database() || login != connection.user() {
        return Err(wrong(format!(
            "the client is connected to {database} as {login}, and the connection {:?} is to {} as {}",
            connection.name(),
            connection.database(),
            connection.user()
        )));
    }
    let time = row.number(2).and_then(DateTime::from_timestamp_millis).unwrap_or_default();
    Ok(Server { version: number / 10_000, time, database, login, bypasses_policies: row.is_true(5) })
}

/// The tables of which policies hide rows from the login, or may.
pub(super) async fn hidden_tables<C: Client>(client: &mut C) -> Result<Vec<String>> {
    let reply = ask(client, HIDDEN).await?;
    Ok(reply.rows("hidden").map(|row| row.text(1).to_owned()).collect())
}

pub(super) async fn target<C: Client>(client: &mut C) -> Result<Target> {
    let reply = ask(client, TARGET).await?;
    let all = |kind| reply.rows(kind).map(|row| row.text(1).to_owned()).collect::<Vec<_>>();
    let mut target = Target {
        recorded: all("recorded"),
        environments: all("environment"),
        relations: all("relation"),
        schemas: all("schema"),
        extensions: all("extension"),
    };
    for schema in &target.environments {
        let sql = format!(
            "SELECT 'name' AS \"habitat-migrate\", name FROM {}.schema_migrations_environment;\n",
            Ident(schema)
        );
        target.recorded.extend(ask(client, &sql).await?.rows("name").map(|row| row.text(1).to_owned()));
    }
    Ok(target)
}

/// Makes the records that came with a backup those that the target had before.
pub(super) async fn keep_record<C: Client>(client: &mut C, before: &Target) -> Result<()> {
    let Some(kind) = before.recorded.first() else { return Ok(()) };
    let now = ask(client, TARGET).await?;
    let came = now
        .rows("environment")
        .map(|row| row.text(1))
        .filter(|s| !before.environments.iter().any(|b| b == s));
    let update = |schema: &str| {
        format!("UPDATE {}.schema_migrations_environment SET name = {};\n", Ident(schema), Literal(kind))
    };
    let updates: String = came.map(update).collect();
    if !updates.is_empty() {
        ask(client, &updates).await?;
    }
    Ok(())
}

/// The sessions that hold a table in ACCESS EXCLUSIVE mode, or wait to, with whoever is behind them.
pub(super) async fn holders<C: Client>(client: &mut C) -> Result<Vec<String>> {
    let reply = ask(client, HOLDERS).await?;
    let filled = |row: &Row, column| row.value(column).filter(|text| !text.is_empty()).map(str::to_owned);
    let holder = |row: &Row| {
        let session = Holder {
            pid: row.number(1)?,
            application: filled(row, 2),
            client: filled(row, 3),
            age: row.number(4).map(Duration::from_micros),
        };
        let state = filled(row, 5).map(|state| format!(", {state}")).unwrap_or_default();
        let verb = if row.is_true(7) { "holds" } else { "waits for" };
        Some(format!("{session}{state}, {verb} AccessExclusiveLock on {}", row.text(6)))
    };
    Ok(reply.rows("holder").filter_map(holder).collect())
}

async fn ask<C: Client>(client: &mut C, sql: &str) -> Result<Reply> {
    client.run(sql).await.map_err(Error::failed)
}

const SERVER: &str = "\
SELECT 'server' AS \"habitat-migrate\", pg_catalog.current_setting('server_version_num'),
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp()) * 1000)::pg_catalog.int8,
       pg_catalog.current_database(), SESSION_USER,
       (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname = SESSION_USER);
";

// A table shows every row where a permissive policy lets all through and no restrictive one narrows that.
const HIDDEN: &str = "\
SELECT 'hidden' AS \"habitat-migrate\", pg_catalog.format('%I.%I', n.nspname, c.relname)
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL (
       SELECT pg_catalog.bool_or(p.polpermissive AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true') AS all_rows,
              pg_catalog.bool_or(NOT p.polpermissive) AS narrowed
         FROM pg_catalog.pg_policy AS p
        WHERE p.polrelid = c.oid AND p.polcmd IN ('*', 'r')
          AND EXISTS (SELECT FROM pg_catalog.unnest(p.polroles) AS u (role)
                       WHERE u.role = 0 OR pg_catalog.pg_has_role(SESSION_USER, u.role, 'USAGE'))) AS policies
 WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity
   AND NOT (SELECT r.rolsuper OR r.rolbypassrls FROM pg_catalog.pg_roles AS r WHERE r.rolname = SESSION_USER)
   AND (c.relforcerowsecurity OR NOT pg_catalog.pg_has_role(SESSION_USER, c.relowner, 'USAGE'))
   AND (all_rows IS NOT TRUE OR narrowed IS TRUE)
 ORDER BY 2;
";

const HOLDERS: &str = "\
SELECT 'holder' AS \"habitat-migrate\", l.pid, a.application_name, pg_catalog.host(a.client_addr),
       pg_catalog.floor(EXTRACT(epoch FROM pg_catalog.clock_timestamp() - a.xact_start) * 1000000)::pg_catalog.int8,
       a.state, pg_catalog.format('%I.%I', n.nspname, c.relname), l.granted
  FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_class AS c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
 WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid <> pg_catalog.pg_backend_pid()
   AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
   AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND n.nspname NOT LIKE 'pg\\_%'
 ORDER BY l.granted DESC, a.xact_start, l.pid, 7 LIMIT 10;
";

const TARGET: &str = "\
SELECT 'recorded' AS \"habitat-migrate\", pg_catalog.btrim(pg_catalog.substr(line, 30))
  FROM pg_catalog.pg_database AS d
 CROSS JOIN LATERAL pg_catalog.regexp_split_to_table(pg_catalog.shobj_description(d.oid, 'pg_database'), E'\\n') AS line
 WHERE d.datname = pg_catalog.current_database() AND line LIKE 'habitat-migrate, environment: %';
SELECT CASE WHEN c.relname = 'schema_migrations_environment' AND c.relkind = 'r' THEN 'environment' ELSE 'relation' END
       AS \"habitat-migrate\",
       CASE WHEN c.relname = 'schema_migrations_environment' AND c.relkind = 'r' THEN n.nspname
            ELSE pg_catalog.format('%I.%I', n.nspname, c.relname) END
  FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND x.objid = c.oid AND x.deptype IN ('e', 'a', 'i'))
 ORDER BY 2;
SELECT 'schema' AS \"habitat-migrate\", n.nspname FROM pg_catalog.pg_namespace AS n
 WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema';
SELECT 'extension' AS \"habitat-migrate\", e.extname FROM pg_catalog.pg_extension AS e;
";
