//! What a role may do, and must not: declared as [`Probes`], tried by logging in as the role, told as a [`ProbeReport`].

use std::fmt;

use super::probe_attempt::Attempt;
use crate::server::ServerError;

/// What is expected of the roles of a database.
///
/// ```no_run
/// # async fn example(connections: &[habitat_migrate::provision::Connection]) -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::provision::{Attempt, Probe, Probes, Relation};
///
/// let members = Relation::new("public", "members");
/// let write = Probe::new("habitat_write")
///     .setting("app.current_member_id", "0b4c7a36-0000-4000-8000-000000000001")
///     .may(Attempt::Update(members.clone()))
///     .must_not(Attempt::Delete(members))
///     .must_not(Attempt::CreateTable { schema: "public".to_owned() });
/// let report = Probes::new().with(write).run(connections).await?;
/// println!("{report}");
/// assert!(report.is_as_expected());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Probes(pub(super) Vec<Probe>);

/// What is expected of one role, with some settings in force.
#[derive(Clone, Debug)]
pub struct Probe {
    pub(super) role: String,
    pub(super) settings: Vec<(String, String)>,
    pub(super) attempts: Vec<(Expectation, Attempt)>,
}

/// What should come of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// It succeeds, and finds rows where it looks for some.
    May,
    /// The server refuses it for want of a right (42501), or it finds no row.
    MustNot,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The server did it.
    Allowed,
    /// The server did it, and it found no row: no right was missing, and policies may hide the rows.
    NoRows,
    /// The server refused it for want of a right, or by a policy: SQLSTATE 42501.
    Refused(ServerError),
    /// It failed for another reason, which says nothing of the role's rights.
    Failed(ServerError),
}

/// One attempt, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    pub(super) role: String,
    pub(super) settings: Vec<(String, String)>,
    pub(super) expectation: Expectation,
    pub(super) attempt: Attempt,
    pub(super) outcome: Outcome,
}

/// What came of all probes; its `Display` is a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeReport(pub(super) Vec<ProbeResult>);

impl Probes {
    /// No probe.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a probe; a role may have several, with other settings each.
    #[must_use]
    pub fn with(mut self, probe: Probe) -> Self {
        self.0.push(probe);
        self
    }
}

impl Probe {
    /// Nothing is expected of the role yet.
    pub fn new(role: impl Into<String>) -> Self {
        Self { role: role.into(), settings: Vec::new(), attempts: Vec::new() }
    }

    /// A setting that is in force for each attempt, as `SET LOCAL`: who is asking, for policies.
    #[must_use]
    pub fn setting(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.settings.push((name.into(), value.into()));
        self
    }

    /// Expects that the role may do this.
    #[must_use]
    pub fn may(mut self, attempt: Attempt) -> Self {
        self.attempts.push((Expectation::May, attempt));
        self
    }

    /// Expects that the role is refused this.
    #[must_use]
    pub fn must_not(mut self, attempt: Attempt) -> Self {
        self.attempts.push((Expectation::MustNot, attempt));
        self
    }
}

impl ProbeResult {
    /// The role that tried.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The settings that were in force.
    pub fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// What was tried.
    pub fn attempt(&self) -> &Attempt {
        &self.attempt
    }

    /// What should come of it.
    pub fn expectation(&self) -> Expectation {
        self.expectation
    }

    /// What came of it.
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// Whether both are the same. An attempt that failed for another reason than its rights never is.
    pub fn is_as_expected(&self) -> bool {
        match (self.expectation, &self.outcome) {
            (Expectation::May, outcome) => *outcome == Outcome::Allowed,
            (Expectation::MustNot, outcome) => matches!(outcome, Outcome::Refused(_) | Outcome::NoRows),
        }
    }
}

impl ProbeReport {
    /// Every attempt, in the order of the probes.
    pub fn results(&self) -> &[ProbeResult] {
        &self.0
    }

    /// The attempts that came out otherwise.
    pub fn surprises(&self) -> impl Iterator<Item = &ProbeResult> {
        self.0.iter().filter(|result| !result.is_as_expected())
    }

    /// Whether something was tried, and everything came out as expected.
    pub fn is_as_expected(&self) -> bool {
        !self.0.is_empty() && self.surprises().next().is_none()
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::May => "may",
            Self::MustNot => "must not",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::NoRows => f.write_str("no rows"),
            Self::Refused(error) => write!(f, "refused: {error}"),
            Self::Failed(error) => write!(f, "failed: {error}"),
        }
    }
}

/// One line for each attempt, columns aligned: `ok  habitat_write  must not  delete public.members  refused: …`.
impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |result: &ProbeResult| {
            let settings: String =
                result.settings.iter().map(|(key, value)| format!(" {key}={value}")).collect();
            format!("{}{settings}", result.role)
        };
        let rows: Vec<(String, String)> =
            self.0.iter().map(|result| (who(result), result.attempt.to_string())).collect();
        let width = |of: fn(&(String, String)) -> &str| {
            rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0)
        };
        let (first, second) = (width(|row| &row.0), width(|row| &row.1));
        for ((who, what), result) in rows.iter().zip(&self.0) {
            let mark = if result.is_as_expected() { "ok   " } else { "WRONG" };
            writeln!(
                f,
                "{mark}  {who:first$}  {:8}  {what:second$}  {}",
                result.expectation, result.outcome
            )?;
        }
        let wrong = self.surprises().count();
        write!(f, "{} attempts, {wrong} not as expected", self.0.len())
    }
}
