//! The sections of a declaration and the values of their items, as all kinds of items have them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::super::database::Database;
use super::super::declaration::Declaration;
use super::scope::Mentions;
use super::{Reader, Scope, get};

/// A section whose items have their names as keys.
pub(super) fn keyed<'d, 't>(
    reader: &mut Reader<'t>,
    document: &'d DeTable<'t>,
    section: &str,
) -> Option<&'d DeTable<'t>> {
    let node = get(document, section)?;
    reader.items(node, &format!("`{section}`"), || format!("write `[{section}.name]`"))
}

/// A section that is a list of tables.
pub(super) fn listed<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    section: &str,
    mut add: impl FnMut(&mut Reader<'t>, &DeTable<'t>, Range<usize>),
) {
    let Some(node) = get(document, section) else { return };
    let DeValue::Array(items) = node.get_ref() else {
        reader.problem(
            node.span(),
            format!("`{section}` is a list of tables"),
            format!("write `[[{section}]]`"),
        );
        return;
    };
    for item in items {
        match item.get_ref() {
            DeValue::Table(table) => add(reader, table, item.span()),
            _ => {
                let message = format!("`{section}` is a list of tables");
                reader.problem(item.span(), message, format!("write `[[{section}]]`"));
            }
        }
    }
}

/// The database that an item is in: the one that it names, or the only one.
pub(super) fn place<'d, 't>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    span: &Range<usize>,
    scope: &Scope,
    declaration: &'d mut Declaration,
) -> Option<&'d mut Database> {
    if let Some(node) = get(table, "in_database") {
        let name = value(reader, table, "in_database", scope)?;
        if declaration.database(&name).is_none() {
            let known = declaration.databases.iter().map(|database| database.name.as_str());
            let help = match habitat_migrate_catalog::nearest(&name, known) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("declare it by `[databases.\"{name}\"]`"),
            };
            reader.problem(node.span(), format!("database `{name}` is not declared"), help);
            return None;
        }
        return declaration.databases.iter_mut().find(|database| database.name == name);
    }
    match declaration.databases.len() {
        1 => declaration.databases.first_mut(),
        0 => {
            let help = "declare one by `[databases.name]`";
            reader.problem(span.clone(), "there is no database that this could be in", help);
            None
        }
        _ => {
            let help = "write `in_database = \"…\"`";
            reader.problem(span.clone(), "there are several databases: this could be in any of them", help);
            None
        }
    }
}

pub(super) fn twice(reader: &mut Reader<'_>, span: Range<usize>, what: &str, name: &str) {
    let help = "each name once; with `each`, the name has to have its variable in it";
    reader.problem(span, format!("{what} `{name}` is declared twice"), help);
}

/// The text of a key, with its variables' values.
pub(super) fn text<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    key: &str,
    scope: &Scope,
) -> Option<String> {
    let node = get(table, key)?;
    let text = reader.text(node, key)?;
    Some(reader.expand(text, node.span(), scope))
}

/// The name of a key, with its variables' values.
pub(super) fn value<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    key: &str,
    scope: &Scope,
) -> Option<String> {
    let node = get(table, key)?;
    let text = reader.text(node, key)?;
    Some(reader.name(text, node.span(), scope))
}

/// The role of a key, which is mentioned by it.
pub(super) fn role<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    key: &str,
    scope: &Scope,
    mentions: &mut Mentions,
) -> Option<String> {
    let name = value(reader, table, key, scope)?;
    if let Some(node) = get(table, key) {
        mentions.role(&name, node.span());
    }
    Some(name)
}

/// The names of a key, with their places.
pub(super) fn names<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    key: &str,
    scope: &Scope,
) -> Vec<(String, Range<usize>)> {
    let Some(node) = get(table, key) else { return Vec::new() };
    let texts = reader.texts(node, key);
    texts.into_iter().map(|(text, span)| (reader.name(text, span.clone(), scope), span)).collect()
}
