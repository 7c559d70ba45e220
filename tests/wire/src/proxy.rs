//! The proxy itself: what a test starts, asks and drops.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::relay::{Session, Shared};
use crate::rules::{Action, Cut, Direction, Message};
use crate::stats::Stats;
use crate::target::{Listener, Place, Target, socket_name};

/// A running proxy. Dropping it cuts every connection, ends its threads and removes its socket.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    live: Arc<Live>,
    place: Place,
    host: String,
    port: u16,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Begins a proxy to `target`. It listens on a Unix socket in a directory of its own, unless told otherwise.
    pub fn to(target: Target) -> Builder {
        Builder { target, latency: Duration::ZERO, tcp: false }
    }

    /// The `host` to connect to: a directory for a Unix socket, otherwise `127.0.0.1`.
    pub fn config_host(&self) -> &str {
        &self.host
    }

    /// The `port` to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A connection URL that libpq, tokio-postgres and sqlx all understand.
    pub fn url(&self, database: &str, user: &str) -> String {
        let (database, user) = (percent_encode(database), percent_encode(user));
        match &self.place {
            Place::Unix(_) => {
                let host = percent_encode(&self.host);
                format!("postgresql:///{database}?host={host}&port={}&user={user}", self.port)
            }
            Place::Tcp(_) => format!("postgresql://{user}@{}:{}/{database}", self.host, self.port),
        }
    }

    /// What passed since the start or the last [`reset`](Self::reset).
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Counts from zero again.
    pub fn reset(&self) {
        self.shared.counters.reset();
    }

    /// Arms a cut, in place of one that has not happened yet.
    pub fn cut_at(&self, cut: Cut) {
        self.shared.rules.arm(cut);
    }

    /// Takes back a cut that has not happened yet.
    pub fn disarm(&self) {
        self.shared.rules.disarm();
    }

    /// Whether the cut that was armed last has happened: `false` after a run means that it had fewer messages.
    pub fn cut_fired(&self) -> bool {
        self.shared.rules.fired()
    }

    /// Cuts every connection that is open now.
    pub fn cut_now(&self) {
        for connection in self.live.lock().iter() {
            connection.session.close();
        }
    }

    /// Asks `callback` about every message after start-up, in place of an earlier callback. It runs in the thread that
    /// relays the message, so what it waits for delays that direction of that connection.
    pub fn on_message(&self, callback: impl Fn(&Message<'_>) -> Action + Send + Sync + 'static) {
        self.shared.rules.set_callback(Some(Arc::new(callback)));
    }

    /// Forgets the callback.
    pub fn forward_all(&self) {
        self.shared.rules.set_callback(None);
    }

    /// Keeps everything that goes in this direction, until [`release`](Self::release).
    pub fn hold(&self, direction: Direction) {
        self.shared.gate.shut(direction);
    }

    /// Delivers what was held in this direction.
    pub fn release(&self, direction: Direction) {
        self.shared.gate.open(direction);
    }

    /// Waits until something is being held in this direction; `false` if nothing was within `limit`.
    pub fn wait_held(&self, direction: Direction, limit: Duration) -> bool {
        self.shared.gate.wait_held(direction, limit)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.live.stopping.store(true, Ordering::SeqCst);
        // A connection to itself wakes the acceptor. If the socket is gone, nothing can wake it: leave the thread to
        // the end of the process.
        let woken = self.place.connect().is_ok();
        let acceptor = self.acceptor.take().filter(|_| woken);
        if let Some(acceptor) = acceptor {
            let _ = acceptor.join();
        }
        let connections = std::mem::take(&mut *self.live.lock());
        for connection in &connections {
            connection.session.close();
        }
        for thread in connections.into_iter().flat_map(|connection| connection.threads) {
            let _ = thread.join();
        }
        if let Place::Unix(socket) = &self.place {
            let _ = fs::remove_file(socket);
            let _ = socket.parent().map(fs::remove_dir);
        }
    }
}

/// What a proxy is told before it starts.
#[derive(Debug, Clone)]
#[must_use = "a proxy listens only once it is started"]
pub struct Builder {
    target: Target,
    latency: Duration,
    tcp: bool,
}

impl Builder {
    /// Delays everything by this time, each way. Throughput stays: what is sent together arrives together.
    pub fn latency(mut self, each_way: Duration) -> Self {
        self.latency = each_way;
        self
    }

    /// Listens on a free port of 127.0.0.1 instead of a Unix socket.
    pub fn on_tcp(mut self) -> Self {
        self.tcp = true;
        self
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// When the socket or its directory cannot be made.
    pub fn start(self) -> io::Result<Proxy> {
        let wanted = if self.tcp {
            Place::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        } else {
            Place::Unix(private_directory()?.join(socket_name(SOCKET_PORT)))
        };
        let listener = wanted.listen()?;
        let place = listener.place(&wanted)?;
        let (host, port) = match &place {
            Place::Unix(path) => (path.parent().unwrap_or(path).to_string_lossy().into_owned(), SOCKET_PORT),
            Place::Tcp(addr) => (addr.ip().to_string(), addr.port()),
        };
        let shared = Arc::new(Shared::default());
        let live = Arc::new(Live::default());
        let acceptor = {
            let (shared, live) = (Arc::clone(&shared), Arc::clone(&live));
            thread::spawn(move || accept(&listener, &self, &shared, &live))
        };
        Ok(Proxy { shared, live, place, host, port, acceptor: Some(acceptor) })
    }
}

/// The connections of a proxy.
#[derive(Debug, Default)]
struct Live {
    stopping: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

impl Live {
    fn lock(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Connection {
    session: Arc<Session>,
    threads: Vec<JoinHandle<()>>,
}

fn accept(listener: &Listener, settings: &Builder, shared: &Arc<Shared>, live: &Live) {
    loop {
        let client = listener.accept();
        if live.stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(client) = client else {
            // Out of file descriptors, for one: others may close theirs.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        // Without a server the client sees its connection closed.
        let Ok(server) = settings.target.connect() else { continue };
        let session = Arc::new(Session::new(Arc::clone(shared), client, server, settings.latency));
        let threads = session.start();
        let mut connections = live.lock();
        connections.retain(|connection| !connection.threads.iter().all(JoinHandle::is_finished));
        connections.push(Connection { session, threads });
    }
}

/// A socket's port is only a part of its name; this one differs from PostgreSQL's own.
const SOCKET_PORT: u16 = 6432;

fn private_directory() -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    loop {
        let name = format!("habitat-wire-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            // Left behind by an earlier process of the same number.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(()) => return Ok(path),
        }
    }
}

fn percent_encode(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
