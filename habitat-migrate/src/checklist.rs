//! What has to be so before a database serves: a [`Checklist`], ticked line by line or told what is wrong.

mod facts;
mod lines;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::backup::Backups;
use crate::client::Client;
use crate::migrator::Migrator;
use crate::provision::{Cluster, ProbeReport, Provision, Result, Rules};

/// What is looked at in one database: what was declared, migrated and backed up.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn example(provision: habitat_migrate::provision::Provision, migrator: habitat_migrate::Migrator,
/// #     cluster: habitat_migrate::provision::Cluster<'_, postgres::Client>) -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use habitat_migrate::backup::Backups;
/// use habitat_migrate::checklist::Checklist;
///
/// let day = Duration::from_secs(24 * 60 * 60);
/// let report = Checklist::new(provision, migrator)
///     .extension("pgcrypto")
///     .backups(Backups::new("backups"), day)
///     .connection_file("secrets/habitat.yaml")
///     .run(&cluster)?;
/// print!("{report}");
/// assert!(report.is_ready());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Checklist {
    provision: Provision,
    migrator: Migrator,
    rules: Rules,
    extensions: Vec<String>,
    backups: Option<(Backups, Duration)>,
    files: Vec<PathBuf>,
    probes: Option<ProbeReport>,
    replica: bool,
}

/// A line of a checklist, and what was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    topic: Topic,
    verdict: Verdict,
    reasons: Vec<String>,
}

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Topic {
    /// The server is PostgreSQL 14 or newer.
    Version,
    /// Every role that logs in by a password has one, as a SCRAM verifier.
    Passwords,
    /// The database is there, and what is in it belongs to whom it should.
    Ownership,
    /// The extensions are there.
    Extensions,
    /// Migrations were applied behind what they require.
    Order,
    /// Roles and their rights are as declared, and no application's role is powerful.
    Roles,
    /// Row-level security is on and forced, has policies, and was tried.
    RowSecurity,
    /// Materialized views are filled.
    MaterializedViews,
    /// The tracker has every migration, with the program's texts.
    Tracker,
    /// Nothing else in the database is unsafe by the audit's rules.
    Rules,
    /// There is a backup, and it is not old.
    Backup,
    /// The files with connections are there, and their owner's alone.
    ConnectionFiles,
    /// A replica follows.
    Replica,
    /// Somebody is told when something is wrong.
    Monitoring,
    /// The network lets in nobody else.
    Firewall,
}

/// What came of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It is so.
    Met,
    /// It is not so; the reasons say what is wrong.
    Unmet,
    /// It cannot be seen from here: a person has to look.
    Unseen,
    /// Nobody declared it.
    Unneeded,
}

/// All lines. `{}` is the list, ticked:
///
/// ```text
/// [x] PostgreSQL 14 or newer: 15.14
/// [ ] recent backup: there is none of habitat in backups
/// [?] database firewall: not seen from here: look at it yourself
/// [-] replica: not declared
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report(Vec<Line>);

impl Checklist {
    /// For the first database of a declaration and the migrations of a program. The declaration's roles that own nothing are
    /// held to the rules as application roles.
    pub fn new(provision: Provision, migrator: Migrator) -> Self {
        let rules = lines::rules(provision.declaration());
        Self {
            provision,
            migrator,
            rules,
            extensions: Vec::new(),
            backups: None,
            files: Vec::new(),
            probes: None,
            replica: false,
        }
    }

    /// The rules of the audit, instead of those that follow from the declaration.
    #[must_use]
    pub fn rules(mut self, rules: Rules) -> Self {
        self.rules = rules;
        self
    }

    /// Leaves a finding of the rules out, as [`Rules::accept`] does: somebody has looked at this object and decided.
    #[must_use]
    pub fn accept(mut self, code: impl Into<String>, object: impl Into<String>) -> Self {
        self.rules = self.rules.accept(code, object);
        self
    }

    /// An extension that has to be there, beside those that are declared.
    #[must_use]
    pub fn extension(mut self, name: impl Into<String>) -> Self {
        self.extensions.push(name.into());
        self
    }

    /// Where backups are, and how old the newest may be by the server's clock.
    #[must_use]
    pub fn backups(mut self, backups: Backups, age: Duration) -> Self {
        self.backups = Some((backups, age));
        self
    }

    /// A file that programs read their connection from.
    #[must_use]
    pub fn connection_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// What came of trying what roles may and must not.
    #[must_use]
    pub fn probed(mut self, report: ProbeReport) -> Self {
        self.probes = Some(report);
        self
    }

    /// A replica has to follow this server.
    #[must_use]
    pub fn replica(mut self) -> Self {
        self.replica = true;
        self
    }

    /// Looks, and changes nothing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Connect`](crate::provision::ErrorKind::Connect), [`ErrorKind::Read`](crate::provision::ErrorKind::Read). What it
    /// finds is no error.
    pub fn run<'a, C: Client + 'a>(&'a self, cluster: &'a Cluster<'_, C>) -> C::Outcome<'a, Result<Report>> {
        C::complete(Box::pin(
            async move { Ok(Report(lines::all(self, &facts::gather(self, cluster).await?))) },
        ))
    }

    /// The database that is looked at; none where none is declared.
    fn database(&self) -> Option<&str> {
        self.provision.declaration().databases().first().map(|database| database.name())
    }
}

impl Report {
    /// The lines, in order.
    pub fn lines(&self) -> &[Line] {
        &self.0
    }

    /// The line about this.
    pub fn line(&self, topic: Topic) -> Option<&Line> {
        self.0.iter().find(|line| line.topic == topic)
    }

    /// Whether nothing is wrong. What cannot be seen does not count.
    pub fn is_ready(&self) -> bool {
        self.0.iter().all(|line| line.verdict != Verdict::Unmet)
    }
}

impl Line {
    /// What it is about.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// What came of it.
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// What was seen, or what is wrong, each in a line.
    pub fn reasons(&self) -> &[String] {
        &self.reasons
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tick = match self.verdict {
            Verdict::Met => 'x',
            Verdict::Unmet => ' ',
            Verdict::Unseen => '?',
            Verdict::Unneeded => '-',
        };
        write!(f, "[{tick}] {}", self.topic)?;
        match self.reasons.as_slice() {
            [] => Ok(()),
            [reason] => write!(f, ": {reason}"),
            reasons => reasons.iter().try_for_each(|reason| write!(f, "\n    {reason}")),
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "PostgreSQL 14 or newer",
            Self::Passwords => "passwords set",
            Self::Ownership => "database and its ownership",
            Self::Extensions => "extensions",
            Self::Order => "migrations applied in order",
            Self::Roles => "roles and their rights",
            Self::RowSecurity => "row-level security",
            Self::MaterializedViews => "materialized views filled",
            Self::Tracker => "migration tracker",
            Self::Rules => "audit of the rules",
            Self::Backup => "recent backup",
            Self::ConnectionFiles => "connection files",
            Self::Replica => "replica",
            Self::Monitoring => "monitoring and alerting",
            Self::Firewall => "database firewall",
        })
    }
}
