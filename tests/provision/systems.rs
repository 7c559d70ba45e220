//! The five systems' declarations against a real server.

use habitat_migrate::Migrator;
use habitat_migrate::provision::{Database, Declaration, Environment, Extension, Grant, Kind};
use habitat_migrate::provision::{ErrorKind, Membership, Privilege, Provision, Role, Schema, Target};

use super::{cluster, connect, dump, provision};
use crate::lifecycle;
use crate::support::{catalog, own_server, value};

const SYSTEMS: [(&str, &str, &str); 5] = [
    ("habitat", include_str!("../../migrations/habitat/provision.toml"), "production"),
    ("go-labs", include_str!("../../migrations/go-labs/provision.toml"), "prd"),
    ("phase-c", include_str!("../../migrations/phase-c/provision.toml"), "production"),
    ("cleaning-tracker", include_str!("../../migrations/cleaning-tracker/provision.toml"), "production"),
    ("beersystem", include_str!("../../migrations/beersystem/provision.toml"), "staging"),
];

#[test]
fn each_system_is_provisioned_and_a_second_time_changes_nothing() {
    let server = own_server();
    let cluster = cluster(&server, None);
    for (system, text, environment) in SYSTEMS {
        let provision = provision(text, environment);
        let name = provision.declaration().databases()[0].name().to_owned();
        let provision = provision.confirm(&name);
        let shown = provision.plan(&cluster).unwrap();
        let done = provision.apply(&cluster).unwrap_or_else(|error| panic!("{system}: {error:?}\n{shown}"));
        assert_eq!(done, shown, "{system}: what was shown is what was done");
        let before = dump(&server, &name);
        let again = provision.apply(&cluster).unwrap();
        assert!(again.is_empty(), "{system}:\n{again}");
        assert_eq!(dump(&server, &name), before, "{system}");
        let findings = provision.audit(&cluster).unwrap();
        assert!(findings.is_empty(), "{system}: {findings:#?}");
    }
}

#[test]
fn what_runs_is_what_was_shown() {
    let server = habitat_migrate::testing::Server::builder()
        .setting("log_statement", "all")
        .start()
        .expect("a server");
    let cluster = cluster(&server, None);
    let provision = provision(SYSTEMS[3].1, "test");
    let plan = provision.plan(&cluster).unwrap();
    provision.apply(&cluster).unwrap();
    let log = server.log().unwrap();
    // The log indents the lines behind the first one.
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let log = flat(&log);
    assert!(plan.steps().len() > 25);
    for step in plan.steps() {
        assert!(log.contains(&flat(step.sql())), "{}", step.sql());
        assert!(plan.to_string().contains(step.why()), "{}", step.why());
    }
}

#[test]
fn a_plan_that_psql_runs_comes_to_the_same() {
    let [by_psql, by_library] = [own_server(), own_server()];
    let Some(program) = lifecycle::program(&by_psql, "psql") else {
        eprintln!("skipped: no psql for a server of version {} is here", by_psql.version());
        return;
    };
    // A name that the shell, psql and SQL each would read in another way.
    let text = SYSTEMS[3].1.replace("\"cleaning_tracker_test\"", "\"it's \\\\ :a \\\"b\\\"\\nc\"");
    let provision = provision(&text, "test");
    let name = provision.declaration().databases()[0].name().to_owned();
    assert_eq!(name, "it's \\ :a \"b\"\nc");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), provision.plan(&cluster(&by_psql, None)).unwrap().to_string()).unwrap();
    let mut command = std::process::Command::new(program);
    command
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", "--dbname"])
        .arg(by_psql.url())
        .arg("-f")
        .arg(file.path());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    provision.apply(&cluster(&by_library, None)).unwrap();
    assert_eq!(dump(&by_psql, &name), dump(&by_library, &name));
    assert!(provision.plan(&cluster(&by_psql, None)).unwrap().is_empty());
}

#[test]
fn a_service_migrates_in_its_schema_and_serves_from_no_other() {
    let server = own_server();
    let text = SYSTEMS[1].1;
    provision(text, "tst").apply(&cluster(&server, None)).unwrap();
    let mut migrating = connect(&server, "go-labs-tst", Some("order_migration_tst_user"));
    let scripts = catalog("order", [("01_items.sql", "CREATE TABLE \"order\".items (id int)")]);
    Migrator::new(scripts).schema("order").environment("test").migrate(&mut migrating).unwrap();
    let mut app = connect(&server, "go-labs-tst", Some("order_app_tst_user"));
    app.batch_execute("INSERT INTO items VALUES (1); DELETE FROM items").unwrap();
    let refused = app.batch_execute("CREATE TABLE mine (id int)").unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    let mut other = connect(&server, "go-labs-tst", Some("billing_app_tst_user"));
    let refused = other.batch_execute("SELECT * FROM \"order\".items").unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    let refused = other.batch_execute("CREATE DATABASE mine").unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
}

#[test]
fn what_migrations_create_is_provisioned_behind_them() {
    let server = own_server();
    let provision = provision(SYSTEMS[0].1, "test");
    let cluster = cluster(&server, None);
    provision.apply(&cluster).unwrap();
    let mut admin = connect(&server, "habitat_test", Some("habitat_admin"));
    let script = "CREATE SCHEMA people; CREATE TABLE people.members (id int);";
    Migrator::new(catalog("people", [("01_people.sql", script)])).migrate(&mut admin).unwrap();
    let plan = provision.apply(&cluster).unwrap();
    assert!(plan.to_string().contains("FORCE ROW LEVEL SECURITY"), "{plan}");
    assert!(provision.audit(&cluster).unwrap().is_empty());
    admin.batch_execute("CREATE TABLE people.later (id int)").unwrap();
    let mut writing = connect(&server, "habitat_test", Some("habitat_write"));
    writing.batch_execute("INSERT INTO people.later VALUES (1); UPDATE people.later SET id = 2").unwrap();
    let refused = writing.batch_execute("DELETE FROM people.later").unwrap_err();
    assert_eq!(refused.code().unwrap().code(), "42501");
    let mut reading = connect(&server, "habitat_test", Some("habitat_read"));
    assert_eq!(value::<i64>(&mut reading, "SELECT count(*) FROM people.later"), 1);
}

#[test]
fn r49_the_application_reads_the_tracker_and_does_not_write_it() {
    let server = own_server();
    let provision = provision(SYSTEMS[2].1, "test");
    provision.apply(&cluster(&server, None)).unwrap();
    let scripts = || catalog("app", [("01_items.sql", "CREATE TABLE items (id int)")]);
    let mut owner = connect(&server, "phase_c_test", Some("phase_c_owner"));
    Migrator::new(scripts()).migrate(&mut owner).unwrap();
    // The default privileges of the schema's tables have come upon the tracker's, too.
    let plan = provision.apply(&cluster(&server, None)).unwrap();
    let takes_back = |table: &str| {
        let on = format!("ON TABLE \"public\".\"{table}\" FROM \"phase_c_app\"");
        plan.steps().iter().any(|step| step.sql().starts_with("REVOKE ") && step.sql().ends_with(&on))
    };
    assert!(takes_back("schema_migrations") && takes_back("schema_migrations_log"), "{plan}");
    let mut app = connect(&server, "phase_c_test", Some("phase_c_app"));
    for table in ["schema_migrations", "schema_migrations_log", "schema_migrations_environment"] {
        let refused = app.batch_execute(&format!("DELETE FROM {table}")).unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{table}");
    }
    app.batch_execute("INSERT INTO items VALUES (1)").unwrap();
    assert_eq!(Migrator::new(scripts()).migrate(&mut app).unwrap().already_applied(), 1);
}

#[test]
fn r48_any_name_that_postgresql_can_keep_is_safe() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let names = [
        "a\"b",
        "x'; DROP TABLE y; --",
        "$$",
        "line\nbreak",
        "élan 🐘",
        "order",
        "select",
        "back\\slash",
        "with-dash",
        "%I%s",
        "{env}",
    ];
    for name in names {
        let declaration = Declaration::new(Environment::new("test", Kind::Test))
            .with_role(Role::new(name).setting("search_path", [name, "pg_catalog"]))
            .with_role(Role::new(format!("{name} app")).login().member_of(Membership::of(name)))
            .with_database(
                Database::new(name)
                    .owner(name)
                    .setting("search_path", [name])
                    .with_schema(Schema::new(name).owner(name).objects_owner(name).migrated_by(name))
                    .with_grant(Grant::to(format!("{name} app"), Target::schema(name), [Privilege::Usage]))
                    .with_grant(Grant::to(
                        format!("{name} app"),
                        Target::all(habitat_migrate::provision::Class::Tables, name),
                        [Privilege::Select],
                    )),
            );
        let provision = Provision::new(declaration);
        provision.apply(&cluster).unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
        let mut client = connect(&server, name, None);
        let quoted = format!("\"{}\"", name.replace('"', "\"\""));
        client.batch_execute(&format!("CREATE TABLE {quoted}.{quoted} ({quoted} int)")).unwrap();
        let plan = provision.apply(&cluster).unwrap_or_else(|error| panic!("{name:?}: {error:?}"));
        assert_eq!(plan.steps().len(), 2, "{name:?}: its owner and a grant: {plan}");
        assert_eq!(value::<String>(&mut client, "SELECT current_schema()::text"), name);
        assert!(provision.plan(&cluster).unwrap().is_empty());
    }
    for name in ["", "a\0b", &"x".repeat(64)] {
        let declaration = Declaration::new(Environment::new("test", Kind::Test)).with_role(Role::new(name));
        let error = Provision::new(declaration).apply(&cluster).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    }
}

#[test]
fn an_extension_that_the_server_lacks_is_refused_before_anything_is_done() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let declaration = Declaration::new(Environment::new("test", Kind::Test))
        .with_role(Role::new("somebody"))
        .with_database(Database::new("shop").with_extension(Extension::new("no_such_thing")));
    let error = Provision::new(declaration).apply(&cluster).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("no extension no_such_thing"), "{error}");
    let count: i64 = value(
        &mut connect(&server, "postgres", None),
        "SELECT count(*) FROM pg_roles WHERE rolname = 'somebody'",
    );
    assert_eq!(count, 0);
}

#[test]
fn options_of_a_membership_are_kept_or_refused() {
    let server = own_server();
    let cluster = cluster(&server, None);
    let declaration = |membership: Membership| {
        Declaration::new(Environment::new("test", Kind::Test))
            .with_role(Role::new("group"))
            .with_role(Role::new("member").login().member_of(membership))
    };
    Provision::new(declaration(Membership::of("group").admin())).apply(&cluster).unwrap();
    Provision::new(declaration(Membership::of("group"))).apply(&cluster).unwrap();
    let admin: bool = value(
        &mut connect(&server, "postgres", None),
        "SELECT bool_or(admin_option) FROM pg_auth_members WHERE member = 'member'::regrole",
    );
    assert!(!admin);
    let strict = Provision::new(declaration(Membership::of("group").no_inherit().no_set()));
    if server.major() >= 16 {
        strict.apply(&cluster).unwrap();
        assert!(strict.plan(&cluster).unwrap().is_empty());
        let mut member = connect(&server, "postgres", Some("member"));
        assert!(member.batch_execute("SET ROLE \"group\"").is_err());
    } else {
        let error = strict.apply(&cluster).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("INHERIT for a role"), "{error}");
        assert!(error.to_string().contains("that takes PostgreSQL 16"), "{error}");
    }
}

#[test]
fn a_client_without_blocking_provisions_as_well() {
    use habitat_migrate::provision::Cluster;

    let server = own_server();
    let connector = habitat_migrate::Connector::new(&server.url()).unwrap();
    let provision = provision(SYSTEMS[2].1, "test");
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let cluster = Cluster::connector(&connector);
        assert!(!provision.apply(&cluster).await.unwrap().is_empty());
        assert!(provision.plan(&cluster).await.unwrap().is_empty());
        assert!(provision.audit(&cluster).await.unwrap().is_empty());
    });
}

#[test]
fn two_at_once_wait_for_each_other() {
    let server = own_server();
    let outcomes: Vec<bool> = std::thread::scope(|scope| {
        let run = || {
            let plan = provision(SYSTEMS[1].1, "dev").apply(&cluster(&server, None));
            plan.unwrap_or_else(|error| panic!("{error:?}")).is_empty()
        };
        let all: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(outcomes.iter().filter(|empty| !**empty).count(), 1, "{outcomes:?}");
}
