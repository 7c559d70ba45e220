//! A PostgreSQL proxy for tests: it counts round trips, adds latency, and cuts or holds connections at a chosen message.
//!
//! ```no_run
//! use std::time::Duration;
//! use habitat_wire::{Cut, Direction, Proxy, Target};
//!
//! # fn main() -> std::io::Result<()> {
//! let proxy = Proxy::to(Target::unix("/var/run/postgresql", 5432)).latency(Duration::from_millis(5)).start()?;
//! let _url = proxy.url("postgres", "postgres"); // connect here instead of to the server
//!
//! proxy.reset();
//! // ... the code to measure ...
//! assert_eq!(proxy.stats().round_trips, 1);
//!
//! // Cut both sockets when the third message of the client has reached the server.
//! proxy.cut_at(Cut::after(Direction::Frontend, 3));
//! # Ok(())
//! # }
//! ```
//!
//! Everything is counted after start-up and authentication (after the first ReadyForQuery of a connection), so a test
//! need not know how a client connects. Only framing is understood: message bodies stream through in pieces, and a
//! connection that turns to TLS goes on as opaque bytes, with round trips and bytes counted but no messages.

#![cfg(unix)]
#![forbid(unsafe_code)]

mod delay;
mod frame;
mod proxy;
mod relay;
mod rules;
mod stats;
mod target;

pub use proxy::{Builder, Proxy};
pub use rules::{Action, Cut, Direction, Message};
pub use stats::Stats;
pub use target::Target;
