//! How the databases of a server are reached: [`Cluster`].

use std::future::Future;

use crate::client::{Client, Work};

/// Connections to any database of one server, by its name, as one administrator.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn main() {
/// use habitat_migrate::provision::Cluster;
/// use postgres::{Config, NoTls};
///
/// let config: Config = "host=localhost user=postgres".parse().expect("a connection string");
/// let cluster = Cluster::blocking(|database| config.clone().dbname(database).connect(NoTls));
/// # }
/// # #[cfg(not(feature = "postgres"))] fn main() {}
/// ```
///
/// They have to be sessions of their own, not those of a pooler in transaction mode.
pub struct Cluster<'c, C> {
    connect: Connect<'c, C>,
    maintenance: String,
}

/// Opens a connection to the database of this name.
type Connect<'c, C> = Box<dyn Fn(&str) -> Connecting<'c, C> + Send + Sync + 'c>;

type Connecting<'c, C> = Work<'c, Result<C, Box<dyn std::error::Error + Send + Sync>>>;

impl<'c, C: Client> Cluster<'c, C> {
    /// A client that blocks: the function connects to the database of this name.
    pub fn blocking<E>(connect: impl Fn(&str) -> Result<C, E> + Send + Sync + 'c) -> Self
    where
        C: 'c,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self::of(Box::new(move |database: &str| {
            let outcome = connect(database).map_err(Into::into);
            Box::pin(std::future::ready(outcome))
        }))
    }

    /// An async client: the function connects to the database of this name.
    pub fn asynchronous<E, F>(connect: impl Fn(&str) -> F + Send + Sync + 'c) -> Self
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
        F: Future<Output = Result<C, E>> + Send + 'c,
    {
        Self::of(Box::new(move |database: &str| {
            let connecting = connect(database);
            Box::pin(async move { connecting.await.map_err(Into::into) })
        }))
    }

    fn of(connect: Connect<'c, C>) -> Self {
        Self { connect, maintenance: "postgres".to_owned() }
    }

    /// The database from which others are created. Default: `postgres`.
    #[must_use]
    pub fn maintenance(mut self, database: impl Into<String>) -> Self {
        self.maintenance = database.into();
        self
    }

    pub(crate) fn maintenance_name(&self) -> &str {
        &self.maintenance
    }

    pub(crate) async fn open(&self, database: &str) -> Result<C, super::error::Error> {
        (self.connect)(database).await.map_err(|source| {
            super::error::Error::new(super::error::Cause::Connect { database: database.to_owned(), source })
        })
    }
}

#[cfg(feature = "tokio-postgres")]
impl<'c> Cluster<'c, tokio_postgres::Client> {
    /// Connects as a [`Connector`](crate::Connector) does, to each database in turn.
    pub fn connector(connector: &'c crate::Connector) -> Self {
        Self::asynchronous(move |database| {
            let connector = connector.to_database(database);
            async move { connector.connect().await }
        })
    }
}

#[cfg(feature = "postgres")]
impl<'c> Cluster<'c, postgres::Client> {
    /// [`Cluster::connector`] for a program without an async runtime.
    pub fn connector_blocking(connector: &'c crate::Connector) -> Self {
        Self::blocking(move |database| connector.to_database(database).connect_blocking())
    }
}
