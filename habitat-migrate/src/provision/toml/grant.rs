//! The grants and revokes of a declaration: one entry stands for each role, schema and class that it names.

use std::collections::BTreeSet;
use std::ops::Range;

use habitat_migrate_catalog::nearest;
use toml::de::DeTable;

use super::super::declaration::Declaration;
use super::super::grant::{Class, Grant, Grantee, Privilege, Target};
use super::scope::{Context, Mentions};
use super::section::{listed, names, place};
use super::{Reader, Scope, get};

const KEYS: [&str; 14] = [
    "to",
    "from",
    "each",
    "environments",
    "in_database",
    "in",
    "database",
    "schema",
    "tables",
    "sequences",
    "functions",
    "types",
    "only",
    "columns",
];

/// `[[grants]]` and `[[revokes]]`.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    context: &Context,
    declaration: &mut Declaration,
    mentions: &mut Mentions,
) {
    for (section, whose, other) in [("grants", "to", "from"), ("revokes", "from", "to")] {
        let known: Vec<&str> = KEYS.into_iter().filter(|key| *key != other).chain(["created_by"]).collect();
        listed(reader, document, section, |reader, table, span| {
            reader.keys(table, &format!("`{section}`"), &known);
            for scope in context.scopes(reader, table) {
                let grantees = names(reader, table, whose, &scope);
                if grantees.is_empty() {
                    let help = format!("write `{whose} = \"role\"`, or `{whose} = \"PUBLIC\"` for everybody");
                    reader.problem(span.clone(), format!("`{section}` does not say whose privileges"), help);
                }
                let targets = targets(reader, table, &span, &scope, mentions, section == "revokes");
                let Some(database) = place(reader, table, &span, &scope, declaration) else { continue };
                for (grantee, span) in &grantees {
                    mentions.role(grantee, span.clone());
                    let list = if section == "grants" { &mut database.grants } else { &mut database.revokes };
                    list.extend(targets.iter().map(|(target, privileges)| Grant {
                        grantee: Grantee::named(grantee),
                        target: target.clone(),
                        privileges: privileges.clone(),
                    }));
                }
            }
        });
    }
}

fn targets<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    span: &Range<usize>,
    scope: &Scope,
    mentions: &mut Mentions,
    revoke: bool,
) -> Vec<(Target, BTreeSet<Privilege>)> {
    let mut targets = Vec::new();
    let mut add = |reader: &mut Reader<'t>, key: &str, target: Target| {
        let privileges = privileges(reader, table, key, &target);
        targets.push((target, privileges));
    };
    if get(table, "database").is_some() {
        add(reader, "database", Target::Database);
    }
    let schemas = names(reader, table, "in", scope);
    let only = names(reader, table, "only", scope);
    let columns = names(reader, table, "columns", scope);
    let creators = names(reader, table, "created_by", scope);
    creators.iter().for_each(|(name, span)| mentions.role(name, span.clone()));
    let classes: Vec<Class> =
        Class::ALL.into_iter().filter(|class| get(table, class.as_str()).is_some()).collect();
    let about_schemas = get(table, "schema").is_some() || !classes.is_empty();
    let is_elsewhere = revoke && !creators.is_empty();
    if about_schemas && schemas.is_empty() && !is_elsewhere {
        reader.problem(
            span.clone(),
            "this names no schema",
            "write `in = \"schema\"` or `in = [\"…\", \"…\"]`",
        );
    }
    if !about_schemas && get(table, "database").is_none() {
        let help = "write `database`, `schema`, `tables`, `sequences`, `functions` or `types` with a list of privileges";
        reader.problem(span.clone(), "this names no privilege", help);
    }
    if !only.is_empty() && classes.len() != 1 {
        let help = "write one of `tables`, `sequences`, `functions` and `types` beside it";
        reader.problem(span.clone(), "`only` is about one class of objects", help);
    }
    if !columns.is_empty() && (classes != [Class::Tables] || only.is_empty()) {
        let help = "write `tables = [\"SELECT\"]` and `only = \"table\"` beside it";
        reader.problem(span.clone(), "`columns` is about named tables", help);
    }
    if !creators.is_empty() && !only.is_empty() {
        let help = "leave `only` or `created_by` out";
        reader.problem(span.clone(), "what is created later has no names yet", help);
    }
    for (schema, span) in &schemas {
        mentions.schema(schema, span.clone());
        if get(table, "schema").is_some() {
            add(reader, "schema", Target::schema(schema));
        }
        for &class in &classes {
            if only.is_empty() {
                add(reader, class.as_str(), Target::all(class, schema));
            }
            for (name, _) in &only {
                let target = match columns.is_empty() {
                    true => Target::named(class, schema, name),
                    false => Target::Columns {
                        schema: schema.clone(),
                        table: name.clone(),
                        columns: columns.iter().map(|(name, _)| name.clone()).collect(),
                    },
                };
                add(reader, class.as_str(), target);
            }
            // A schema's default privileges can only add: what PUBLIC has by default is taken for the whole database.
            for (creator, _) in creators.iter().filter(|_| !revoke) {
                add(reader, class.as_str(), Target::future(class, schema, creator));
            }
        }
    }
    for &class in classes.iter().filter(|_| revoke) {
        for (creator, _) in &creators {
            add(reader, class.as_str(), Target::Future { class, schema: None, creator: creator.clone() });
        }
    }
    targets
}

fn privileges<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    key: &str,
    target: &Target,
) -> BTreeSet<Privilege> {
    let allowed = target.allowed();
    let Some(node) = get(table, key) else { return BTreeSet::new() };
    let mut privileges = BTreeSet::new();
    for (word, span) in reader.texts(node, key) {
        if word == "ALL" {
            privileges.extend(allowed);
            continue;
        }
        match Privilege::from_word(word).filter(|privilege| allowed.contains(privilege)) {
            Some(privilege) => {
                privileges.insert(privilege);
            }
            None => {
                let words: Vec<&str> = allowed.iter().map(|privilege| privilege.as_str()).collect();
                let help = match nearest(&word.to_uppercase(), words.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("there are: ALL, {}", words.join(", ")),
                };
                reader.problem(span, format!("`{word}` is no privilege on `{key}`"), help);
            }
        }
    }
    privileges
}
