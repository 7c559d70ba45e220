//! Who is in the way of a statement that waited for a lock for too long.

use std::time::Duration;

use crate::client::Row;
use crate::event::{Blocker, Holder};

/// Asks for the sessions that hold locks on tables and their indexes, those with the oldest transactions first.
pub(crate) const QUERY: &str = "SELECT 'blocker' AS \"habitat-migrate\", l.pid, a.application_name, pg_catalog.host(a.client_addr), \
    (EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) a.xact_start) OPERATOR(pg_catalog.*) 1000000)::pg_catalog.int8, \
    a.state, n.nspname, c.relname, l.mode \
    FROM pg_catalog.pg_locks AS l JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) l.relation \
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
    LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid OPERATOR(pg_catalog.=) l.pid \
    WHERE l.granted AND l.locktype OPERATOR(pg_catalog.=) 'relation' \
    AND l.pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() \
    AND l.database OPERATOR(pg_catalog.=) (SELECT d.oid FROM pg_catalog.pg_database AS d \
    WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()) \
    AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' AND c.relkind OPERATOR(pg_catalog.<>) 'i' \
    ORDER BY a.xact_start, l.pid, c.relname LIMIT 1000;\n";

/// Reads a row of [`QUERY`].
pub(crate) fn read(row: &Row) -> Option<Blocker> {
    let filled = |column| row.value(column).filter(|text| !text.is_empty()).map(str::to_owned);
    let session = Holder {
        pid: row.number(1)?,
        application: filled(2),
        client: filled(3),
        age: row.number(4).map(Duration::from_micros),
    };
    let relation = format!("{}.{}", row.text(6), row.text(7));
    Some(Blocker { session, state: filled(5), relation, mode: row.text(8).to_owned() })
}

/// Whether a script names the table that is locked: the server does not say for which lock it waited in vain.
pub(crate) fn concerns(blocker: &Blocker, script: &str) -> bool {
    let name = blocker.relation.split_once('.').map_or("", |(_, name)| name).to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let script = script.to_lowercase();
    script
        .match_indices(&name)
        .any(|(at, _)| !script[..at].ends_with(is_part) && !script[at + name.len()..].starts_with(is_part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_named_as_a_word() {
        let session = Holder { pid: 1, application: None, client: None, age: None };
        let blocker =
            Blocker { session, state: None, relation: "public.users".into(), mode: "AccessShareLock".into() };
        assert!(concerns(&blocker, "ALTER TABLE public.USERS ADD x int"));
        assert!(concerns(&blocker, "ALTER TABLE \"users\" ADD x int"));
        assert!(!concerns(&blocker, "ALTER TABLE users_old ADD x int"));
        assert!(!concerns(&blocker, "ALTER TABLE my_users ADD x int"));
    }
}
