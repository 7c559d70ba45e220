//! Habitat, deployed from nothing: provisioned, migrated, provisioned again; and every rule of its guide tried as the role that it holds for.

#[path = "../support/mod.rs"]
mod support;

mod backups;
mod checklist;
mod deployment;
mod rows;

use std::sync::OnceLock;

use habitat_migrate::Migrations;
use habitat_migrate::provision::{Cluster, Connection, Password, Provision, set_password};
use habitat_migrate::testing::Server;
use postgres::{Client, NoTls};

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

const DECLARATION: &str = include_str!("../../migrations/habitat/provision.toml");
const ROLES: [&str; 4] = ["habitat_admin", "habitat_read", "habitat_write", "habitat_audit"];

/// Everybody but `postgres` needs a password.
const HBA: &str = "local all postgres trust\nlocal all all scram-sha-256\n";

/// Habitat on a server of its own: `habitat_dev` with sample data, `habitat` without.
struct House {
    server: Server,
    secrets: tempfile::TempDir,
}

impl House {
    /// A new one.
    fn build() -> Self {
        let house = Self::empty();
        for environment in ["development", "production"] {
            house.deploy(environment, None);
        }
        house
    }

    fn empty() -> Self {
        let server = Server::builder().file("pg_hba.conf", HBA).setting("log_statement", "all");
        Self { server: server.start().expect("a server"), secrets: tempfile::tempdir().expect("a folder") }
    }

    /// Provisions, migrates and provisions again, as the administrator of this name.
    fn deploy(&self, environment: &str, administrator: Option<&str>) {
        let provision = provision(environment);
        let cluster = self.cluster(administrator);
        provision.apply(&cluster).unwrap_or_else(|error| panic!("{error:?}"));
        let mut client = self.superuser("postgres");
        for role in ROLES {
            set_password(&mut client, role, &self.password(role)).expect("a password");
        }
        let database = provision.declaration().databases()[0].name().to_owned();
        let mut admin = self.connect("habitat_admin", &database);
        let migrator = Habitat::migrator().environment(environment);
        migrator.migrate(&mut admin).unwrap_or_else(|error| panic!("{error:?}"));
        provision.apply(&cluster).unwrap_or_else(|error| panic!("{error:?}"));
    }

    fn password(&self, role: &str) -> Password {
        Password::from_file_or_generate(self.secrets.path().join(role)).expect("a password")
    }

    fn connection(&self, role: &str, database: &str) -> Connection {
        let folder = self.server.socket_dir().expect("our own").display().to_string();
        Connection::new(role, folder, database, role).port(self.server.port()).password(self.password(role))
    }

    fn connections(&self, database: &str) -> Vec<Connection> {
        ROLES.map(|role| self.connection(role, database)).to_vec()
    }

    fn connect(&self, role: &str, database: &str) -> Client {
        let connector = self.connection(role, database).connector().expect("a connection");
        connector.connect_blocking().unwrap_or_else(|error| panic!("{role} to {database}: {error:?}"))
    }

    fn superuser(&self, database: &str) -> Client {
        self.server.config().dbname(database).connect(NoTls).expect("a connection")
    }

    fn cluster<'a>(&'a self, administrator: Option<&'a str>) -> Cluster<'a, Client> {
        Cluster::blocking(move |database| {
            let mut config = self.server.config();
            config.dbname(database);
            if let Some(user) = administrator {
                config.user(user);
            }
            config.connect(NoTls)
        })
    }
}

/// The one that tests look at and leave as it is.
fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(House::build)
}

fn provision(environment: &str) -> Provision {
    let provision = Provision::from_toml("provision.toml", DECLARATION, environment);
    provision.unwrap_or_else(|error| panic!("{error:?}")).confirm("habitat")
}
