//! The roles of a declaration.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::super::declaration::Declaration;
use super::super::role::{Membership, Password, Role, Setting, Value};
use super::reader::Node;
use super::scope::{Context, Mentions};
use super::section::{keyed, role, text, twice};
use super::{Reader, Scope, get};

const KEYS: [&str; 15] = [
    "each",
    "environments",
    "login",
    "createdb",
    "createrole",
    "inherit",
    "connection_limit",
    "valid_until",
    "password",
    "member_of",
    "settings",
    "settings_in",
    "dangerously_superuser",
    "dangerously_bypass_row_level_security",
    "dangerously_replication",
];

/// `[roles.name]`
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    context: &Context,
    declaration: &mut Declaration,
    mentions: &mut Mentions,
) {
    let Some(roles) = keyed(reader, document, "roles") else { return };
    for (key, node) in roles {
        let Some(table) = reader.table(node, "a role", &KEYS) else { continue };
        for scope in context.scopes(reader, table) {
            let name = reader.name(key.get_ref(), key.span(), &scope);
            if declaration.role(&name).is_some() {
                twice(reader, key.span(), "role", &name);
                continue;
            }
            if name.starts_with("pg_") || name == "public" || name == "none" {
                let message = format!("PostgreSQL keeps the name `{name}` for itself");
                reader.problem(key.span(), message, "take another name");
            }
            let mut role = Role::new(name);
            fill(reader, table, &scope, &mut role, mentions);
            declaration.roles.push(role);
        }
    }
}

fn fill<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    scope: &Scope,
    role: &mut Role,
    mentions: &mut Mentions,
) {
    let mut switch = |key: &str, value: &mut bool| {
        if let Some(said) = get(table, key).and_then(|node| reader.boolean(node, key)) {
            *value = said;
        }
    };
    switch("login", &mut role.login);
    switch("createdb", &mut role.createdb);
    switch("createrole", &mut role.createrole);
    switch("inherit", &mut role.inherit);
    switch("dangerously_superuser", &mut role.superuser);
    switch("dangerously_bypass_row_level_security", &mut role.bypass_rls);
    switch("dangerously_replication", &mut role.replication);
    role.connection_limit =
        get(table, "connection_limit").and_then(|node| reader.count(node, "connection_limit"));
    if let Some(node) = get(table, "valid_until") {
        role.valid_until = match node.get_ref() {
            DeValue::Datetime(time) => Some(time.to_string()),
            _ => reader.text(node, "valid_until").map(str::to_owned),
        };
    }
    role.password = get(table, "password").and_then(|node| password(reader, node, scope));
    if let Some(node) = get(table, "member_of") {
        match node.get_ref() {
            DeValue::Array(items) => {
                role.member_of =
                    items.iter().filter_map(|item| membership(reader, item, scope, mentions)).collect();
            }
            _ => role.member_of = membership(reader, node, scope, mentions).into_iter().collect(),
        }
    }
    if let Some(node) = get(table, "settings") {
        role.settings = settings(reader, node, scope, None);
    }
    if let Some(node) = get(table, "settings_in") {
        let DeValue::Table(databases) = node.get_ref() else {
            let help = "write `settings_in = { database = { search_path = [\"…\"] } }`";
            reader.problem(node.span(), "`settings_in` is a table of databases", help);
            return;
        };
        for (database, node) in databases {
            let name = reader.name(database.get_ref(), database.span(), scope);
            role.settings.extend(settings(reader, node, scope, Some(&name)));
        }
    }
}

fn password<'t>(reader: &mut Reader<'t>, node: &Node<'t>, scope: &Scope) -> Option<Password> {
    const HELP: &str =
        "write `password = { variable = \"NAME\" }`, `{ file = \"path\" }` or `{ generate = \"path\" }`";
    let DeValue::Table(table) = node.get_ref() else {
        reader.problem(node.span(), "a password never stands in a declaration", HELP);
        return None;
    };
    reader.keys(table, "`password`", &["variable", "file", "generate"]);
    let mut sources = Vec::new();
    for key in ["variable", "file", "generate"] {
        let Some(text) = text(reader, table, key, scope) else { continue };
        sources.push(match key {
            "variable" => Password::Variable(text),
            "file" => Password::File(PathBuf::from(text)),
            _ => Password::Generate(PathBuf::from(text)),
        });
    }
    match sources.len() {
        1 => sources.pop(),
        _ => {
            reader.problem(node.span(), "`password` says one place where it comes from", HELP);
            None
        }
    }
}

fn membership<'t>(
    reader: &mut Reader<'t>,
    node: &Node<'t>,
    scope: &Scope,
    mentions: &mut Mentions,
) -> Option<Membership> {
    if let DeValue::String(text) = node.get_ref() {
        let name = reader.name(text, node.span(), scope);
        mentions.role(&name, node.span());
        return Some(Membership::of(name));
    }
    let table = reader.table(node, "a membership", &["role", "admin", "inherit", "set"])?;
    if get(table, "role").is_none() {
        reader.problem(node.span(), "a membership names no role", "write `{ role = \"…\", admin = true }`");
        return None;
    }
    let mut membership = Membership::of(role(reader, table, "role", scope, mentions)?);
    let mut said = |key: &str| get(table, key).and_then(|node| reader.boolean(node, key));
    membership.admin = said("admin").unwrap_or(false);
    membership.inherit = said("inherit");
    membership.set = said("set").unwrap_or(true);
    Some(membership)
}

/// A table of settings.
pub(super) fn settings<'t>(
    reader: &mut Reader<'t>,
    node: &Node<'t>,
    scope: &Scope,
    database: Option<&str>,
) -> Vec<Setting> {
    let help = || "write `settings = { statement_timeout = \"5s\" }`";
    let Some(table) = reader.items(node, "`settings`", help) else { return Vec::new() };
    let mut settings = Vec::new();
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        let odd = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '.');
        if name.is_empty() || name.contains(odd) {
            let help = "a setting's name has letters, digits, `_` and a dot; quote one with a dot";
            reader.problem(key.span(), format!("there is no setting {name:?}"), help);
            continue;
        }
        let value = match node.get_ref() {
            DeValue::String(text) if LISTS.contains(&name) => {
                let help = format!("write `{name} = [{text:?}]`, with each entry in quotes");
                reader.problem(node.span(), format!("`{name}` is a list"), help);
                continue;
            }
            DeValue::String(text) => Value::One(reader.expand(text, node.span(), scope)),
            DeValue::Integer(number) => Value::One(number.as_str().to_owned()),
            DeValue::Float(number) => Value::One(number.as_str().to_owned()),
            DeValue::Boolean(value) => Value::One(if *value { "on" } else { "off" }.to_owned()),
            DeValue::Array(_) => {
                let texts = reader.texts(node, name);
                Value::List(texts.into_iter().map(|(text, span)| reader.expand(text, span, scope)).collect())
            }
            _ => {
                let message = format!("`{name}` is neither a text, a number, true or false nor a list");
                reader.problem(node.span(), message, format!("write `{name} = \"…\"`"));
                continue;
            }
        };
        settings.push(Setting { name: name.to_owned(), value, database: database.map(str::to_owned) });
    }
    settings
}

/// The settings that hold a list of names, where one text would be one name.
/// <https://www.postgresql.org/docs/current/sql-set.html>
const LISTS: [&str; 5] = [
    "search_path",
    "temp_tablespaces",
    "local_preload_libraries",
    "session_preload_libraries",
    "shared_preload_libraries",
];
