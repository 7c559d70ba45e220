//! What killed processes left on a server, and what nobody has used for long.

use postgres::Client;

use super::chores::{drop_database, pairs};
use super::kept::{self, Kept, now};
use super::session::column;
use super::steward::{lock, unlock};
use super::{names, template};
use crate::sql::Literal;

/// A database that is to be dropped, if nobody holds the lock.
pub(super) struct Litter {
    name: String,
    lock: String,
    comment: String,
}

impl Litter {
    /// Whether it was a test's own database, and not kept to be looked at.
    pub(super) fn is_tests(&self) -> bool {
        self.name.starts_with(names::TEST) && kept::read(&self.comment).is_none()
    }
}

/// Finds what is to be dropped, and notes that this process uses a template. Only what has our name and our mark is
/// looked at.
pub(super) fn survey(client: &mut Client, key: &str, kept: &Kept) -> Result<Vec<Litter>, postgres::Error> {
    let messages = client.simple_query(&everything())?;
    let all = pairs(&messages);
    let mut litter = Vec::new();
    let mut add = |name: &str, lock: &str, comment: &str| {
        litter.push(Litter { name: name.to_owned(), lock: lock.to_owned(), comment: comment.to_owned() });
    };
    let mut templates: Vec<(u64, &str)> = Vec::new();
    for &(name, comment) in &all {
        match kept::read(comment) {
            // One whose test has ended again since is dropped as any other.
            Some((since, test)) if now().saturating_sub(since) < A_DAY && !kept.found(name, test) => {}
            _ if name.starts_with(names::TEST) => add(name, name, comment),
            _ if name.starts_with(names::BUILDING) => add(name, template::BUILDERS, comment),
            _ if name.starts_with(names::TEMPLATE) => {
                templates.push((template::last_used(comment).unwrap_or_default(), name));
            }
            _ => {}
        }
    }
    let old = forgotten(&mut templates, key);
    for &(name, comment) in all.iter().filter(|(name, _)| old.contains(name)) {
        add(name, name, comment);
    }
    for &(name, comment) in all.iter().filter(|(name, _)| name.starts_with(names::READY)) {
        let of = names::key(name).map(names::template).unwrap_or_default();
        if old.contains(&of.as_str()) || !templates.iter().any(|(_, template)| *template == of) {
            add(name, name, comment);
        }
    }
    // The comment waits for copies that are under way, and holds up those behind it: not for each process.
    let ours = names::template(key);
    if templates.iter().any(|&(last, name)| name == ours && now().saturating_sub(last) > AN_HOUR) {
        let comment = all.iter().find(|(name, _)| *name == ours).map(|(_, comment)| *comment);
        let size = comment.and_then(template::size).unwrap_or_default();
        client.batch_execute(&template::note_use(&ours, size))?;
    }
    Ok(litter)
}

/// Those that were not used for longest, but for the one with this key and as many as a server keeps.
fn forgotten<'a>(templates: &mut [(u64, &'a str)], key: &str) -> Vec<&'a str> {
    templates.sort_unstable();
    let too_many = templates.len().saturating_sub(TEMPLATES);
    let others = templates.iter().filter(|(_, name)| names::key(name) != Some(key));
    others.take(too_many).map(|&(_, name)| name).collect()
}

/// Drops a piece, unless somebody holds the lock: then it is in use, or being swept. Whether it was ours to drop.
pub(super) fn sweep(client: &mut Client, piece: &Litter) -> Result<bool, postgres::Error> {
    let take = format!("SELECT pg_catalog.pg_try_advisory_lock({})", lock(&piece.lock));
    if column(&client.simple_query(&take)?) != ["t"] {
        return Ok(false);
    }
    // Since it was found its test may have failed, and left it to be looked at; or a template was used again.
    let messages = client.simple_query(&comment(&piece.name))?;
    if column(&messages) != [piece.comment.as_str()] {
        client.batch_execute(&unlock(&piece.lock))?;
        return Ok(false);
    }
    // Another login's is theirs to drop.
    let dropped = drop_database(client, &piece.name, piece.name.starts_with(names::TEST));
    client.batch_execute(&unlock(&piece.lock))?;
    Ok(dropped.is_ok())
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

fn comment(name: &str) -> String {
    format!(
        "SELECT coalesce(pg_catalog.shobj_description(oid, 'pg_database'), '') FROM pg_catalog.pg_database
         WHERE datname = {}",
        Literal(name)
    )
}

/// How many templates a server keeps.
const TEMPLATES: usize = 8;
const AN_HOUR: u64 = 3600;
const A_DAY: u64 = 24 * AN_HOUR;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_not_used_for_longest_are_forgotten_and_ones_own_never() {
        let names: Vec<String> = (0..10).map(|n| names::template(&format!("{n:016}"))).collect();
        let mut templates: Vec<(u64, &str)> = names.iter().map(|name| (7, name.as_str())).collect();
        templates[3].0 = 1;
        templates[5].0 = 2;
        assert_eq!(forgotten(&mut templates.clone(), &format!("{:016}", 9)), [&names[3], &names[5]]);
        assert_eq!(forgotten(&mut templates.clone(), &format!("{:016}", 3)), [&names[5], &names[0]]);
        assert!(forgotten(&mut templates[..8], "").is_empty());
    }
}
