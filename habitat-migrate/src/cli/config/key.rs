//! The settings that have one value: [`KEYS`]. Each is a flag, a variable and a key of the file, from one table.

use std::time::Duration;

use super::suggestion;
use crate::provision::reader::may_stand_in;

/// A setting.
pub(crate) struct Key {
    /// Its flag, without `--`.
    pub(crate) flag: &'static str,
    /// The table of the file that it stands in; empty for the file itself.
    pub(crate) section: &'static str,
    /// Its name there.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// What it is, for `--help` and for editors.
    pub(crate) help: &'static str,
}

/// What its values are.
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A number with its unit: `500ms`, `2s`, `10min`, `1h`.
    Duration,
    /// A whole number.
    Count,
    /// Texts: a list in the file, with commas elsewhere.
    List,
}

impl Key {
    /// `HABITAT_LOCK_WAIT`.
    pub(crate) fn variable(&self) -> String {
        format!("HABITAT_{}", self.flag.to_uppercase().replace('-', "_"))
    }

    /// What is wrong with a value, and what to write instead. One that may hold a password is not repeated.
    pub(crate) fn check(&self, value: &str) -> Result<(), (String, String)> {
        let shown = if may_stand_in(value) { "this".to_owned() } else { format!("`{value}`") };
        match self.kind {
            Kind::Text | Kind::List if value.is_empty() => {
                Err(("it is empty".to_owned(), "leave it out".to_owned()))
            }
            Kind::Text | Kind::List => Ok(()),
            Kind::Count if value.parse::<u32>().is_ok() => Ok(()),
            Kind::Count => Err((format!("{shown} is no whole number"), "write digits, as in 30".to_owned())),
            Kind::Word(words) if words.contains(&value) => Ok(()),
            Kind::Word(words) => {
                Err((format!("{shown} is no {}", self.name), suggestion(value, words.iter().copied())))
            }
            Kind::Duration if duration(value).is_some() => Ok(()),
            Kind::Duration => Err((
                format!("{shown} is no length of time"),
                "write a whole number with its unit: 500ms, 2s, 10min, 1h".to_owned(),
            )),
        }
    }
}

/// The tables of the file.
pub(crate) const SECTIONS: [&str; 4] = ["policies", "timeouts", "backup", "checklist"];

pub(crate) fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let factor = match text[digits..].trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(factor).map(Duration::from_millis)
}

const LAYOUTS: [&str; 8] =
    ["habitat", "sqlx", "golang-migrate", "refinery", "flyway", "diesel", "dbmate", "goose"];

/// Every setting, in the order of the documentation.
pub(crate) const KEYS: &[Key] = &[
    Key {
        flag: "database-url",
        section: "",
        name: "database-url",
        kind: Kind::Text,
        help: "The database: a URI or libpq's key=value pairs. A password is better kept in .pgpass or a variable",
    },
    Key {
        flag: "environment",
        section: "",
        name: "environment",
        kind: Kind::Text,
        help: "What kind of database this is: production, staging, development, test, or a name of your own",
    },
    Key {
        flag: "layout",
        section: "",
        name: "layout",
        kind: Kind::Word(&LAYOUTS),
        help: "How the folders name their files; without it, that is recognised",
    },
    Key {
        flag: "tracker-schema",
        section: "",
        name: "tracker-schema",
        kind: Kind::Text,
        help: "The schema that the tracker is in; `public` if not set",
    },
    Key {
        flag: "provision",
        section: "",
        name: "provision",
        kind: Kind::Text,
        help: "The file that declares databases, roles and grants",
    },
    Key {
        flag: "changed",
        section: "policies",
        name: "changed",
        kind: Kind::Word(&["refuse", "ignore"]),
        help: "An applied migration whose text is another one now; `refuse` if not set",
    },
    Key {
        flag: "missing",
        section: "policies",
        name: "missing",
        kind: Kind::Word(&["refuse", "ignore"]),
        help: "An applied migration that is not in the folders; `refuse` if not set",
    },
    Key {
        flag: "out-of-order",
        section: "policies",
        name: "out-of-order",
        kind: Kind::Word(&["refuse", "apply"]),
        help: "A pending migration below an applied one; `refuse` if not set",
    },
    Key {
        flag: "newer-database",
        section: "policies",
        name: "newer-database",
        kind: Kind::Word(&["allow-compatible", "refuse"]),
        help: "A database with later migrations than these; `allow-compatible` if not set",
    },
    Key {
        flag: "lock-wait",
        section: "timeouts",
        name: "lock-wait",
        kind: Kind::Duration,
        help: "How long to wait while another process migrates; 15min if not set",
    },
    Key {
        flag: "lock-timeout",
        section: "timeouts",
        name: "lock",
        kind: Kind::Duration,
        help: "How long a script, or pg_dump, waits for a lock on a table; 2s, and 30s, if not set",
    },
    Key {
        flag: "statement-timeout",
        section: "timeouts",
        name: "statement",
        kind: Kind::Duration,
        help: "How long a statement of a script may take; the role's own if not set",
    },
    Key {
        flag: "retry-budget",
        section: "timeouts",
        name: "retry",
        kind: Kind::Duration,
        help: "How long to pause, in all, between attempts at a migration that met a lock; 1min if not set",
    },
    Key {
        flag: "connect-timeout",
        section: "timeouts",
        name: "connect",
        kind: Kind::Duration,
        help: "How long to try to connect while a server starts; 30s if not set",
    },
    Key {
        flag: "dump",
        section: "",
        name: "dump",
        kind: Kind::Text,
        help: "The file that `up`, `down` and `redo` write the schema to when they are done",
    },
    Key {
        flag: "backups",
        section: "backup",
        name: "folder",
        kind: Kind::Text,
        help: "The folder of backups",
    },
    Key {
        flag: "keep-days",
        section: "backup",
        name: "keep-days",
        kind: Kind::Count,
        help: "Remove backups that are older than the newest by more than so many days; kept if not set",
    },
    Key {
        flag: "keep-newest",
        section: "backup",
        name: "keep-newest",
        kind: Kind::Count,
        help: "Keep so many of the newest backups of each database, however old they are",
    },
    Key {
        flag: "backup-hours",
        section: "backup",
        name: "hours",
        kind: Kind::Count,
        help: "How many hours old the newest backup may be; 24 if not set",
    },
    Key {
        flag: "pg-bin",
        section: "backup",
        name: "pg-bin",
        kind: Kind::Text,
        help: "The folder of pg_dump and pg_restore, and no other; looked for if not set",
    },
    Key {
        flag: "checklist-extensions",
        section: "checklist",
        name: "extensions",
        kind: Kind::List,
        help: "Extensions that have to be there beside those that are declared",
    },
    Key {
        flag: "checklist-files",
        section: "checklist",
        name: "connection-files",
        kind: Kind::List,
        help: "Files that programs read their connection from",
    },
    Key {
        flag: "checklist-accept",
        section: "checklist",
        name: "accept",
        kind: Kind::List,
        help: "Findings that somebody has decided on, as CODE=OBJECT",
    },
    Key {
        flag: "checklist-replica",
        section: "checklist",
        name: "replica",
        kind: Kind::Word(&["required", "none"]),
        help: "Whether a replica has to follow the server; `none` if not set",
    },
];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use habitat_migrate_catalog::Layout;

    use super::{KEYS, LAYOUTS, duration};

    #[test]
    fn every_layout_is_one_of_the_library() {
        for name in LAYOUTS {
            assert_eq!(name.parse::<Layout>().map(Layout::name), Ok(name));
        }
    }

    #[test]
    fn r47_a_connection_string_in_the_wrong_place_is_not_repeated() {
        for key in KEYS {
            if let Err((message, help)) = key.check("postgres://app:hunter2@db/shop") {
                assert!(!message.contains("hunter2") && !help.contains("hunter2"), "{message}: {help}");
                assert!(message.starts_with("this is no "), "{message}");
            }
        }
        assert!(KEYS.iter().any(|key| key.check("sqlxx").is_err_and(|(m, _)| m.contains("`sqlxx`"))));
    }

    #[test]
    fn a_length_of_time_has_its_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("2 min"), Some(Duration::from_secs(120)));
        assert_eq!(["5", "", "s", "-1s", "5 days"].map(duration), [None; 5]);
    }
}
