//! The reasons for which a plan may not be carried out: [`Refusals`].

use std::fmt;

use habitat_migrate_catalog::MigrationId;

/// Every reason why a plan may not be carried out.
#[derive(Clone, Debug)]
pub struct Refusals(Vec<Refusal>);

impl Refusals {
    /// There is at least one reason.
    pub(crate) fn new(reasons: Vec<Refusal>) -> Self {
        Self(reasons)
    }

    /// The reasons; there is at least one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Refusal> {
        self.0.iter()
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, refusal) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("; ")?;
            }
            refusal.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusals {}

impl From<Refusal> for Refusals {
    fn from(reason: Refusal) -> Self {
        Self(vec![reason])
    }
}

/// One reason why a plan may not be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// An applied migration has another text now.
    Changed {
        /// Which one.
        migration: MigrationId,
        /// Its file.
        path: String,
        /// The checksum that was recorded.
        recorded: String,
        /// The checksum that it has now.
        built: String,
    },
    /// An applied migration is not in the catalog, although later ones are.
    Missing {
        /// Which one.
        migration: MigrationId,
    },
    /// A pending migration is below an applied one of its context.
    OutOfOrder {
        /// The pending one.
        migration: MigrationId,
        /// The applied one with the highest version.
        after: MigrationId,
    },
    /// The database has a later migration, and the policy refuses such databases.
    Newer {
        /// Which one.
        migration: MigrationId,
    },
    /// The database has a later migration that older programs must not run on.
    Breaking {
        /// Which one.
        migration: MigrationId,
    },
    /// A required migration of another owner is not applied.
    Requires {
        /// Which migration requires it.
        migration: MigrationId,
        /// What it requires.
        required: MigrationId,
    },
    /// A migration began and its end is not recorded: its script ended the transaction that it ran in, or it runs without one and this
    /// program cannot go on with it.
    Interrupted {
        /// Which one.
        migration: MigrationId,
    },
    /// A migration without a transaction is half done, and a statement has changed that is done.
    Rewritten {
        /// Which one.
        migration: MigrationId,
        /// Its file.
        path: String,
        /// Which of its statements, counted from 1.
        statement: usize,
        /// Where it is in the file, line and column, both counted from 1.
        location: (usize, usize),
    },
    /// A migration without a transaction is half applied, and is to be taken back.
    HalfApplied {
        /// Which one.
        migration: MigrationId,
    },
    /// A migration without a transaction is half taken back, and is to be applied.
    HalfUndone {
        /// Which one.
        migration: MigrationId,
    },
    /// A migration that is to be taken back has no down script.
    NoDown {
        /// Which one.
        migration: MigrationId,
        /// Whether it is in the catalog.
        known: bool,
    },
    /// The server lacks what a pending migration declares that it needs.
    Lacking {
        /// Which one.
        migration: MigrationId,
        /// What it needs.
        need: String,
        /// The server's major version.
        server: u32,
    },
    /// A migration cannot be written down as SQL that a person runs.
    Unwritten {
        /// Which one.
        migration: MigrationId,
        /// Why not.
        why: &'static str,
    },
    /// A placeholder has no value, or one that does not fit.
    Placeholder {
        /// The file, with line and column.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// A migration is recorded already.
    Recorded {
        /// Which one.
        migration: MigrationId,
    },
    /// A migration is not recorded.
    NotRecorded {
        /// Which one.
        migration: MigrationId,
    },
    /// Only a part of what a migration stands for is applied.
    PartlyReplaced {
        /// The migration that stands for others.
        migration: MigrationId,
        /// What is not applied of these.
        lacking: Vec<MigrationId>,
    },
    /// A migration is not in the catalog.
    Unknown {
        /// Which one.
        migration: MigrationId,
    },
    /// The database is recorded to belong to another environment than the caller says.
    Environment {
        /// What the database says.
        recorded: String,
        /// What the caller says.
        said: String,
    },
    /// The migration to stop at is not in the catalog.
    NoSuchTarget {
        /// Which one.
        target: MigrationId,
    },
    /// The migration is a function for another kind of client.
    OtherClient {
        /// Which one.
        migration: MigrationId,
        /// Where the function is.
        path: String,
        /// The client that can call it.
        wants: &'static str,
    },
    /// The migration uses something that this version of the library does not do yet.
    Unsupported {
        /// Its file.
        path: String,
        /// What it uses.
        what: &'static str,
    },
}

impl Refusal {
    /// What to do about it; a second line, where there is one, is to be copied.
    pub fn advice(&self) -> String {
        let advice = match self {
            Self::Changed { recorded, .. } => {
                return format!(
                    "restore the file and put the change into a new migration; or, if the applied text is good as well, \
                     add this line to the file:\n-- habitat: accepts {recorded}"
                );
            }
            Self::Missing { .. } => {
                "restore the file; if it is gone for good, migrate with `Missing::Ignore`"
            }
            Self::OutOfOrder { .. } => {
                "give it a number above the applied ones, or migrate with `OutOfOrder::Apply`"
            }
            Self::Newer { .. } | Self::Breaking { .. } => "deploy a program that has this migration",
            Self::Requires { .. } => "let the program that owns the required migration migrate first",
            Self::Interrupted { .. } => {
                "if it runs without a transaction, migrate with the program that began it; if its down script does, roll it \
                 back again; else find out by hand how far it came, complete it or undo it, and delete its row or set its \
                 state to 'applied'"
            }
            Self::Rewritten { .. } => {
                "restore the statements that are done; what is to be different goes behind them, or into a new migration"
            }
            Self::HalfApplied { .. } => "migrate: it goes on where it stopped; then roll it back",
            Self::HalfUndone { .. } => "roll it back: that goes on where it stopped; then migrate",
            Self::NoDown { known: true, .. } => {
                "write its `.down.sql`, for a function `down = …`, or stop in front of it with `Rollback::To`"
            }
            Self::NoDown { known: false, .. } => "roll back with the program that applied it",
            Self::Lacking { .. } => "install it on the server, or use a server that has it; nothing has run",
            Self::Unknown { .. } => "use the program that has it; versions are written as `plan` lists them",
            Self::Unwritten { .. } => {
                "stop in front of it with `Migrator::target`, let `migrate` apply it, and write down the rest"
            }
            Self::Placeholder { .. } => "give its value with `Migrator::placeholder`",
            Self::Recorded { .. } => {
                "a baseline is for a database without a history, and one record is enough"
            }
            Self::NotRecorded { .. } => "look it up in the history: versions are written as they stand there",
            Self::PartlyReplaced { .. } => "migrate with the last program that has the replaced ones first",
            Self::Environment { .. } => {
                "connect to the database that was meant; what a database is recorded to be is only changed on purpose, with \
                 `Migrator::set_environment`"
            }
            Self::NoSuchTarget { .. } => "name a migration as `context:version`, the way `plan` lists them",
            Self::OtherClient { wants, .. } => {
                return format!(
                    "migrate with a `{wants}`, or write the function for the client that there is"
                );
            }
            Self::Unsupported { .. } => "it was refused before anything ran; remove it for now",
        };
        advice.to_owned()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { migration, path, .. } => {
                write!(f, "{migration} has changed since it was applied ({path})")
            }
            Self::Missing { migration } => {
                write!(
                    f,
                    "{migration} is applied and this program does not have it, although it has later ones"
                )
            }
            Self::OutOfOrder { migration, after } => {
                write!(f, "{migration} is pending, but {after} is applied already")
            }
            Self::Newer { migration } => {
                write!(f, "the database has {migration}, which is newer than this program")
            }
            Self::Breaking { migration } => {
                write!(
                    f,
                    "the database has {migration}, which is newer than this program and breaks older ones"
                )
            }
            Self::Requires { migration, required } => {
                write!(f, "{migration} requires {required}, which is not applied")
            }
            Self::Interrupted { migration } => {
                write!(
                    f,
                    "{migration} began and its end is not recorded: its script ended its own transaction, or it is half done without one"
                )
            }
            Self::Rewritten { migration, path, statement, location: (line, column) } => {
                write!(
                    f,
                    "{migration} is half applied, and its statement {statement}, which is done, has changed ({path}:{line}:{column})"
                )
            }
            Self::HalfApplied { migration } => write!(f, "{migration} is half applied"),
            Self::HalfUndone { migration } => write!(f, "{migration} is half taken back"),
            Self::NoDown { migration, .. } => {
                write!(f, "{migration} has no down script, neither recorded nor in this program")
            }
            Self::Lacking { migration, need, server } => {
                write!(f, "{migration} needs {need}, and the server (PostgreSQL {server}) has it not")
            }
            Self::Unknown { migration } => write!(f, "{migration} is not in this program"),
            Self::Unwritten { migration, why } => {
                write!(f, "{migration} cannot be written down as SQL: {why}")
            }
            Self::Placeholder { path, what } => write!(f, "{path}: {what}"),
            Self::Recorded { migration } => write!(f, "{migration} is recorded already"),
            Self::NotRecorded { migration } => write!(f, "{migration} is not recorded"),
            Self::PartlyReplaced { migration, lacking } => {
                let names: Vec<String> = lacking.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "{migration} stands for migrations of which some are not applied: {}",
                    names.join(", ")
                )
            }
            Self::Environment { recorded, said } => {
                write!(f, "the database is recorded as {recorded:?}, and this run is for {said:?}")
            }
            Self::NoSuchTarget { target } => write!(f, "there is no migration {target} to stop at"),
            Self::OtherClient { migration, path, wants } => {
                write!(f, "{migration} is a function for a `{wants}` ({path})")
            }
            Self::Unsupported { path, what } => {
                write!(f, "{path} {what}, which this version of habitat-migrate does not support yet")
            }
        }
    }
}
