//! The tools whose databases can be adopted: [`Tool`], and what each of them keeps.

use std::fmt;

use super::number::Notation;

/// A tool that migrates PostgreSQL databases and keeps a table of what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tool {
    /// <https://docs.rs/refinery>: `refinery_schema_history`.
    Refinery,
    /// <https://docs.rs/sqlx>: `_sqlx_migrations`.
    Sqlx,
    /// <https://docs.rs/diesel_migrations>: `__diesel_schema_migrations`.
    Diesel,
    /// <https://docs.rs/sea-orm-migration>: `seaql_migrations`.
    SeaOrm,
    /// <https://documentation.red-gate.com/flyway>: `flyway_schema_history`.
    Flyway,
    /// <https://github.com/golang-migrate/migrate>: `schema_migrations (version, dirty)`.
    GolangMigrate,
    /// <https://github.com/amacneil/dbmate>: `schema_migrations (version)`.
    Dbmate,
    /// <https://guides.rubyonrails.org/active_record_migrations.html>: `schema_migrations (version)` beside `ar_internal_metadata`.
    Rails,
    /// <https://hexdocs.pm/ecto_sql/Ecto.Migration.html>: `schema_migrations (version, inserted_at)`.
    Ecto,
    /// <https://pressly.github.io/goose>: `goose_db_version`.
    Goose,
    /// A script of one's own with `schema_migrations (version, deployed_at, deployed_by, description)` or
    /// `schema_migrations (version, applied_at)`, whose versions are the stems of files.
    Script,
}

impl Tool {
    /// Recognises a tool by the columns of its table, in whatever order they are; `rails` is whether Rails' other table is there.
    pub(crate) fn of(columns: &[String], rails: bool) -> Option<Self> {
        let mut columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        columns.sort_unstable();
        let has = |wanted: &[&str]| wanted.iter().all(|name| columns.contains(name));
        Some(match columns.as_slice() {
            ["version"] if rails => Self::Rails,
            ["version"] => Self::Dbmate,
            ["dirty", "version"] => Self::GolangMigrate,
            ["inserted_at", "version"] => Self::Ecto,
            ["applied_on", "checksum", "name", "version"] => Self::Refinery,
            ["run_on", "version"] => Self::Diesel,
            ["id", "is_applied", "tstamp", "version_id"] => Self::Goose,
            ["deployed_at", "deployed_by", "description", "version"] => Self::Script,
            // Both have the same two columns, of different types.
            ["applied_at", "version"] => Self::Script,
            _ if has(&[
                "version",
                "description",
                "installed_on",
                "success",
                "checksum",
                "execution_time",
            ]) && !has(&["installed_rank"]) =>
            {
                Self::Sqlx
            }
            _ if has(&[
                "installed_rank",
                "version",
                "description",
                "type",
                "script",
                "checksum",
                "success",
            ]) =>
            {
                Self::Flyway
            }
            _ => return None,
        })
    }

    /// How it numbers migrations.
    pub(crate) fn notation(self) -> Notation {
        match self {
            Self::Diesel => Notation::Dashed,
            Self::Flyway => Notation::Parts,
            Self::SeaOrm => Notation::Dated,
            _ => Notation::Digits,
        }
    }

    /// Whether its versions are the stems of files.
    pub(crate) fn has_stems(self) -> bool {
        matches!(self, Self::SeaOrm | Self::Script)
    }

    /// Whether it keeps checksums.
    pub(crate) fn has_checksums(self) -> bool {
        matches!(self, Self::Refinery | Self::Sqlx | Self::Flyway)
    }

    /// What histories are called where nobody has renamed them.
    pub(crate) const TABLES: [&'static str; 7] = [
        "refinery_schema_history",
        "_sqlx_migrations",
        "__diesel_schema_migrations",
        "seaql_migrations",
        "flyway_schema_history",
        "goose_db_version",
        "schema_migrations",
    ];
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refinery => "refinery",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::SeaOrm => "SeaORM",
            Self::Flyway => "Flyway",
            Self::GolangMigrate => "golang-migrate",
            Self::Dbmate => "dbmate",
            Self::Rails => "Rails",
            Self::Ecto => "Ecto",
            Self::Goose => "goose",
            Self::Script => "a script of your own",
        })
    }
}
