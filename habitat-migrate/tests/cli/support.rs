//! A folder of migrations, a database, and the command between them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use habitat_migrate::testing::{Database, Server};
use tempfile::TempDir;

/// A working folder with a database of its own.
pub(crate) struct Desk {
    folder: TempDir,
    database: Database,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Desk {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        let database = Server::shared().expect("a server").database().expect("a database");
        Self { folder: tempfile::tempdir().expect("a folder"), database }
    }

    /// Two migrations: the first has a way back and is verified, the second has neither.
    pub(crate) fn with_shop() -> Self {
        let desk = Self::new();
        for (name, text) in SHOP {
            desk.write(&format!("migrations/{name}"), text);
        }
        desk
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn url(&self) -> String {
        self.database.url()
    }

    /// The command with this desk's database, and nothing else of this process's surroundings.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = clean(env!("CARGO_BIN_EXE_habitat-migrate"));
        command.args(arguments).current_dir(self.path()).env("DATABASE_URL", self.url());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        outcome(self.command(arguments))
    }

    /// Runs what has to succeed.
    pub(crate) fn done(&self, arguments: &[&str]) -> String {
        let outcome = self.run(arguments);
        assert_eq!(outcome.code, 0, "{arguments:?}: {}{}", outcome.out, outcome.err);
        outcome.out
    }

    pub(crate) fn sql(&self, sql: &str) {
        let mut client = self.database.connect().expect("a connection");
        client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}

/// A program without the variables that would change what it does.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        let says = ["PG", "HABITAT_", "DATABASE_URL", "CLICOLOR", "NO_COLOR", "COLUMNS", "CI"];
        if name != "HABITAT_PG" && says.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null()).env("HOME", "/nonexistent");
    command
}

/// Says why a test cannot be done here. Where everything is installed HABITAT_NO_SKIP is set, and this is a failure.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("HABITAT_NO_SKIP").is_none(), "skipped, and HABITAT_NO_SKIP is set: {why}");
    eprintln!("skipped: {why}");
}

pub(crate) fn outcome(mut command: Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().expect("a process");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Outcome { code: status.code().expect("an exit code"), out: text(stdout), err: text(stderr) }
}

pub(crate) const SHOP: [(&str, &str); 4] = [
    (
        "01_items.sql",
        "-- habitat: description What the shop sells\nCREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);\n",
    ),
    ("01_items.down.sql", "DROP TABLE items;\n"),
    ("01_items.verify.sql", "SELECT count(*) = 0 FROM items;\n"),
    ("02_orders.sql", "CREATE TABLE orders (item int NOT NULL REFERENCES items);\n"),
];
