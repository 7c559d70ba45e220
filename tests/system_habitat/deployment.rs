//! Two databases of one declaration: what is in them, who may connect, who has deployed them.

use habitat_migrate::Migrations;
use habitat_migrate::provision::ErrorKind;
use postgres::NoTls;

use crate::support::value;
use crate::{Habitat, House, ROLES, house, provision};

#[test]
fn r53_sample_data_is_in_development_and_nowhere_else() {
    let members = "SELECT count(*) FROM people.members";
    assert_eq!(value::<i64>(&mut house().superuser("habitat_dev"), members), 10);
    assert_eq!(value::<i64>(&mut house().superuser("habitat"), members), 0);
    let mut admin = house().connect("habitat_admin", "habitat");
    for asked in ["development", "test"] {
        let error = Habitat::migrator().environment(asked).migrate(&mut admin).unwrap_err();
        assert_eq!(error.kind(), habitat_migrate::ErrorKind::Refused, "{asked}: {error:?}");
    }
    assert!(
        Habitat::migrator().migrate(&mut admin).unwrap().is_unchanged(),
        "who names none gets the recorded one"
    );
    assert_eq!(value::<i64>(&mut admin, members), 0);
}

#[test]
fn a_second_round_changes_nothing_and_the_audit_finds_nothing() {
    for environment in ["development", "production"] {
        let provision = provision(environment);
        let cluster = house().cluster(None);
        let plan = provision.plan(&cluster).unwrap();
        assert!(plan.is_empty(), "{plan}");
        let findings = provision.audit(&cluster).unwrap();
        assert!(findings.is_empty(), "{findings:#?}");
    }
}

#[test]
fn the_guides_verification_holds_in_both_databases() {
    for (database, migrations) in [("habitat_dev", 7), ("habitat", 6)] {
        let mut admin = house().connect("habitat_admin", database);
        let findings = Habitat::migrator().verify(&mut admin).unwrap();
        assert!(findings.is_empty(), "{database}: {findings:?}");
        let counts = "SELECT string_agg(schemaname || ' ' || n, ', ' ORDER BY schemaname) FROM (
            SELECT schemaname, count(*) AS n FROM pg_tables
            WHERE schemaname IN ('treasury', 'people', 'agreements') GROUP BY schemaname) AS t";
        assert_eq!(value::<String>(&mut admin, counts), "agreements 10, people 9, treasury 12");
        assert_eq!(value::<i64>(&mut admin, "SELECT count(*) FROM schema_migrations"), migrations);
    }
}

#[test]
fn r51_a_role_of_another_system_does_not_get_in() {
    let house = House::empty();
    house.deploy("production", None);
    let other = include_str!("../../migrations/phase-c/provision.toml");
    let other =
        habitat_migrate::provision::Provision::from_toml("provision.toml", other, "production").unwrap();
    other.confirm("phase_c_production").apply(&house.cluster(None)).unwrap();
    house.superuser("postgres").batch_execute("CREATE ROLE stranger LOGIN").unwrap();
    for (role, database) in [
        ("phase_c_app", "habitat"),
        ("stranger", "habitat"),
        ("habitat_write", "phase_c_production"),
        ("habitat_read", "phase_c_production"),
        ("habitat_admin", "phase_c_production"),
    ] {
        let mut admin = house.superuser("postgres");
        habitat_migrate::provision::set_password(&mut admin, role, &house.password(role)).unwrap();
        let error = match house.connection(role, database).connector().unwrap().connect_blocking() {
            Ok(_) => panic!("{role} has got into {database}"),
            Err(error) => error,
        };
        assert_eq!(error.sqlstate(), Some("42501"), "{role} to {database}: {error:?}");
    }
}

#[test]
fn r50_whoever_deploys_the_same_owners_and_grants() {
    let deployed = [None, Some("second")].map(|administrator| {
        let house = House::empty();
        // The declaration has a setting that only a superuser may give a role before PostgreSQL 15.
        house.superuser("postgres").batch_execute("CREATE ROLE second LOGIN SUPERUSER").unwrap();
        if let Some(administrator) = administrator {
            let mut config = house.server.config();
            config.user(administrator);
            // The server lets nobody else in without a password.
            assert!(config.connect(NoTls).is_err());
            let password = house.password(administrator);
            habitat_migrate::provision::set_password(&mut house.superuser("postgres"), administrator, &password).unwrap();
            let connector = house.connection(administrator, "postgres").connector().unwrap();
            let cluster = habitat_migrate::provision::Cluster::connector_blocking(&connector);
            let provision = provision("production");
            provision.apply(&cluster).unwrap();
            let mut client = house.superuser("postgres");
            habitat_migrate::provision::set_password(&mut client, "habitat_admin", &house.password("habitat_admin")).unwrap();
            let migrator = Habitat::migrator().environment("production");
            migrator.migrate(&mut house.connect("habitat_admin", "habitat")).unwrap();
            provision.apply(&cluster).unwrap();
        } else {
            house.deploy("production", None);
        }
        let owners = "SELECT string_agg(line, E'\\n' ORDER BY line) FROM (
            SELECT concat_ws(' ', relnamespace::regnamespace, relname, pg_get_userbyid(relowner), relrowsecurity, relforcerowsecurity,
                (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(relacl) a)) AS line FROM pg_class
             WHERE relnamespace::regnamespace::text IN ('treasury', 'people', 'agreements', 'public')
            UNION ALL SELECT concat_ws(' ', nspname, pg_get_userbyid(nspowner), (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(nspacl) a))
              FROM pg_namespace WHERE nspname IN ('treasury', 'people', 'agreements', 'public')
            UNION ALL SELECT concat_ws(' ', oid::regprocedure, pg_get_userbyid(proowner), proacl::text) FROM pg_proc
             WHERE pronamespace::regnamespace::text IN ('treasury', 'people', 'agreements')
            UNION ALL SELECT concat_ws(' ', datname, pg_get_userbyid(datdba), (SELECT string_agg(a::text, ',' ORDER BY a::text) FROM unnest(datacl) a))
              FROM pg_database WHERE datname = 'habitat') AS t";
        value::<String>(&mut house.superuser("habitat"), owners)
    });
    assert_eq!(deployed[0], deployed[1]);
    assert!(deployed[0].contains("people members habitat_admin t t"), "{}", deployed[0]);
}

#[test]
fn r52_who_may_create_nothing_is_told_which_grant_is_missing() {
    let house = House::empty();
    provision("development").apply(&house.cluster(None)).unwrap();
    let mut client = house.superuser("habitat_dev");
    habitat_migrate::provision::set_password(&mut client, "habitat_write", &house.password("habitat_write"))
        .unwrap();
    let mut writer = house.connect("habitat_write", "habitat_dev");
    let error = Habitat::migrator().environment("development").migrate(&mut writer).unwrap_err();
    let told = format!("{error:?}");
    assert!(told.contains("GRANT") && told.contains("habitat_write"), "{told}");
    assert!(told.contains("public"), "{told}");
}

#[test]
fn r47_the_log_has_no_password_though_every_statement_is_in_it() {
    let log = house().server.log().unwrap();
    assert!(log.contains("ALTER ROLE \"habitat_write\" PASSWORD 'SCRAM-SHA-256$"), "statements are logged");
    for role in ROLES {
        assert!(!log.contains(house().password(role).expose()), "{role}");
    }
}

#[test]
fn r53_production_is_not_dropped_and_not_changed_without_its_name() {
    let cluster = house().cluster(None);
    let text = crate::DECLARATION
        .replace("variables = { database = \"habitat_test\" }", "variables = { database = \"habitat\" }");
    let asked = habitat_migrate::provision::Provision::from_toml("provision.toml", text, "test").unwrap();
    let error = asked.dangerously_recreate("habitat").apply(&cluster).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongEnvironment, "{error:?}");
    assert!(error.to_string().contains("is recorded as production"), "{error}");
}
