//! What a server has: the same things as a declaration, read from its catalogs.

use std::collections::{BTreeMap, BTreeSet};

use super::grant::{Class, Grantee, Privilege};

/// Who has which privilege; the owner's own are among them.
pub(crate) type Acl = BTreeSet<(Grantee, Privilege)>;

/// What every database of the server shares.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// The server's version: 15.
    pub(crate) major: u32,
    pub(crate) administrator: Administrator,
    /// The superuser that the server began with; it owns what nobody else does.
    pub(crate) bootstrap: String,
    pub(crate) roles: BTreeMap<String, LiveRole>,
    /// By member and role.
    pub(crate) memberships: BTreeMap<(String, String), LiveMembership>,
    /// By role, database and name.
    pub(crate) settings: BTreeMap<(Option<String>, Option<String>, String), String>,
    pub(crate) databases: BTreeMap<String, LiveDatabase>,
    /// The extensions that the server has the files of, and whether a database's owner may create them.
    pub(crate) extensions: BTreeMap<String, bool>,
}

/// Who provisions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Administrator {
    pub(crate) name: String,
    pub(crate) superuser: bool,
    /// The roles whose rights it has, and which it may become.
    pub(crate) acts_as: BTreeSet<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LiveRole {
    pub(crate) login: bool,
    pub(crate) superuser: bool,
    pub(crate) createdb: bool,
    pub(crate) createrole: bool,
    pub(crate) bypass_rls: bool,
    pub(crate) replication: bool,
    pub(crate) inherit: bool,
    /// -1 is no limit.
    pub(crate) connection_limit: i64,
    pub(crate) valid_until: Option<String>,
    /// Whether that is the time that the declaration names, as the server reads it.
    pub(crate) valid_as_declared: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LiveMembership {
    pub(crate) admin: bool,
    pub(crate) inherit: bool,
    pub(crate) set: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveDatabase {
    /// Whether it is only about to be created.
    pub(crate) is_new: bool,
    pub(crate) owner: String,
    pub(crate) encoding: String,
    pub(crate) collation: String,
    pub(crate) character_type: String,
    pub(crate) connection_limit: i64,
    /// Whether the administrator may connect to it.
    pub(crate) is_open: bool,
    pub(crate) acl: Acl,
    pub(crate) comment: Option<String>,
    /// None where it was not looked at.
    pub(crate) contents: Option<Contents>,
}

/// What is in a database, as far as it is declared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    pub(crate) schemas: BTreeMap<String, LiveSchema>,
    pub(crate) objects: Vec<LiveObject>,
    pub(crate) extensions: BTreeSet<String>,
    /// By creator, schema and class.
    pub(crate) defaults: BTreeMap<(String, Option<String>, Class), Acl>,
    /// The environment that each tracker's schema records.
    pub(crate) environments: BTreeMap<String, Recorded>,
}

/// What a tracker says that the database is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recorded {
    /// The table is there, and has no row.
    Nothing,
    /// The administrator may not read it.
    Unreadable,
    As(String),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct LiveSchema {
    pub(crate) owner: String,
    pub(crate) acl: Acl,
}

/// A table, sequence, function or type that no extension has brought.
#[derive(Clone, Debug)]
pub(crate) struct LiveObject {
    pub(crate) class: Class,
    /// The word for ALTER: `MATERIALIZED VIEW`.
    pub(crate) kind: &'static str,
    pub(crate) schema: String,
    /// Its name; of a function with its arguments' types.
    pub(crate) name: String,
    /// The same, for SQL.
    pub(crate) sql: String,
    pub(crate) owner: String,
    /// Whether a table owns it, so that its owner is the table's.
    pub(crate) follows: bool,
    pub(crate) acl: Acl,
    /// By column: those that are declared and there, and those that have privileges of their own.
    pub(crate) columns: BTreeMap<String, Acl>,
    /// Whether it is a table that can have row-level security, and whether it is enabled and forced.
    pub(crate) row_security: Option<(bool, bool)>,
}

impl LiveObject {
    /// Whether it is one of the tracker's tables.
    pub(crate) fn is_tracker(&self) -> bool {
        let rest = self.name.strip_prefix("schema_migrations");
        self.class == Class::Tables
            && matches!(rest, Some("" | "_log" | "_environment" | "_progress" | "_backfill"))
    }
}

impl LiveDatabase {
    /// A database as `CREATE DATABASE … TEMPLATE template0` leaves it.
    pub(crate) fn fresh(major: u32, bootstrap: &str, owner: &str, limit: i64) -> Self {
        let mut schema = LiveSchema {
            owner: if major >= 15 { OWNER } else { bootstrap }.to_owned(),
            acl: Acl::from([(Grantee::Public, Privilege::Usage)]),
        };
        if major < 15 {
            schema.acl.insert((Grantee::Public, Privilege::Create));
        }
        let contents = Contents {
            schemas: BTreeMap::from([("public".to_owned(), schema)]),
            extensions: BTreeSet::from(["plpgsql".to_owned()]),
            ..Contents::default()
        };
        let public = |privilege| (Grantee::Public, privilege);
        Self {
            is_new: true,
            owner: owner.to_owned(),
            connection_limit: limit,
            acl: Acl::from([public(Privilege::Connect), public(Privilege::Temporary)]),
            contents: Some(contents),
            ..Self::default()
        }
    }

    /// The environment that the database's comment records.
    pub(crate) fn recorded(&self) -> Option<&str> {
        let rest = self.comment.as_deref()?.lines().find_map(|line| line.strip_prefix(MARK))?;
        Some(rest.trim())
    }

    /// The comment that records an environment; what else it says stays.
    pub(crate) fn comment_for(&self, kind: &str) -> String {
        let others = self.comment.iter().flat_map(|text| text.lines()).filter(|line| !line.starts_with(MARK));
        others.map(str::to_owned).chain([format!("{MARK}{kind}")]).collect::<Vec<_>>().join("\n")
    }
}

/// What every role of the server is to the owner of its database, from PostgreSQL 14 on.
pub(crate) const OWNER: &str = "pg_database_owner";

/// What the line of a database's comment begins with that records its environment.
pub(crate) const MARK: &str = "habitat-migrate, environment: ";
