//! How a folder names its files and what is in them: [`Layout`].

mod companion;
mod name;
mod read;
mod recognise;
mod sections;
mod wrapping;

use std::fmt;
use std::str::FromStr;

use crate::name::Role;
use crate::suggestion::nearest;
use crate::{Kind, Migration, TransactionMode, Version};

pub(crate) use companion::{Companion, is_companion};
pub(crate) use read::{Read, read};
pub(crate) use recognise::{Recognised, recognise};

use name::parse;
use sections::split;
use wrapping::{is_empty, runs_alone, unwrapped};

/// How a folder names its files: this library's own way, or that of another tool whose folder is loaded as it is.
///
/// Name it where the files do not say enough, or where a mistake must not lead to another reading:
/// ```no_run
/// use habitat_migrate_catalog::{Catalog, Directory, Layout};
///
/// let catalog = Catalog::load(Directory::new("migrations").in_layout(Layout::Diesel))?;
/// # Ok::<(), habitat_migrate_catalog::Problems>(())
/// ```
/// A folder whose layout is not named is recognised by its files. One that mixes layouts is refused with the
/// two files that disagree, and so is one that two tools would read differently.
///
/// # Files
/// | layout | up | down | without a transaction |
/// |---|---|---|---|
/// | `Habitat` | `01_name.sql` | `01_name.down.sql` | `-- habitat: transaction none` |
/// | `Sqlx` | `1_name.sql`, `1_name.up.sql` | `1_name.down.sql` | `-- no-transaction` |
/// | `GolangMigrate` | `000001_name.up.sql` | `000001_name.down.sql` | a script of nothing else |
/// | `Refinery` | `V1__name.sql`, `U1__name.sql` | `V1__name.down.sql`, which refinery does not read | `-- no-transaction` |
/// | `Flyway` | `V1.2__name.sql`, `V1_2__name.sql` | `U1.2__name.sql` | `V1.2__name.sql.conf`, a script of nothing else |
/// | `Diesel` | `2024-01-31-000000_name/up.sql` | `…/down.sql` | `…/metadata.toml` |
/// | `Dbmate` | `1_name.sql` below `-- migrate:up` | below `-- migrate:down` | `transaction:false` behind either |
/// | `Goose` | `1_name.sql` below `-- +goose Up` | below `-- +goose Down` | `-- +goose NO TRANSACTION` |
///
/// `U1__name.sql` undoes in Flyway; in refinery it *migrates*, like `V1__name.sql`, and may be older than what is applied.
///
/// Verify scripts go beside any of them: `1_name.verify.sql`, `V1__name.verify.sql`, `…/verify.sql`. So do
/// repeatable migrations, `R__name.sql`, save in diesel's folders. A folder within the folder is a
/// context of its own; with refinery and Flyway, which read folders to any depth, all files are of one context.
///
/// # Versions
/// A migration's version is what it would be after renaming its file as this library names it, so that renaming
/// changes nothing: the number as it is written, an underscore, the name. [`foreign_key`](Self::foreign_key) gives what the
/// other tool's table holds for it:
///
/// | layout | file | version | key, and the column that holds it |
/// |---|---|---|---|
/// | `Sqlx` | `0007_add_users.up.sql` | `0007_add_users` | `7`, `_sqlx_migrations.version` |
/// | `GolangMigrate` | `000007_add_users.up.sql` | `000007_add_users` | `7`, `schema_migrations.version`, the last one only |
/// | `Refinery` | `V7__add_users.sql` | `7_add_users` | `7`, `refinery_schema_history.version` |
/// | `Flyway` | `V1_2__Add users.sql` | `1.2_Add_users` | `1.2`, `flyway_schema_history.version` |
/// | `Diesel` | `2024-01-31-000000_add_users/up.sql` | `20240131000000_add_users` | `20240131000000`, `__diesel_schema_migrations.version` |
/// | `Dbmate` | `20240131000000_add_users.sql` | `20240131000000_add_users` | `20240131000000`, `schema_migrations.version` |
/// | `Goose` | `00007_add_users.sql` | `00007_add_users` | `7`, `goose_db_version.version_id` |
///
/// Versions order by number, part by part where it has several. Diesel orders by text: its folders keep their order if their
/// numbers have one length, as those that it makes have.
///
/// # Scripts
/// Lines and columns are those of the file, also for the second of two sections. The checksum is that of the
/// text which runs: of a file with sections that of the file up to its down section, so that a change below does not
/// count. Where golang-migrate's, dbmate's, goose's or diesel's script wraps itself in `BEGIN` and `COMMIT`, the two are taken out, since a
/// migration and its record are committed together.
///
/// A down script without any statement, as the tools make them for a start, is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Layout {
    /// This library's own: `01_name.sql`, `01_name.down.sql`.
    Habitat,
    /// sqlx: `1_name.sql`, or `1_name.up.sql` and `1_name.down.sql`.
    Sqlx,
    /// golang-migrate: `000001_name.up.sql` and `000001_name.down.sql`.
    GolangMigrate,
    /// refinery: `V1__name.sql`, `U1__name.sql`, both of which migrate.
    Refinery,
    /// Flyway: `V1.2__name.sql`, undone by `U1.2__name.sql`.
    Flyway,
    /// diesel: a folder for each migration, with `up.sql` and `down.sql`.
    Diesel,
    /// dbmate: one file with sections `-- migrate:up` and `-- migrate:down`.
    Dbmate,
    /// goose: one file with sections `-- +goose Up` and `-- +goose Down`.
    Goose,
}

impl Layout {
    /// Every layout with its name.
    const NAMES: [(&str, Self); 8] = [
        ("habitat", Self::Habitat),
        ("sqlx", Self::Sqlx),
        ("golang-migrate", Self::GolangMigrate),
        ("refinery", Self::Refinery),
        ("flyway", Self::Flyway),
        ("diesel", Self::Diesel),
        ("dbmate", Self::Dbmate),
        ("goose", Self::Goose),
    ];

    /// Its name in `layout = "…"`: `sqlx`, `golang-migrate`.
    pub fn name(self) -> &'static str {
        let found = Self::NAMES.iter().find(|(_, layout)| *layout == self);
        found.map_or("habitat", |(name, _)| name)
    }

    /// What the table of this layout's tool holds for a migration: its number as an integer's text, Flyway's
    /// version with its dots, the digits as they are in the file for diesel and dbmate, which keep text.
    ///
    /// A repeatable migration has none. Flyway considers `1` and `1.0` equal, as the order of versions does.
    ///
    /// ```
    /// use habitat_migrate_catalog::{Catalog, Layout, Loader, Scripts};
    ///
    /// let scripts = Scripts::new("app", [("V1_02__Add users.sql", "CREATE TABLE users ()")]);
    /// let catalog = Loader::new().source(scripts).layout(Layout::Flyway).load()?;
    /// let migration = &catalog.migrations()[0];
    /// assert_eq!(migration.version().as_str(), "1.02_Add_users");
    /// assert_eq!(Layout::Flyway.foreign_key(migration).as_deref(), Some("1.02"));
    /// # Ok::<(), habitat_migrate_catalog::Problems>(())
    /// ```
    pub fn foreign_key(self, migration: &Migration) -> Option<String> {
        let version = migration.version();
        if migration.kind() == Kind::Repeatable {
            return None;
        }
        Some(match self {
            Self::Habitat => version.as_str().to_owned(),
            Self::Sqlx | Self::GolangMigrate | Self::Refinery | Self::Goose => version.number().to_owned(),
            Self::Flyway | Self::Diesel | Self::Dbmate => version.digits().to_owned(),
        })
    }

    /// Whether it is another tool's.
    pub(crate) fn is_foreign(self) -> bool {
        self != Self::Habitat
    }

    /// Whether one file holds the up and the down script.
    pub(crate) fn has_sections(self) -> bool {
        matches!(self, Self::Dbmate | Self::Goose)
    }

    /// Whether folders within the folder do not matter to it.
    pub(crate) fn is_recursive(self) -> bool {
        matches!(self, Self::Refinery | Self::Flyway)
    }

    /// Whether its tool keeps no checksum, so that a script may run without its own `BEGIN` and `COMMIT`.
    pub(crate) fn may_be_unwrapped(self) -> bool {
        matches!(self, Self::GolangMigrate | Self::Diesel | Self::Dbmate | Self::Goose)
    }

    /// How its tool is called in messages.
    pub(crate) fn tool(self) -> &'static str {
        match self {
            Self::Habitat => "habitat-migrate",
            Self::Flyway => "Flyway",
            tool => tool.name(),
        }
    }

    /// The file that would hold this script of this version.
    pub(crate) fn file_of(self, version: &Version, role: Role) -> String {
        let (number, name) = (version.digits(), version.name());
        match (self, role) {
            // R__name is the same everywhere.
            _ if number.is_empty() => format!("{version}{}", role.suffix()),
            (Self::Diesel, role) => format!("{version}/{}.sql", role.word()),
            (Self::Sqlx | Self::GolangMigrate, Role::Up) => format!("{version}.up.sql"),
            (Self::Flyway, Role::Down) => format!("U{number}__{name}.sql"),
            (Self::Refinery | Self::Flyway, _) => format!("V{number}__{name}{}", role.suffix()),
            _ => format!("{version}{}", role.suffix()),
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Layout {
    type Err = ParseLayoutError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        found.map(|(_, layout)| *layout).ok_or_else(|| ParseLayoutError {
            name: name.chars().take(60).collect(),
            meant: nearest(name, Self::NAMES.map(|(known, _)| known)),
        })
    }
}

/// A name that no layout has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseLayoutError {
    name: String,
    meant: Option<&'static str>,
}

impl fmt::Display for ParseLayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no layout {:?}; ", self.name)?;
        match self.meant {
            Some(meant) => write!(f, "did you mean {meant:?}?"),
            None => write!(f, "the layouts are {}", Layout::NAMES.map(|(name, _)| name).join(", ")),
        }
    }
}

impl std::error::Error for ParseLayoutError {}

impl TransactionMode {
    /// How a down script runs: without a transaction where it begins with `-- habitat: transaction none` or
    /// `-- no-transaction`, and where it holds nothing but statements that cannot run in one.
    ///
    /// It speaks for itself, whatever its migration says: the program that takes a migration back may not have it.
    pub fn of_down(script: &str) -> Self {
        if runs_alone(script) { Self::None } else { crate::Settings::of_script(script).transaction }
    }
}

impl Migration {
    /// How its down script runs: see [`TransactionMode::of_down`].
    pub fn down_transaction(&self) -> TransactionMode {
        TransactionMode::of_down(self.down().unwrap_or_default())
    }
}

/// How a layout is named, for the help of messages.
pub(crate) fn name_it(layout: Layout) -> String {
    format!(
        "`layout = \"{layout}\"` in the macro, `Layout::{layout:?}` with `Loader::layout` or `Directory::in_layout`"
    )
}

#[cfg(test)]
#[path = "layout_tests.rs"]
mod tests;
