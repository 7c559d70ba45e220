//! Whether somebody has changed the tracker by hand: [`Drift`].

use std::collections::{HashMap, HashSet};
use std::fmt;

use habitat_migrate_catalog::{Catalog, Digest, MigrationId};

use crate::history::{History, Record, State};

/// Something in the tracker that this library did not write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Drift {
    /// A migration is recorded, and the log does not know of it.
    Added {
        /// Which one.
        migration: MigrationId,
    },
    /// A migration is recorded without the time that it took, and the log does not know of it: a run that is killed right behind a
    /// commit leaves that, and so does a hand.
    Unlogged {
        /// Which one.
        migration: MigrationId,
    },
    /// The log knows of a migration's application and of no removal, and it is not recorded.
    Removed {
        /// Which one.
        migration: MigrationId,
        /// The last event that the log has of it: `apply`, `mark`.
        event: String,
    },
    /// A migration is recorded with another checksum than the log has.
    Altered {
        /// Which one.
        migration: MigrationId,
        /// The checksum that is recorded.
        recorded: String,
        /// The checksum that the log has.
        logged: String,
    },
    /// A migration is recorded as replaced, and the log has no replacement of it.
    NotReplaced {
        /// Which one.
        migration: MigrationId,
    },
    /// A migration is recorded outside of the order of its context, or behind a gap.
    Misplaced {
        /// Which one; those behind it are not looked at.
        migration: MigrationId,
    },
    /// The digest of a record is not that of the records up to it.
    Digest {
        /// Which one; those behind it are not looked at.
        migration: MigrationId,
    },
    /// There is a tracker, and its log is gone.
    NoLog,
}

impl Drift {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Added { .. } => {
                "take the row out with `Migrator::forget`; if its changes are in the database, record it then with \
                 `Migrator::mark_applied`"
            }
            Self::Unlogged { .. } => {
                "look whether its changes are in the database, and take the row out with `Migrator::forget` if they are \
                 not; the next run that applies something notes it down in the log"
            }
            Self::Removed { .. } => {
                "if its changes are in the database, record it with `Migrator::mark_applied`; if they are not, the next run applies it \
                 again"
            }
            Self::Altered { .. } => {
                "write the checksum of the log back, or accept the text that the program has with `Migrator::accept_changed`"
            }
            Self::NotReplaced { .. } => {
                "set its state to 'applied' again, or take it out with `Migrator::forget`"
            }
            Self::Misplaced { .. } | Self::Digest { .. } => {
                "look into the log for what should be there and mend that first; then `Migrator::accept_changed` for the first \
                 migration of the context writes the order and the digests of all of them anew"
            }
            Self::NoLog => "restore it from a backup, with the rights that it had",
        }
    }

    /// The migration that it is about; none where it is about all of them.
    pub fn migration(&self) -> Option<&MigrationId> {
        match self {
            Self::Added { migration }
            | Self::Unlogged { migration }
            | Self::Removed { migration, .. }
            | Self::Altered { migration, .. }
            | Self::NotReplaced { migration }
            | Self::Misplaced { migration }
            | Self::Digest { migration } => Some(migration),
            Self::NoLog => None,
        }
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { migration } => {
                write!(
                    f,
                    "{migration} is recorded and the log does not know of it: its row was added by hand"
                )
            }
            Self::Unlogged { migration } => write!(
                f,
                "{migration} is recorded and the log does not know of it yet: its run was killed right behind its commit, \
                 or its row was added by hand"
            ),
            Self::Removed { migration, event } => write!(
                f,
                "{migration} is not recorded, and its last entry in the log is {event:?}: its row was removed by hand"
            ),
            Self::Altered { migration, recorded, logged } => write!(
                f,
                "{migration} is recorded with {recorded}, and the log has {logged}: its row was altered by hand"
            ),
            Self::NotReplaced { migration } => write!(
                f,
                "{migration} is recorded as replaced, and the log has no replacement of it: its row was altered by hand"
            ),
            Self::Misplaced { migration } => write!(
                f,
                "{migration} is not recorded behind the one before it: a row of its context was removed or altered by hand"
            ),
            Self::Digest { migration } => write!(
                f,
                "the digest of {migration} is not that of the rows up to it: it, or a row before it, was altered by hand"
            ),
            Self::NoLog => f.write_str("the tracker's log is gone: table schema_migrations_log was dropped"),
        }
    }
}

/// What was read of the tracker beside the history.
#[derive(Clone, Debug)]
pub(crate) struct Audit {
    pub(crate) log: Log,
    pub(crate) places: HashMap<MigrationId, Place>,
}

/// What was read of the log.
#[derive(Clone, Debug)]
pub(crate) enum Log {
    /// The last event of each migration that put its record in, changed it or took it out.
    Last(HashMap<MigrationId, Logged>),
    /// This login may not read it.
    Denied,
    /// It is not there.
    Gone,
}

/// The last that the log has of a migration.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) event: String,
    pub(crate) checksum: Option<String>,
}

/// Where a record stands, by its own word.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) follows: Option<u32>,
    pub(crate) digest: Option<String>,
    /// Whether it is recorded how long it took: a run that goes on until it is logged sees to that.
    pub(crate) settled: bool,
}

impl Audit {
    /// Of a database without a tracker.
    pub(crate) fn nothing() -> Self {
        Self { log: Log::Last(HashMap::new()), places: HashMap::new() }
    }

    pub(crate) fn is_denied(&self) -> bool {
        matches!(self.log, Log::Denied)
    }
}

/// Compares the records with the log, and with each other.
pub(super) fn find(catalog: &Catalog, history: &History, audit: &Audit) -> Vec<Drift> {
    let mut drift = Vec::new();
    match &audit.log {
        Log::Denied => {}
        Log::Gone => drift.push(Drift::NoLog),
        Log::Last(log) => {
            drift.extend(history.records().iter().filter_map(|record| unlike(record, log, audit)));
            let recorded = history.by_id();
            let mut removed: Vec<(&MigrationId, &Logged)> = log
                .iter()
                .filter(|(id, logged)| leaves_a_record(&logged.event) && !recorded.contains_key(id))
                .collect();
            removed.sort_by_key(|(id, _)| (id.context().to_owned(), id.version().clone()));
            drift.extend(
                removed.into_iter().map(|(id, logged)| Drift::Removed {
                    migration: id.clone(),
                    event: logged.event.clone(),
                }),
            );
        }
    }
    drift.extend(broken(catalog, history, audit));
    drift
}

/// How a record differs from the log.
fn unlike(record: &Record, log: &HashMap<MigrationId, Logged>, audit: &Audit) -> Option<Drift> {
    let migration = record.id().clone();
    // It is named as interrupted; only a person knows what it should be.
    if record.state() == State::Interrupted {
        return None;
    }
    let settled = audit.places.get(record.id()).is_none_or(|place| place.settled);
    let logged = log.get(record.id()).filter(|logged| leaves_a_record(&logged.event));
    match logged {
        // The last run has not come to log it.
        _ if !settled => Some(Drift::Unlogged { migration }),
        None => Some(Drift::Added { migration }),
        Some(Logged { checksum: Some(checksum), .. }) if checksum != record.checksum() => {
            let (recorded, logged) = (record.checksum().to_owned(), checksum.clone());
            Some(Drift::Altered { migration, recorded, logged })
        }
        Some(logged)
            if record.state() == State::Replaced && !matches!(&*logged.event, "replace" | "accept") =>
        {
            Some(Drift::NotReplaced { migration })
        }
        Some(_) => None,
    }
}

/// The first record of each context that does not stand where the ones before it say.
fn broken(catalog: &Catalog, history: &History, audit: &Audit) -> Vec<Drift> {
    let mut records: Vec<&Record> = history.records().iter().filter(|r| r.ordinal.is_some()).collect();
    records.sort_by_key(|record| (record.id().context().to_owned(), record.ordinal));
    let mut drift: Vec<Drift> =
        history.records().iter().filter(|record| is_outside(catalog, record, audit)).map(misplaced).collect();
    let mut found: HashSet<&str> = HashSet::new();
    let mut ends: HashMap<&str, (u32, Digest)> = HashMap::new();
    for record in records {
        let context = record.id().context();
        if found.contains(context) {
            continue;
        }
        let Some(place) = audit.places.get(record.id()) else { continue };
        let (ordinal, digest) = ends.entry(context).or_insert((0, Digest::EMPTY));
        let before = (*ordinal > 0).then_some(*ordinal);
        *ordinal += 1;
        *digest = digest.with(context, record.id().version().as_str(), record.checksum());
        if record.ordinal != Some(*ordinal) || place.follows != before {
            drift.push(misplaced(record));
            found.insert(context);
        } else if place.digest.as_deref() != Some(digest.to_string().as_str()) {
            drift.push(Drift::Digest { migration: record.id().clone() });
            found.insert(context);
        }
    }
    drift
}

/// Whether a record has no place although it was given one.
fn is_outside(catalog: &Catalog, record: &Record, audit: &Audit) -> bool {
    let Log::Last(log) = &audit.log else { return false };
    let migration = catalog.get(record.id().context(), record.id().version());
    let is_ordered = migration.is_some_and(|migration| {
        migration.is_ordered() && migration.checksum().to_string() == record.checksum()
    });
    // A text that was accepted later may have an order where the one that was applied had none.
    let was_ordered =
        log.get(record.id()).is_some_and(|l| matches!(&*l.event, "apply" | "baseline" | "mark" | "adopt"));
    is_ordered && was_ordered && record.ordinal.is_none() && record.state() == State::Applied
}

fn misplaced(record: &Record) -> Drift {
    Drift::Misplaced { migration: record.id().clone() }
}

/// Whether a migration is recorded behind this event.
fn leaves_a_record(event: &str) -> bool {
    !matches!(event, "rollback" | "forget")
}
