//! The variables and loops of a declaration: what `{service}` stands for, and how often an item is there.

use std::collections::BTreeMap;
use std::ops::Range;

use habitat_migrate_catalog::nearest;
use toml::de::{DeTable, DeValue};

use super::super::declaration::{Declaration, Environment};
use super::{Reader, Scope, get};

/// What every item of a declaration sees.
pub(super) struct Context {
    environment: String,
    environments: Vec<String>,
    base: Scope,
    lists: BTreeMap<String, Vec<Scope>>,
}

impl Context {
    pub(super) fn read<'t>(
        reader: &mut Reader<'t>,
        document: &DeTable<'t>,
        environment: &Environment,
    ) -> Self {
        let mut base = Scope(vec![("env".to_owned(), environment.name.clone())]);
        if let Some(DeValue::Table(table)) = get(document, "variables").map(|node| node.get_ref()) {
            variables(reader, table, &mut base);
        }
        let mut environments = vec![environment.name.clone()];
        if let Some(node) = get(document, "environments") {
            if let DeValue::Table(table) = node.get_ref() {
                environments = table.keys().map(|name| name.get_ref().as_ref().to_owned()).collect();
                for (name, node) in table {
                    let table = reader.table(node, "an environment", &["kind", "variables"]);
                    let Some(node) = table.and_then(|table| get(table, "variables")) else { continue };
                    match node.get_ref() {
                        DeValue::Table(table) if name.get_ref().as_ref() == environment.name => {
                            variables(reader, table, &mut base);
                        }
                        DeValue::Table(_) => {}
                        _ => reader.problem(
                            node.span(),
                            "`variables` is a table",
                            "write `variables = { name = \"…\" }`",
                        ),
                    }
                }
            } else {
                reader.problem(node.span(), "`environments` is a table", "write `[environments.test]`");
            }
        } else {
            environments = super::Kind::ALL.map(|kind| kind.as_str().to_owned()).to_vec();
        }
        let mut lists = BTreeMap::new();
        if let Some(DeValue::Table(table)) = get(document, "each").map(|node| node.get_ref()) {
            for (name, node) in table {
                let name = name.get_ref().as_ref().to_owned();
                let items = items(reader, &name, node);
                lists.insert(name, items);
            }
        }
        Self { environment: environment.name.clone(), environments, base, lists }
    }

    /// The scopes in which an item stands: one for each combination of what it is there for, none where it is for other environments.
    pub(super) fn scopes<'t>(&self, reader: &mut Reader<'t>, table: &DeTable<'t>) -> Vec<Scope> {
        if let Some(node) = get(table, "environments") {
            let named = reader.texts(node, "environments");
            for (name, span) in &named {
                if !self.environments.iter().any(|known| known == name) {
                    let known = self.environments.iter().map(String::as_str);
                    let help = match nearest(name, known) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("there are: {}", self.environments.join(", ")),
                    };
                    reader.problem(span.clone(), format!("there is no environment `{name}`"), help);
                }
            }
            if !named.iter().any(|(name, _)| *name == self.environment) {
                return Vec::new();
            }
        }
        let mut scopes = vec![self.base.clone()];
        let Some(node) = get(table, "each") else { return scopes };
        for (name, span) in reader.texts(node, "each") {
            let Some(items) = self.lists.get(name) else {
                let help = match nearest(name, self.lists.keys().map(String::as_str)) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("declare it by `[[each.{name}]]`"),
                };
                reader.problem(span, format!("there is no list `{name}`"), help);
                continue;
            };
            let with = |scope: &Scope| {
                let all = |item: &Scope| Scope(scope.0.iter().chain(&item.0).cloned().collect());
                items.iter().map(all).collect::<Vec<_>>()
            };
            scopes = scopes.iter().flat_map(with).collect();
        }
        scopes
    }
}

/// The entries of a list: names, or tables with a name and what else is to be said of each.
fn items<'t>(reader: &mut Reader<'t>, list: &str, node: &super::reader::Node<'t>) -> Vec<Scope> {
    let DeValue::Array(entries) = node.get_ref() else {
        let help =
            format!("write `[[each.{list}]]` and `name = \"…\"`, or `{list} = [\"…\"]` below `[each]`");
        reader.problem(node.span(), format!("`each.{list}` is a list"), help);
        return Vec::new();
    };
    let mut items = Vec::new();
    for entry in entries {
        match entry.get_ref() {
            DeValue::String(name) => items.push(Scope(vec![(list.to_owned(), name.as_ref().to_owned())])),
            DeValue::Table(table) if get(table, "name").is_some() => {
                let mut scope = Scope::default();
                variables(reader, table, &mut scope);
                let named = |(key, value): (String, String)| match key.as_str() {
                    "name" => (list.to_owned(), value),
                    key => (format!("{list}.{key}"), value),
                };
                items.push(Scope(scope.0.into_iter().map(named).collect()));
            }
            _ => {
                let message = format!("an entry of `each.{list}` has no name");
                reader.problem(entry.span(), message, "write `name = \"…\"`");
            }
        }
    }
    items
}

fn variables<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>, scope: &mut Scope) {
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        let value = match node.get_ref() {
            DeValue::String(text) => reader.expand(text, node.span(), &scope.clone()),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().to_owned(),
            _ => {
                let message = format!("variable `{name}` is neither a text nor a decimal number");
                reader.problem(node.span(), message, format!("write `{name} = \"…\"`"));
                continue;
            }
        };
        scope.0.push((name.to_owned(), value));
    }
}

/// The names that a declaration mentions, with their places.
#[derive(Default)]
pub(super) struct Mentions {
    roles: Vec<(String, Range<usize>)>,
    schemas: Vec<(String, Range<usize>)>,
}

impl Mentions {
    pub(super) fn role(&mut self, name: &str, span: Range<usize>) {
        self.roles.push((name.to_owned(), span));
    }

    pub(super) fn schema(&mut self, name: &str, span: Range<usize>) {
        self.schemas.push((name.to_owned(), span));
    }

    /// Names that are not declared may be the server's own; those that are almost declared are mistyped.
    pub(super) fn check(&self, reader: &mut Reader<'_>, declaration: &Declaration) {
        let roles: Vec<&str> = declaration.roles.iter().map(|role| role.name.as_str()).collect();
        let schemas: Vec<&str> = declaration
            .databases
            .iter()
            .flat_map(|database| &database.schemas)
            .map(|schema| schema.name.as_str())
            .collect();
        for (what, mentioned, known) in [("role", &self.roles, &roles), ("schema", &self.schemas, &schemas)] {
            for (name, span) in mentioned {
                // Of short names every one is almost another one.
                if known.contains(&name.as_str()) || name.len() < 5 || name.eq_ignore_ascii_case("public") {
                    continue;
                }
                if let Some(meant) = nearest(name, known.iter().copied()) {
                    let help = format!("did you mean `{meant}`?");
                    reader.problem(span.clone(), format!("{what} `{name}` is not declared"), help);
                }
            }
        }
    }
}
