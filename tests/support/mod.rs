//! What several suites need: catalogs, a program to start many times, a look at the server's log.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use habitat_migrate::testing::{Database, Server};
use habitat_migrate::{Catalog, Error, Migrator, Report};
use postgres::{Client, NoTls};

/// A catalog of `count` small migrations.
pub fn numbered(count: usize) -> Catalog {
    let script = |n| format!("CREATE TABLE t{n} (id bigint PRIMARY KEY, name text NOT NULL);\n");
    catalog("app", (1..=count).map(|n| (format!("{n:04}_t{n}.sql"), script(n))))
}

/// A catalog of scripts that are known to be sound.
pub fn catalog<N: Into<String>, T: Into<String>>(
    context: &str,
    scripts: impl IntoIterator<Item = (N, T)>,
) -> Catalog {
    let scripts = scripts.into_iter().map(|(name, text)| (name.into(), text.into()));
    Catalog::from_scripts(context, scripts).unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// A catalog of scripts that no check has seen, as a mistake of the checks would let them through.
pub fn unchecked(scripts: &[(&'static str, &'static str)]) -> Catalog {
    use habitat_migrate::__private::{Kind, Migration, Settings};

    let migration = |&(version, script): &(&'static str, &'static str)| {
        let checksum = Box::leak(Box::new(*habitat_migrate::Checksum::of(script).as_bytes()));
        let settings = Settings::DEFAULT;
        Migration::embedded(
            "app",
            version,
            Kind::Versioned,
            version,
            "",
            script,
            checksum,
            None,
            None,
            &[],
            settings,
        )
    };
    Catalog::from_checked(scripts.iter().map(migration).collect(), Vec::new())
}

/// A server whose log belongs to one test alone.
pub fn own_server() -> Server {
    Server::start().expect("a server")
}

/// A database on the server that the suite shares.
pub fn database() -> Database {
    Server::shared().expect("a server").database().expect("a database")
}

/// Lines of the server's log that must not be there on a path that succeeds.
pub fn complaints(server: &Server) -> Vec<String> {
    let log = server.log().expect("a log");
    let bad = |line: &&str| ["ERROR:", "FATAL:", "PANIC:"].iter().any(|level| line.contains(level));
    log.lines().filter(bad).map(str::to_owned).collect()
}

/// One value of one row.
pub fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut Client, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

/// Polls until something holds, or fails after ten seconds.
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// How many advisory locks and open transactions sessions other than this one have in its database.
pub fn leftovers(client: &mut Client) -> (i64, i64) {
    let locks = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database \
                 WHERE l.locktype = 'advisory' AND d.datname = current_database()";
    let open = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'";
    (value(client, locks), value(client, open))
}

/// What both clients make of a migrator, each on a database of its own where it has run `setup` before. Neither may
/// leave a lock or an open transaction.
pub fn with_each_client(
    setup: &str,
    migrator: &Migrator,
    check: impl Fn(&mut Client, Result<Report, Error>),
) {
    for blocking in [true, false] {
        let database = database();
        let mut admin = database.connect().expect("a connection");
        let outcome = if blocking {
            let mut client = database.connect().expect("a connection");
            client.batch_execute(setup).expect("a sound setup");
            migrator.migrate(&mut client)
        } else {
            tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
                let connected = tokio_postgres::connect(&database.url(), NoTls).await;
                let (mut client, connection) = connected.expect("a connection");
                tokio::spawn(connection);
                client.batch_execute(setup).await.expect("a sound setup");
                migrator.migrate(&mut client).await
            })
        };
        check(&mut admin, outcome);
        assert_eq!(leftovers(&mut admin), (0, 0), "blocking: {blocking}");
    }
}

/// Another process of this test's program, which runs `body` of [`in_child`].
pub struct Program {
    test: &'static str,
    variables: Vec<(&'static str, String)>,
}

/// The test `test` of this suite, as a program: it must call [`in_child`] and do nothing else.
pub fn program(test: &'static str, url: &str) -> Program {
    Program { test, variables: vec![(URL, url.to_owned())] }
}

impl Program {
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    pub fn start(&self) -> Child {
        let program = std::env::current_exe().expect("a path");
        let mut command = Command::new(program);
        command.args([self.test, "--exact", "--nocapture"]).envs(self.variables.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a process")
    }

    pub fn run(&self) -> Output {
        self.start().wait_with_output().expect("an output")
    }
}

/// Runs `body` with the database's URL if this process was started by [`Program`].
pub fn in_child(body: impl FnOnce(&str)) {
    if let Ok(url) = std::env::var(URL) {
        body(&url);
    }
}

const URL: &str = "HABITAT_CHILD_URL";

/// Connects, migrates, and prints how many migrations were applied.
pub fn migrate_and_print(url: &str, migrator: &Migrator) {
    let mut client = Client::connect(url, NoTls).expect("a connection");
    match migrator.migrate(&mut client) {
        Ok(report) => println!("applied {}", report.applied().len()),
        Err(error) => panic!("{error:?}"),
    }
}
