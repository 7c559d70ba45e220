//! Finds an installation of PostgreSQL: where they are put, and which one is taken. What exists on this machine is
//! behind [`System`], so that every kind of machine can be tried here.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A folder with programs of PostgreSQL that run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    pub(super) bin: PathBuf,
    pub(super) version: Version,
}

/// What `postgres --version` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Version {
    /// `15.14`, `18beta1`.
    pub(super) number: String,
    pub(super) major: u32,
    /// The whole line: it tells builds of one version apart.
    pub(super) line: String,
}

/// What the search needs to know of the machine.
pub(super) trait System {
    fn variable(&self, name: &str) -> Option<OsString>;
    /// The names in a folder; none if it cannot be read.
    fn list(&self, folder: &Path) -> Vec<String>;
    /// The folder in which this file really is, with links followed.
    fn real_folder(&self, file: &Path) -> Option<PathBuf>;
    /// What `pg_config --bindir` says.
    fn pg_config_bindir(&self) -> Option<PathBuf>;
    /// What `postgres --version` says; why not, if it does not run.
    fn version(&self, postgres: &Path) -> Result<Version, String>;
    /// Where packages fetched earlier are, each in a folder of its own.
    fn fetched(&self) -> Option<PathBuf>;
}

/// The first installation with the major version `wanted`, or with any; else a line for each place tried.
pub(super) fn find(system: &dyn System, wanted: Option<u32>) -> Result<Installation, Vec<String>> {
    let mut tried = Vec::new();
    for place in Place::ALL {
        let folders = place.folders(system);
        if folders.is_empty() {
            let nothing = if place == Place::Variable { "not set" } else { "nothing there" };
            tried.push(format!("{}: {nothing}", place.name()));
        }
        for folder in folders {
            match installation(system, &folder) {
                Ok(found) if wanted.is_none_or(|major| major == found.version.major) => return Ok(found),
                Ok(found) => {
                    tried.push(format!("{}: {} is {}", place.name(), folder.display(), found.version.number))
                }
                Err(reason) => tried.push(format!("{}: {} {reason}", place.name(), folder.display())),
            }
        }
        // Whoever names a folder means it: another version elsewhere is no answer, unless a version is asked for.
        if place == Place::Variable && wanted.is_none() && is_named(system) {
            break;
        }
    }
    Err(tried)
}

/// The installation in one folder; else what is wrong with it.
pub(super) fn installation(system: &dyn System, folder: &Path) -> Result<Installation, String> {
    // Folders of PATH may hold links to the programs; those beside the linked ones are the ones that fit together.
    let bin = system.real_folder(&folder.join("initdb")).ok_or("has no initdb")?;
    let postgres = bin.join("postgres");
    system.real_folder(&postgres).ok_or("has no postgres")?;
    let version =
        system.version(&postgres).map_err(|why| format!("has a postgres that does not run: {why}"))?;
    Ok(Installation { bin, version })
}

/// The folders of what was fetched earlier of this major version.
pub(super) fn fetched_folders(system: &dyn System, major: u32) -> Vec<PathBuf> {
    let Some(fetched) = system.fetched() else { return Vec::new() };
    let mut folders = newest_first(system, &fetched, "", "native/bin");
    folders.retain(|folder| {
        let name = folder.strip_prefix(&fetched).map(Path::to_string_lossy).unwrap_or_default();
        numbers(&name).first() == Some(&u64::from(major))
    });
    folders
}

/// Whether the user has named a folder.
pub(super) fn is_named(system: &dyn System) -> bool {
    system.variable(BIN).is_some()
}

/// The environment variable that names the folder of programs to use.
const BIN: &str = "HABITAT_PG_BIN";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Variable,
    Path,
    PgConfig,
    Debian,
    Rpm,
    Homebrew,
    PostgresApp,
    Fetched,
}

impl Place {
    const ALL: [Self; 8] = [
        Self::Variable,
        Self::Path,
        Self::PgConfig,
        Self::Debian,
        Self::Rpm,
        Self::Homebrew,
        Self::PostgresApp,
        Self::Fetched,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Variable => "HABITAT_PG_BIN",
            Self::Path => "PATH",
            Self::PgConfig => "pg_config --bindir",
            Self::Debian => "/usr/lib/postgresql/*/bin",
            Self::Rpm => "/usr/pgsql-*/bin",
            Self::Homebrew => "Homebrew's postgresql@*",
            Self::PostgresApp => "Postgres.app",
            Self::Fetched => "fetched earlier",
        }
    }

    /// The folders to look into, best first.
    fn folders(self, system: &dyn System) -> Vec<PathBuf> {
        match self {
            Self::Variable => system.variable(BIN).map(PathBuf::from).into_iter().collect(),
            Self::Path => {
                let path = system.variable("PATH").unwrap_or_default();
                std::env::split_paths(&path)
                    .filter(|folder| {
                        folder.is_absolute() && system.real_folder(&folder.join("initdb")).is_some()
                    })
                    .collect()
            }
            Self::PgConfig => system.pg_config_bindir().into_iter().collect(),
            Self::Debian => newest_first(system, "/usr/lib/postgresql", "", "bin"),
            Self::Rpm => newest_first(system, "/usr", "pgsql-", "bin"),
            Self::Homebrew => ["/opt/homebrew/opt", "/usr/local/opt", "/home/linuxbrew/.linuxbrew/opt"]
                .iter()
                .flat_map(|opt| newest_first(system, opt, "postgresql", "bin"))
                .collect(),
            Self::PostgresApp => {
                newest_first(system, "/Applications/Postgres.app/Contents/Versions", "", "bin")
            }
            Self::Fetched => match system.fetched() {
                Some(fetched) => newest_first(system, fetched, "", "native/bin"),
                None => Vec::new(),
            },
        }
    }
}

fn newest_first(system: &dyn System, parent: impl AsRef<Path>, prefix: &str, inner: &str) -> Vec<PathBuf> {
    let mut names = system.list(parent.as_ref());
    // `latest` is Postgres.app's link; a name that starts with a dot is a package still being fetched.
    names.retain(|name| {
        name.starts_with(prefix)
            && !name.starts_with('.')
            && (prefix == "postgresql" || !numbers(name).is_empty())
    });
    names.sort_by_key(|name| std::cmp::Reverse(numbers(name)));
    names.iter().map(|name| parent.as_ref().join(name).join(inner)).collect()
}

/// The numbers in a name, by which versions are ordered: 10 after 9.6.
pub(super) fn numbers(name: &str) -> Vec<u64> {
    name.split(|character: char| !character.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

impl Version {
    /// Reads `postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)`.
    pub(super) fn parse(line: &str) -> Option<Self> {
        let line = line.trim();
        let number = line.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
        let digits = number.split(|character: char| !character.is_ascii_digit()).next()?;
        Some(Self { number: number.to_owned(), major: digits.parse().ok()?, line: line.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// A machine on paper: programs by their path, with what they print or where they link to.
    #[derive(Default)]
    struct Fake {
        variables: BTreeMap<&'static str, &'static str>,
        installed: BTreeMap<PathBuf, &'static str>,
        links: BTreeMap<PathBuf, PathBuf>,
        bindir: Option<&'static str>,
    }

    impl Fake {
        fn install(mut self, bin: &str, number: &'static str) -> Self {
            self.installed.insert(bin.into(), number);
            self
        }
    }

    impl System for Fake {
        fn variable(&self, name: &str) -> Option<OsString> {
            self.variables.get(name).map(OsString::from)
        }
        fn list(&self, folder: &Path) -> Vec<String> {
            let inside = self.installed.keys().filter_map(|bin| bin.strip_prefix(folder).ok());
            let first = inside.filter_map(|rest| rest.components().next());
            first.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect()
        }
        fn real_folder(&self, file: &Path) -> Option<PathBuf> {
            let folder = self.links.get(file).and_then(|target| target.parent()).or_else(|| file.parent())?;
            self.installed.contains_key(folder).then(|| folder.to_owned())
        }
        fn pg_config_bindir(&self) -> Option<PathBuf> {
            self.bindir.map(PathBuf::from)
        }
        fn version(&self, postgres: &Path) -> Result<Version, String> {
            let number = postgres.parent().and_then(|bin| self.installed.get(bin)).ok_or("not there")?;
            Version::parse(&format!("postgres (PostgreSQL) {number}")).ok_or_else(|| number.to_string())
        }
        fn fetched(&self) -> Option<PathBuf> {
            Some("/cache/postgres".into())
        }
    }

    fn found(system: &Fake, wanted: Option<u32>) -> String {
        find(system, wanted).unwrap().bin.display().to_string()
    }

    #[test]
    fn the_folder_named_by_the_user_comes_first() {
        let mut system =
            Fake::default().install("/mine", "14.2").install("/usr/lib/postgresql/17/bin", "17.1");
        system.variables.insert(BIN, "/mine");
        assert_eq!(found(&system, None), "/mine");
        assert_eq!(found(&system, Some(17)), "/usr/lib/postgresql/17/bin");
    }

    #[test]
    fn a_named_folder_without_programs_is_not_passed_over() {
        let mut system = Fake::default().install("/usr/lib/postgresql/17/bin", "17.1");
        system.variables.insert(BIN, "/empty");
        let tried = find(&system, None).unwrap_err();
        assert_eq!(tried, ["HABITAT_PG_BIN: /empty has no initdb"]);
    }

    #[test]
    fn links_on_path_lead_to_the_real_folder() {
        let mut system = Fake::default().install("/usr/lib/postgresql/15/bin", "15.14 (Debian 15.14-0)");
        system.variables.insert("PATH", "relative:/usr/local/bin:/bin");
        system.links.insert("/usr/local/bin/initdb".into(), "/usr/lib/postgresql/15/bin/initdb".into());
        assert_eq!(found(&system, None), "/usr/lib/postgresql/15/bin");
    }

    #[test]
    fn the_newest_of_debians_is_taken_and_ten_is_newer_than_nine() {
        let system = Fake::default()
            .install("/usr/lib/postgresql/9.6/bin", "9.6.24")
            .install("/usr/lib/postgresql/10/bin", "10.23");
        assert_eq!(found(&system, None), "/usr/lib/postgresql/10/bin");
    }

    #[test]
    fn every_known_place_is_searched() {
        for bin in [
            "/usr/pgsql-16/bin",
            "/opt/homebrew/opt/postgresql@16/bin",
            "/usr/local/opt/postgresql/bin",
            "/Applications/Postgres.app/Contents/Versions/16/bin",
            "/cache/postgres/16.4.0-beta.13/native/bin",
        ] {
            assert_eq!(found(&Fake::default().install(bin, "16.4"), Some(16)), bin);
        }
        let system = Fake { bindir: Some("/odd/bin"), ..Fake::default() }.install("/odd/bin", "16.4");
        assert_eq!(found(&system, None), "/odd/bin");
    }

    #[test]
    fn a_failed_search_lists_every_place() {
        let system = Fake::default().install("/usr/lib/postgresql/15/bin", "15.14");
        let tried = find(&system, Some(18)).unwrap_err();
        assert_eq!(tried.len(), Place::ALL.len());
        assert!(tried.contains(&"/usr/lib/postgresql/*/bin: /usr/lib/postgresql/15/bin is 15.14".to_owned()));
    }

    #[test]
    fn versions_of_betas_and_of_distributions_are_understood() {
        let debian = Version::parse("postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)\n").unwrap();
        assert_eq!((debian.number.as_str(), debian.major), ("15.14", 15));
        assert_eq!(Version::parse("postgres (PostgreSQL) 19devel").unwrap().major, 19);
        assert_eq!(Version::parse("postgres (PostgreSQL) 18beta1").unwrap().number, "18beta1");
        assert_eq!(Version::parse("use sudo"), None);
    }
}
