//! What a run did: [`Report`]. It is inside of the error, too.

use std::fmt;
use std::time::Duration;

use habitat_migrate_catalog::MigrationId;

/// What a run did, whether it came to its end or not.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub(crate) applied: Vec<Applied>,
    pub(crate) undone: Vec<Applied>,
    pub(crate) repaired: Vec<MigrationId>,
    pub(crate) paused: Option<MigrationId>,
    pub(crate) present: usize,
    pub(crate) newer: usize,
    pub(crate) waited: Duration,
    pub(crate) elapsed: Duration,
}

impl Report {
    /// The migrations that this run applied, in order.
    pub fn applied(&self) -> &[Applied] {
        &self.applied
    }

    /// The migrations that this run took back, in order.
    pub fn undone(&self) -> &[Applied] {
        &self.undone
    }

    /// The migrations whose records a repair changed, in order; it ran none of them.
    pub fn repaired(&self) -> &[MigrationId] {
        &self.repaired
    }

    /// The backfill that is paused, if the run came to one: it and what stands behind it are not applied.
    ///
    /// They are when somebody has resumed it with [`Migrator::resume_backfill`](crate::Migrator::resume_backfill) and migrates again.
    pub fn paused(&self) -> Option<&MigrationId> {
        self.paused.as_ref()
    }

    /// Whether there was nothing to do.
    pub fn is_unchanged(&self) -> bool {
        self.applied.is_empty() && self.undone.is_empty() && self.repaired.is_empty()
    }

    /// How many of the program's migrations the database had already.
    pub fn already_applied(&self) -> usize {
        self.present
    }

    /// How many migrations the database has beyond the program's own, in the program's contexts.
    pub fn newer(&self) -> usize {
        self.newer
    }

    /// How long the run waited for another process that was migrating.
    pub fn waited(&self) -> Duration {
        self.waited
    }

    /// How long the run took, by this process's clock.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// This report and the one of a second try, as one.
    pub(crate) fn followed_by(mut self, next: Self) -> Self {
        let present = next.present.saturating_sub(self.applied.len());
        self.applied.extend(next.applied);
        self.undone.extend(next.undone);
        Self {
            present,
            paused: next.paused,
            waited: self.waited + next.waited,
            elapsed: self.elapsed + next.elapsed,
            newer: next.newer,
            ..self
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.applied.len(), self.present) {
            _ if !self.repaired.is_empty() => match self.repaired.len() {
                1 => f.write_str("1 record changed, nothing run")?,
                n => write!(f, "{n} records changed, nothing run")?,
            },
            _ if !self.undone.is_empty() => self.write_undone(f)?,
            (0, _) if self.paused.is_some() => f.write_str("nothing applied")?,
            (0, 1) => f.write_str("nothing to do: the one migration is applied")?,
            (0, present) => write!(f, "nothing to do: all {present} migrations are applied")?,
            (1, _) => f.write_str("1 migration applied")?,
            (n, _) => write!(f, "{n} migrations applied")?,
        }
        let seconds = self.elapsed.as_secs_f64();
        let time = if seconds < 1.0 { (seconds * 1e3, "ms") } else { (seconds, "s") };
        write!(f, " ({:.1} {})", time.0, time.1)?;
        match self.present {
            present if self.applied.is_empty() || present == 0 => {}
            1 => f.write_str("; 1 was there already")?,
            present => write!(f, "; {present} were there already")?,
        }
        if let Some(id) = &self.paused {
            write!(f, "; the backfill {id} is paused, and what stands behind it waits")?;
        }
        if self.newer > 0 {
            write!(f, "; the database has {} newer than this program", self.newer)?;
        }
        Ok(())
    }
}

impl Report {
    fn write_undone(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.undone.len() {
            1 => f.write_str("1 migration taken back")?,
            n => write!(f, "{n} migrations taken back")?,
        }
        match self.applied.len() {
            0 => Ok(()),
            n => write!(f, ", {n} applied"),
        }
    }
}

/// One migration that a run applied.
#[derive(Clone, Debug)]
pub struct Applied {
    pub(crate) id: MigrationId,
    pub(crate) duration: Duration,
}

impl Applied {
    /// Which migration it is.
    pub fn id(&self) -> &MigrationId {
        &self.id
    }

    /// How long its transaction took, by the server's clock.
    pub fn duration(&self) -> Duration {
        self.duration
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:.1} ms)", self.id, self.duration.as_secs_f64() * 1e3)
    }
}
