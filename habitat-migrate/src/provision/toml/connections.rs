//! The connection files of a declaration.

use std::path::Path;

use toml::de::DeTable;

use super::super::connection_declared::ConnectionFile;
use super::super::connection_file::{ConnectionFormat, KubernetesSecret};
use super::super::declaration::Declaration;
use super::scope::{Context, Mentions};
use super::section::{listed, place, role, text};
use super::{Reader, Scope, get};

const KEYS: [&str; 10] = [
    "each",
    "environments",
    "in_database",
    "service",
    "file",
    "format",
    "namespace",
    "schema",
    "sslmode",
    "roles",
];
const FORMATS: [&str; 6] = ["yaml", "toml", "env", "pgpass", "pg_service", "kubernetes"];

/// `[[connections]]`.
pub(super) fn read<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    context: &Context,
    declaration: &mut Declaration,
    mentions: &mut Mentions,
) {
    listed(reader, document, "connections", |reader, table, span| {
        reader.keys(table, "`connections`", &KEYS);
        for scope in context.scopes(reader, table) {
            let mut said = |key: &str| text(reader, table, key, &scope);
            let (service, path) = (said("service"), said("file"));
            let (schema, ssl_mode) = (said("schema"), said("sslmode"));
            let format = format(reader, table, path.as_deref(), &scope);
            let (Some(service), Some(path), Some(format)) = (service, path, format) else {
                if get(table, "service").is_none() || get(table, "file").is_none() {
                    let help = "write `service = \"…\"` and `file = \"….yaml\"`";
                    reader.problem(span.clone(), "a connection file has a service and a path", help);
                }
                continue;
            };
            let Some(database) = place(reader, table, &span, &scope, declaration) else { continue };
            let mut file = ConnectionFile::new(service, database.name(), path, format);
            (file.schema, file.ssl_mode) = (schema, ssl_mode);
            file.roles = roles(reader, table, &scope, mentions);
            if file.roles.is_empty() {
                let help = "write `roles = { app = \"role\" }`: what each connection is called, and its role";
                reader.problem(span.clone(), "a connection file has roles", help);
            }
            for (name, role) in &file.roles {
                if declaration.role(role).is_none_or(|role| !role.login) {
                    let help = "declare it by `[roles.…]` with `login = true`";
                    reader.problem(
                        span.clone(),
                        format!("connection `{name}` is as `{role}`, which cannot log in"),
                        help,
                    );
                }
            }
            if declaration.connection_files.iter().any(|other| other.path == file.path) {
                let help = "each path once; with `each`, the path has to have its variable in it";
                reader.problem(
                    span.clone(),
                    format!("two connection files are `{}`", file.path.display()),
                    help,
                );
                continue;
            }
            declaration.connection_files.push(file);
        }
    });
}

fn roles<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    scope: &Scope,
    mentions: &mut Mentions,
) -> Vec<(String, String)> {
    let Some(node) = get(table, "roles") else { return Vec::new() };
    let help = || "write `roles = { app = \"role\" }`";
    let Some(table) = reader.items(node, "`roles`", help) else { return Vec::new() };
    let mut roles = Vec::new();
    for name in table.keys() {
        let name = name.get_ref().as_ref();
        roles.extend(role(reader, table, name, scope, mentions).map(|role| (name.to_owned(), role)));
    }
    roles
}

/// The format that is named, or that of the file's ending.
fn format<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    path: Option<&str>,
    scope: &Scope,
) -> Option<ConnectionFormat> {
    let path = path?;
    let word = match get(table, "format") {
        Some(node) => reader.text(node, "format")?,
        None => match Path::new(path).extension().and_then(|ending| ending.to_str()) {
            Some("yml") => "yaml",
            Some(ending) => ending,
            None if path.ends_with(".env") => "env",
            None => "",
        },
    };
    let namespace = get(table, "namespace").and_then(|node| {
        if word != "kubernetes" {
            reader.problem(
                node.span(),
                "`namespace` is about Kubernetes",
                "write `format = \"kubernetes\"` beside it",
            );
        }
        text(reader, table, "namespace", scope)
    });
    Some(match word {
        "yaml" => ConnectionFormat::Yaml,
        "toml" => ConnectionFormat::Toml,
        "env" => ConnectionFormat::Env,
        "pgpass" => ConnectionFormat::Pgpass,
        "pg_service" => ConnectionFormat::PgService,
        "kubernetes" => {
            let secret = KubernetesSecret::new();
            ConnectionFormat::KubernetesSecret(match namespace {
                Some(namespace) => secret.namespace(namespace),
                None => secret,
            })
        }
        other => {
            let span = get(table, "format").or_else(|| get(table, "file")).map_or(0..0, |node| node.span());
            let help = match habitat_migrate_catalog::nearest(other, FORMATS) {
                Some(meant) => format!("did you mean `format = \"{meant}\"`?"),
                None => format!("write `format = \"…\"` with one of {}", FORMATS.join(", ")),
            };
            reader.problem(span, format!("`{other}` is no format of connection files"), help);
            return None;
        }
    })
}
