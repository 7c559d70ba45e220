//! Why a server could not be had.

use std::fmt;
use std::path::PathBuf;

use crate::client::words;

/// Tells why there is no server: what was looked for and where, or what the server itself logged.
///
/// ```
/// # #[cfg(unix)] {
/// use habitat_migrate::testing::Server;
///
/// let error = Server::builder().setting("not a name", "on").start().unwrap_err();
/// assert_eq!(error.to_string(), "`not a name` cannot be the name of a server setting");
/// # }
/// ```
pub struct ServerError(Box<Kind>);

pub(super) enum Kind {
    /// No PostgreSQL that fits.
    NoBinaries {
        wanted: Option<u32>,
        tried: Vec<String>,
        advice: String,
    },
    /// npm has no package of that major version.
    NoPackage {
        package: String,
        major: u32,
    },
    /// A program could not be run at all.
    Command {
        name: String,
        source: std::io::Error,
    },
    /// A program ran and failed.
    Failed {
        name: String,
        output: String,
    },
    Io {
        what: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    /// The supervisor could not make the server's folder.
    Folder {
        folder: PathBuf,
    },
    NotStarted {
        log: String,
    },
    NotStopped,
    Supervisor,
    Account,
    Setting {
        name: String,
    },
    Version {
        text: String,
    },
    Variable {
        name: &'static str,
        text: String,
        wanted: &'static str,
    },
    Address {
        variable: &'static str,
    },
    /// The user of a server that a variable names cannot be a test's.
    NoRight {
        variable: &'static str,
    },
    /// A folder of our name that somebody else has made, or that others may write to.
    Foreign {
        folder: PathBuf,
    },
    /// No PgBouncer is installed.
    NoPooler {
        tried: Vec<String>,
        advice: &'static str,
    },
    /// The server cannot do what was asked of it, as it was started.
    Unfit {
        what: &'static str,
        advice: &'static str,
    },
    /// A standby that does not come to where its primary is.
    NotReplayed {
        log: String,
    },
    /// A certificate cannot be made.
    #[cfg(feature = "testing-tls")]
    Certificate {
        name: String,
        source: rcgen::Error,
    },
    /// Asked for something that only a server started here has.
    External {
        what: &'static str,
    },
    /// Asked to do something to a server that other processes use.
    Shared {
        what: &'static str,
    },
    Connect {
        what: String,
        source: postgres::Error,
    },
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::NoBinaries { wanted, tried, advice } => {
                match wanted {
                    Some(major) => write!(f, "found no PostgreSQL {major} to run")?,
                    None => write!(f, "found no PostgreSQL to run")?,
                }
                for line in tried {
                    write!(f, "\n  tried {line}")?;
                }
                write!(f, "\n  {advice}")
            }
            Kind::NoPackage { package, major } => write!(f, "{package} has no version {major}"),
            Kind::Command { name, .. } => write!(f, "could not run {name}"),
            Kind::Failed { name, output } => write!(f, "{name} failed: {}", output.trim_end()),
            Kind::Io { what, path, .. } => write!(f, "could not {what} {}", path.display()),
            Kind::Folder { folder } => write!(f, "could not make the server's folder {}", folder.display()),
            Kind::NotStarted { log } => {
                write!(f, "the server did not start; the end of its log:\n{}", log.trim_end())
            }
            Kind::NotStopped => write!(f, "the server did not stop in time"),
            Kind::Supervisor => write!(f, "the process that watches over the server does not answer"),
            Kind::Account => {
                write!(f, "PostgreSQL does not run as root, and there is no account `postgres` or `nobody`")
            }
            Kind::Setting { name } => write!(f, "`{name}` cannot be the name of a server setting"),
            Kind::Version { text } => {
                write!(f, "`{text}` is no version of PostgreSQL: give its first number, 17")
            }
            Kind::Variable { name, text, wanted } => write!(f, "{name} is `{text}`: give {wanted}"),
            Kind::Address { variable } => write!(f, "{variable} is no connection string"),
            Kind::NoRight { variable } => {
                write!(f, "the user of {variable} may not create databases: ALTER ROLE … CREATEDB allows it")
            }
            Kind::Foreign { folder } => write!(
                f,
                "{} is not a folder that only this user may enter; remove it, or set HABITAT_TEST_SERVER_FOLDER \
                 to another place for it",
                folder.display()
            ),
            Kind::NoPooler { tried, advice } => {
                write!(f, "found no PgBouncer to run")?;
                for line in tried {
                    write!(f, "\n  tried {line}")?;
                }
                write!(f, "\n  {advice}")
            }
            Kind::Unfit { what, advice } => write!(f, "this server {what}: {advice}"),
            Kind::NotReplayed { log } => {
                write!(
                    f,
                    "the standby did not catch up within a minute; the end of its log:\n{}",
                    log.trim_end()
                )
            }
            #[cfg(feature = "testing-tls")]
            Kind::Certificate { name, .. } => write!(f, "could not make a certificate for {name}"),
            Kind::External { what } => {
                write!(
                    f,
                    "a server that an environment variable names was not started here and has no {what} to give"
                )
            }
            Kind::Shared { what } => {
                write!(f, "no {what} of a server that others use too; Server::start() gives one of your own")
            }
            Kind::Connect { what, .. } => write!(f, "could not {what}"),
        }
    }
}

impl std::error::Error for ServerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &*self.0 {
            Kind::Command { source, .. } | Kind::Io { source, .. } => Some(source),
            Kind::Connect { source, .. } => Some(source),
            #[cfg(feature = "testing-tls")]
            Kind::Certificate { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// As a person wants it from `unwrap()` and from `main() -> Result`: the text, then each source.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&words(self))
    }
}

impl ServerError {
    /// Whether it may be had elsewhere, as only the place was wrong.
    pub(super) fn is_of_folder(&self) -> bool {
        matches!(&*self.0, Kind::Folder { .. } | Kind::Foreign { .. })
    }

    /// Whether the server did not start and logged this.
    pub(super) fn log_has(&self, text: &str) -> bool {
        matches!(&*self.0, Kind::NotStarted { log } if log.contains(text))
    }
}

impl From<Kind> for ServerError {
    fn from(kind: Kind) -> Self {
        Self(Box::new(kind))
    }
}
