//! What shall happen to a message: the armed cut and the test's own callback, asked in that order.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The client, to the server.
    Frontend,
    /// The server, to the client.
    Backend,
}

impl Direction {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Frontend => Self::Backend,
            Self::Backend => Self::Frontend,
        }
    }
}

/// A message on its way, after start-up and authentication.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub(crate) direction: Direction,
    pub(crate) tag: u8,
    pub(crate) length: usize,
    pub(crate) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The most that a callback sees of a body, in bytes.
    pub const PEEK: usize = 64 * 1024;

    /// Who sent it.
    pub fn direction(&self) -> Direction {
        self.direction
    }

    /// Its type: `b'Q'` is a simple query, `b'Z'` ReadyForQuery.
    pub fn tag(&self) -> u8 {
        self.tag
    }

    /// The length of its body in bytes.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The first [`PEEK`](Self::PEEK) bytes of its body, or the whole body if it is shorter.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the body, as far as it is seen, has this text.
    pub fn contains(&self, text: &str) -> bool {
        text.is_empty() || self.body.windows(text.len()).any(|window| window == text.as_bytes())
    }
}

/// What a callback wants done with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Pass it on.
    Forward,
    /// Let it vanish.
    Drop,
    /// Cut both sockets; it is not passed on, what came before it is.
    CutBefore,
    /// Pass it on, then cut both sockets; an answer to it is not delivered.
    CutAfter,
    /// Keep it, and all that follow in its direction on all connections, until
    /// [`Proxy::release`](crate::Proxy::release).
    Hold,
}

/// A message at which both sockets are cut, once.
///
/// Messages of one direction are counted from 1, from the moment the cut is armed, over all connections, and only after
/// start-up and authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    direction: Direction,
    message: u64,
    action: Action,
}

impl Cut {
    /// The `message`-th message is not passed on.
    pub fn before(direction: Direction, message: u64) -> Self {
        Self { direction, message, action: Action::CutBefore }
    }

    /// The `message`-th message is passed on, and nothing after it in either direction.
    pub fn after(direction: Direction, message: u64) -> Self {
        Self { direction, message, action: Action::CutAfter }
    }
}

type Callback = dyn Fn(&Message<'_>) -> Action + Send + Sync;

/// The rules of one proxy.
#[derive(Default)]
pub(crate) struct Rules(Mutex<State>);

#[derive(Default)]
struct State {
    armed: Option<Cut>,
    seen: u64,
    fired: bool,
    callback: Option<Arc<Callback>>,
}

impl Rules {
    pub(crate) fn arm(&self, cut: Cut) {
        let mut state = self.lock();
        state.armed = Some(cut);
        state.seen = 0;
        state.fired = false;
    }

    pub(crate) fn disarm(&self) {
        self.lock().armed = None;
    }

    pub(crate) fn fired(&self) -> bool {
        self.lock().fired
    }

    pub(crate) fn set_callback(&self, callback: Option<Arc<Callback>>) {
        self.lock().callback = callback;
    }

    /// How much of a body must be there before [`Rules::decide`] can be asked.
    pub(crate) fn peek(&self) -> usize {
        if self.lock().callback.is_some() { Message::PEEK } else { 0 }
    }

    pub(crate) fn decide(&self, message: &Message<'_>) -> Action {
        let mut state = self.lock();
        if let Some(cut) = state.armed.filter(|cut| cut.direction == message.direction) {
            state.seen += 1;
            if state.seen == cut.message {
                state.armed = None;
                state.fired = true;
                return cut.action;
            }
        }
        let callback = state.callback.clone();
        // The callback may arm a cut or replace itself.
        drop(state);
        callback.map_or(Action::Forward, |callback| callback(message))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Rules")
            .field("armed", &state.armed)
            .field("fired", &state.fired)
            .finish_non_exhaustive()
    }
}
