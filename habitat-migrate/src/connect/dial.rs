//! How each of the two clients opens a session.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Config, NoTls, Socket};

use super::Tls;
use super::attempt::Dial;
use super::failure::Failure;

/// `tokio_postgres`, on the runtime that polls it.
pub(super) struct Tokio;

impl Dial for Tokio {
    type Client = tokio_postgres::Client;

    async fn resolve(&self, name: &str, limit: Duration) -> Result<Vec<IpAddr>, Failure> {
        within(limit, async { found(tokio::net::lookup_host((name, 0)).await) }).await
    }

    async fn open(&self, config: Config, tls: &Tls, limit: Duration) -> Result<Self::Client, Failure> {
        match tls {
            Tls::None => within(limit, open(config, NoTls)).await,
            #[cfg(feature = "tls")]
            Tls::Rustls(tls) => within(limit, open(config, tls.clone())).await,
        }
    }

    async fn pause(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

fn found(addresses: io::Result<impl Iterator<Item = SocketAddr>>) -> Result<Vec<IpAddr>, Failure> {
    let addresses: Vec<_> = addresses.map_err(Failure::Lookup)?.map(|address| address.ip()).collect();
    if addresses.is_empty() { Err(Failure::NoAddress) } else { Ok(addresses) }
}

async fn within<T>(limit: Duration, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::time::timeout(limit, work).await.unwrap_or(Err(Failure::Silent(limit)))
}

async fn open<T>(config: Config, tls: T) -> Result<tokio_postgres::Client, Failure>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
{
    let (client, connection) = config.connect(tls).await.map_err(Failure::Driver)?;
    tokio::spawn(async move {
        // Whoever waits for an answer gets this error too, from the client.
        if let Err(error) = connection.await {
            tracing::debug!(target: "habitat_migrate", "the connection ended: {error}");
        }
    });
    Ok(client)
}

/// `postgres`, each step on a thread of its own: the driver has no limit of time once the socket is open.
#[cfg(feature = "postgres")]
pub(super) struct Blocking;

#[cfg(feature = "postgres")]
impl Dial for Blocking {
    type Client = postgres::Client;

    async fn resolve(&self, name: &str, limit: Duration) -> Result<Vec<IpAddr>, Failure> {
        let name = name.to_owned();
        on_thread(limit, move || {
            use std::net::ToSocketAddrs;
            found((name.as_str(), 0).to_socket_addrs())
        })
    }

    async fn open(&self, config: Config, tls: &Tls, limit: Duration) -> Result<Self::Client, Failure> {
        let config = postgres::Config::from(config);
        match tls {
            Tls::None => on_thread(limit, move || config.connect(NoTls).map_err(Failure::Driver)),
            #[cfg(feature = "tls")]
            Tls::Rustls(tls) => {
                let tls = tls.clone();
                on_thread(limit, move || config.connect(tls).map_err(Failure::Driver))
            }
        }
    }

    async fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Waits for the thread no longer than the limit. One that is late ends when its server answers or its socket
/// closes, and drops what it got.
#[cfg(feature = "postgres")]
fn on_thread<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    use std::sync::mpsc::RecvTimeoutError;
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    let thread = std::thread::Builder::new().name("habitat-connect".to_owned());
    let started = thread.spawn(move || {
        // Nobody listens any more if the limit has passed.
        let _ = sender.send(work());
    });
    started.map_err(Failure::Local)?;
    receiver.recv_timeout(limit).unwrap_or_else(|error| match error {
        RecvTimeoutError::Timeout => Err(Failure::Silent(limit)),
        RecvTimeoutError::Disconnected => {
            Err(Failure::Local(io::Error::other("the connecting thread panicked")))
        }
    })
}
