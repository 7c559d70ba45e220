//! What passed through a proxy.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What passed since the proxy was started or last reset. Start-up and authentication are counted apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How often a client waited for the server: a burst from the client, then something from the server, is one.
    ///
    /// Pipelined messages that the server answers before the client has sent them all count more than once.
    pub round_trips: u64,
    /// Messages from clients.
    pub frontend_messages: u64,
    /// Messages from the server.
    pub backend_messages: u64,
    /// Bytes from clients, headers included.
    pub bytes_to_server: u64,
    /// Bytes from the server, headers included.
    pub bytes_to_client: u64,
    /// Connections that asked to start a session.
    pub connections: u64,
    /// Cancel requests, each of which is a connection of its own.
    pub cancels: u64,
    /// Round trips of start-up and authentication, encryption requests included.
    pub startup_round_trips: u64,
}

/// The live counters behind [`Stats`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) round_trips: AtomicU64,
    pub(crate) frontend_messages: AtomicU64,
    pub(crate) backend_messages: AtomicU64,
    pub(crate) bytes_to_server: AtomicU64,
    pub(crate) bytes_to_client: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) cancels: AtomicU64,
    pub(crate) startup_round_trips: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> Stats {
        self.read_with(|counter| counter.load(Relaxed))
    }

    pub(crate) fn reset(&self) {
        self.read_with(|counter| counter.swap(0, Relaxed));
    }

    fn read_with(&self, read: impl Fn(&AtomicU64) -> u64) -> Stats {
        Stats {
            round_trips: read(&self.round_trips),
            frontend_messages: read(&self.frontend_messages),
            backend_messages: read(&self.backend_messages),
            bytes_to_server: read(&self.bytes_to_server),
            bytes_to_client: read(&self.bytes_to_client),
            connections: read(&self.connections),
            cancels: read(&self.cancels),
            startup_round_trips: read(&self.startup_round_trips),
        }
    }
}
