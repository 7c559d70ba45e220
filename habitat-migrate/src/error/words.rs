//! What went wrong, in one line.

use std::fmt;

use habitat_migrate_catalog::MigrationId;

use super::picture::abridged;
use super::{Cause, NOTHING};
use crate::tracker::FORMAT;

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusals) => write!(f, "{NOTHING}: {refusals}"),
            Self::Migration(failed) => {
                let what = if failed.undoing { "the rollback of" } else { "migration" };
                write!(f, "{what} {} failed; {}", failed.id, failed.kept)?;
                match failed.attempts {
                    0 => Ok(()),
                    retries => write!(f, " ({} attempts)", retries + 1),
                }
            }
            Self::Function(failed) => failed.fmt(f),
            Self::Hindered(hindered) => write!(f, "backfill {}: {}", hindered.id, hindered.hindrance),
            Self::InvalidIndex(invalid) => invalid.fmt(f),
            Self::Unverified { id, kept, .. } => {
                write!(f, "migration {id} is not what its verify script says; {kept}")
            }
            Self::Pooler { migration, .. } => {
                write!(
                    f,
                    "migration {migration} runs without a transaction, and a connection pooler stands between"
                )
            }
            Self::EndedItself { id, .. } => {
                write!(
                    f,
                    "migration {id} failed: the script ended its own transaction, so a part of it may be kept"
                )
            }
            Self::Tracker { doing, .. } => write!(f, "the server refused to {doing}"),
            Self::ForeignTracker { table, tool, .. } => match tool {
                Some(tool) => write!(f, "table {table} is the tracker of {tool}; nothing was written to it"),
                None => write!(f, "table {table} is not habitat-migrate's; nothing was written to it"),
            },
            Self::NewerTracker { table, format } => {
                write!(
                    f,
                    "table {table} has format {format}, and this version of habitat-migrate knows {FORMAT} at most"
                )
            }
            Self::Unconfirmed { database } => {
                write!(
                    f,
                    "database {database:?} is recorded as production: nothing is taken back there without confirmation"
                )
            }
            Self::ReadOnly { pending } => {
                f.write_str("the server takes no writes, and there is something to apply: ")?;
                list(pending, f)
            }
            Self::LockTimeout { waited, holder } => {
                write!(
                    f,
                    "another process has been migrating for longer than {:.1} s",
                    waited.as_secs_f64()
                )?;
                holder.iter().try_for_each(|holder| write!(f, ": {holder}"))
            }
            Self::LockLost => f.write_str("the lock was lost while migrating"),
            Self::ConnectionLost { words, .. } => write!(f, "the connection was lost: {words}"),
            #[cfg(feature = "tokio-postgres")]
            Self::Connect(_) => f.write_str("no connection to the database"),
            #[cfg(feature = "adopt")]
            Self::Adopt(_) => f.write_str("the database was not adopted; nothing was recorded"),
            Self::InTransaction => f.write_str("the client is inside of a transaction"),
            Self::Stale(what) => f.write_str(what),
            Self::Invalid(what) => f.write_str(what),
            Self::UnsupportedServer { version } => {
                write!(
                    f,
                    "the server is PostgreSQL {}, and 14 is the oldest that is supported",
                    version / 10_000
                )
            }
        }
    }
}

fn list(ids: &[MigrationId], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
    f.write_str(&abridged(&names))
}
