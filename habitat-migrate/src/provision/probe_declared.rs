//! What a declaration says that its roles may do and must not, as [`Probes`]. Pure.

use std::collections::BTreeSet;

use super::database::{Database, Schema};
use super::declaration::Declaration;
use super::grant::{Class, Grantee, Privilege, Target};
use super::live::{Contents, LiveObject};
use super::probe::{Expectation, Probe, Probes};
use super::probe_attempt::{Attempt, Relation};
use super::role::Role;

/// A probe for each role that logs in: databases, roles, each declared schema, and each table that is in one now.
///
/// Superusers are left out, and roles that the database does not let in.
pub(super) fn probes(declaration: &Declaration, database: &Database, contents: &Contents) -> Probes {
    let mut probes = Probes::new();
    for role in declaration.roles.iter().filter(|role| role.login && !role.superuser) {
        let held = Held { database, roles: rights_of(declaration, role) };
        if held.on_database(Privilege::Connect) {
            probes = probes.with(held.probe(role, contents));
        }
    }
    probes
}

/// The role, and those whose rights it has without asking.
fn rights_of<'a>(declaration: &'a Declaration, role: &'a Role) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::from([role.name.as_str()]);
    let mut open = vec![role];
    while let Some(role) = open.pop() {
        let inherited = role.member_of.iter().filter(|of| of.inherit.unwrap_or(role.inherit));
        for membership in inherited {
            if all.insert(&membership.role) {
                open.extend(declaration.role(&membership.role));
            }
        }
    }
    all
}

/// What is declared for a set of roles in a database.
struct Held<'a> {
    database: &'a Database,
    roles: BTreeSet<&'a str>,
}

impl Held<'_> {
    fn probe(&self, role: &Role, contents: &Contents) -> Probe {
        let mut probe = Probe::new(&role.name);
        let mut expect = |may: bool, attempt: Attempt| {
            let expectation = if may { Expectation::May } else { Expectation::MustNot };
            probe.attempts.push((expectation, attempt));
        };
        expect(role.createdb, Attempt::CreateDatabase);
        expect(role.createrole, Attempt::CreateRole);
        expect(self.on_database(Privilege::Temporary), Attempt::CreateTemporaryTable);
        let there = |schema: &&Schema| contents.schemas.contains_key(&schema.name);
        for schema in self.database.schemas.iter().filter(there) {
            let name = || schema.name.clone();
            if let Some(may) = self.on_schema(schema, Privilege::Usage) {
                expect(may, Attempt::UseSchema { schema: name() });
            }
            if let Some(may) = self.on_schema(schema, Privilege::Create) {
                expect(may, Attempt::CreateTable { schema: name() });
            }
            let usable = self.on_schema(schema, Privilege::Usage) != Some(false);
            let tables = |object: &&LiveObject| object.class == Class::Tables && object.schema == schema.name;
            for table in contents.objects.iter().filter(tables) {
                for (privilege, attempt) in attempts(table) {
                    // Who may read the tracker is for nobody to declare; who may write it is its owner.
                    let open = table.is_tracker() && privilege == Privilege::Select;
                    if !open {
                        expect(usable && self.on_table(schema, table, privilege), attempt);
                    }
                }
            }
        }
        probe
    }

    fn owns(&self, owner: Option<&str>) -> bool {
        owner.is_some_and(|owner| self.roles.contains(owner))
    }

    fn granted(&self, privilege: Privilege, on: impl Fn(&Target) -> bool) -> bool {
        self.database.grants.iter().any(|grant| {
            let ours = match &grant.grantee {
                Grantee::Public => true,
                Grantee::Role(name) => self.roles.contains(name.as_str()),
            };
            ours && grant.privileges.contains(&privilege) && on(&grant.target)
        })
    }

    fn revoked_from_all(&self, privilege: Privilege, on: &Target) -> bool {
        let revokes = &mut self.database.revokes.iter();
        revokes.any(|revoke| {
            revoke.grantee == Grantee::Public
                && revoke.privileges.contains(&privilege)
                && revoke.target == *on
        })
    }

    fn on_database(&self, privilege: Privilege) -> bool {
        // What PostgreSQL gives everybody by itself.
        let by_itself = !self.revoked_from_all(privilege, &Target::Database);
        by_itself
            || self.owns(self.database.owner.as_deref())
            || self.granted(privilege, |on| *on == Target::Database)
    }

    /// None where nobody said it: the schema `public` is open or not by PostgreSQL's version.
    fn on_schema(&self, schema: &Schema, privilege: Privilege) -> Option<bool> {
        let on = Target::schema(&schema.name);
        let owns = self.owns(schema.owner.as_deref())
            || (schema.name == "public" && self.owns(self.database.owner.as_deref()));
        if owns || self.granted(privilege, |target| *target == on) {
            return Some(true);
        }
        (schema.name != "public" || self.revoked_from_all(privilege, &on)).then_some(false)
    }

    fn on_table(&self, schema: &Schema, table: &LiveObject, privilege: Privilege) -> bool {
        if self.owns(schema.objects_owner.as_deref().or(Some(&table.owner))) {
            return true;
        }
        !table.is_tracker()
            && self.granted(privilege, |target| match target {
                Target::All { class: Class::Tables, schema } => *schema == table.schema,
                Target::Named { class: Class::Tables, schema, name } => {
                    *schema == table.schema && *name == table.name
                }
                Target::Columns { schema, table: name, .. } => *schema == table.schema && *name == table.name,
                _ => false,
            })
    }
}

/// What can be tried with a table; of a view reading only, since not every view can be written by anybody.
fn attempts(table: &LiveObject) -> Vec<(Privilege, Attempt)> {
    let relation = || Relation::new(&table.schema, &table.name);
    let mut all = vec![(Privilege::Select, Attempt::Select(relation()))];
    if table.kind == "TABLE" {
        all.extend([
            (Privilege::Insert, Attempt::Insert(relation())),
            (Privilege::Update, Attempt::Update(relation())),
            (Privilege::Delete, Attempt::Delete(relation())),
        ]);
    }
    all
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::provision::live::{Acl, LiveSchema};
    use crate::provision::{Environment, Grant, Kind, Membership};

    fn table(kind: &'static str, name: &str) -> LiveObject {
        LiveObject {
            class: Class::Tables,
            kind,
            schema: "shop".to_owned(),
            name: name.to_owned(),
            sql: String::new(),
            owner: "owner".to_owned(),
            follows: false,
            acl: Acl::new(),
            columns: BTreeMap::new(),
            row_security: None,
        }
    }

    /// What is expected of a role, in words.
    fn expected(declaration: &Declaration, role: &str) -> Option<Vec<String>> {
        let contents = Contents {
            schemas: BTreeMap::from([("shop".to_owned(), LiveSchema::default())]),
            objects: vec![
                table("TABLE", "items"),
                table("VIEW", "sold"),
                table("TABLE", "schema_migrations"),
            ],
            ..Contents::default()
        };
        let probes = probes(declaration, &declaration.databases[0], &contents);
        let probe = probes.0.into_iter().find(|probe| probe.role == role)?;
        Some(probe.attempts.iter().map(|(expectation, attempt)| format!("{expectation} {attempt}")).collect())
    }

    fn declaration() -> Declaration {
        let all = |privileges: &[Privilege]| {
            Grant::to("group", Target::all(Class::Tables, "shop"), privileges.iter().copied())
        };
        Declaration::new(Environment::new("test", Kind::Test))
            .with_role(Role::new("owner").login())
            .with_role(Role::new("group"))
            .with_role(Role::new("app").login().member_of(Membership::of("group")))
            .with_role(Role::new("other").login().createdb())
            .with_database(
                Database::new("db")
                    .with_schema(Schema::new("shop").owner("owner").objects_owner("owner"))
                    .with_grant(Grant::to("group", Target::schema("shop"), [Privilege::Usage]))
                    .with_grant(all(&[Privilege::Select, Privilege::Insert]))
                    .with_revoke(Grant::to_public(Target::Database, [Privilege::Temporary])),
            )
    }

    #[test]
    fn a_role_has_what_is_granted_to_it_and_to_the_roles_it_is_a_member_of() {
        let app = [
            "must not create database",
            "must not create role",
            "must not create temporary table",
            "may use schema shop",
            "must not create table in shop",
            "may select shop.items",
            "may insert shop.items",
            "must not update shop.items",
            "must not delete shop.items",
            "may select shop.sold",
            "must not insert shop.schema_migrations",
            "must not update shop.schema_migrations",
            "must not delete shop.schema_migrations",
        ];
        assert_eq!(expected(&declaration(), "app").expect("it logs in"), app);
        let owner = expected(&declaration(), "owner").expect("it logs in");
        assert!(owner[3..].iter().all(|line| line.starts_with("may ")), "{owner:?}");
        let other = expected(&declaration(), "other").expect("it logs in");
        assert_eq!(other[0], "may create database");
        assert!(other[1..].iter().all(|line| line.starts_with("must not ")), "{other:?}");
    }

    #[test]
    fn who_does_not_log_in_or_may_not_enter_is_not_probed() {
        assert_eq!(expected(&declaration(), "group"), None);
        let mut closed = declaration();
        closed.databases[0].revokes.push(Grant::to_public(Target::Database, [Privilege::Connect]));
        assert_eq!(expected(&closed, "app"), None);
        closed.databases[0].grants.push(Grant::to("app", Target::Database, [Privilege::Connect]));
        assert!(expected(&closed, "app").is_some());
        let mut apart = declaration();
        apart.roles[2].inherit = false;
        let app = expected(&apart, "app").expect("it logs in");
        assert!(app.iter().all(|line| line.starts_with("must not ")), "{app:?}");
    }
}
