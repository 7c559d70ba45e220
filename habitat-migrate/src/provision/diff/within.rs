//! What is in a database: schemas, extensions, owners, grants, row-level security.

use std::collections::{BTreeMap, BTreeSet};

use super::{Work, grants, real_owner};
use crate::provision::database::{Created, Database, Schema};
use crate::provision::declaration::{Declaration, Kind};
use crate::provision::finding::FindingKind;
use crate::provision::grant::{Grant, Grantee, Privilege, Target};
use crate::provision::live::{Contents, LiveDatabase, Recorded};
use crate::provision::step::Place;
use crate::sql::Ident;
use crate::tracker::Tracker;

/// In an order in which each step finds what it needs.
pub(super) fn compare(
    work: &mut Work<'_>,
    declaration: &Declaration,
    database: &Database,
    found: &LiveDatabase,
) {
    let Some(contents) = &found.contents else { return };
    for schema in &database.schemas {
        self::schema(work, database, found, contents, schema);
    }
    extensions(work, database, found, contents);
    owners(work, database, contents);
    let (later, now): (Vec<&Grant>, Vec<&Grant>) =
        database.grants.iter().partition(|grant| matches!(grant.target, Target::Future { .. }));
    for grant in now {
        grants::within(work, database, found, contents, grant, grants::Direction::Grant);
    }
    // Before the default privileges, which are not meant for what the tracker keeps.
    for schema in &database.schemas {
        environment(work, database, contents, schema, declaration.environment.kind);
        tracker(work, database, contents, schema);
    }
    for grant in later {
        grants::within(work, database, found, contents, grant, grants::Direction::Grant);
    }
    row_security(work, database, contents);
    for grant in &database.revokes {
        grants::within(work, database, found, contents, grant, grants::Direction::Revoke);
    }
}

fn schema(
    work: &mut Work<'_>,
    database: &Database,
    found: &LiveDatabase,
    contents: &Contents,
    schema: &Schema,
) {
    let place = Place::Within(database.name.clone());
    let database_owner = database.owner.clone().unwrap_or_else(|| found.owner.clone());
    let subject = format!("schema {}", schema.name);
    match contents.schemas.get(&schema.name) {
        None if schema.created == Created::Here => {
            let owner = schema.owner.as_ref().or(database.owner.as_ref());
            let by = owner.map(|owner| format!(" AUTHORIZATION {}", Ident(owner))).unwrap_or_default();
            let sql = format!("CREATE SCHEMA {}{by}", Ident(&schema.name));
            let needs = owner.cloned().into_iter().chain([database_owner]).collect();
            let why = format!("schema {} is not there", schema.name);
            work.step(place, FindingKind::MissingSchema, subject, sql, why, needs);
        }
        None => {}
        Some(live) => {
            let Some(owner) = schema.owner.as_ref().filter(|owner| **owner != live.owner) else { return };
            let sql = format!("ALTER SCHEMA {} OWNER TO {}", Ident(&schema.name), Ident(owner));
            let why = format!("schema {} belongs to {} and not to {owner}", schema.name, live.owner);
            let needs = vec![real_owner(&live.owner, database, found), owner.clone(), database_owner];
            work.step(place, FindingKind::WrongOwner, subject, sql, why, needs);
        }
    }
}

fn extensions(work: &mut Work<'_>, database: &Database, found: &LiveDatabase, contents: &Contents) {
    for extension in
        database.extensions.iter().filter(|extension| !contents.extensions.contains(&extension.name))
    {
        let name = &extension.name;
        let subject = format!("extension {name}");
        let trusted = match work.live.extensions.get(name) {
            Some(&trusted) if trusted || work.live.administrator.superuser => trusted,
            known => {
                let what = match known {
                    Some(_) => format!("only a superuser may create extension {name}: provision as one"),
                    None => format!(
                        "the server has no extension {name}: install its files (for those that come with PostgreSQL, the package postgresql-contrib)"
                    ),
                };
                work.cannot(FindingKind::MissingExtension, Some(&database.name), subject, what);
                continue;
            }
        };
        let schema = extension.schema.as_deref().unwrap_or("public");
        let create = format!("CREATE EXTENSION {} SCHEMA {}", Ident(name), Ident(schema));
        let owner = database.owner.as_ref().unwrap_or(&found.owner);
        let declared = database.schemas.iter().find(|known| known.name == schema);
        let of = declared.and_then(|schema| schema.owner.as_ref());
        // Its owner is whoever creates it, for good: the database's owner, whoever provisions.
        let (sql, needs) = match trusted && of.is_none_or(|of| of == owner) {
            true => (format!("SET LOCAL ROLE {};\n{create};\nRESET ROLE", Ident(owner)), vec![owner.clone()]),
            false => (create, vec![owner.clone()]),
        };
        let why = format!("extension {name} is not there");
        let place = Place::Within(database.name.clone());
        work.step(place, FindingKind::MissingExtension, subject, sql, why, needs);
    }
}

fn owners(work: &mut Work<'_>, database: &Database, contents: &Contents) {
    for object in contents.objects.iter().filter(|object| !object.follows) {
        let owner = grants::owner_then(database, object);
        if owner == object.owner {
            continue;
        }
        let sql = format!("ALTER {} {} OWNER TO {}", object.kind, object.sql, Ident(&owner));
        let subject = format!("{} {}.{}", object.kind.to_lowercase(), object.schema, object.name);
        let why = format!("{subject} belongs to {} and not to {owner}", object.owner);
        let place = Place::Within(database.name.clone());
        work.step(place, FindingKind::WrongOwner, subject, sql, why, vec![object.owner.clone(), owner]);
    }
}

/// What the database is for, where migrations look it up.
fn environment(work: &mut Work<'_>, database: &Database, contents: &Contents, schema: &Schema, kind: Kind) {
    let Some(role) = &schema.migrated_by else { return };
    if !grants::will_be_there(database, contents, &schema.name) {
        return;
    }
    let there = contents.environments.get(&schema.name);
    if !matches!(there, None | Some(Recorded::Nothing)) {
        return;
    }
    let record = Tracker::new(&schema.name).declare_environment(kind.as_str(), there.is_some());
    let sql = format!("SET LOCAL ROLE {};\n{record}RESET ROLE", Ident(role));
    let why = format!("the tracker in schema {} does not know that this is {kind}", schema.name);
    let place = Place::Within(database.name.clone());
    let subject = format!("schema {}", schema.name);
    work.step(place, FindingKind::Environment, subject, sql, why, vec![role.clone()]);
}

/// Who migrates writes the tracker, everybody else reads it at most, whatever the privileges on the schema's tables are.
fn tracker(work: &mut Work<'_>, database: &Database, contents: &Contents, schema: &Schema) {
    if schema.migrated_by.is_none() {
        return;
    }
    let tables = contents.objects.iter().filter(|object| object.schema == schema.name && object.is_tracker());
    for object in tables {
        let named = |target: &Target| matches!(target, Target::Named { name, .. } if *name == object.name);
        let mut surplus: BTreeMap<&Grantee, BTreeSet<Privilege>> = BTreeMap::new();
        for (grantee, privilege) in &object.acl {
            let owns =
                [&object.owner, &grants::owner_then(database, object)].iter().any(|o| *o == grantee.as_str());
            let asked = database.grants.iter().any(|grant| grant.grantee == *grantee && named(&grant.target));
            if !owns && !asked && *privilege != Privilege::Select {
                surplus.entry(grantee).or_default().insert(*privilege);
            }
        }
        for (grantee, privileges) in surplus {
            grants::take_all_back(work, database, object, grantee, &privileges);
        }
    }
}

fn row_security(work: &mut Work<'_>, database: &Database, contents: &Contents) {
    for rule in &database.row_security {
        for object in contents.objects.iter().filter(|object| object.schema == rule.schema) {
            let Some((enabled, forced)) = object.row_security else { continue };
            if rule.table.as_ref().is_some_and(|table| *table != object.name) {
                continue;
            }
            let mut actions = Vec::new();
            let mut reasons = Vec::new();
            if !enabled {
                actions.push("ENABLE ROW LEVEL SECURITY");
                reasons.push("enabled");
            }
            if rule.force && !forced {
                actions.push("FORCE ROW LEVEL SECURITY");
                reasons.push("forced");
            }
            if actions.is_empty() {
                continue;
            }
            let sql = format!("ALTER TABLE {} {}", object.sql, actions.join(", "));
            let subject = format!("table {}.{}", object.schema, object.name);
            let why = format!("row-level security of {subject} is not {}", reasons.join(" and not "));
            let place = Place::Within(database.name.clone());
            let needs = vec![grants::owner_then(database, object)];
            work.step(place, FindingKind::RowSecurity, subject, sql, why, needs);
        }
    }
}
