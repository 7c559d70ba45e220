//! The shared server's own sessions, which copy and drop for processes that may have ended.

use std::path::Path;
use std::time::Duration;

use habitat_migrate::Catalog;
use habitat_migrate::testing::{Server, TestDatabase};
use postgres::{Client, Config, NoTls};

use crate::helper::{Numbers, Place};
use crate::process::{Helper, one, poll};

/// As many as may wait to be dropped on a machine with memory to spare.
const MOST: i64 = 128;

#[test]
fn what_an_ended_process_has_left_is_dropped_when_all_is_quiet_and_copies_are_ready() {
    let place = Place::new().idle("20");
    let (mut user, mut client) = hold(&place);
    tests(&place, "30");
    poll("the databases to go", || (count(&mut client, "habitat_test_") == 0).then_some(()));
    poll("copies to be ready", || (count(&mut client, "habitat_ready_") >= 3).then_some(()));
    // A copy that was taken is replaced, and no more are made.
    tests(&place, "1");
    poll("the database to go", || (count(&mut client, "habitat_test_") == 0).then_some(()));
    poll("the copy to be replaced", || (count(&mut client, "habitat_ready_") >= 3).then_some(()));
    // Longer than a copy takes.
    std::thread::sleep(Duration::from_millis(500));
    let ready = count(&mut client, "habitat_ready_");
    assert_eq!(ready, 3);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'habitat\\_role\\_%'";
    poll("the roles to go", || (one::<i64>(&mut client, roles) == 0).then_some(()));
    assert!(user.child.try_wait().unwrap().is_none());
}

#[test]
fn databases_that_are_done_with_wait_while_tests_run_but_not_more_than_there_is_room_for() {
    let place = Place::new();
    let seen = tests(&place, "40");
    assert!(seen > 20, "only {seen} waited: copies come first");
    let seen = tests(&place, "200");
    assert!(seen > 40 && seen < MOST + 20, "{seen} waited");
    place.assert_left_clean();
}

#[test]
fn without_these_sessions_tests_sweep_what_is_too_many() {
    let place = Place::new().idle("20");
    let (_user, mut client) = hold(&place);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'habitat-migrate orders'";
    client.batch_execute(&sessions.replace("count(*)", "pg_terminate_backend(pid)")).unwrap();
    poll("the sessions to end", || (one::<i64>(&mut client, sessions) == 0).then_some(()));
    // Two processes: the locks of the first one's are free.
    tests(&place, "100");
    let seen = tests(&place, "200");
    assert!(seen > MOST && seen <= 2 * MOST + 4, "{seen} were left");
}

#[test]
fn processes_killed_at_any_moment_leave_the_sessions_at_work() {
    let place = Place::new().idle("20");
    let (user, mut client) = hold(&place);
    let mut numbers = Numbers(7);
    for _ in 0..10 {
        let both: Vec<_> = (0..2).map(|_| Helper::start(place.command("tests").env(COUNT, "1000"))).collect();
        for mut helper in both {
            std::thread::sleep(Duration::from_millis(numbers.below(300)));
            helper.child.kill().unwrap();
            helper.child.wait().unwrap();
        }
    }
    tests(&place, "3");
    // But for those that somebody was killed in.
    poll("what was done with to go", || (count(&mut client, "habitat_test_") <= 20).then_some(()));
    drop((user, client));
}

fn hold(place: &Place) -> (Helper, Client) {
    let mut user = place.user();
    let (_, folder) = user.server();
    (user, connect(&folder))
}

fn connect(folder: &Path) -> Client {
    Config::new().host_path(folder).user("postgres").dbname("postgres").connect(NoTls).unwrap()
}

fn count(client: &mut Client, prefix: &str) -> i64 {
    let query = format!("SELECT count(*) FROM pg_database WHERE datname LIKE '{prefix}%'");
    one(client, &query)
}

/// Runs so many tests in a process, and tells how many databases of tests there were at the most.
fn tests(place: &Place, number: &str) -> i64 {
    let mut helper = Helper::start(place.command("tests").env(COUNT, number));
    let line = helper.line();
    assert!(helper.child.wait().unwrap().success(), "{}", helper.complaint());
    line.parse().unwrap()
}

const COUNT: &str = "HABITAT_TEST_COUNT";

/// What such a process does.
pub(crate) fn run_tests() {
    let catalog =
        Catalog::from_scripts("shop", [("01_items.sql", "CREATE TABLE items (name text);")]).unwrap();
    let number: usize = std::env::var(COUNT).unwrap().parse().unwrap();
    let mut client = Server::shared().unwrap().config().connect(NoTls).unwrap();
    let most = (0..number).map(|n| {
        let database = TestDatabase::builder(&catalog).named(format!("test {n}")).create().unwrap();
        let role = database.role_name("clerk");
        let mut session = database.connect().unwrap();
        session.batch_execute(&format!("CREATE ROLE {role}; INSERT INTO items VALUES ('tea')")).unwrap();
        assert_eq!(one::<i64>(&mut session, "SELECT count(*) FROM items"), 1);
        drop((session, database));
        count(&mut client, "habitat_test_")
    });
    println!("HELPER {}", most.max().unwrap());
    // At once, as the last test of a process ends.
    std::process::exit(0);
}
