//! Privileges that nobody declared, in what is declared: an audit tells of them, and nothing takes them back unasked.

use super::grants::{covers, owner_then, take_back};
use super::{Work, quoted};
use crate::provision::database::Database;
use crate::provision::finding::{Finding, FindingKind};
use crate::provision::grant::{Class, Grant, Grantee, Privilege, Target};
use crate::provision::live::{Acl, LiveDatabase, LiveObject};
use crate::sql::Ident;

/// Looks at the database, its declared schemas and what is in them. What PostgreSQL gives everybody by itself is no finding here: declare it as revoked.
pub(super) fn look(work: &mut Work<'_>, database: &Database, found: &LiveDatabase) {
    let on = format!("DATABASE {}", Ident(&database.name));
    let built_in = [Privilege::Connect, Privilege::Temporary];
    let declared = |target: &Target| *target == Target::Database;
    let owner = database.owner.as_ref().unwrap_or(&found.owner);
    let subject = format!("database {}", database.name);
    surplus(work, database, (&subject, &on, None), &found.acl, &[&found.owner, owner], &built_in, declared);
    let Some(contents) = &found.contents else { return };
    let is_declared = |name: &str| database.schemas.iter().any(|schema| schema.name == name);
    for (name, schema) in contents.schemas.iter().filter(|(name, _)| is_declared(name)) {
        let on = format!("SCHEMA {}", Ident(name));
        let built_in: &[Privilege] =
            if name == "public" { &[Privilege::Usage, Privilege::Create] } else { &[] };
        let declared = |target: &Target| matches!(target, Target::Schema(known) if known == name);
        surplus(
            work,
            database,
            (&format!("schema {name}"), &on, None),
            &schema.acl,
            &[&schema.owner],
            built_in,
            declared,
        );
    }
    for object in contents.objects.iter().filter(|object| is_declared(&object.schema)) {
        let subject = format!("{}.{}", object.schema, object.name);
        let built_in: &[Privilege] = match object.class {
            Class::Functions => &[Privilege::Execute],
            Class::Types => &[Privilege::Usage],
            // What may be written there is taken back, and everybody may read what the database is for.
            _ if object.is_tracker() => continue,
            _ => &[],
        };
        let then = owner_then(database, object);
        let declared = |target: &Target| covers(target, object);
        let on = (subject.as_str(), object.sql.as_str(), Some(object.class));
        surplus(work, database, on, &object.acl, &[&object.owner, &then], built_in, declared);
        columns(work, database, object);
    }
}

fn columns(work: &mut Work<'_>, database: &Database, table: &LiveObject) {
    for (column, acl) in &table.columns {
        let declared = |target: &Target| {
            let named = matches!(target, Target::Columns { schema, table: name, columns }
                if *schema == table.schema && *name == table.name && columns.contains(column));
            named || covers(target, table)
        };
        for (grantee, privilege) in acl.iter().filter(|(grantee, _)| grantee.as_str() != table.owner) {
            let known = |grant: &Grant| {
                grant.grantee == *grantee && grant.privileges.contains(privilege) && declared(&grant.target)
            };
            if database.grants.iter().any(known) {
                continue;
            }
            let subject = format!("{}.{} ({column})", table.schema, table.name);
            work.surplus.push(Finding {
                kind: FindingKind::SurplusGrant,
                database: Some(database.name.clone()),
                message: format!("{grantee} has {privilege} on {subject}, and nobody declared it"),
                suggestion: Some(format!(
                    "REVOKE {privilege} ({}) ON TABLE {} FROM {}",
                    Ident(column),
                    table.sql,
                    quoted(grantee)
                )),
                subject,
            });
        }
    }
}

fn surplus(
    work: &mut Work<'_>,
    database: &Database,
    (subject, on, class): (&str, &str, Option<Class>),
    acl: &Acl,
    owners: &[&String],
    built_in: &[Privilege],
    declared: impl Fn(&Target) -> bool,
) {
    let grants = || database.grants.iter().chain(&database.revokes);
    for (grantee, privilege) in acl {
        let owns = owners.iter().any(|owner| owner.as_str() == grantee.as_str());
        let by_itself = *grantee == Grantee::Public && built_in.contains(privilege);
        // What is declared as revoked is a step already.
        let known = grants().any(|grant| {
            grant.grantee == *grantee && grant.privileges.contains(privilege) && declared(&grant.target)
        });
        if owns || by_itself || known {
            continue;
        }
        work.surplus.push(Finding {
            kind: FindingKind::SurplusGrant,
            database: Some(database.name.clone()),
            subject: subject.to_owned(),
            message: format!("{grantee} has {privilege} on {subject}, and nobody declared it"),
            suggestion: Some(take_back(class, on, grantee, *privilege)),
        });
    }
}
