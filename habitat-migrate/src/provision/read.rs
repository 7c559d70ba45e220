//! Reads what a server has out of its catalogs.
//!
//! Each message is a read-only transaction of its own, whose search path is `pg_catalog` alone: so no name in it can be anybody
//! else's, and types of other schemas are told with their schema.

use std::collections::{BTreeMap, BTreeSet};

use super::database::Database;
use super::declaration::Declaration;
use super::grant::{Class, Grantee, Privilege, Target};
use super::live::{
    Acl, Administrator, Contents, Live, LiveDatabase, LiveMembership, LiveObject, LiveRole, LiveSchema,
    Recorded,
};
use crate::client::{Reply, Row};
use crate::sql::{Ident, Literal};

/// What every message begins with.
const BEGIN: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY;\nSET LOCAL search_path = pg_catalog;\n";

/// The server's version and who asks; the rest is asked for by it.
pub(crate) const VERSION: &str =
    "SELECT 'version' AS \"habitat-migrate\", pg_catalog.current_setting('server_version_num');\n";

pub(crate) fn version(reply: &Reply) -> u32 {
    reply.first("version").and_then(|row| row.number::<u32>(1)).unwrap_or_default() / 10_000
}

/// Everything that databases share.
pub(crate) fn server(declaration: &Declaration, major: u32) -> String {
    let modern = major >= 16;
    let options = if modern { "m.inherit_option, m.set_option" } else { "u.rolinherit, true" };
    let set = if modern { "pg_has_role(oid, 'SET')" } else { "true" };
    let valid = |role: &super::role::Role| {
        let time = role.valid_until.as_ref()?;
        Some(format!(
            " WHEN {} THEN rolvaliduntil IS NOT DISTINCT FROM {}::timestamptz",
            Literal(&role.name),
            Literal(time)
        ))
    };
    let valid: String = declaration.roles.iter().filter_map(valid).collect();
    let valid = if valid.is_empty() { "false".to_owned() } else { format!("CASE rolname{valid} END") };
    format!(
        "{BEGIN}\
         SELECT 'administrator' AS \"habitat-migrate\", rolname, rolsuper, pg_get_userbyid(10) FROM pg_roles WHERE rolname = CURRENT_USER;\n\
         SELECT 'role' AS \"habitat-migrate\", rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolreplication, \
         rolinherit, rolconnlimit, rolvaliduntil, {valid}, pg_has_role(oid, 'USAGE') AND {set} FROM pg_roles;\n\
         SELECT 'membership' AS \"habitat-migrate\", u.rolname, r.rolname, m.admin_option, {options} FROM pg_auth_members AS m \
         JOIN pg_roles AS r ON r.oid = m.roleid JOIN pg_roles AS u ON u.oid = m.member;\n\
         SELECT 'setting' AS \"habitat-migrate\", r.rolname, d.datname, c FROM pg_db_role_setting AS s CROSS JOIN unnest(s.setconfig) AS c \
         LEFT JOIN pg_roles AS r ON r.oid = s.setrole LEFT JOIN pg_database AS d ON d.oid = s.setdatabase;\n\
         SELECT 'database' AS \"habitat-migrate\", datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, \
         datconnlimit, shobj_description(oid, 'pg_database'), has_database_privilege(oid, 'CONNECT') FROM pg_database WHERE datname IN ({databases});\n\
         SELECT 'database privilege' AS \"habitat-migrate\", d.datname, NULL, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, \
         a.privilege_type FROM pg_database AS d CROSS JOIN aclexplode(COALESCE(d.datacl, acldefault('d', d.datdba))) AS a \
         WHERE d.datname IN ({databases});\n\
         SELECT 'extension' AS \"habitat-migrate\", name, bool_or(trusted) FROM pg_available_extension_versions GROUP BY name;\n\
         COMMIT;\n",
        databases = list(declaration.databases.iter().map(|database| database.name.as_str())),
    )
}

/// Texts of a list; it is never empty, since SQL has no such list.
fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: BTreeSet<&str> = names.collect();
    let names: Vec<String> = names.into_iter().map(|name| Literal(name).to_string()).collect();
    if names.is_empty() { "NULL".to_owned() } else { names.join(", ") }
}

/// Reads what [`server`] selects.
pub(crate) fn read_server(reply: &Reply, major: u32) -> Live {
    let mut live = Live { major, ..Live::default() };
    if let Some(row) = reply.first("administrator") {
        live.administrator = Administrator {
            name: row.text(1).to_owned(),
            superuser: row.is_true(2),
            acts_as: BTreeSet::new(),
        };
        live.bootstrap = row.text(3).to_owned();
    }
    for row in reply.rows("role") {
        let role = LiveRole {
            login: row.is_true(2),
            superuser: row.is_true(3),
            createdb: row.is_true(4),
            createrole: row.is_true(5),
            bypass_rls: row.is_true(6),
            replication: row.is_true(7),
            inherit: row.is_true(8),
            connection_limit: row.number(9).unwrap_or(-1),
            valid_until: row.value(10).map(str::to_owned),
            valid_as_declared: row.is_true(11),
        };
        if row.is_true(12) {
            live.administrator.acts_as.insert(row.text(1).to_owned());
        }
        live.roles.insert(row.text(1).to_owned(), role);
    }
    for row in reply.rows("membership") {
        // From PostgreSQL 16 on there is one for each grantor; what one of them allows is allowed.
        let nothing = LiveMembership { admin: false, inherit: false, set: false };
        let key = (row.text(1).to_owned(), row.text(2).to_owned());
        let membership = live.memberships.entry(key).or_insert(nothing);
        membership.admin |= row.is_true(3);
        membership.inherit |= row.is_true(4);
        membership.set |= row.is_true(5);
    }
    for row in reply.rows("setting") {
        let owned = |column| row.value(column).map(str::to_owned);
        let Some((name, value)) = row.text(3).split_once('=') else { continue };
        live.settings.insert((owned(1), owned(2), name.to_owned()), value.to_owned());
    }
    for row in reply.rows("database") {
        let database = LiveDatabase {
            owner: row.text(2).to_owned(),
            encoding: row.text(3).to_owned(),
            collation: row.text(4).to_owned(),
            character_type: row.text(5).to_owned(),
            connection_limit: row.number(6).unwrap_or(-1),
            comment: row.value(7).map(str::to_owned),
            is_open: row.is_true(8),
            ..LiveDatabase::default()
        };
        live.databases.insert(row.text(1).to_owned(), database);
    }
    for row in reply.rows("database privilege") {
        if let (Some(database), Some(entry)) = (live.databases.get_mut(row.text(1)), entry(row)) {
            database.acl.insert(entry);
        }
    }
    for row in reply.rows("extension") {
        live.extensions.insert(row.text(1).to_owned(), row.is_true(2));
    }
    live
}

/// Who has which privilege; a privilege of a later PostgreSQL is nobody's.
fn entry(row: &Row) -> Option<(Grantee, Privilege)> {
    let privilege = Privilege::from_word(row.text(4))?;
    let grantee = row.value(3).map_or(Grantee::Public, |name| Grantee::Role(name.to_owned()));
    Some((grantee, privilege))
}

/// What is in one database, of the schemas that its declaration mentions.
pub(crate) fn contents(database: &Database) -> String {
    let targets = database.grants.iter().chain(&database.revokes).filter_map(|grant| match &grant.target {
        Target::Schema(schema)
        | Target::All { schema, .. }
        | Target::Named { schema, .. }
        | Target::Columns { schema, .. }
        | Target::Future { schema: Some(schema), .. } => Some(schema.as_str()),
        Target::Database | Target::Future { schema: None, .. } => None,
    });
    let columns = database.grants.iter().chain(&database.revokes).filter_map(|grant| match &grant.target {
        Target::Columns { columns, .. } => Some(columns.iter().map(String::as_str)),
        _ => None,
    });
    let columns = list(columns.flatten());
    let rules = database.row_security.iter().map(|rule| rule.schema.as_str());
    let declared = database.schemas.iter().map(|schema| schema.name.as_str());
    let schemas = list(targets.chain(rules).chain(declared).chain(["public"]));
    let grantee = "CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END, a.privilege_type";
    let no_extension = |class: &str, oid: &str| {
        format!(
            "NOT EXISTS (SELECT FROM pg_depend AS e WHERE e.classid = '{class}'::regclass AND e.objid = {oid} AND e.deptype = 'e')"
        )
    };
    let relations = format!(
        "FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname IN ({schemas}) \
         WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND {}",
        no_extension("pg_class", "c.oid")
    );
    let routines = format!(
        "FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace AND n.nspname IN ({schemas}) WHERE {}",
        no_extension("pg_proc", "p.oid")
    );
    // Tables and arrays bring types of their own, multiranges come with their ranges.
    let types = format!(
        "FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace AND n.nspname IN ({schemas}) \
         WHERE (t.typtype IN ('d', 'e', 'r') OR (t.typtype = 'b' AND t.typcategory <> 'A') \
         OR (t.typtype = 'c' AND (SELECT k.relkind FROM pg_class AS k WHERE k.oid = t.typrelid) = 'c')) AND {}",
        no_extension("pg_type", "t.oid")
    );
    let explode = |acl: &str, kind: &str, owner: &str| {
        format!("CROSS JOIN LATERAL aclexplode(COALESCE({acl}, acldefault({kind}, {owner}))) AS a WHERE")
    };
    let joined = |from: &str, explode: &str| from.replacen("WHERE", explode, 1);
    format!(
        "{BEGIN}\
         SELECT 'schema' AS \"habitat-migrate\", n.nspname, pg_get_userbyid(n.nspowner) FROM pg_namespace AS n WHERE n.nspname IN ({schemas});\n\
         SELECT 'schema privilege' AS \"habitat-migrate\", n.nspname, NULL, {grantee} FROM pg_namespace AS n \
         CROSS JOIN LATERAL aclexplode(COALESCE(n.nspacl, acldefault('n', n.nspowner))) AS a WHERE n.nspname IN ({schemas});\n\
         SELECT 'relation' AS \"habitat-migrate\", c.oid, n.nspname, c.relname, c.relkind, pg_get_userbyid(c.relowner), c.relrowsecurity, \
         c.relforcerowsecurity, EXISTS (SELECT FROM pg_depend AS o WHERE o.classid = 'pg_class'::regclass AND o.objid = c.oid \
         AND o.refclassid = 'pg_class'::regclass AND o.deptype IN ('a', 'i') AND c.relkind = 'S') {relations} ORDER BY 3, 4;\n\
         SELECT 'object privilege' AS \"habitat-migrate\", c.oid, NULL, {grantee} {relation_acl};\n\
         SELECT 'object privilege' AS \"habitat-migrate\", c.oid, b.attname, {grantee} {column_acl};\n\
         SELECT 'routine' AS \"habitat-migrate\", p.oid, n.nspname, p.proname, oidvectortypes(p.proargtypes), pg_get_userbyid(p.proowner) \
         {routines} ORDER BY 3, 4, 5;\n\
         SELECT 'object privilege' AS \"habitat-migrate\", p.oid, NULL, {grantee} {routine_acl};\n\
         SELECT 'type' AS \"habitat-migrate\", t.oid, n.nspname, t.typname, t.typtype, pg_get_userbyid(t.typowner) {types} ORDER BY 3, 4;\n\
         SELECT 'object privilege' AS \"habitat-migrate\", t.oid, NULL, {grantee} {type_acl};\n\
         SELECT 'installed' AS \"habitat-migrate\", extname FROM pg_extension;\n\
         SELECT 'default' AS \"habitat-migrate\", pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype FROM pg_default_acl AS d \
         LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace;\n\
         SELECT 'default privilege' AS \"habitat-migrate\", d.oid, NULL, {grantee}, pg_get_userbyid(d.defaclrole), n.nspname, d.defaclobjtype \
         FROM pg_default_acl AS d LEFT JOIN pg_namespace AS n ON n.oid = d.defaclnamespace CROSS JOIN LATERAL aclexplode(d.defaclacl) AS a;\n\
         SELECT 'environment' AS \"habitat-migrate\", n.nspname, CASE WHEN has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') \
         THEN query_to_xml(format('SELECT e.name AS e FROM %I.schema_migrations_environment AS e', n.nspname), false, true, '') END \
         FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.relname = 'schema_migrations_environment' AND c.relkind = 'r';\n\
         COMMIT;\n",
        relation_acl = joined(
            &relations,
            &explode("c.relacl", "(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END)::\"char\"", "c.relowner")
        ),
        column_acl = joined(
            &relations,
            &format!(
                "JOIN pg_attribute AS b ON b.attrelid = c.oid AND b.attnum > 0 AND NOT b.attisdropped \
                 LEFT JOIN LATERAL aclexplode(b.attacl) AS a ON true \
                 WHERE (b.attacl IS NOT NULL OR b.attname IN ({columns})) AND"
            )
        ),
        routine_acl = joined(&routines, &explode("p.proacl", "'f'", "p.proowner")),
        type_acl = joined(&types, &explode("t.typacl", "'T'", "t.typowner")),
    )
}

/// Reads what [`contents`] selects.
pub(crate) fn read_contents(reply: &Reply) -> Contents {
    let mut contents = Contents::default();
    for row in reply.rows("schema") {
        let schema = LiveSchema { owner: row.text(2).to_owned(), acl: Acl::new() };
        contents.schemas.insert(row.text(1).to_owned(), schema);
    }
    for row in reply.rows("schema privilege") {
        if let (Some(schema), Some(entry)) = (contents.schemas.get_mut(row.text(1)), entry(row)) {
            schema.acl.insert(entry);
        }
    }
    let mut privileges: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in reply.rows("object privilege") {
        privileges.entry(row.text(1)).or_default().push(row);
    }
    let found = reply.rows("relation").map(relation);
    let found = found.chain(reply.rows("routine").map(routine)).chain(reply.rows("type").map(type_));
    for (oid, mut object) in found {
        for row in privileges.get(oid.as_str()).into_iter().flatten() {
            let acl = match row.value(2) {
                None => &mut object.acl,
                Some(column) => object.columns.entry(column.to_owned()).or_default(),
            };
            acl.extend(entry(row));
        }
        contents.objects.push(object);
    }
    contents.extensions = reply.rows("installed").map(|row| row.text(1).to_owned()).collect();
    let key = |row: &Row, from: usize| {
        let class = match row.text(from + 2) {
            "r" => Class::Tables,
            "S" => Class::Sequences,
            "f" => Class::Functions,
            "T" => Class::Types,
            _ => return None,
        };
        Some((row.text(from).to_owned(), row.value(from + 1).map(str::to_owned), class))
    };
    for row in reply.rows("default") {
        contents.defaults.extend(key(row, 1).map(|key| (key, Acl::new())));
    }
    for row in reply.rows("default privilege") {
        if let (Some(key), Some(entry)) = (key(row, 5), entry(row)) {
            contents.defaults.entry(key).or_default().insert(entry);
        }
    }
    for row in reply.rows("environment") {
        let recorded = match row.value(2) {
            None => Recorded::Unreadable,
            Some(xml) => match crate::tracker::element(xml, "e") {
                Some(name) => Recorded::As(name.to_owned()),
                None => Recorded::Nothing,
            },
        };
        contents.environments.insert(row.text(1).to_owned(), recorded);
    }
    contents
}

fn relation(row: &Row) -> (String, LiveObject) {
    let kind = match row.text(4) {
        "v" => "VIEW",
        "m" => "MATERIALIZED VIEW",
        "f" => "FOREIGN TABLE",
        "S" => "SEQUENCE",
        _ => "TABLE",
    };
    let mut object = object(row, if kind == "SEQUENCE" { Class::Sequences } else { Class::Tables }, kind);
    object.row_security = (kind == "TABLE").then(|| (row.is_true(6), row.is_true(7)));
    object.follows = row.is_true(8);
    (row.text(1).to_owned(), object)
}

fn routine(row: &Row) -> (String, LiveObject) {
    let mut object = object(row, Class::Functions, "ROUTINE");
    object.name = format!("{}({})", row.text(3), row.text(4));
    object.sql = format!("{}({})", object.sql, row.text(4));
    (row.text(1).to_owned(), object)
}

fn type_(row: &Row) -> (String, LiveObject) {
    let object = object(row, Class::Types, if row.text(4) == "d" { "DOMAIN" } else { "TYPE" });
    (row.text(1).to_owned(), object)
}

/// Schema, name and owner stand in the same columns for all of them.
fn object(row: &Row, class: Class, kind: &'static str) -> LiveObject {
    LiveObject {
        class,
        kind,
        schema: row.text(2).to_owned(),
        name: row.text(3).to_owned(),
        sql: format!("{}.{}", Ident(row.text(2)), Ident(row.text(3))),
        owner: row.text(5).to_owned(),
        follows: false,
        acl: Acl::new(),
        columns: BTreeMap::new(),
        row_security: None,
    }
}
