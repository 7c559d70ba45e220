//! What an environment allows, whatever the caller says.

use habitat_migrate::Migrator;
use habitat_migrate::provision::ErrorKind;

use super::{cluster, connect, dump, provision};
use crate::support::{catalog, own_server, value};

const SHOP: &str = "\
[databases.shop]
owner = \"shop_owner\"
[roles.shop_owner]
login = true
[schemas.shop]
owner = \"shop_owner\"
migrated_by = \"shop_owner\"
";

#[test]
fn a_test_database_is_made_anew_only_by_its_name() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let settings = format!("{SHOP}[[grants]]\nto = \"shop_owner\"\ndatabase = [\"CONNECT\"]\n")
        .replace("login = true", "login = true\nsettings_in = { shop = { search_path = [\"shop\"] } }")
        .replace("[databases.shop]", "[databases.shop]\nsettings = { lock_timeout = \"1s\" }");
    provision(&settings, "test").apply(&cluster).unwrap();
    let there = "SELECT to_regclass('shop.precious') IS NOT NULL";
    connect(&server, "shop", None).batch_execute("CREATE TABLE shop.precious ()").unwrap();
    assert!(provision(&settings, "test").apply(&cluster).unwrap().is_empty());
    assert!(value::<bool>(&mut connect(&server, "shop", None), there));
    let before = dump(&server, "shop");

    let error = provision(&settings, "test").dangerously_recreate("shop2").apply(&cluster).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongEnvironment, "{error}");
    let plan = provision(&settings, "test").dangerously_recreate("shop").apply(&cluster).unwrap();
    assert!(plan.to_string().contains("DROP DATABASE \"shop\" WITH (FORCE);"), "{plan}");
    assert!(!value::<bool>(&mut connect(&server, "shop", None), there));
    assert_ne!(dump(&server, "shop"), before);
    let without_it =
        |dump: &str| dump.lines().filter(|line| !line.contains("precious")).collect::<Vec<_>>().join("\n");
    assert_eq!(dump(&server, "shop"), without_it(&before), "settings and all");
}

#[test]
fn an_administrator_that_is_no_superuser_makes_a_test_database_anew() {
    let server = own_server();
    let create = "CREATE ROLE administrator LOGIN CREATEROLE CREATEDB";
    connect(&server, "postgres", None).batch_execute(create).unwrap();
    let cluster = cluster(&server, Some("administrator"));
    provision(SHOP, "test").apply(&cluster).unwrap();
    let before = dump(&server, "shop");
    connect(&server, "shop", None).batch_execute("CREATE TABLE shop.precious ()").unwrap();
    let anew = provision(SHOP, "test").dangerously_recreate("shop");
    // What the tracker says is not known yet: it could say production.
    let error = anew.apply(&cluster).unwrap_err();
    let grant = "GRANT USAGE ON SCHEMA \"shop\" TO \"administrator\"";
    assert!(error.to_string().ends_with(&format!("let its owner run `{grant}`")), "{error}");
    connect(&server, "shop", None).batch_execute(grant).unwrap();
    anew.apply(&cluster).unwrap();
    assert_eq!(dump(&server, "shop"), before);
}

#[test]
fn an_environments_own_name_in_the_tracker_is_understood_and_drops_nothing() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let text = format!("[environments]\ntst = {{ kind = \"test\" }}\n{SHOP}");
    provision(&text, "tst").apply(&cluster).unwrap();
    let mut client = connect(&server, "shop", None);
    client.batch_execute("UPDATE shop.schema_migrations_environment SET name = 'tst'").unwrap();
    assert!(provision(&text, "tst").apply(&cluster).unwrap().is_empty());
    let error = provision(&text, "tst").dangerously_recreate("shop").apply(&cluster).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongEnvironment);
}

#[test]
fn a_database_that_nobody_recorded_as_test_is_not_dropped() {
    let server = own_server();
    let cluster = cluster(&server, None);
    connect(&server, "postgres", None).batch_execute("CREATE DATABASE shop").unwrap();
    let error = provision(SHOP, "test").dangerously_recreate("shop").apply(&cluster).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongEnvironment);
    assert!(error.to_string().contains("not recorded as test"), "{error}");
}

#[test]
fn nothing_but_a_test_database_is_dropped() {
    for kind in ["development", "staging", "production"] {
        let server = own_server();
        let cluster = cluster(&server, None);
        provision(SHOP, kind).confirm("shop").apply(&cluster).unwrap();
        let asked = provision(SHOP, kind).confirm("shop").dangerously_recreate("shop");
        let error = asked.apply(&cluster).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongEnvironment, "{kind}: {error}");
        assert!(error.to_string().contains("only a test database is dropped"), "{kind}: {error}");
    }
}

#[test]
fn r53_a_database_recorded_as_production_is_never_treated_as_test() {
    let server = own_server();
    let cluster = cluster(&server, None);
    provision(SHOP, "production").confirm("shop").apply(&cluster).unwrap();
    let before = dump(&server, "shop");
    let refused = |what: &str| {
        for asked in [provision(SHOP, "test"), provision(SHOP, "test").dangerously_recreate("shop")] {
            for outcome in [asked.plan(&cluster), asked.confirm("shop").apply(&cluster)] {
                let error = outcome.expect_err(what);
                assert_eq!(error.kind(), ErrorKind::WrongEnvironment, "{what}: {error}");
                assert!(error.to_string().contains("is recorded as production"), "{what}: {error}");
            }
        }
    };
    refused("the database's comment and its tracker say so");
    assert_eq!(dump(&server, "shop"), before);
    connect(&server, "postgres", None).batch_execute("COMMENT ON DATABASE shop IS NULL").unwrap();
    refused("the tracker says so");
    let mut client = connect(&server, "shop", None);
    client.batch_execute("DROP TABLE shop.schema_migrations_environment").unwrap();
    let mark = "COMMENT ON DATABASE shop IS E'Our shop\\nhabitat-migrate, environment: production'";
    client.batch_execute(mark).unwrap();
    refused("the comment says so");
}

#[test]
fn r53_a_production_database_runs_no_seeds_whoever_asks() {
    let server = own_server();
    provision(SHOP, "production").confirm("shop").apply(&cluster(&server, None)).unwrap();
    let mut owner = connect(&server, "shop", Some("shop_owner"));
    let scripts = catalog(
        "shop",
        [
            ("01_items.sql", "CREATE TABLE shop.items (id int);"),
            ("02_seed.sql", "-- habitat: environments test, development\nINSERT INTO shop.items VALUES (1);"),
        ],
    );
    let migrator = Migrator::new(scripts).schema("shop");
    for asked in ["test", "development"] {
        let error = migrator.clone().environment(asked).migrate(&mut owner).unwrap_err();
        assert_eq!(error.kind(), habitat_migrate::ErrorKind::Refused, "{error:?}");
    }
    let report = migrator.clone().migrate(&mut owner).unwrap();
    assert_eq!(report.applied().len(), 1);
    assert_eq!(value::<i64>(&mut owner, "SELECT count(*) FROM shop.items"), 0);
    assert_eq!(migrator.history(&mut owner).unwrap().environment(), Some("production"));
}

#[test]
fn staging_and_production_change_nothing_without_the_databases_name() {
    let server = own_server();
    let cluster = cluster(&server, None);
    for kind in ["staging", "production"] {
        let error = provision(SHOP, kind).confirm("shopp").apply(&cluster).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unconfirmed, "{kind}");
        assert_eq!(error.to_string(), "this changes shop: confirm it with the database's name");
    }
    assert!(!provision(SHOP, "staging").plan(&cluster).unwrap().is_empty(), "a plan needs no confirmation");
    provision(SHOP, "staging").confirm("shop").apply(&cluster).unwrap();
    assert!(provision(SHOP, "staging").apply(&cluster).unwrap().is_empty(), "nothing to do needs none");
}

#[test]
fn a_comment_of_somebody_else_stays() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let mut client = connect(&server, "postgres", None);
    client.batch_execute("CREATE DATABASE shop; ").unwrap();
    client.batch_execute("COMMENT ON DATABASE shop IS 'Ours; ask Ada'").unwrap();
    provision(SHOP, "development").apply(&cluster).unwrap();
    let comment: String = value(
        &mut client,
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'shop'",
    );
    assert_eq!(comment, "Ours; ask Ada\nhabitat-migrate, environment: development");
    assert!(provision(SHOP, "development").plan(&cluster).unwrap().is_empty());
}
