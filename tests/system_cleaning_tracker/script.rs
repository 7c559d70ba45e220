//! The document's own script, run as written by a superuser: a fault that the audit has to show, object by object.

use std::collections::BTreeSet;

use habitat_migrate::provision::{FindingKind, audit_rules};

use super::{STRANGERS, TEXT, rules};
use crate::support::value;
use crate::system::{cluster, provision, server, superuser};

pub(crate) const SCRIPT: &str = include_str!("../fixtures/cleaning_tracker_owned_by_superuser.sql");

const DATABASE: &str = "cleaning_tracker_test";

#[test]
fn r50_the_audit_shows_each_object_that_the_script_leaves_with_the_superuser() {
    let server = server();
    superuser(&server, "postgres").batch_execute(&format!("CREATE DATABASE {DATABASE}")).unwrap();
    let mut client = superuser(&server, DATABASE);
    client.batch_execute(SCRIPT).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let provision = provision(TEXT, "test", folder.path());
    let found = provision.audit(&cluster(&server)).unwrap();
    let wrong: BTreeSet<&str> = found
        .iter()
        .filter(|one| one.kind() == FindingKind::WrongOwner)
        .filter(|one| one.message().contains("belongs to postgres and not to app_owner"))
        .map(|one| one.subject())
        .collect();
    let expected = BTreeSet::from([
        "database cleaning_tracker_test",
        "table app_data.users",
        "table app_data.tasks",
        "table app_data.task_assignments",
        "table app_frontend.frontend_assets",
        "view api.users",
        "view api.tasks",
        "view api.task_assignments",
        "routine app_functions.register_user(text, text)",
        "routine app_functions.login(text, text)",
        "routine app_functions.create_task(text, text)",
        "routine app_functions.serve_html(text)",
        "routine app_functions.serve_css(text)",
        "routine app_functions.serve_js(text)",
        "routine app_functions.update_frontend_asset(text, text, text)",
    ]);
    assert_eq!(wrong, expected);
    let surplus = |what: &str| {
        found.iter().any(|one| one.kind() == FindingKind::SurplusGrant && one.message().contains(what))
    };
    assert!(surplus("api_user has DELETE on app_data.users"), "{found:#?}");
    assert!(surplus("api_anon has EXECUTE on app_functions.update_frontend_asset"), "{found:#?}");
    let unsafe_functions = audit_rules(&mut client, &rules()).unwrap();
    let count = |code: &str| unsafe_functions.iter().filter(|one| one.code() == code).count();
    assert_eq!(count("definer-search-path"), 7);
    assert_eq!(count("definer-public"), 7);
    assert_eq!(count("owner-superuser"), 14);

    // Each suggestion, and nothing is left with the superuser.
    provision.apply(&cluster(&server)).unwrap();
    assert_eq!(value::<String>(&mut client, STRANGERS), "");
    let left = provision.audit(&cluster(&server)).unwrap();
    assert!(left.iter().all(|one| one.kind() != FindingKind::WrongOwner), "{left:#?}");
}
