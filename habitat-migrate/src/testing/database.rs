//! A database for one test.

use std::time::{Duration, Instant};

use postgres::{Client, Config, NoTls};

use super::address;
use super::error::{Kind, ServerError};
use super::off_runtime;

/// A database of your own, which is dropped with this value.
///
/// ```no_run
/// use habitat_migrate::testing::Server;
///
/// let database = Server::shared()?.create_database("agreements")?;
/// database.connect()?.batch_execute("CREATE TABLE agreements (id bigint)")?;
/// assert!(database.name().starts_with("agreements_"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Database {
    name: String,
    config: Config,
    url: Url,
    maintenance: Config,
}

/// Out of `Debug`: it may hold a password.
struct Url(String);

impl std::fmt::Debug for Url {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl Database {
    pub(super) fn create(maintenance: &Config, url: &str, prefix: &str) -> Result<Self, ServerError> {
        off_runtime(|| Self::create_here(maintenance, url, prefix))
    }

    fn create_here(maintenance: &Config, url: &str, prefix: &str) -> Result<Self, ServerError> {
        let name = name(prefix);
        let failed = |source| Kind::Connect { what: format!("create database {name}"), source };
        let mut client = maintenance.connect(NoTls).map_err(failed)?;
        let strategy = client.query_one(STRATEGY, &[]).map_err(failed)?.get::<_, &str>(0).to_owned();
        let create = format!("CREATE DATABASE \"{name}\" TEMPLATE template0 {strategy}");
        client.batch_execute(&create).map_err(failed)?;
        let mut config = maintenance.clone();
        config.dbname(&name);
        let url = Url(address::with_database(url, &name));
        Ok(Self { name, config, url, maintenance: maintenance.clone() })
    }

    /// The database's name: letters, digits and underscores.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How to connect to it.
    pub fn config(&self) -> Config {
        self.config.clone()
    }

    /// The same as a connection string.
    pub fn url(&self) -> String {
        self.url.0.clone()
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// The server is gone, or has no connection to spare.
    pub fn connect(&self) -> Result<Client, ServerError> {
        let failed = |source| Kind::Connect { what: format!("connect to database {}", self.name), source };
        Ok(self.config.connect(NoTls).map_err(failed)?)
    }

    fn drop_it(&self) -> Result<(), postgres::Error> {
        let mut client = self.maintenance.connect(NoTls)?;
        // DROP DATABASE sleeps in steps of 100 ms for a backend that is only just leaving.
        let end = Instant::now() + LEAVING;
        while client.query_one(OCCUPIED, &[&self.name])?.get(0) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(1));
        }
        client.batch_execute(&format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // What cannot be dropped goes with its server, and a server that is gone has taken it along.
        let _ = off_runtime(|| self.drop_it());
    }
}

/// At most 63 bytes, and nothing that would have to be quoted in a script or escaped in a URL.
fn name(prefix: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' }
    };
    let prefix: String = prefix.chars().map(plain).take(30).collect();
    format!("{prefix}_{}", super::unique())
}

/// Without fsync a copy of the files is faster than one through the WAL; with it, slower. PostgreSQL 15 and later.
const STRATEGY: &str = "SELECT CASE WHEN pg_catalog.current_setting('fsync') = 'off'
         AND pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 150000
       THEN 'STRATEGY FILE_COPY' ELSE '' END";

const OCCUPIED: &str = "SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = $1)";

/// How long a client that has been dropped may still be leaving; whoever stays longer is disconnected.
const LEAVING: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_need_no_quotes() {
        let name = name("My \"shop\": a very long name, longer than anything");
        assert!(name.starts_with("my__shop___a_very_long_name__l_"), "{name}");
        assert!(name.len() <= 63 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    }

    #[test]
    fn two_names_differ() {
        assert_ne!(name("x"), name("x"));
    }
}
