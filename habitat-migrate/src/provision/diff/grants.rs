//! Privileges: those that are missing, and those that are not to be there.

use std::collections::{BTreeMap, BTreeSet};

use super::{Work, quoted, real_owner};
use crate::provision::database::{Created, Database, Schema};
use crate::provision::finding::FindingKind;
use crate::provision::grant::{Class, Grant, Grantee, Privilege, Target};
use crate::provision::live::{Acl, Contents, LiveDatabase, LiveObject};
use crate::provision::step::Place;
use crate::sql::Ident;

/// Whether privileges are to be there or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Grant,
    Revoke,
}

/// Something that privileges are on.
struct Held<'a> {
    /// `TABLE "app"."users"`; of columns the table.
    sql: String,
    acl: &'a Acl,
    owner: &'a str,
    /// Who owns it when the privileges are granted.
    owner_then: String,
}

impl Direction {
    fn kind(self, future: bool) -> FindingKind {
        match (self, future) {
            (_, true) => FindingKind::DefaultPrivilege,
            (Self::Grant, _) => FindingKind::MissingGrant,
            (Self::Revoke, _) => FindingKind::SurplusGrant,
        }
    }

    /// What has to change for a grantee.
    fn change(self, held: &Held<'_>, grant: &Grant) -> BTreeSet<Privilege> {
        // An owner has everything; what the one before had is handed over to the next one.
        let is = |owner: &str| grant.grantee.as_str() == owner && grant.grantee != Grantee::Public;
        if is(&held.owner_then) {
            return BTreeSet::new();
        }
        let lost = is(held.owner) && held.owner != held.owner_then;
        let has = |privilege: &Privilege| !lost && held.acl.contains(&(grant.grantee.clone(), *privilege));
        let wrong = |privilege: &&Privilege| has(privilege) == (self == Self::Revoke);
        grant.privileges.iter().filter(wrong).copied().collect()
    }

    fn sql(self, privileges: &str, on: &str, grantee: &Grantee) -> String {
        match self {
            Self::Grant => format!("GRANT {privileges} ON {on} TO {}", quoted(grantee)),
            Self::Revoke => format!("REVOKE {privileges} ON {on} FROM {}", quoted(grantee)),
        }
    }

    fn why(self, privileges: &BTreeSet<Privilege>, on: &str, grantee: &Grantee) -> String {
        match self {
            Self::Grant => format!("{grantee} lacks {} on {on}", words(privileges)),
            Self::Revoke => format!("{grantee} is not to have {} on {on}", words(privileges)),
        }
    }
}

fn words(privileges: &BTreeSet<Privilege>) -> String {
    privileges.iter().map(|privilege| privilege.as_str()).collect::<Vec<_>>().join(", ")
}

/// A grant on the database itself.
pub(super) fn database(
    work: &mut Work<'_>,
    database: &Database,
    found: &LiveDatabase,
    grant: &Grant,
    direction: Direction,
) {
    let owner_then = database.owner.clone().unwrap_or_else(|| found.owner.clone());
    let sql = format!("DATABASE {}", Ident(&database.name));
    let held = Held { sql, acl: &found.acl, owner: &found.owner, owner_then };
    let change = direction.change(&held, grant);
    if change.is_empty() {
        return;
    }
    let sql = direction.sql(&words(&change), &held.sql, &grant.grantee);
    let subject = format!("database {}", database.name);
    let why = direction.why(&change, &subject, &grant.grantee);
    work.step(Place::Databases, direction.kind(false), subject, sql, why, vec![held.owner_then]);
}

/// A grant within a database.
pub(super) fn within(
    work: &mut Work<'_>,
    database: &Database,
    found: &LiveDatabase,
    contents: &Contents,
    grant: &Grant,
    direction: Direction,
) {
    match &grant.target {
        Target::Database => {}
        Target::Schema(name) => schema(work, database, found, contents, grant, (name, direction)),
        Target::All { .. } | Target::Named { .. } => {
            let of = contents.objects.iter().filter(|object| covers(&grant.target, object));
            objects(work, database, grant, direction, of);
        }
        Target::Columns { schema, table, columns } => {
            let tables = contents.objects.iter().filter(|object| object.class == Class::Tables);
            for object in tables.filter(|object| object.schema == *schema && object.name == *table) {
                self::columns(work, database, object, columns, grant, direction);
            }
        }
        Target::Future { class, schema, creator } => {
            if schema.as_ref().is_none_or(|schema| will_be_there(database, contents, schema)) {
                future(work, database, contents, grant, (*class, schema.as_deref(), creator), direction);
            }
        }
    }
}

/// Whether privileges on a target are privileges on an object that is there.
pub(super) fn covers(target: &Target, object: &LiveObject) -> bool {
    match target {
        // The tracker is no table of the application's.
        Target::All { class, schema } => {
            *class == object.class && *schema == object.schema && !object.is_tracker()
        }
        Target::Named { class, schema, name } => {
            let plain = |name: &str| name.replace(' ', "");
            let same = match class {
                Class::Functions => plain(&object.name) == plain(name),
                _ => object.name == *name,
            };
            same && *class == object.class && *schema == object.schema
        }
        _ => false,
    }
}

/// Whether a schema is there, or will be when grants are made.
pub(super) fn will_be_there(database: &Database, contents: &Contents, name: &str) -> bool {
    let created = |schema: &Schema| schema.name == name && schema.created == Created::Here;
    contents.schemas.contains_key(name) || database.schemas.iter().any(created)
}

fn schema(
    work: &mut Work<'_>,
    database: &Database,
    found: &LiveDatabase,
    contents: &Contents,
    grant: &Grant,
    (name, direction): (&str, Direction),
) {
    if !will_be_there(database, contents, name) {
        return;
    }
    let nothing = Acl::new();
    let declared = database.schemas.iter().find(|schema| schema.name == name);
    let declared = declared.and_then(|schema| schema.owner.clone());
    let (acl, owner, owner_then) = match contents.schemas.get(name) {
        Some(live) => (&live.acl, live.owner.as_str(), declared.unwrap_or_else(|| live.owner.clone())),
        None => {
            let owner = declared.or_else(|| database.owner.clone()).unwrap_or_default();
            (&nothing, "", owner)
        }
    };
    let held = Held { sql: format!("SCHEMA {}", Ident(name)), acl, owner, owner_then };
    let change = direction.change(&held, grant);
    if change.is_empty() {
        return;
    }
    let sql = direction.sql(&words(&change), &held.sql, &grant.grantee);
    let subject = format!("schema {name}");
    let why = direction.why(&change, &subject, &grant.grantee);
    let needs = vec![real_owner(&held.owner_then, database, found)];
    let place = Place::Within(database.name.clone());
    work.step(place, direction.kind(false), subject, sql, why, needs);
}

/// Who owns an object when privileges are granted.
pub(super) fn owner_then(database: &Database, object: &LiveObject) -> String {
    let schema = database.schemas.iter().find(|schema| schema.name == object.schema);
    schema.and_then(|schema| schema.objects_owner.clone()).unwrap_or_else(|| object.owner.clone())
}

fn objects<'a>(
    work: &mut Work<'_>,
    database: &Database,
    grant: &Grant,
    direction: Direction,
    objects: impl Iterator<Item = &'a LiveObject>,
) {
    // One statement for all objects of which the same is missing.
    let mut groups: BTreeMap<BTreeSet<Privilege>, Vec<&LiveObject>> = BTreeMap::new();
    for object in objects {
        let owner_then = owner_then(database, object);
        let held = Held { sql: String::new(), acl: &object.acl, owner: &object.owner, owner_then };
        let change = direction.change(&held, grant);
        if !change.is_empty() {
            groups.entry(change).or_default().push(object);
        }
    }
    for (change, objects) in groups {
        let names: Vec<&str> = objects.iter().map(|object| object.sql.as_str()).collect();
        let on = format!("{} {}", word(objects[0].class), names.join(", "));
        let sql = direction.sql(&words(&change), &on, &grant.grantee);
        let shown: Vec<String> =
            objects.iter().map(|object| format!("{}.{}", object.schema, object.name)).collect();
        let subject = shown.join(", ");
        let why = direction.why(&change, &subject, &grant.grantee);
        let needs: BTreeSet<String> = objects.iter().map(|object| owner_then(database, object)).collect();
        let place = Place::Within(database.name.clone());
        work.step(place, direction.kind(false), subject, sql, why, needs.into_iter().collect());
    }
}

fn columns(
    work: &mut Work<'_>,
    database: &Database,
    table: &LiveObject,
    columns: &[String],
    grant: &Grant,
    direction: Direction,
) {
    let mut groups: BTreeMap<BTreeSet<Privilege>, Vec<&str>> = BTreeMap::new();
    for column in columns {
        // A later migration may bring it.
        let Some(acl) = table.columns.get(column) else { continue };
        let owner_then = owner_then(database, table);
        let held = Held { sql: String::new(), acl, owner: &table.owner, owner_then };
        let mut change = direction.change(&held, grant);
        // Who has it on the whole table has it on each column.
        if direction == Direction::Grant {
            change.retain(|privilege| !table.acl.contains(&(grant.grantee.clone(), *privilege)));
        }
        if !change.is_empty() {
            groups.entry(change).or_default().push(column);
        }
    }
    for (change, columns) in groups {
        let list = columns.iter().map(|name| Ident(name).to_string()).collect::<Vec<_>>().join(", ");
        let with = |privilege: &Privilege| format!("{privilege} ({list})");
        let privileges = change.iter().map(with).collect::<Vec<_>>().join(", ");
        let sql = direction.sql(&privileges, &format!("TABLE {}", table.sql), &grant.grantee);
        let subject = format!("{}.{} ({})", table.schema, table.name, columns.join(", "));
        let why = direction.why(&change, &subject, &grant.grantee);
        let place = Place::Within(database.name.clone());
        work.step(place, direction.kind(false), subject, sql, why, vec![owner_then(database, table)]);
    }
}

/// What a role creates from now on.
fn future(
    work: &mut Work<'_>,
    database: &Database,
    contents: &Contents,
    grant: &Grant,
    (class, schema, creator): (Class, Option<&str>, &str),
    direction: Direction,
) {
    let key = (creator.to_owned(), schema.map(str::to_owned), class);
    let built_in = built_in(class, schema);
    let acl = contents.defaults.get(&key).unwrap_or(&built_in);
    let held = Held { sql: String::new(), acl, owner: creator, owner_then: creator.to_owned() };
    let change = direction.change(&held, grant);
    if change.is_empty() {
        return;
    }
    let within = schema.map(|name| format!(" IN SCHEMA {}", Ident(name))).unwrap_or_default();
    let what = direction.sql(&words(&change), &class.as_str().to_uppercase(), &grant.grantee);
    let sql = format!("ALTER DEFAULT PRIVILEGES FOR ROLE {}{within} {what}", Ident(creator));
    let place = schema.map(|name| format!(" in schema {name}")).unwrap_or_default();
    let subject = format!("{} that {creator} creates{place}", class.as_str());
    let why = direction.why(&change, &subject, &grant.grantee);
    let needs = vec![creator.to_owned()];
    let within = Place::Within(database.name.clone());
    work.step(within, direction.kind(true), subject, sql, why, needs);
}

/// What everybody has of new objects where nobody said anything.
/// <https://www.postgresql.org/docs/current/ddl-priv.html>
fn built_in(class: Class, schema: Option<&str>) -> Acl {
    match (class, schema) {
        (Class::Functions, None) => Acl::from([(Grantee::Public, Privilege::Execute)]),
        (Class::Types, None) => Acl::from([(Grantee::Public, Privilege::Usage)]),
        _ => Acl::new(),
    }
}

/// The word for GRANT.
fn word(class: Class) -> &'static str {
    match class {
        Class::Tables => "TABLE",
        Class::Sequences => "SEQUENCE",
        Class::Functions => "ROUTINE",
        Class::Types => "TYPE",
    }
}

/// What is granted on something that no declaration mentions, as a statement that takes it back.
pub(super) fn take_back(class: Option<Class>, on: &str, grantee: &Grantee, privilege: Privilege) -> String {
    let word = class.map(|class| format!("{} ", word(class))).unwrap_or_default();
    Direction::Revoke.sql(privilege.as_str(), &format!("{word}{on}"), grantee)
}

/// Takes privileges on a table of the tracker back.
pub(super) fn take_all_back(
    work: &mut Work<'_>,
    database: &Database,
    object: &LiveObject,
    grantee: &Grantee,
    privileges: &BTreeSet<Privilege>,
) {
    let sql = Direction::Revoke.sql(&words(privileges), &format!("TABLE {}", object.sql), grantee);
    let subject = format!("{}.{}", object.schema, object.name);
    let why = format!("{grantee} could rewrite history with {} on {subject}", words(privileges));
    let place = Place::Within(database.name.clone());
    let needs = vec![owner_then(database, object)];
    work.step(place, FindingKind::SurplusGrant, subject, sql, why, needs);
}
