//! What killed processes left on a server, and what nobody has used for long.

use std::sync::PoisonError;

use postgres::Client;

use super::chores::{drop_database, kept, now, pairs};
use super::session::column;
use super::steward::{Kept, lock, unlock};
use super::{names, template};
use crate::sql::Literal;

/// Sweeps a server once. Only what has our name and our mark is looked at, and only what nobody holds the lock of is
/// dropped.
pub(super) fn sweep(
    client: &mut Client,
    used: &[String],
    kept_by_others: &Kept,
) -> Result<(), postgres::Error> {
    let messages = client.simple_query(&everything())?;
    let all: Vec<(String, String)> =
        pairs(&messages).into_iter().map(|(name, comment)| (name.to_owned(), comment.to_owned())).collect();
    for (name, comment) in &all {
        match kept(comment) {
            Some((since, test)) if now().saturating_sub(since) < A_DAY => {
                let mut kept = kept_by_others.lock().unwrap_or_else(PoisonError::into_inner);
                kept.push((name.clone(), test.to_owned()));
            }
            _ if name.starts_with(names::TEST) => {
                locked(client, name, |client| drop_database(client, name, true))?;
            }
            _ if name.starts_with(names::BUILDING) => {
                locked(client, template::BUILDERS, |client| drop_database(client, name, false))?;
            }
            _ => {}
        }
    }
    templates(client, used, &all)
}

/// Notes that templates are used, and drops those that were not for longest.
fn templates(client: &mut Client, used: &[String], all: &[(String, String)]) -> Result<(), postgres::Error> {
    let mut templates: Vec<(u64, &str)> = Vec::new();
    for (name, comment) in all.iter().filter(|(name, _)| name.starts_with(names::TEMPLATE)) {
        let last = template::last_used(comment).unwrap_or_default();
        let is_used = names::key(name).is_some_and(|key| used.iter().any(|used| used == key));
        // The comment waits for copies that are under way, and holds up those behind it: not for each process.
        if is_used && now().saturating_sub(last) > AN_HOUR {
            client.batch_execute(&template::note_use(name))?;
        }
        if !is_used {
            templates.push((last, name));
        }
    }
    templates.sort_unstable();
    let old = (templates.len() + used.len()).saturating_sub(TEMPLATES).min(templates.len());
    for (_, name) in &templates[..old] {
        locked(client, name, |client| drop_database(client, name, false))?;
    }
    let gone: Vec<&str> = templates[..old].iter().filter_map(|(_, name)| names::key(name)).collect();
    let there = |key: &str| all.iter().any(|(name, _)| *name == names::template(key));
    for (name, _) in all.iter().filter(|(name, _)| name.starts_with(names::READY)) {
        if names::key(name).is_some_and(|key| gone.contains(&key) || !there(key)) {
            locked(client, name, |client| drop_database(client, name, false))?;
        }
    }
    Ok(())
}

/// Does something under the lock of `name`, unless somebody holds it.
fn locked(
    client: &mut Client,
    name: &str,
    work: impl FnOnce(&mut Client) -> Result<(), postgres::Error>,
) -> Result<(), postgres::Error> {
    let messages = client.simple_query(&format!("SELECT pg_catalog.pg_try_advisory_lock({})", lock(name)))?;
    if column(&messages) != ["t"] {
        return Ok(());
    }
    let done = work(client);
    client.batch_execute(&unlock(name))?;
    // Another login's, or one that somebody has connected to: it is theirs to drop.
    let _ = done;
    Ok(())
}

/// Our databases, with their comments. One whose DROP was interrupted by a crash has a limit of -2.
fn everything() -> String {
    format!(
        "SELECT datname, pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database
         WHERE datname LIKE {} AND datconnlimit IN ({}, -2)",
        Literal(&names::pattern(names::PREFIX)),
        names::MARK
    )
}

/// How many templates a server keeps.
const TEMPLATES: usize = 8;
const AN_HOUR: u64 = 3600;
const A_DAY: u64 = 24 * AN_HOUR;
