//! Roles, their memberships and what their sessions begin with.

use super::Work;
use crate::provision::declaration::Declaration;
use crate::provision::finding::{Finding, FindingKind};
use crate::provision::live::LiveRole;
use crate::provision::role::{Membership, Role, Setting, Value};
use crate::provision::step::Place;
use crate::sql::{Ident, Literal};

pub(super) fn compare(work: &mut Work<'_>, declaration: &Declaration) {
    for role in &declaration.roles {
        attributes(work, role);
    }
    for role in &declaration.roles {
        for membership in &role.member_of {
            self::membership(work, role, membership);
        }
        surplus_memberships(work, role);
        settings(work, role);
    }
}

fn attributes(work: &mut Work<'_>, role: &Role) {
    let new = LiveRole { inherit: true, connection_limit: -1, ..LiveRole::default() };
    let found = work.live.roles.get(&role.name);
    let now = found.unwrap_or(&new);
    let mut options: Vec<String> = Vec::new();
    let mut reasons = Vec::new();
    let mut switch = |wanted: bool, is: bool, on: &str, off: &str| {
        if wanted != is {
            options.push(if wanted { on } else { off }.to_owned());
            reasons.push(format!("is {}", if is { on } else { off }));
        }
    };
    switch(role.login, now.login, "LOGIN", "NOLOGIN");
    switch(role.superuser, now.superuser, "SUPERUSER", "NOSUPERUSER");
    switch(role.createdb, now.createdb, "CREATEDB", "NOCREATEDB");
    switch(role.createrole, now.createrole, "CREATEROLE", "NOCREATEROLE");
    switch(role.bypass_rls, now.bypass_rls, "BYPASSRLS", "NOBYPASSRLS");
    switch(role.replication, now.replication, "REPLICATION", "NOREPLICATION");
    switch(role.inherit, now.inherit, "INHERIT", "NOINHERIT");
    let limit = role.connection_limit.map_or(-1, i64::from);
    if limit != now.connection_limit {
        options.push(format!("CONNECTION LIMIT {limit}"));
        reasons.push(format!("has CONNECTION LIMIT {}", now.connection_limit));
    }
    if let Some(time) = role.valid_until.as_deref().filter(|_| !now.valid_as_declared) {
        options.push(format!("VALID UNTIL {}", Literal(time)));
        reasons.push(format!("has VALID UNTIL {}", now.valid_until.as_deref().unwrap_or("infinity")));
    }
    let superuser_only = role.superuser != now.superuser
        || role.bypass_rls != now.bypass_rls
        || role.replication != now.replication;
    if superuser_only && !work.live.administrator.superuser {
        work.refusals.push(format!(
            "only a superuser may change whether role {} is a superuser, bypasses row-level security or replicates: provision as one",
            role.name
        ));
    }
    let subject = format!("role {}", role.name);
    let mut tail = options.join(" ");
    if !tail.is_empty() {
        tail.insert(0, ' ');
    }
    if found.is_none() {
        let sql = format!("CREATE ROLE {}{tail}", Ident(&role.name));
        let why = format!("role {} is not there", role.name);
        work.step(Place::Server, FindingKind::MissingRole, subject, sql, why, Vec::new());
    } else if !tail.is_empty() {
        let sql = format!("ALTER ROLE {}{tail}", Ident(&role.name));
        let why = format!("role {} {}", role.name, reasons.join(", "));
        work.step(Place::Server, FindingKind::RoleAttribute, subject, sql, why, Vec::new());
    }
}

fn membership(work: &mut Work<'_>, member: &Role, wanted: &Membership) {
    let inherit = wanted.inherit.unwrap_or(member.inherit);
    let modern = work.live.major >= 16;
    if !modern {
        if inherit != member.inherit {
            let said = if member.inherit { "`inherit = false`" } else { "`inherit = true`" };
            let what = format!(
                "PostgreSQL {} has INHERIT for a role and not for its membership of {}: declare {said} of role {} itself",
                work.live.major, wanted.role, member.name
            );
            work.cannot(FindingKind::Membership, None, format!("role {}", member.name), what);
        }
        if !wanted.set {
            let what = format!(
                "PostgreSQL {} cannot keep {} from becoming {}: that takes PostgreSQL 16",
                work.live.major, member.name, wanted.role
            );
            work.cannot(FindingKind::Membership, None, format!("role {}", member.name), what);
        }
    }
    let found = work.live.memberships.get(&(member.name.clone(), wanted.role.clone()));
    let mut options = Vec::new();
    let mut option = |word: &str, wanted: bool, is: bool| {
        if wanted != is {
            options.push(format!("{word} {}", if wanted { "TRUE" } else { "FALSE" }));
        }
    };
    option("ADMIN", wanted.admin, found.is_some_and(|found| found.admin));
    if modern {
        option("INHERIT", inherit, found.map_or(member.inherit, |found| found.inherit));
        option("SET", wanted.set, found.is_none_or(|found| found.set));
    }
    if found.is_some() && options.is_empty() {
        return;
    }
    let (role, name) = (Ident(&wanted.role), Ident(&member.name));
    let sql = match (modern, wanted.admin, found) {
        (true, _, _) if options.is_empty() => format!("GRANT {role} TO {name}"),
        (true, _, _) => format!("GRANT {role} TO {name} WITH {}", options.join(", ")),
        (false, true, _) => format!("GRANT {role} TO {name} WITH ADMIN OPTION"),
        (false, false, Some(_)) => format!("REVOKE ADMIN OPTION FOR {role} FROM {name}"),
        (false, false, None) => format!("GRANT {role} TO {name}"),
    };
    let why = match found {
        Some(_) => format!("{} is a member of {} in another way", member.name, wanted.role),
        None => format!("{} is not a member of {}", member.name, wanted.role),
    };
    let subject = format!("role {}", member.name);
    work.step(Place::Server, FindingKind::Membership, subject, sql, why, Vec::new());
}

fn surplus_memberships(work: &mut Work<'_>, role: &Role) {
    for (member, of) in work.live.memberships.keys() {
        if *member == role.name && !role.member_of.iter().any(|membership| membership.role == *of) {
            work.surplus.push(Finding {
                kind: FindingKind::SurplusMembership,
                database: None,
                subject: format!("role {member}"),
                message: format!("role {member} is a member of {of}, and nobody declared it"),
                suggestion: Some(format!("REVOKE {} FROM {}", Ident(of), Ident(member))),
            });
        }
    }
}

fn settings(work: &mut Work<'_>, role: &Role) {
    for setting in &role.settings {
        let key = (Some(role.name.clone()), setting.database.clone(), setting.name.clone());
        // A database that is dropped takes them along.
        let stays = setting.database.as_ref().is_none_or(|name| !work.recreate.contains(name));
        let found = work.live.settings.get(&key).map(String::as_str).filter(|_| stays);
        if is_set(setting, found) {
            continue;
        }
        let (place, within, words) = match &setting.database {
            None => (Place::Server, String::new(), String::new()),
            Some(name) => {
                (Place::Databases, format!(" IN DATABASE {}", Ident(name)), format!(" in database {name}"))
            }
        };
        let sql = format!("ALTER ROLE {}{within} SET {}", Ident(&role.name), assignment(setting));
        let why = format!("{}'s sessions{words} {}", role.name, begins(setting, found));
        work.step(place, FindingKind::Setting, format!("role {}", role.name), sql, why, Vec::new());
    }
    for ((of, database, name), value) in &work.live.settings {
        let declared = |setting: &Setting| setting.name == *name && setting.database == *database;
        if of.as_deref() != Some(&role.name) || role.settings.iter().any(declared) {
            continue;
        }
        let within =
            database.as_ref().map(|name| format!(" IN DATABASE {}", Ident(name))).unwrap_or_default();
        work.surplus.push(Finding {
            kind: FindingKind::Setting,
            database: database.clone(),
            subject: format!("role {}", role.name),
            message: format!("{}'s sessions begin with {name} = {value}, and nobody declared it", role.name),
            suggestion: Some(format!(
                "ALTER ROLE {}{within} RESET {}",
                Ident(&role.name),
                setting_name(name)
            )),
        });
    }
}

/// Why a setting is to be set.
pub(super) fn begins(setting: &Setting, found: Option<&str>) -> String {
    match found {
        Some(found) => format!("begin with {} = {found}", setting.name),
        None => format!("begin without {} of their own", setting.name),
    }
}

/// A setting as SET has it.
pub(super) fn assignment(setting: &Setting) -> String {
    let value = match &setting.value {
        Value::One(text) => Literal(text).to_string(),
        Value::List(list) if list.is_empty() => "''".to_owned(),
        Value::List(list) => list.iter().map(|text| Literal(text).to_string()).collect::<Vec<_>>().join(", "),
    };
    format!("{} = {value}", setting_name(&setting.name))
}

/// `app.tenant` is two names.
fn setting_name(name: &str) -> String {
    name.split('.').map(|part| Ident(part).to_string()).collect::<Vec<_>>().join(".")
}

/// Whether the catalog has the value; a list is kept as names with commas, quoted where they have to be.
pub(super) fn is_set(setting: &Setting, found: Option<&str>) -> bool {
    match (&setting.value, found) {
        (_, None) => false,
        (Value::One(text), Some(found)) => text == found,
        (Value::List(list), Some(found)) => names(found) == *list || (list.is_empty() && found == "\"\""),
    }
}

fn names(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut name = String::new();
    let mut quoted = false;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                name.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            ' ' if !quoted => {}
            c => name.push(c),
        }
    }
    if !(names.is_empty() && name.is_empty()) {
        names.push(name);
    }
    names
}
