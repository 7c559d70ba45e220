//! Migrations are checked by running them, and each kind of fault is told in words.

mod faults;
#[path = "../support/lifecycle.rs"]
mod lifecycle;
#[path = "../support/mod.rs"]
mod support;
mod upgrades;

use habitat_migrate::testing::{Check, check_repeatable, check_reversible, validate};
use habitat_migrate::{Migrations, assert_repeatable, assert_reversible, assert_valid};
use lifecycle::set;
use support::own_server;

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

#[derive(Migrations)]
#[migrations(dir = "migrations/phase-c")]
struct PhaseC;

#[test]
fn habitat_goes_up_and_down() {
    assert_reversible!(Habitat);
}

#[test]
fn phase_c_goes_up_and_down() {
    assert_reversible!(PhaseC);
}

#[test]
fn both_are_repeatable() {
    assert_repeatable!(Habitat);
    assert_repeatable!(PhaseC, environment("staging"));
}

#[test]
fn phase_c_is_valid_also_for_a_login_that_is_no_superuser() {
    assert_valid!(PhaseC, as_owner(), require_down_scripts(), require_verify_scripts(), stops(3));
}

#[test]
fn habitat_is_valid() {
    let catalog = set("migrations/habitat");
    let valid = validate(&catalog).unwrap();
    assert_eq!(valid.reversible().migrations(), catalog.migrations().len());
    assert_eq!(valid.stops().len(), catalog.migrations().len() - 1);
    assert!(valid.reversible().irreversible().is_empty() && valid.repeatable().repeated().is_empty());
}

#[test]
fn a_check_leaves_no_database_and_no_role() {
    let server = own_server();
    Check::of(&set("migrations/habitat")).server(&server).as_owner().reversible().unwrap();
    let mut client = server.config().connect(postgres::NoTls).unwrap();
    let databases: i64 =
        support::value(&mut client, "SELECT count(*) FROM pg_database WHERE datname LIKE 'check%'");
    let roles: i64 = support::value(&mut client, "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'check%'");
    assert_eq!((databases, roles), (0, 0));
}

#[test]
fn checks_run_within_an_async_runtime() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let catalog = set("migrations/habitat");
    runtime.block_on(async {
        assert_eq!(check_reversible(&catalog).unwrap().migrations(), catalog.migrations().len());
        assert_eq!(check_repeatable(&catalog).unwrap().migrations(), catalog.migrations().len());
    });
}
