//! Long histories and large files: R56.

mod support;

use std::fmt::Write as _;

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, ErrorKind, Migrator};
use habitat_wire::{Proxy, Stats, Target};
use postgres::{Client, NoTls};
use support::{catalog, database, in_child, leftovers, program, value};

/// A catalog of `count` migrations that leave nothing but their records.
fn long(count: usize) -> Catalog {
    catalog("app", (1..=count).map(|n| (format!("{n:04}_step.sql"), format!("SELECT {n};"))))
}

/// A database with all of a catalog, and a connection to it that is measured.
struct Settled {
    migrator: Migrator,
    database: Database,
    proxy: Proxy,
    client: Client,
}

impl Settled {
    fn after(count: usize) -> Self {
        let server = Server::shared().expect("a server");
        let dir = server.socket_dir().expect("these tests need a server of their own");
        let proxy = Proxy::to(Target::unix(dir, server.port())).start().expect("a proxy");
        let (database, migrator) = (database(), Migrator::new(long(count)));
        let mut client =
            Client::connect(&proxy.url(database.name(), "postgres"), NoTls).expect("a connection");
        assert_eq!(migrator.migrate(&mut client).unwrap().applied().len(), count);
        Self { migrator, database, proxy, client }
    }

    /// Boots with nothing to do.
    fn boot(&mut self) -> Stats {
        self.proxy.reset();
        assert!(self.migrator.migrate(&mut self.client).unwrap().is_unchanged());
        self.proxy.stats()
    }
}

#[test]
fn r56_a_boot_with_nothing_to_do_costs_the_same_after_ten_and_after_five_thousand_migrations() {
    let mut sizes = [Settled::after(10), Settled::after(5000)];
    let [few, many] = sizes.each_mut().map(Settled::boot);
    for stats in [few, many] {
        assert_eq!((stats.round_trips, stats.frontend_messages), (1, 1), "{stats:?}");
        assert!(stats.bytes_to_client < 1024, "{stats:?}");
    }
    // The numbers of migrations themselves have two digits more.
    assert!(many.bytes_to_client.abs_diff(few.bytes_to_client) < 16, "{few:?}, {many:?}");
    assert!(many.bytes_to_server.abs_diff(few.bytes_to_server) < 16, "{few:?}, {many:?}");
    // Time is for the benchmark: here a busy machine puts off those who have used it most, the longer one's session.
    // Two looks at the table: a plan may go through all of it where that is only a page. Before PostgreSQL 15
    // sessions hand in what they have read by datagrams, which come when they come.
    for Settled { migrator, database, client, .. } in sizes {
        drop(client);
        for statistics in ["", "VACUUM ANALYZE schema_migrations"] {
            database.connect().unwrap().batch_execute(statistics).unwrap();
            let read = rows_read(&database, &migrator);
            let known = Server::shared().unwrap().major() >= 15;
            assert!(
                read <= 20 || !known,
                "{} {statistics}: {read} rows",
                migrator.catalog().migrations().len()
            );
        }
    }
}

/// How many rows of the tracker a boot with nothing to do makes the server read.
fn rows_read(database: &Database, migrator: &Migrator) -> i64 {
    let mut client = database.connect().unwrap();
    // A session hands in its numbers before it is gone.
    let mut total = || {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                      AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
        support::wait_for("the other sessions' end", || value::<i64>(&mut client, others) == 0);
        client.batch_execute("SELECT pg_stat_clear_snapshot()").unwrap();
        let sum = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables \
                   WHERE relname = 'schema_migrations'";
        value::<i64>(&mut client, sum)
    };
    let before = total();
    migrator.migrate(&mut database.connect().unwrap()).unwrap();
    total() - before
}

/// Rows of about 10 kB each, one a statement; the script is about `megabytes` long.
fn data(megabytes: usize, fault: Option<usize>) -> String {
    let mut script = String::with_capacity(megabytes * 1_000_000 + 1_000_000);
    script.push_str("CREATE TABLE data (id int PRIMARY KEY, payload text NOT NULL);\n");
    let payload = "0123456789".repeat(990);
    for id in 2..megabytes * 100 {
        // Each statement's number is its line's.
        let id = if fault == Some(id) { id - 1 } else { id };
        let _ = writeln!(script, "INSERT INTO data VALUES ({id}, '{payload}');");
    }
    script
}

/// How much a run may take beyond the text of the script, in kB.
const GROWTH: u64 = 16 * 1024;
const MEGABYTES: usize = 40;

#[cfg(target_os = "linux")]
fn status(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line");
    line.trim_matches([':', ' ', '\t', 'k', 'B']).parse().expect("a number")
}

#[test]
#[cfg(target_os = "linux")]
fn child_applies_a_large_script() {
    in_child(|url| {
        let catalog = catalog("app", [("01_data.sql", data(MEGABYTES, None))]);
        let mut client = Client::connect(url, NoTls).expect("a connection");
        // 5 sets the highest mark back to what there is now: man 5 proc_pid_clear_refs.
        std::fs::write("/proc/self/clear_refs", "5").expect("a mark");
        let before = status("VmRSS");
        Migrator::new(catalog).migrate(&mut client).unwrap_or_else(|error| panic!("{error:?}"));
        println!("grew {} kB", status("VmHWM").saturating_sub(before));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn r56_a_large_data_script_needs_bounded_memory() {
    let database = database();
    let output = program("child_applies_a_large_script", &database.url()).run();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let grew =
        out.lines().find_map(|line| line.split_once("grew ")?.1.strip_suffix(" kB")?.parse::<u64>().ok());
    let grew = grew.unwrap_or_else(|| panic!("{out}{err}"));
    assert!(grew < GROWTH, "{grew} kB for a script of {MEGABYTES} MB");
    let mut client = database.connect().unwrap();
    assert_eq!(value::<i64>(&mut client, "SELECT count(*) FROM data"), MEGABYTES as i64 * 100 - 2);
    assert_eq!(
        value::<i64>(&mut client, "SELECT count(*) FROM schema_migrations WHERE state = 'applied'"),
        1
    );
}

#[test]
fn r56_a_failure_in_the_middle_of_a_large_script_has_its_line_and_leaves_nothing() {
    let line = 251;
    let scripts = [("01_first.sql", "SELECT 1;".to_owned()), ("02_data.sql", data(5, Some(line)))];
    let catalog = catalog("app", scripts);
    let check = |error: habitat_migrate::Error, database: &Database| {
        assert_eq!(error.kind(), ErrorKind::Migration, "{}", error.diagnostic());
        assert_eq!(error.server_error().map(|error| error.code.as_str()), Some("23505"));
        assert_eq!(error.location(), Some(("app/02_data.sql", line, 1)), "{}", error);
        assert!(error.diagnostic().to_string().len() < 4096, "the line itself has 10 kB");
        let mut client = database.connect().unwrap();
        assert!(value::<bool>(&mut client, "SELECT to_regclass('data') IS NULL"));
        assert_eq!(
            value::<String>(&mut client, "SELECT string_agg(version, ' ') FROM schema_migrations"),
            "01_first"
        );
        assert_eq!(leftovers(&mut client), (0, 0));
    };
    let blocking = database();
    let migrator = Migrator::new(catalog);
    check(migrator.migrate(&mut blocking.connect().unwrap()).unwrap_err(), &blocking);
    let asynchronous = database();
    let error = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let (mut client, connection) = tokio_postgres::connect(&asynchronous.url(), NoTls).await.unwrap();
        tokio::spawn(connection);
        migrator.migrate(&mut client).await.unwrap_err()
    });
    check(error, &asynchronous);
}
