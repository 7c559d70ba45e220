//! The server that test processes share: one for all, and gone some time after the last of them.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod helper;
mod orders;
mod prepared;
#[path = "../testing_server/helper.rs"]
#[allow(dead_code, reason = "the other suite needs the rest")]
mod process;

use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use habitat_migrate::testing::Server;
use helper::{Numbers, Place, keeper_of, runs};
use process::{Helper, one, poll, send};

#[test]
fn sixteen_processes_at_once_on_a_cold_cache_start_one_server() {
    let place = Place::new();
    let mut users: Vec<_> = (0..16).map(|_| place.user()).collect();
    let mut servers: Vec<_> = users.iter_mut().map(Helper::server).collect();
    servers.dedup();
    assert_eq!(servers.len(), 1, "{servers:?}");
    assert_eq!(place.servers(), [servers[0].1.clone()]);
    drop(users);
    place.assert_left_clean();
}

#[test]
fn users_killed_at_any_moment_leave_nothing_behind() {
    let place = Place::new();
    let mut numbers = Numbers(4);
    for _ in 0..20 {
        let users: Vec<_> = (0..3).map(|_| Helper::start(&mut place.command("work"))).collect();
        for mut user in users {
            std::thread::sleep(Duration::from_millis(numbers.below(200)));
            user.child.kill().unwrap();
            user.child.wait().unwrap();
        }
    }
    place.assert_left_clean();
}

#[test]
fn the_next_user_of_a_killed_server_or_keeper_gets_another_and_sweeps() {
    for killed in ["server", "keeper", "both"] {
        let place = Place::new();
        let mut first = place.user();
        let (server, folder) = first.server();
        let keeper = keeper_of(server);
        if killed != "server" {
            send("KILL", &keeper.to_string());
            poll("the keeper to go", || (!runs(keeper)).then_some(()));
        }
        if killed != "keeper" {
            send("KILL", &server.to_string());
            poll("the server to go", || (!runs(server)).then_some(()));
        }
        let mut second = place.user();
        let (other, folder_of_other) = second.server();
        assert_ne!((server, &folder), (other, &folder_of_other), "{killed}");
        if killed != "server" {
            assert!(!folder.exists() && !runs(server), "{killed}: not swept");
        }
        drop((first, second));
        place.assert_left_clean();
    }
}

#[test]
fn what_a_killed_keeper_left_is_swept_by_whoever_starts_a_server_of_another_kind() {
    let place = Place::new();
    let mut first = place.user();
    let (server, folder) = first.server();
    send("KILL", &keeper_of(server).to_string());
    first.child.kill().unwrap();
    poll("the keeper to go", || (keeper_of(server) == 1).then_some(()));
    assert!(runs(server) && folder.exists());
    // Another cache is another kind.
    let another = process::cache_for_all();
    let mut other = Helper::start(place.command("hold").env("HABITAT_CACHE", another.path()));
    let (_, folder_of_other) = other.server();
    assert!(folder_of_other.exists());
    assert!(!folder.exists() && !runs(server), "not swept: {:?}", place.processes());
    drop(other);
    place.assert_left_clean();
}

#[test]
fn a_user_who_comes_while_the_server_stops_gets_a_server() {
    let place = Place::new().idle("0");
    let mut servers = std::collections::BTreeSet::new();
    let mut numbers = Numbers(16);
    let end = Instant::now() + Duration::from_secs(20);
    while servers.len() < 25 && Instant::now() < end {
        // Two lines of users, so that one comes while the other's last one goes.
        let pair: Vec<_> = (0..2)
            .map(|_| {
                let user = Helper::start(&mut place.command("work"));
                std::thread::sleep(Duration::from_millis(numbers.below(40)));
                user
            })
            .collect();
        for mut user in pair {
            let server = user.line();
            assert!(!server.is_empty(), "{}", user.complaint());
            servers.insert(server);
            user.child.wait().unwrap();
        }
    }
    assert!(servers.len() > 2, "no server ever stopped: {servers:?}");
    place.assert_left_clean();
}

#[test]
fn the_idle_time_starts_anew_with_each_user() {
    let place = Place::new().idle("1");
    let mut first = Helper::start(&mut place.command("work"));
    let server = first.line();
    first.child.wait().unwrap();
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) {
        let mut next = Helper::start(&mut place.command("work"));
        assert_eq!(next.line(), server, "after {:?}", start.elapsed());
        next.child.wait().unwrap();
        std::thread::sleep(Duration::from_millis(300));
    }
    place.assert_left_clean();
}

#[test]
fn a_server_that_is_told_to_linger_outlives_its_idle_time() {
    let place = Place::new();
    let mut user = Helper::start(&mut place.command("linger"));
    let server = user.line();
    user.child.wait().unwrap();
    let left = Instant::now();
    while left.elapsed() < Duration::from_millis(1500) {
        assert_eq!(place.servers().len(), 1, "gone after {:?}", left.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut next = Helper::start(&mut place.command("work"));
    assert_eq!(next.line(), server);
    place.assert_left_clean();
}

#[test]
fn another_version_is_another_server() {
    let place = Place::new();
    let fetched = |major: u32| {
        Command::new("sh")
            .args(["-c", &format!("ls -d /var/cache/habitat-migrate/postgres/{major}.*")])
            .output()
    };
    if !fetched(18).is_ok_and(|found| found.status.success()) {
        return eprintln!("skipped: no second version is here");
    }
    let usual = |task: &str| {
        let mut command = place.command(task);
        command.env_remove("HABITAT_CACHE").env_remove("HABITAT_PG");
        command
    };
    let mut default = Helper::start(&mut usual("hold"));
    let mut asked = Helper::start(&mut usual("version"));
    let mut by_variable = Helper::start(usual("hold").env("HABITAT_PG", "18"));
    let (server, _) = default.server();
    let (other, _) = asked.server();
    assert_ne!(server, other);
    assert_eq!(by_variable.server().0, other, "the same version is the same server");
    drop((default, asked, by_variable));
    place.assert_left_clean();
}

#[test]
fn a_signal_to_the_group_that_started_it_is_not_for_the_server() {
    let place = Place::new();
    for signal in ["INT", "HUP", "TERM", "KILL"] {
        let mut starter = Helper::start(place.command("hold").process_group(0));
        let (server, _) = starter.server();
        let mut other = place.user();
        assert_eq!(other.server().0, server);
        send(signal, &format!("-{}", starter.child.id()));
        starter.child.wait().unwrap();
        let mut third = Helper::start(&mut place.command("work"));
        assert!(third.line().starts_with(&server.to_string()), "{signal}: {}", third.complaint());
        drop(other);
        place.assert_left_clean();
    }
}

#[test]
fn whoever_reads_the_output_of_a_test_does_not_wait_for_the_server() {
    let place = Place::new().idle("5");
    // A descriptor beside the usual ones, as make's and cargo's job servers have.
    let mut command = Command::new("sh");
    command.args(["-c", "exec 7>&1; \"$@\"", "sh"]).arg(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", "helper_process", "--nocapture"]);
    command.envs(place.command("work").get_envs().filter_map(|(name, value)| Some((name, value?))));
    let start = Instant::now();
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(start.elapsed() < Duration::from_secs(5), "somebody holds the pipe: {:?}", start.elapsed());
    assert!(!place.servers().is_empty(), "it has not outlived its user");
}

#[test]
fn a_folder_that_somebody_else_may_write_to_is_not_trusted() {
    let place = Place::new();
    let common = {
        let mut user = place.user();
        user.server().1.parent().unwrap().to_owned()
    };
    place.assert_left_clean();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), &common).unwrap();
    let error = place.user().complaint();
    assert!(error.contains("only this user may enter"), "{error}");
    assert!(std::fs::read_dir(elsewhere.path()).unwrap().next().is_none());
    std::fs::remove_file(&common).unwrap();
    std::fs::create_dir(&common).unwrap();
    std::fs::set_permissions(&common, std::fs::Permissions::from_mode(0o777)).unwrap();
    let error = place.user().complaint();
    assert!(error.contains("only this user may enter"), "{error}");
}

#[test]
fn the_log_of_a_shared_server_can_be_read_and_its_life_is_not_ours() {
    let place = Place::new();
    let mut user = Helper::start(&mut place.command("log"));
    assert_eq!(user.line(), "logged", "{}", user.complaint());
}

#[test]
fn database_url_is_used_if_it_is_local_and_passed_over_if_it_is_not_fit() {
    let place = Place::new();
    let server = Server::start().unwrap();
    let mut client = server.config().connect(postgres::NoTls).unwrap();
    client.batch_execute("CREATE ROLE weak LOGIN").unwrap();
    let used = |url: &str, variables: &[(&str, &str)]| {
        let mut command = place.command("address");
        command.env("DATABASE_URL", url).envs(variables.iter().copied());
        let mut helper = Helper::start(&mut command);
        match helper.line() {
            line if line.is_empty() => Err(helper.complaint()),
            line => Ok(line == url),
        }
    };
    let (local, consent) = (server.url(), "HABITAT_TEST_USE_DATABASE_URL");
    let weak = local.replace("postgres@", "weak@");
    let remote = "postgres://somebody:secret@db.invalid/app";
    let closed = "postgres://somebody:secret@%2Fnonexistent/app";
    let major = server.major().to_string();
    assert_eq!(used(&local, &[]), Ok(true));
    assert_eq!(used(&local, &[("HABITAT_PG", &major)]), Ok(true));
    assert_eq!(used(&local, &[(consent, "0")]), Ok(false));
    for unfit in [remote, closed, weak.as_str(), "no address", " "] {
        assert_eq!(used(unfit, &[]), Ok(false), "{unfit}");
    }
    // Who has said that it is to be used is told why it cannot be.
    for (unfit, reason) in
        [(remote, "DATABASE_URL"), (closed, "DATABASE_URL"), (&weak, "may not create databases")]
    {
        let error = used(unfit, &[(consent, "1")]).unwrap_err();
        assert!(error.contains(reason) && !error.contains("secret"), "{error}");
    }
    let error = used(&local, &[(consent, "maybe")]).unwrap_err();
    assert!(error.contains("HABITAT_TEST_USE_DATABASE_URL is `maybe`: give 1 or 0"), "{error}");
    assert_eq!(used(remote, &[("HABITAT_TEST_DATABASE_URL", &local)]), Ok(false));
}

#[test]
fn when_there_is_nothing_one_error_lists_all_that_was_tried() {
    let place = Place::new();
    let mut command = place.command("hold");
    command.env("HABITAT_PG", "99").env("PATH", "").env("DATABASE_URL", "postgres://u:secret@db.invalid/app");
    let error = Helper::start(&mut command).complaint();
    for part in [
        "found no PostgreSQL 99",
        "tried HABITAT_TEST_DATABASE_URL: not set",
        "tried DATABASE_URL: not on this machine",
        "HABITAT_TEST_USE_DATABASE_URL=1 allows it",
        "tried PATH: nothing",
        "tried npm: ",
    ] {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    assert!(!error.contains("secret"), "{error}");
}

#[test]
fn a_variable_with_a_value_that_it_cannot_have_is_an_error() {
    let place = Place::new();
    for (name, value) in [
        ("HABITAT_TEST_SERVER_IDLE", "soon"),
        ("HABITAT_TEST_SERVER_IDLE", "-1"),
        ("HABITAT_TEST_SERVER_FOLDER", "here"),
    ] {
        let error = Helper::start(place.command("hold").env(name, value)).complaint();
        assert!(error.contains(&format!("{name} is `{value}`: give ")), "{error}");
    }
}

#[test]
fn a_server_that_does_not_start_tells_what_it_logged() {
    let place = Place::new();
    drop(place.user().server());
    place.assert_left_clean();
    let initdb = place.cache().join("initdb");
    let data = std::fs::read_dir(initdb).unwrap().flatten().next().unwrap().path();
    std::fs::write(data.join("postgresql.conf"), "work_mem = much\n").unwrap();
    let error = place.user().complaint();
    assert!(error.contains("did not start") && error.contains("work_mem"), "{error}");
    place.assert_left_clean();
}

/// Not a test: what the tests above run as a process of its own, to be killed.
#[test]
#[ignore = "run by other tests"]
fn helper_process() {
    let Ok(task) = std::env::var("HABITAT_TEST_HELPER") else { return };
    let tell = |server: &Server| {
        println!("HELPER {} {}", server.pid().unwrap(), server.socket_dir().unwrap().display());
        std::io::stdout().flush().unwrap();
    };
    match task.as_str() {
        "hold" => {
            tell(Server::shared().unwrap());
            let _ = std::io::stdin().read(&mut [0]);
        }
        "version" => {
            let server = Server::shared_version(18).unwrap();
            assert_eq!(server.major(), 18);
            tell(server);
            let _ = std::io::stdin().read(&mut [0]);
        }
        "work" => {
            let server = Server::shared().unwrap();
            let database = server.database().unwrap();
            assert_eq!(one::<i32>(&mut database.connect().unwrap(), "SELECT 1"), 1);
            tell(server);
        }
        "linger" => {
            let server = Server::shared().unwrap();
            server.linger(Duration::from_secs(2)).unwrap();
            tell(server);
        }
        "log" => {
            let server = Server::shared().unwrap();
            let mut client = server.config().connect(postgres::NoTls).unwrap();
            let word = format!("habitat_{}", std::process::id());
            client.batch_execute(&format!("DO $$ BEGIN RAISE LOG '{word}'; END $$")).unwrap();
            assert!(server.log().unwrap().contains(&word));
            assert_eq!(server.log_path().unwrap().parent(), server.socket_dir());
            println!("HELPER logged");
        }
        "tests" => orders::run_tests(),
        "fails" => orders::fail(),
        "stamp" => prepared::look(),
        "address" => println!("HELPER {}", Server::shared().unwrap().url()),
        other => panic!("no such task: {other}"),
    }
}
