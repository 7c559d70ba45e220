//! What adopting a database means: [`Adoption`], with what matches and what does not, and why.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use habitat_migrate_catalog::MigrationId;

use super::checksum::Algorithm;
use super::tool::Tool;

/// What the other tool's history has, next to what the catalog has. [`Display`](fmt::Display) is for a terminal.
///
/// ```text
/// sqlx, table "public"."_sqlx_migrations": 2 migrations to record, 1 mismatch, 1 pending
///   record   shop:0001_items: SHA-384 is the same; applied 2026-03-01 10:00:00 UTC
///   record   shop:0002_prices: SHA-384 is the same; applied 2026-03-02 10:00:00 UTC
///   refused  3: applied there, and not in this catalog
///   pending  shop:0004_orders
/// ```
#[derive(Clone, Debug)]
pub struct Adoption {
    pub(crate) tool: Tool,
    pub(crate) table: String,
    pub(crate) matched: Vec<Matched>,
    pub(crate) differences: Vec<Mismatch>,
    pub(crate) pending: Vec<MigrationId>,
    pub(crate) state: AdoptionState,
}

/// How far an adoption came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AdoptionState {
    /// Nothing was written: it was a dry run, or it was refused.
    Compared,
    /// What matches is recorded now.
    Recorded,
    /// It was all recorded before; nothing was written.
    AlreadyRecorded,
}

impl Adoption {
    /// The tool whose history it is.
    pub fn tool(&self) -> Tool {
        self.tool
    }

    /// The tool's table, with its schema, quoted. Nothing is ever written to it.
    pub fn table(&self) -> &str {
        &self.table
    }

    /// What is applied there and is in the catalog, in the catalog's order: what is recorded.
    pub fn matched(&self) -> &[Matched] {
        &self.matched
    }

    /// What does not match and refuses the adoption.
    pub fn mismatched(&self) -> impl Iterator<Item = &Mismatch> {
        self.differences.iter().filter(|mismatch| !mismatch.accepted)
    }

    /// What does not match and the caller accepts.
    pub fn accepted(&self) -> impl Iterator<Item = &Mismatch> {
        self.differences.iter().filter(|mismatch| mismatch.accepted)
    }

    /// What is applied there and is not in the catalog, accepted or not.
    pub fn unknown(&self) -> impl Iterator<Item = &Mismatch> {
        self.differences.iter().filter(|mismatch| mismatch.difference == Difference::Unknown)
    }

    /// What is in the catalog and not applied: the next `migrate` applies it.
    pub fn pending(&self) -> &[MigrationId] {
        &self.pending
    }

    /// How far it came.
    pub fn state(&self) -> AdoptionState {
        self.state
    }

    /// Whether nothing stands against it.
    pub fn is_clean(&self) -> bool {
        self.mismatched().next().is_none()
    }
}

/// A migration that is applied there and is in the catalog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matched {
    pub(crate) id: MigrationId,
    pub(crate) version: String,
    pub(crate) proof: Proof,
    pub(crate) applied_at: Option<DateTime<Utc>>,
    pub(crate) applied_by: Option<String>,
    pub(crate) took: Option<Duration>,
}

impl Matched {
    /// Which migration of the catalog it is.
    pub fn id(&self) -> &MigrationId {
        &self.id
    }

    /// Its version as the other tool writes it.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What says that its script is the one that was applied.
    pub fn proof(&self) -> Proof {
        self.proof
    }

    /// When it was applied, where the tool keeps it.
    pub fn applied_at(&self) -> Option<DateTime<Utc>> {
        self.applied_at
    }

    /// The role that applied it, where the tool keeps it.
    pub fn applied_by(&self) -> Option<&str> {
        self.applied_by.as_deref()
    }

    /// How long it took, where the tool keeps it.
    pub fn execution_time(&self) -> Option<Duration> {
        self.took
    }
}

/// What says that the catalog's script is the one that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Proof {
    /// The tool's checksum is that of the script.
    Checksum(Algorithm),
    /// It is, once line ends, the byte order mark or the last newline are as they were: git changed them, say.
    ChecksumOfForm(Algorithm),
    /// Nothing: the tool keeps no checksum, or none of this one.
    NoChecksum(Tool),
    /// Nothing: its checksum could not be computed, for this reason.
    NotComputed(&'static str),
    /// Nothing: it is below the tool's baseline, so the tool never saw it.
    Baseline,
    /// Nothing: the caller accepts it.
    Accepted,
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum(algorithm) => write!(f, "{algorithm} is the same"),
            Self::ChecksumOfForm(algorithm) => write!(f, "{algorithm} is the same but for line ends"),
            Self::NoChecksum(tool) if !tool.has_checksums() => {
                write!(f, "not verified: {tool} keeps no checksum")
            }
            Self::NoChecksum(tool) => write!(f, "not verified: {tool} has no checksum of it"),
            Self::NotComputed(reason) => write!(f, "not verified: {reason}"),
            Self::Baseline => f.write_str("not verified: it is not above the baseline"),
            Self::Accepted => f.write_str("not verified: accepted by the caller"),
        }
    }
}

/// One thing that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    pub(crate) version: String,
    pub(crate) migration: Option<MigrationId>,
    pub(crate) difference: Difference,
    pub(crate) accepted: bool,
}

impl Mismatch {
    /// The version as the other tool writes it; the catalog's where the tool has none.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The migration of the catalog, where there is one.
    pub fn migration(&self) -> Option<&MigrationId> {
        self.migration.as_ref()
    }

    /// What the difference is.
    pub fn difference(&self) -> &Difference {
        &self.difference
    }

    /// What to do about it.
    pub fn advice(&self) -> String {
        match &self.difference {
            Difference::Checksum { .. } | Difference::Name { .. } => {
                format!("restore the file; or, if it is good as well, accept {:?} to record it", self.version)
            }
            Difference::Unknown => {
                format!(
                    "restore its file; or, if it is gone for good, accept {:?} to leave it out",
                    self.version
                )
            }
            Difference::Gap { .. } => {
                format!("apply it with the other tool; or accept {:?} to leave it pending", self.version)
            }
            Difference::Failed => {
                "complete it or undo it, and let the other tool know; it cannot be accepted".to_owned()
            }
            Difference::Ambiguous { .. } => {
                "say which context the history is of with `Adopt::context`; it cannot be accepted".to_owned()
            }
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.migration {
            Some(id) => write!(f, "{id}: {}", self.difference),
            None => write!(f, "{}: {}", self.version, self.difference),
        }
    }
}

/// How the other tool's history and the catalog differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The script that was applied is another one.
    Checksum {
        /// How the tool computes it.
        algorithm: Algorithm,
        /// The one that it stored.
        theirs: String,
        /// The one that the catalog's script has.
        ours: String,
    },
    /// The number is the same and the name is not, and no checksum says that it is the same script.
    Name {
        /// The name that the tool stored.
        theirs: String,
        /// The name in the catalog.
        ours: String,
    },
    /// It is applied there and not in the catalog.
    Unknown,
    /// It is not applied there, although one is that comes after it or requires it.
    Gap {
        /// That one.
        after: MigrationId,
    },
    /// It failed there, or it was interrupted.
    Failed,
    /// Several migrations of the catalog have its number, or several of its rows have that of one migration.
    Ambiguous {
        /// Those migrations.
        migrations: Vec<MigrationId>,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checksum { algorithm, theirs, ours } => {
                write!(f, "another script was applied: {algorithm} {} there, {} here", cut(theirs), cut(ours))
            }
            Self::Name { theirs, ours } => {
                write!(f, "another name has this number: {theirs:?} there, {ours:?} here")
            }
            Self::Unknown => f.write_str("applied there, and not in this catalog"),
            Self::Gap { after } => write!(f, "not applied there, although {after} is"),
            Self::Failed => f.write_str("failed or was interrupted there"),
            Self::Ambiguous { migrations } => {
                let names: Vec<String> = migrations.iter().map(ToString::to_string).collect();
                write!(f, "not clear which migration it is: {}", names.join(", "))
            }
        }
    }
}

/// Enough of a checksum to see that it is another one.
fn cut(checksum: &str) -> String {
    match checksum.char_indices().nth(16) {
        Some((end, _)) => format!("{}…", &checksum[..end]),
        None => checksum.to_owned(),
    }
}

impl fmt::Display for Adoption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (matched, refused) = (self.matched.len(), self.mismatched().count());
        let s = |count| if count == 1 { "" } else { "s" };
        write!(f, "{}, table {}: {matched} migration{} ", self.tool, self.table, s(matched))?;
        let (state, verb) = match self.state {
            AdoptionState::Compared => ("to record", "record"),
            AdoptionState::Recorded => ("recorded", "recorded"),
            AdoptionState::AlreadyRecorded => ("recorded before", "there"),
        };
        f.write_str(state)?;
        if refused > 0 {
            write!(f, ", {refused} mismatch{}", if refused == 1 { "" } else { "es" })?;
        }
        write!(f, ", {} pending", self.pending.len())?;
        for matched in &self.matched {
            write!(f, "\n  {verb:<9}{}: {}", matched.id, matched.proof)?;
            if let Some(time) = matched.applied_at {
                write!(f, "; applied {}", time.format("%Y-%m-%d %H:%M:%S UTC"))?;
            }
            matched.applied_by.iter().try_for_each(|role| write!(f, " by {role}"))?;
        }
        for mismatch in &self.differences {
            write!(f, "\n  {:<9}{mismatch}", if mismatch.accepted { "accepted" } else { "refused" })?;
        }
        self.pending.iter().try_for_each(|id| write!(f, "\n  {:<9}{id}", "pending"))
    }
}
