use std::collections::{BTreeMap, BTreeSet};

use super::diff;
use crate::provision::declaration::{Declaration, Environment, Kind};
use crate::provision::finding::FindingKind;
use crate::provision::grant::{Class, Grant, Grantee, Privilege, Target};
use crate::provision::live::{Acl, Live, LiveDatabase, LiveMembership, LiveObject, LiveRole};
use crate::provision::role::Setting;
use crate::provision::{Database, Extension, Membership, Role, RowSecurity, Schema, Value};

fn declaration() -> Declaration {
    Declaration::new(Environment::new("test", Kind::Test))
        .with_role(Role::new("owner"))
        .with_role(Role::new("app").login().member_of(Membership::of("readers")))
        .with_database(
            Database::new("shop")
                .owner("owner")
                .with_extension(Extension::new("pgcrypto"))
                .with_schema(Schema::new("order").owner("owner"))
                .with_grant(Grant::to("app", Target::all(Class::Tables, "order"), [Privilege::Select]))
                .with_grant(Grant::to("app", Target::schema("order"), [Privilege::Usage]))
                .with_grant(Grant::to(
                    "app",
                    Target::future(Class::Tables, "order", "owner"),
                    [Privilege::Select],
                ))
                .with_revoke(Grant::to_public(Target::Database, [Privilege::Connect]))
                .with_row_security(RowSecurity::enabled("order", "items")),
        )
}

/// An empty server, as a superuser sees it.
fn live(major: u32) -> Live {
    let mut live = Live { major, bootstrap: "postgres".to_owned(), ..Live::default() };
    live.administrator.name = "postgres".to_owned();
    live.administrator.superuser = true;
    let superuser = LiveRole { superuser: true, connection_limit: -1, ..LiveRole::default() };
    live.roles.insert("postgres".to_owned(), superuser);
    live.extensions.insert("pgcrypto".to_owned(), true);
    live
}

fn steps(declaration: &Declaration, live: &Live) -> Vec<String> {
    let difference = diff(declaration, live, &BTreeSet::new());
    assert_eq!(difference.refusals, [""; 0]);
    difference.plan.steps.iter().map(|step| step.sql.clone()).collect()
}

#[test]
fn an_empty_server_gets_everything_in_an_order_in_which_it_can_be() {
    let expected = [
        "CREATE ROLE \"owner\"",
        "CREATE ROLE \"app\" LOGIN",
        "GRANT \"readers\" TO \"app\"",
        "CREATE DATABASE \"shop\" OWNER \"owner\" TEMPLATE \"template0\"",
        "COMMENT ON DATABASE \"shop\" IS 'habitat-migrate, environment: test'",
        "REVOKE CONNECT ON DATABASE \"shop\" FROM PUBLIC",
        "CREATE SCHEMA \"order\" AUTHORIZATION \"owner\"",
        "SET LOCAL ROLE \"owner\";\nCREATE EXTENSION \"pgcrypto\" SCHEMA \"public\";\nRESET ROLE",
        "GRANT USAGE ON SCHEMA \"order\" TO \"app\"",
        "ALTER DEFAULT PRIVILEGES FOR ROLE \"owner\" IN SCHEMA \"order\" GRANT SELECT ON TABLES TO \"app\"",
    ];
    assert_eq!(steps(&declaration(), &live(15)), expected);
}

#[test]
fn another_administrator_borrows_the_owners_rights_within_each_transaction() {
    let mut live = live(16);
    live.administrator.name = "admin".to_owned();
    live.administrator.superuser = false;
    let steps = steps(&declaration(), &live);
    let place = |sql: &str| {
        let found = steps.iter().position(|step| step == sql);
        found.unwrap_or_else(|| panic!("no {sql} in {steps:#?}"))
    };
    let borrow = "GRANT \"owner\" TO \"admin\" WITH INHERIT TRUE, SET TRUE";
    let back = "REVOKE \"owner\" FROM \"admin\" GRANTED BY \"admin\"";
    let count = |sql: &str| steps.iter().filter(|step| *step == sql).count();
    assert_eq!((count(borrow), count(back)), (2, 2), "{steps:#?}");
    assert!(place(borrow) < place("ALTER DATABASE \"shop\" OWNER TO \"owner\""));
    assert!(place("ALTER DATABASE \"shop\" OWNER TO \"owner\"") < place(back));
    assert_eq!(steps.last().map(String::as_str), Some(back));
    assert!(steps.contains(&"CREATE DATABASE \"shop\" TEMPLATE \"template0\"".to_owned()));
    assert!(steps.contains(&"GRANT CONNECT ON DATABASE \"shop\" TO \"admin\"".to_owned()));
}

#[test]
fn what_a_superuser_owns_is_nobody_elses_to_change() {
    let mut live = live(15);
    live.administrator.name = "admin".to_owned();
    live.administrator.superuser = false;
    let mut found = LiveDatabase::fresh(15, "postgres", "postgres", -1);
    found.is_new = false;
    live.databases.insert("shop".to_owned(), found);
    let difference = diff(&declaration(), &live, &BTreeSet::new());
    let told = |reason: &String| {
        reason.contains("postgres is a superuser, whose rights admin cannot have")
            && reason.contains("ALTER DATABASE \"shop\" OWNER TO \"owner\"")
    };
    assert!(difference.refusals.iter().any(told), "{:?}", difference.refusals);
}

#[test]
fn options_of_a_membership_differ_by_version() {
    let declared = |membership: Membership| {
        Declaration::new(Environment::new("test", Kind::Test))
            .with_role(Role::new("app").member_of(membership))
    };
    let there = |major| {
        let mut live = live(major);
        live.roles.insert(
            "app".to_owned(),
            LiveRole { inherit: true, connection_limit: -1, ..LiveRole::default() },
        );
        let membership = LiveMembership { admin: true, inherit: true, set: true };
        live.memberships.insert(("app".to_owned(), "group".to_owned()), membership);
        live
    };
    let plain = declared(Membership::of("group"));
    assert_eq!(steps(&plain, &there(16)), ["GRANT \"group\" TO \"app\" WITH ADMIN FALSE"]);
    assert_eq!(steps(&plain, &there(15)), ["REVOKE ADMIN OPTION FOR \"group\" FROM \"app\""]);
    let strict = declared(Membership::of("group").admin().no_inherit().no_set());
    let sql = "GRANT \"group\" TO \"app\" WITH INHERIT FALSE, SET FALSE";
    assert_eq!(steps(&strict, &there(16)), [sql]);
    assert_eq!(diff(&strict, &there(15), &BTreeSet::new()).refusals.len(), 2);
}

#[test]
fn what_the_owner_before_had_goes_with_its_ownership() {
    let mut declaration = declaration();
    declaration.databases[0] = Database::new("shop").owner("owner").with_grant(Grant::to(
        "app",
        Target::Database,
        [Privilege::Connect],
    ));
    let mut live = live(15);
    let mut found = LiveDatabase::fresh(15, "postgres", "app", -1);
    found.is_new = false;
    found.acl.insert((Grantee::Role("app".to_owned()), Privilege::Connect));
    live.databases.insert("shop".to_owned(), found);
    let steps = steps(&declaration, &live);
    let owner = steps.iter().position(|sql| sql.contains("OWNER TO")).expect("a change of owner");
    let grant = steps.iter().position(|sql| sql == "GRANT CONNECT ON DATABASE \"shop\" TO \"app\"");
    assert!(grant.is_some_and(|grant| owner < grant), "{steps:#?}");
}

#[test]
fn blanks_in_a_name_count_unless_it_is_a_functions() {
    let object = |class, name: &str| LiveObject {
        class,
        kind: "",
        schema: "order".to_owned(),
        name: name.to_owned(),
        sql: String::new(),
        owner: "owner".to_owned(),
        follows: false,
        acl: Acl::new(),
        columns: BTreeMap::new(),
        row_security: None,
    };
    let covers = |class, said: &str, is: &str| {
        super::grants::covers(&Target::named(class, "order", said), &object(class, is))
    };
    assert!(covers(Class::Functions, "login(text,int)", "login(text, int)"));
    assert!(covers(Class::Tables, "old items", "old items"));
    assert!(!covers(Class::Tables, "old items", "olditems"));
}

#[test]
fn a_list_is_compared_name_by_name() {
    let setting = |value: Value| Setting { name: "search_path".to_owned(), value, database: None };
    let is = |value: Value, found: &str| super::roles::is_set(&setting(value), Some(found));
    assert!(is(Value::from(["$user", "a\"b", "x"]), "\"$user\", \"a\"\"b\", x"));
    assert!(is(Value::from(["a, b"]), "\"a, b\""));
    assert!(!is(Value::from(["a", "b"]), "\"a, b\""));
    assert!(!is(Value::from(["a"]), "a, b"));
    assert!(is(Value::from("5s"), "5s") && !is(Value::from("5s"), "5000"));
}

#[test]
fn a_plan_is_a_script_for_psql_with_its_reasons() {
    let plan = diff(&declaration(), &live(15), &BTreeSet::new()).plan;
    let script = plan.to_string();
    let begin = "-- roles\nBEGIN;\nSET LOCAL search_path = pg_catalog;\n-- role owner is not there\nCREATE ROLE \"owner\";\n";
    assert!(script.starts_with(begin), "{script}");
    let create = "COMMIT;\n\n-- databases\n-- database shop is not there\nCREATE DATABASE";
    assert!(script.contains(create), "{script}");
    assert!(script.contains("\\connect '\"shop\"'\nBEGIN;\n"), "{script}");
    assert!(script.ends_with("COMMIT;\n"), "{script}");
    let missing = plan.steps.iter().filter(|step| step.kind == FindingKind::MissingRole).count();
    assert_eq!(missing, 2);
}
