//! What has to exist before migrations run: provisioned, twice, by different administrators, and audited.

#[path = "../support/owners.rs"]
mod owners;
#[path = "../support/mod.rs"]
mod support;

#[path = "../support/lifecycle.rs"]
mod lifecycle;

mod administrators;
mod audit;
mod environments;
mod systems;

use habitat_migrate::provision::{Cluster, Provision};
use habitat_migrate::testing::Server;
use owners::dump;
use postgres::{Client, Config, NoTls};

/// Connections to a server as one of its roles.
fn cluster<'a>(server: &'a Server, user: Option<&'a str>) -> Cluster<'a, Client> {
    Cluster::blocking(move |database| config(server, database, user).connect(NoTls))
}

fn connect(server: &Server, database: &str, user: Option<&str>) -> Client {
    let connected = config(server, database, user).connect(NoTls);
    connected.unwrap_or_else(|error| panic!("{database} as {user:?}: {error:?}"))
}

fn config(server: &Server, database: &str, user: Option<&str>) -> Config {
    let mut config = server.config();
    config.dbname(database);
    if let Some(user) = user {
        config.user(user);
    }
    config
}

fn provision(text: &str, environment: &str) -> Provision {
    Provision::from_toml("provision.toml", text, environment).unwrap_or_else(|error| panic!("{error:?}"))
}
