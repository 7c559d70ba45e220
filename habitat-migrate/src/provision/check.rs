//! What a declaration has to hold to, whoever made it: names that PostgreSQL can keep, and no word against another.

use std::collections::BTreeSet;

use super::declaration::Declaration;
use super::grant::Target;
use crate::sql::check_name;

pub(crate) fn problems(declaration: &Declaration) -> Vec<String> {
    let mut problems = Vec::new();
    let mut seen = BTreeSet::new();
    let roles = declaration.roles.iter().map(|role| ("role", String::new(), role.name.as_str()));
    let databases = declaration.databases.iter().flat_map(|database| {
        let within = format!(" of database {}", database.name);
        let schemas = database.schemas.iter();
        let schemas = schemas.map(move |schema| ("schema", within.clone(), schema.name.as_str()));
        std::iter::once(("database", String::new(), database.name.as_str())).chain(schemas)
    });
    for (what, within, name) in roles.chain(databases) {
        if let Err(reason) = check_name(name) {
            problems.push(format!("PostgreSQL cannot have a {what} named {name:?}: {reason}"));
        }
        if !seen.insert((what, within.clone(), name)) {
            problems.push(format!("{what} {name}{within} is declared twice"));
        }
    }
    for (grantee, name) in mentioned(declaration) {
        if let Err(reason) = check_name(name) {
            problems.push(format!("PostgreSQL cannot have {grantee} named {name:?}: {reason}"));
        }
    }
    for database in &declaration.databases {
        for grant in database.grants.iter().chain(&database.revokes) {
            let allowed = grant.target.allowed();
            for privilege in grant.privileges.iter().filter(|privilege| !allowed.contains(privilege)) {
                problems.push(format!("there is no privilege {privilege} on {:?}", grant.target));
            }
        }
        for grant in &database.grants {
            let against = database.revokes.iter().any(|revoke| {
                revoke.grantee == grant.grantee
                    && revoke.target == grant.target
                    && !revoke.privileges.is_disjoint(&grant.privileges)
            });
            if against {
                problems.push(format!(
                    "{} is granted and revoked the same privilege in database {}",
                    grant.grantee, database.name
                ));
            }
        }
    }
    problems
}

/// Names that stand in statements, beside those of what is declared.
fn mentioned(declaration: &Declaration) -> Vec<(&'static str, &str)> {
    let mut names = Vec::new();
    for role in &declaration.roles {
        names.extend(role.member_of.iter().map(|membership| ("a role", membership.role.as_str())));
        names.extend(role.settings.iter().map(|setting| ("a setting", setting.name.as_str())));
    }
    for database in &declaration.databases {
        names.extend(database.owner.as_deref().map(|name| ("a role", name)));
        names.extend(database.template.as_deref().map(|name| ("a database", name)));
        names.extend(database.extensions.iter().map(|extension| ("an extension", extension.name.as_str())));
        for schema in &database.schemas {
            let owners = [&schema.owner, &schema.objects_owner, &schema.migrated_by];
            names.extend(owners.into_iter().flatten().map(|name| ("a role", name.as_str())));
        }
        for grant in database.grants.iter().chain(&database.revokes) {
            names.push(("a role", grant.grantee.as_str()));
            match &grant.target {
                Target::Schema(schema) | Target::All { schema, .. } | Target::Named { schema, .. } => {
                    names.push(("a schema", schema));
                }
                Target::Columns { schema, columns, .. } => {
                    names.push(("a schema", schema));
                    names.extend(columns.iter().map(|column| ("a column", column.as_str())));
                }
                Target::Future { schema, creator, .. } => {
                    names.extend(schema.as_deref().map(|schema| ("a schema", schema)));
                    names.push(("a role", creator));
                }
                Target::Database => {}
            }
        }
    }
    names
}
