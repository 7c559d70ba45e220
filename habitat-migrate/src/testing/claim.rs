//! A copy that is ready becomes a test's database.

use postgres::error::SqlState;
use postgres::{Client, SimpleQueryMessage};

use super::names;
use super::steward::{lock, unlock};
use crate::sql::{Ident, Literal};

/// What came of looking for a copy that is ready, and what else was seen.
pub(super) struct Claim {
    /// Whether there was one, which has its new name now.
    pub(super) taken: bool,
    /// How many are ready for the next ones.
    pub(super) ready: usize,
    /// How many databases of tests the server has.
    pub(super) tests: usize,
    /// The template's comment.
    pub(super) template: String,
}

/// Takes the lock of `name`, gives back those of databases that this process is done with, and takes a copy that is ready
/// if there is one.
pub(super) fn claim(
    client: &mut Client,
    key: &str,
    name: &str,
    done: &[String],
) -> Result<Claim, postgres::Error> {
    let find = find(key);
    let mut first = format!("SELECT pg_catalog.pg_advisory_lock({});", lock(name));
    done.iter().for_each(|name| first.push_str(&format!("{};", unlock(name))));
    first.push_str(&find);
    let mut question = first.as_str();
    let mut claim = Claim { taken: false, ready: 0, tests: 0, template: String::new() };
    for _ in 0..ATTEMPTS {
        let messages = client.simple_query(question)?;
        question = &find;
        let Some(found) = last_row(&messages) else { break };
        let number = |n| found.get(n).and_then(|text: &str| text.parse().ok()).unwrap_or_default();
        (claim.ready, claim.tests) = (number(1), number(2));
        claim.template = found.get(3).unwrap_or_default().to_owned();
        let Some(ready) = found.get(0) else { break };
        // Given back before the others can see the new name: who takes the lock then finds nothing to rename.
        let rename = format!("ALTER DATABASE {} RENAME TO {}; {}", Ident(ready), Ident(name), unlock(ready));
        match client.batch_execute(&rename) {
            Ok(()) => {
                claim.taken = true;
                claim.ready = claim.ready.saturating_sub(1);
                break;
            }
            // Another process had it, and gave its lock back after we had read its name.
            Err(error) if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) => {
                client.batch_execute(&unlock(ready))?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(claim)
}

/// One row: a copy whose lock is ours now, how many are ready, how many tests' databases there are, the template's comment.
fn find(key: &str) -> String {
    let ready = names::ready(key);
    let ready = names::pattern(&ready[..names::READY.len() + key.len() + 1]);
    // CASE, because only a condition that comes later in it is looked at later, and looking at this one takes the lock.
    format!(
        "SELECT
             (SELECT datname FROM pg_catalog.pg_database WHERE CASE
                 WHEN datname LIKE {ready} AND datconnlimit = {mark}
                 THEN pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(datname, 0)) ELSE false END LIMIT 1),
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_database WHERE datname LIKE {ready}),
             (SELECT pg_catalog.count(*) FROM pg_catalog.pg_database WHERE datname LIKE {tests}),
             (SELECT pg_catalog.shobj_description(oid, 'pg_database') FROM pg_catalog.pg_database WHERE datname = {template})",
        ready = Literal(&ready),
        mark = names::MARK,
        tests = Literal(&names::pattern(names::TEST)),
        template = Literal(&names::template(key)),
    )
}

fn last_row(messages: &[SimpleQueryMessage]) -> Option<&postgres::SimpleQueryRow> {
    messages.iter().rev().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    })
}

/// How many copies that others took in the same moment are tried before one is made.
const ATTEMPTS: usize = 5;
