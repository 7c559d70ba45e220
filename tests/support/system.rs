//! A system on a server of its own, deployed as a person would: provisioned, with passwords, and roles that log in by them.

#![allow(dead_code, reason = "each suite uses a part of it")]

use std::path::Path;

use habitat_migrate::Catalog;
use habitat_migrate::provision::{Cluster, Connection, Endpoint, Plan, Provision, Template, set_passwords};
use habitat_migrate::testing::Server;
use postgres::{Client, NoTls};
use tempfile::TempDir;

use crate::owners::dump;

/// One environment of a system.
pub struct System {
    pub server: Server,
    pub folder: TempDir,
    pub provision: Provision,
}

/// A server that asks everybody but its superuser for a password, and logs every statement.
pub fn server() -> Server {
    let hba = "local all postgres trust\nlocal all all scram-sha-256\n";
    Server::builder().file("pg_hba.conf", hba).setting("log_statement", "all").start().expect("a server")
}

/// The migrations of a folder of this repository.
pub fn set(folder: &str) -> Catalog {
    Catalog::from_directory(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(folder))
        .unwrap_or_else(|problems| panic!("{}", problems.render()))
}

/// What a system's TOML says of an environment, with its files in a folder; the database's name stands in confirmation.
pub fn provision(text: &str, environment: &str, folder: &Path) -> Provision {
    let template = Template::from_toml("provision.toml", text).unwrap_or_else(|error| panic!("{error:?}"));
    let declaration = template.declare(environment).unwrap_or_else(|error| panic!("{error:?}"));
    let name = declaration.databases()[0].name().to_owned();
    Provision::new(declaration.in_folder(folder)).confirm(name)
}

pub fn cluster(server: &Server) -> Cluster<'_, Client> {
    Cluster::blocking(move |database| server.config().dbname(database).connect(NoTls))
}

/// A connection as the superuser.
pub fn superuser(server: &Server, database: &str) -> Client {
    server.config().dbname(database).connect(NoTls).expect("a connection")
}

pub fn endpoint(server: &Server) -> Endpoint {
    let folder = server.socket_dir().expect("the server is our own").display().to_string();
    Endpoint::new(folder).port(server.port())
}

impl System {
    /// Provisioned, with passwords set and nothing migrated.
    pub fn start(text: &str, environment: &str) -> Self {
        Self::on(server(), text, environment)
    }

    pub fn on(server: Server, text: &str, environment: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let provision = provision(text, environment, folder.path());
        let system = Self { server, folder, provision };
        system.apply();
        let mut client = superuser(&system.server, "postgres");
        set_passwords(&mut client, system.provision.declaration()).expect("passwords");
        system
    }

    pub fn apply(&self) -> Plan {
        let plan = self.provision.apply(&cluster(&self.server));
        plan.unwrap_or_else(|error| panic!("{error:?}"))
    }

    pub fn database(&self) -> &str {
        self.provision.declaration().databases()[0].name()
    }

    pub fn superuser(&self) -> Client {
        superuser(&self.server, self.database())
    }

    /// A connection of a role, by its password.
    pub fn client(&self, role: &str) -> Client {
        let all = self.connections();
        let connection = all.iter().find(|one| one.user() == role);
        let connection = connection.unwrap_or_else(|| panic!("{role} does not log in"));
        connection.connector().expect("a connector").connect_blocking().expect("a connection")
    }

    pub fn connections(&self) -> Vec<Connection> {
        let declaration = self.provision.declaration();
        declaration.connections(&declaration.databases()[0], &endpoint(&self.server)).expect("connections")
    }

    /// What the audit finds, each as one line.
    pub fn findings(&self) -> Vec<String> {
        let found = self.provision.audit(&cluster(&self.server)).unwrap_or_else(|error| panic!("{error:?}"));
        found.iter().map(ToString::to_string).collect()
    }

    /// Logs in as each role and tries all that the declaration says; tells how often.
    pub fn assert_least_privilege(&self) -> usize {
        let probes = self.provision.probes(&cluster(&self.server), self.database()).expect("probes");
        let report = probes.run_blocking(&self.connections()).expect("a report");
        let wrong: Vec<String> = report
            .surprises()
            .map(|one| format!("{} {} {}: {}", one.role(), one.expectation(), one.attempt(), one.outcome()))
            .collect();
        assert!(report.is_as_expected(), "{wrong:#?}");
        report.results().len()
    }

    /// Everything applied once more: nothing to do, and the catalogs, passwords and files as they were.
    pub fn assert_a_second_time_changes_nothing(&self) {
        let state = || (dump(&self.server, self.database()), self.verifiers(), self.files());
        self.apply();
        let before = state();
        let again = self.apply();
        assert!(again.is_empty(), "{again}");
        let mut client = superuser(&self.server, "postgres");
        set_passwords(&mut client, self.provision.declaration()).expect("passwords");
        assert_eq!(state(), before);
        assert_eq!(self.findings(), [""; 0]);
    }

    /// R47: the log has every statement, and none of the passwords.
    pub fn assert_the_log_has_no_password(&self) {
        let log = self.server.log().expect("a log");
        let passwords: Vec<_> =
            self.provision.declaration().roles().iter().filter_map(|role| role.password_source()).collect();
        let verifiers = log.matches("PASSWORD 'SCRAM-SHA-256$").count();
        assert!(verifiers >= passwords.len(), "the log has what was run");
        assert!(!passwords.is_empty());
        for source in passwords {
            let password = source.load().expect("a password");
            assert!(!log.contains(password.expose()), "a password stands in the log");
        }
    }

    fn verifiers(&self) -> String {
        let sql = "SELECT string_agg(rolname || ' ' || coalesce(rolpassword, 'none'), ', ' ORDER BY rolname) FROM pg_authid";
        superuser(&self.server, "postgres").query_one(sql, &[]).expect("a row").get(0)
    }

    fn files(&self) -> Vec<(std::path::PathBuf, String)> {
        let declaration = self.provision.declaration();
        declaration.write_connection_files(&endpoint(&self.server)).expect("files");
        let files = declaration.connection_files().iter();
        files
            .map(|file| (file.path().to_owned(), std::fs::read_to_string(file.path()).expect("text")))
            .collect()
    }
}

/// Fails unless the server refuses this for want of a right.
pub fn refused(client: &mut Client, sql: &str) {
    let error = client.batch_execute(sql).expect_err(sql);
    let code = error.code().unwrap_or_else(|| panic!("{sql}: {error:?}")).code();
    assert_eq!(code, "42501", "{sql}: {error:?}");
}
