//! The databases of a declaration, and what is in them.

use std::ops::Range;

use toml::de::DeTable;

use super::super::database::{Created, Database, Extension, RowSecurity, Schema};
use super::super::declaration::Declaration;
use super::grant;
use super::role::settings;
use super::scope::{Context, Mentions};
use super::section::{keyed, listed, names, place, role, twice, value};
use super::{Reader, Scope, get};

const DATABASE: [&str; 9] = [
    "each",
    "environments",
    "owner",
    "encoding",
    "collation",
    "character_type",
    "template",
    "connection_limit",
    "settings",
];
const SCHEMA: [&str; 7] =
    ["each", "environments", "in_database", "owner", "objects_owner", "migrated_by", "created_by_migrations"];
const EXTENSION: [&str; 4] = ["each", "environments", "in_database", "schema"];
const ROW_SECURITY: [&str; 6] = ["each", "environments", "in_database", "in", "tables", "force"];

/// Every section but the roles.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    context: &Context,
    declaration: &mut Declaration,
    mentions: &mut Mentions,
) {
    databases(reader, document, context, declaration, mentions);
    named(
        reader,
        document,
        context,
        declaration,
        "schemas",
        &SCHEMA,
        |reader, name, span, table, scope, database| {
            if database.schemas.iter().any(|schema| schema.name == name) {
                twice(reader, span, "schema", &name);
                return;
            }
            let mut schema = Schema::new(name);
            schema.owner = role(reader, table, "owner", scope, mentions);
            schema.objects_owner = role(reader, table, "objects_owner", scope, mentions);
            schema.migrated_by = role(reader, table, "migrated_by", scope, mentions);
            let by_migrations = get(table, "created_by_migrations");
            if by_migrations.and_then(|node| reader.boolean(node, "created_by_migrations")) == Some(true) {
                schema.created = Created::ByMigrations;
            }
            database.schemas.push(schema);
        },
    );
    named(
        reader,
        document,
        context,
        declaration,
        "extensions",
        &EXTENSION,
        |reader, name, span, table, scope, database| {
            if database.extensions.iter().any(|extension| extension.name == name) {
                twice(reader, span, "extension", &name);
                return;
            }
            let schema = value(reader, table, "schema", scope);
            database.extensions.push(Extension { name, schema });
        },
    );
    grant::read(reader, document, context, declaration, mentions);
    listed(reader, document, "row_security", |reader, table, span| {
        reader.keys(table, "`row_security`", &ROW_SECURITY);
        for scope in context.scopes(reader, table) {
            let rules = row_security(reader, table, &span, &scope, mentions);
            let Some(database) = place(reader, table, &span, &scope, declaration) else { continue };
            database.row_security.extend(rules);
        }
    });
}

fn row_security<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    span: &Range<usize>,
    scope: &Scope,
    mentions: &mut Mentions,
) -> Vec<RowSecurity> {
    let force = get(table, "force").and_then(|node| reader.boolean(node, "force")).unwrap_or(false);
    let schemas = names(reader, table, "in", scope);
    if schemas.is_empty() {
        let help = "write `in = \"schema\"`, and `tables = [\"…\"]` unless all of its tables are meant";
        reader.problem(span.clone(), "`row_security` names no schema", help);
    }
    let tables = names(reader, table, "tables", scope);
    let mut rules = Vec::new();
    for (schema, span) in schemas {
        mentions.schema(&schema, span);
        let rule = |table: Option<String>| RowSecurity { schema: schema.clone(), table, force };
        match tables.is_empty() {
            true => rules.push(rule(None)),
            false => rules.extend(tables.iter().map(|(table, _)| rule(Some(table.clone())))),
        }
    }
    rules
}

fn databases<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    context: &Context,
    declaration: &mut Declaration,
    mentions: &mut Mentions,
) {
    let Some(databases) = keyed(reader, document, "databases") else { return };
    for (key, node) in databases {
        let Some(table) = reader.table(node, "a database", &DATABASE) else { continue };
        for scope in context.scopes(reader, table) {
            let name = reader.name(key.get_ref(), key.span(), &scope);
            if declaration.database(&name).is_some() {
                twice(reader, key.span(), "database", &name);
                continue;
            }
            if matches!(name.as_str(), "postgres" | "template0" | "template1") {
                let help = "take a database of your own";
                reader.problem(key.span(), format!("`{name}` belongs to the server"), help);
            }
            let mut database = Database::new(name);
            database.owner = role(reader, table, "owner", &scope, mentions);
            database.encoding = value(reader, table, "encoding", &scope);
            database.collation = value(reader, table, "collation", &scope);
            database.character_type = value(reader, table, "character_type", &scope);
            database.template = value(reader, table, "template", &scope);
            database.connection_limit =
                get(table, "connection_limit").and_then(|node| reader.count(node, "connection_limit"));
            if let Some(node) = get(table, "settings") {
                database.settings = settings(reader, node, &scope, None);
            }
            declaration.databases.push(database);
        }
    }
}

/// A section whose items have their names as keys, each in a database.
fn named<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    context: &Context,
    declaration: &mut Declaration,
    section: &str,
    keys: &[&str],
    mut add: impl FnMut(&mut Reader<'t>, String, Range<usize>, &DeTable<'t>, &Scope, &mut Database),
) {
    let Some(items) = keyed(reader, document, section) else { return };
    for (key, node) in items {
        let what = format!("`{section}.{}`", key.get_ref());
        let Some(table) = reader.table(node, &what, keys) else { continue };
        for scope in context.scopes(reader, table) {
            let name = reader.name(key.get_ref(), key.span(), &scope);
            let Some(database) = place(reader, table, &key.span(), &scope, declaration) else { continue };
            add(reader, name, key.span(), table, &scope, database);
        }
    }
}
