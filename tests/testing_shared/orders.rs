//! The shared server's own sessions, which copy and drop for processes that may have ended.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use habitat_migrate::Catalog;
use habitat_migrate::testing::{Server, TestDatabase};
use postgres::{Client, Config, NoTls};

use crate::helper::{Numbers, Place, runs};
use crate::process::{Helper, one, poll, send};

#[test]
fn what_an_ended_process_has_left_is_dropped_when_all_is_quiet_and_copies_are_ready() {
    let place = Place::new().idle("20");
    let (mut user, mut client) = hold(&place);
    let ahead = (most(&place) / 16).clamp(3, 8);
    tests(&place, "30");
    poll("the databases to go", || (count(&mut client, "habitat_test_") == 0).then_some(()));
    poll("copies to be ready", || (count(&mut client, "habitat_ready_") >= ahead).then_some(()));
    // A copy that was taken is replaced, and no more are made.
    tests(&place, "1");
    poll("the database to go", || (count(&mut client, "habitat_test_") == 0).then_some(()));
    poll("the copy to be replaced", || (count(&mut client, "habitat_ready_") >= ahead).then_some(()));
    // Longer than a copy takes.
    std::thread::sleep(Duration::from_millis(500));
    let ready = count(&mut client, "habitat_ready_");
    assert_eq!(ready, ahead);
    let roles = "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'habitat\\_role\\_%'";
    poll("the roles to go", || (one::<i64>(&mut client, roles) == 0).then_some(()));
    assert!(user.child.try_wait().unwrap().is_none());
}

#[test]
fn databases_that_are_done_with_wait_while_tests_run_but_not_more_than_there_is_room_for() {
    let place = Place::new();
    let most = most(&place);
    let seen = tests(&place, "40");
    assert!(seen >= most.min(20), "only {seen} waited: copies come first");
    let seen = tests(&place, "200");
    assert!(seen >= most.min(40) && seen < most + 20, "{seen} waited, and {most} may");
    place.assert_left_clean();
}

#[test]
fn sessions_that_have_ended_come_back_with_the_next_process() {
    let place = Place::new().idle("20");
    let (_user, mut client) = hold(&place);
    for _ in 0..2 {
        tests(&place, "3");
        poll("two sessions", || (one::<i64>(&mut client, SESSIONS) == 2).then_some(()));
        poll("the databases to go", || (count(&mut client, "habitat_test_") == 0).then_some(()));
        client.batch_execute(&SESSIONS.replace("count(*)", "pg_terminate_backend(pid)")).unwrap();
        poll("the sessions to end", || (one::<i64>(&mut client, SESSIONS) == 0).then_some(()));
        poll("their mark to go", || (!place.servers()[0].join("carried").exists()).then_some(()));
    }
}

#[test]
fn without_these_sessions_tests_sweep_what_is_too_many() {
    let place = Place::new().idle("20");
    let (_user, mut client) = hold(&place);
    let most = most(&place);
    // As if somebody had made them.
    std::fs::create_dir(place.servers()[0].join("carried")).unwrap();
    // Two processes: the locks of the first one's are free.
    tests(&place, &most.to_string());
    let seen = tests(&place, &(most + most / 2).to_string());
    assert!(seen > most && seen <= 2 * most + 4, "{seen} were left, and {most} may wait");
    assert_eq!(one::<i64>(&mut client, SESSIONS), 0);
}

#[test]
fn what_was_kept_to_look_at_goes_when_its_test_ends_again() {
    let place = Place::new().idle("20");
    let mut user = place.user();
    let (server, folder) = user.server();
    let mut client = connect(&folder);
    let mut failing = Helper::start(&mut place.command("fails"));
    assert_eq!(failing.line(), "failed", "{}", failing.complaint());
    failing.child.wait().unwrap();
    assert_eq!(count(&mut client, "habitat_test_"), 1);
    tests(&place, "1");
    poll("both to go", || (count(&mut client, "habitat_test_") == 0).then_some(()));
    // It would wait ten minutes for somebody to look.
    end_group(server);
}

/// Ends a server with its keeper and the keeper's `sleep`: they are one group.
pub(crate) fn end_group(server: u32) {
    let group = Command::new("ps").args(["-o", "pgid=", "-p", &server.to_string()]).output().unwrap();
    send("KILL", &format!("-{}", String::from_utf8(group.stdout).unwrap().trim()));
    poll("the server to go", || (!runs(server)).then_some(()));
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

const SESSIONS: &str =
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'habitat-migrate orders'";

const COUNT: &str = "HABITAT_TEST_COUNT";

/// How many databases may wait where this place is.
fn most(place: &Place) -> i64 {
    let free = Command::new("df").args(["-B1", "--output=avail"]).arg(place.path()).output().unwrap();
    let free = String::from_utf8(free.stdout).unwrap();
    let free: i64 = free.lines().last().unwrap().trim().parse().unwrap();
    // A little less than what an empty database takes, which is not known before there is one.
    (free / 8 / (8 << 20)).clamp(8, 128)
}

/// A test that fails.
pub(crate) fn fail() {
    let database = TestDatabase::builder(&shop()).named("test 0").create().unwrap();
    database.fail();
    drop(database);
    println!("HELPER failed");
    std::process::exit(0);
}

fn shop() -> Catalog {
    Catalog::from_scripts("shop", [("01_items.sql", "CREATE TABLE items (name text);")]).unwrap()
}

/// What such a process does.
pub(crate) fn run_tests() {
    let catalog = shop();
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
