use super::*;
use crate::provision::{Class, Grantee, PasswordSource, Privilege, Target, Value};

fn problems(text: &str) -> Vec<String> {
    let error = Template::from_toml("p.toml", text).expect_err("problems");
    let shown = |problem: &Problem| {
        let place = problem.location().map_or_else(String::new, |location| location.to_string());
        format!("{place} {}; {}", problem.message(), problem.help().unwrap_or_default())
    };
    error.problems().iter().map(shown).collect()
}

fn declared(text: &str, environment: &str) -> Declaration {
    Template::from_toml("p.toml", text).and_then(|template| template.declare(environment)).expect("sound")
}

#[test]
fn the_declarations_of_the_five_systems_are_sound() {
    let texts = [
        include_str!("../../../../migrations/habitat/provision.toml"),
        include_str!("../../../../migrations/go-labs/provision.toml"),
        include_str!("../../../../migrations/phase-c/provision.toml"),
        include_str!("../../../../migrations/cleaning-tracker/provision.toml"),
        include_str!("../../../../migrations/beersystem/provision.toml"),
    ];
    for text in texts {
        let template = Template::from_toml("provision.toml", text).expect("sound");
        for environment in template.environments() {
            let declaration = template.declare(environment.name()).expect("sound");
            assert!(declaration.roles().len() > 1 && declaration.databases().len() == 1);
        }
    }
}

#[test]
fn a_service_more_is_three_lines_more() {
    let text = include_str!("../../../../migrations/go-labs/provision.toml");
    let before = declared(text, "qua");
    let more = format!("{text}\n[[each.service]]\nname = \"stock\"\n");
    let after = declared(&more, "qua");
    assert_eq!(before.environment().kind(), Kind::Staging);
    assert_eq!(after.roles().len(), before.roles().len() + 2);
    assert!(after.role("stock_migration_qua_user").expect("the role").can_login());
    let schemas = |declaration: &Declaration| declaration.databases()[0].schemas().len();
    assert_eq!(schemas(&after), schemas(&before) + 1);
}

#[test]
fn every_problem_is_told_with_its_place_and_what_to_do() {
    let text = "\
[roles.shop_app]
logn = true
password = \"secret\"
connection_limit = -1
member_of = [\"shop_ownr\"]

[roles.shop_owner]
settings = { search_path = \"a, b\" }

[databases.shop]
owner = \"shop_{envv}\"

[[grants]]
to = \"shop_app\"
in = \"s\"
tables = [\"SELET\", \"EXECUTE\"]
";
    let expected = [
        "2:1 a role has no key `logn`; did you mean `login`?",
        "3:12 a password never stands in a declaration; write `password = { variable = \"NAME\" }`, `{ file = \"path\" }` or `{ generate = \"path\" }`",
        "4:20 `connection_limit` is not a number of connections; write a whole number from 0 on; leave it out for no limit",
        "5:14 role `shop_ownr` is not declared; did you mean `shop_owner`?",
        "8:28 `search_path` is a list; write `search_path = [\"a, b\"]`, with each entry in quotes",
        "11:9 there is no variable `envv` here; did you mean `{env}`?",
        "16:11 `SELET` is no privilege on `tables`; did you mean `SELECT`?",
        "16:20 `EXECUTE` is no privilege on `tables`; there are: ALL, SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER",
    ];
    assert_eq!(problems(text), expected);
}

#[test]
fn what_is_no_toml_is_told_with_its_place() {
    let found = problems("[roles.a]\nlogin = \n");
    assert!(found[0].starts_with("2:9 "), "{found:?}");
}

#[test]
fn r47_the_text_of_a_password_is_in_no_message() {
    let error = Template::from_toml("p.toml", "[roles.a]\npassword = \"hunter2\"\n").expect_err("a problem");
    assert!(!format!("{error}").contains("hunter2"));
}

#[test]
fn a_grant_stands_for_each_role_schema_and_class() {
    let text = "\
[databases.d]
[roles.r]
[[grants]]
to = [\"r\", \"PUBLIC\"]
in = [\"a\", \"order\"]
schema = [\"USAGE\"]
tables = [\"SELECT\"]
created_by = \"r\"
[[grants]]
to = \"r\"
in = \"a\"
tables = [\"SELECT\"]
only = \"t\"
columns = [\"x\", \"y\"]
[[revokes]]
from = \"PUBLIC\"
functions = [\"EXECUTE\"]
created_by = \"r\"
";
    let declaration = declared(text, "test");
    let database = &declaration.databases()[0];
    assert_eq!(database.grants().len(), 2 * 2 * 3 + 1);
    let last = &database.grants()[12];
    let columns = vec!["x".to_owned(), "y".to_owned()];
    let target = Target::Columns { schema: "a".to_owned(), table: "t".to_owned(), columns };
    assert_eq!((last.target(), last.grantee().as_str()), (&target, "r"));
    let revoke = &database.revokes()[0];
    assert_eq!(revoke.grantee(), &Grantee::Public);
    assert!(revoke.privileges().contains(&Privilege::Execute));
    assert!(matches!(revoke.target(), Target::Future { class: Class::Functions, schema: None, .. }));
}

#[test]
fn variables_of_an_environment_and_items_only_there() {
    let text = "\
[environments]
dev = { kind = \"development\", variables = { database = \"habitat_dev\" } }
prd = { kind = \"production\", variables = { database = \"habitat\" } }
[databases.\"{database}\"]
[roles.debugger]
environments = \"dev\"
password = { file = \"secrets/{env}\" }
settings = { search_path = [\"$user\", \"x\"], statement_timeout = 5000 }
";
    let dev = declared(text, "dev");
    assert_eq!(dev.databases()[0].name(), "habitat_dev");
    let role = dev.role("debugger").expect("the role");
    assert_eq!(role.password_source(), Some(&PasswordSource::File("secrets/dev".into())));
    assert_eq!(role.settings()[0].value(), &Value::from(["$user", "x"]));
    assert!(declared(text, "prd").role("debugger").is_none());
}

#[test]
fn r53_production_is_no_name_for_a_test() {
    let expected = [
        "2:8 environment `production` is said to be test; give it another name, or the kind that it is named for",
        "4:8 environment `x` is of no kind; did you mean `staging`?",
        "5:15 environment `y` is of no kind; write `kind = \"…\"` with one of test, development, staging, production",
    ];
    let text = "\
[environments.production]
kind = \"test\"
[environments.x]
kind = \"stagin\"
[environments.y]
";
    assert_eq!(problems(text), expected);
}

#[test]
fn an_unknown_environment_is_refused_with_a_suggestion() {
    let template = Template::from_toml("p.toml", "[environments.staging]\n").expect("sound");
    let error = template.declare("stagin").expect_err("no such environment");
    assert!(format!("{error:#}").contains("did you mean `staging`?"), "{error:#}");
}

#[test]
fn the_builder_gives_the_same_value() {
    use crate::provision::{Database, Grant, Membership, Role, Schema};

    let text = "\
[databases.shop]
owner = \"o\"
[roles.o]
member_of = { role = \"x\", admin = true }
[schemas.shop]
migrated_by = \"o\"
[[grants]]
to = \"o\"
database = [\"CONNECT\"]
";
    let built = Declaration::new(Environment::new("test", Kind::Test))
        .with_role(Role::new("o").member_of(Membership::of("x").admin()))
        .with_database(
            Database::new("shop")
                .owner("o")
                .with_schema(Schema::new("shop").migrated_by("o"))
                .with_grant(Grant::to("o", Target::Database, [Privilege::Connect])),
        );
    assert_eq!(declared(text, "test"), built);
}

#[test]
fn connection_files_are_read_for_each_service() {
    let text = "\
[[each.service]]
name = \"billing\"
[[each.service]]
name = \"order\"
[databases.\"labs-{env}\"]
[roles.\"{service}_app\"]
each = \"service\"
login = true
password = { generate = \"secrets/{service}\" }
[[connections]]
each = \"service\"
service = \"{service}\"
file = \"output/{env}/{service}.yaml\"
schema = \"{service}\"
sslmode = \"require\"
roles = { app = \"{service}_app\" }
";
    let declaration = declared(text, "test").in_folder("/srv");
    let paths: Vec<_> =
        declaration.connection_files().iter().map(|file| file.path().display().to_string()).collect();
    assert_eq!(paths, ["/srv/output/test/billing.yaml", "/srv/output/test/order.yaml"]);
    let source = declaration.role("order_app").and_then(|role| role.password_source());
    assert_eq!(source, Some(&PasswordSource::Generate("/srv/secrets/order".into())));
    let built = crate::provision::ConnectionFile::new(
        "order",
        "labs-test",
        "/srv/output/test/order.yaml",
        crate::provision::ConnectionFormat::Yaml,
    );
    let built = built.schema("order").ssl_mode("require").with_role("app", "order_app");
    assert_eq!(declaration.connection_files()[1], built);
}

#[test]
fn every_problem_of_a_connection_file_is_told() {
    let text = "\
[databases.shop]
[roles.shop_app]
login = true
[roles.shop_group]
[[connections]]
service = \"shop\"
file = \"shop.yml\"
roles = { app = \"shop_group\" }
[[connections]]
service = \"shop\"
file = \"shop.conf\"
format = \"kubernets\"
roles = { app = \"shop_app\" }
[[connections]]
file = \"shop.env\"
namespace = \"shop\"
[[connections]]
service = \"shop\"
file = \"shop.yml\"
";
    let expected = [
        "5:1 connection `app` is as `shop_group`, which cannot log in; declare it by `[roles.…]` with `login = true`",
        "12:10 `kubernets` is no format of connection files; did you mean `format = \"kubernetes\"`?",
        "14:1 a connection file has a service and a path; write `service = \"…\"` and `file = \"….yaml\"`",
        "16:13 `namespace` is about Kubernetes; write `format = \"kubernetes\"` beside it",
        "17:1 a connection file has roles; write `roles = { app = \"role\" }`: what each connection is called, and its role",
        "17:1 two connection files are `shop.yml`; each path once; with `each`, the path has to have its variable in it",
    ];
    let mut found = problems(text);
    found.dedup();
    assert_eq!(found, expected);
}
