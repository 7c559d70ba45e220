//! Databases: that they are there, whose they are, what they are for.

use super::roles::{assignment, begins, is_set};
use super::{Work, grants};
use crate::provision::database::Database;
use crate::provision::declaration::Declaration;
use crate::provision::finding::{Finding, FindingKind};
use crate::provision::grant::{Grant, Grantee, Privilege, Target};
use crate::provision::live::LiveDatabase;
use crate::provision::step::Place;
use crate::sql::{Ident, Literal};

/// Creates a database that is not there, or is to be made anew: what it is then. None where it stays.
pub(super) fn create(work: &mut Work<'_>, database: &Database, anew: bool) -> Option<LiveDatabase> {
    let name = &database.name;
    let subject = format!("database {name}");
    let administrator = work.live.administrator.clone();
    let why = match work.live.databases.get(name) {
        Some(_) if !anew => return None,
        Some(found) => {
            if !administrator.superuser && !administrator.acts_as.contains(&found.owner) {
                let sql = format!("ALTER DATABASE {} OWNER TO {}", Ident(name), Ident(&administrator.name));
                let why =
                    format!("only its owner drops database {name}, and does so outside of any transaction");
                let needs = vec![found.owner.clone()];
                work.step(Place::Server, FindingKind::WrongOwner, subject.clone(), sql, why, needs);
            }
            let sql = format!("DROP DATABASE {} WITH (FORCE)", Ident(name));
            let why = format!("database {name} is to be made anew");
            work.step(Place::Alone, FindingKind::DatabaseAttribute, subject.clone(), sql, why, Vec::new());
            format!("database {name} is made anew")
        }
        None => format!("database {name} is not there"),
    };
    let mut sql = format!("CREATE DATABASE {}", Ident(name));
    let mut owner = &administrator.name;
    // Anybody else hands it over afterwards, in a transaction that has the owner's rights.
    if let Some(wanted) = database.owner.as_ref().filter(|_| administrator.superuser) {
        sql += &format!(" OWNER {}", Ident(wanted));
        owner = wanted;
    }
    sql += &format!(" TEMPLATE {}", Ident(database.template.as_deref().unwrap_or("template0")));
    if let Some(encoding) = &database.encoding {
        sql += &format!(" ENCODING {}", Literal(encoding));
    }
    if let Some(collation) = &database.collation {
        sql += &format!(" LC_COLLATE {}", Literal(collation));
    }
    if let Some(character_type) = database.character_type.as_ref().or(database.collation.as_ref()) {
        sql += &format!(" LC_CTYPE {}", Literal(character_type));
    }
    let limit = database.connection_limit.map_or(-1, i64::from);
    if limit >= 0 {
        sql += &format!(" CONNECTION LIMIT {limit}");
    }
    work.step(Place::Alone, FindingKind::MissingDatabase, subject, sql, why, Vec::new());
    let mut fresh = LiveDatabase::fresh(work.live.major, &work.live.bootstrap, owner, limit);
    fresh.encoding = database.encoding.clone().unwrap_or_default();
    fresh.collation = database.collation.clone().unwrap_or_default();
    fresh.character_type = database.character_type.clone().unwrap_or_else(|| fresh.collation.clone());
    Some(fresh)
}

pub(super) fn compare(
    work: &mut Work<'_>,
    declaration: &Declaration,
    database: &Database,
    found: &LiveDatabase,
) {
    let name = &database.name;
    let subject = || format!("database {name}");
    let owner = database.owner.as_ref().unwrap_or(&found.owner);
    if *owner != found.owner {
        let sql = format!("ALTER DATABASE {} OWNER TO {}", Ident(name), Ident(owner));
        let why = format!("database {name} belongs to {} and not to {owner}", found.owner);
        let needs = vec![found.owner.clone(), owner.clone()];
        work.step(Place::Databases, FindingKind::WrongOwner, subject(), sql, why, needs);
    }
    let limit = database.connection_limit.map_or(-1, i64::from);
    if limit != found.connection_limit {
        let sql = format!("ALTER DATABASE {} CONNECTION LIMIT {limit}", Ident(name));
        let why = format!("database {name} has CONNECTION LIMIT {}", found.connection_limit);
        work.step(Place::Databases, FindingKind::DatabaseAttribute, subject(), sql, why, vec![owner.clone()]);
    }
    for setting in &database.settings {
        let key = (None, Some(name.clone()), setting.name.clone());
        // A database that is made anew has lost its settings.
        let value = work.live.settings.get(&key).map(String::as_str).filter(|_| !found.is_new);
        if !is_set(setting, value) {
            let sql = format!("ALTER DATABASE {} SET {}", Ident(name), assignment(setting));
            let why = format!("sessions in database {name} {}", begins(setting, value));
            work.step(Place::Databases, FindingKind::Setting, subject(), sql, why, vec![owner.clone()]);
        }
    }
    let kind = declaration.environment.kind.as_str();
    if found.recorded() != Some(kind) {
        let text = found.comment_for(kind);
        let sql = format!("COMMENT ON DATABASE {} IS {}", Ident(name), Literal(&text));
        let why = format!("database {name} is not recorded as {kind}");
        work.step(Place::Databases, FindingKind::Environment, subject(), sql, why, vec![owner.clone()]);
    }
    for grant in database.grants.iter().filter(|grant| grant.target == Target::Database) {
        grants::database(work, database, found, grant, grants::Direction::Grant);
    }
    for grant in database.revokes.iter().filter(|grant| grant.target == Target::Database) {
        grants::database(work, database, found, grant, grants::Direction::Revoke);
    }
    connection(work, database, found);
    fixed(work, database, found);
}

/// An administrator that is no superuser has to get in, now and next time.
fn connection(work: &mut Work<'_>, database: &Database, found: &LiveDatabase) {
    let administrator = &work.live.administrator;
    let may = |grantee: &Grantee| found.acl.contains(&(grantee.clone(), Privilege::Connect));
    let declared = |grants: &[Grant], grantee: &Grantee| {
        let on = |grant: &Grant| grant.grantee == *grantee && grant.target == Target::Database;
        grants.iter().any(|grant| on(grant) && grant.privileges.contains(&Privilege::Connect))
    };
    let everybody = may(&Grantee::Public) && !declared(&database.revokes, &Grantee::Public);
    let own = Grantee::Role(administrator.name.clone());
    let through = administrator.acts_as.iter().any(|role| may(&Grantee::Role(role.clone())));
    if administrator.superuser || everybody || through || declared(&database.grants, &own) {
        return;
    }
    let sql =
        format!("GRANT CONNECT ON DATABASE {} TO {}", Ident(&database.name), Ident(&administrator.name));
    let why = format!(
        "{} provisions database {}, and not everybody may connect to it",
        administrator.name, database.name
    );
    let subject = format!("database {}", database.name);
    let needs = vec![database.owner.clone().unwrap_or_else(|| found.owner.clone())];
    work.step(Place::Databases, FindingKind::MissingGrant, subject, sql, why, needs);
}

/// What a database has for good.
fn fixed(work: &mut Work<'_>, database: &Database, found: &LiveDatabase) {
    let plain = |name: &str| {
        let kept = name.chars().filter(|c| c.is_ascii_alphanumeric());
        kept.collect::<String>().to_lowercase()
    };
    let character_type = database.character_type.as_ref().or(database.collation.as_ref());
    for (what, wanted, is) in [
        ("encoding", database.encoding.as_ref(), &found.encoding),
        ("collation", database.collation.as_ref(), &found.collation),
        ("character type", character_type, &found.character_type),
    ] {
        let Some(wanted) = wanted.filter(|wanted| plain(wanted) != plain(is)) else { continue };
        work.remains.push(Finding {
            kind: FindingKind::DatabaseAttribute,
            database: Some(database.name.clone()),
            subject: format!("database {}", database.name),
            message: format!("its {what} is {is} and not {wanted}, which only a new database can have"),
            suggestion: None,
        });
    }
}
