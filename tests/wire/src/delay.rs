//! A delay line: what goes in comes out in order, each a fixed time later, however many are under way.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::rules::Direction;

/// What travels on a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Bytes(Vec<u8>),
    /// Hold this direction from here on.
    Hold,
    /// Deliver nothing in the other direction any more: what follows is the last, and shall not be answered.
    Sever,
    /// Close both sockets.
    Close,
}

/// The queue between the reader and the writer of one direction.
#[derive(Debug)]
pub(crate) struct Line {
    latency: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<(Instant, Item)>,
    bytes: usize,
    closed: bool,
}

impl Line {
    /// What may be under way before the sender is made to wait, in bytes.
    const CAPACITY: usize = 4 * 1024 * 1024;

    pub(crate) fn new(latency: Duration) -> Self {
        Self { latency, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits for room; what comes after [`Line::close`] is lost.
    pub(crate) fn push(&self, item: Item) {
        let due = Instant::now() + self.latency;
        let mut state = lock(&self.state);
        while state.bytes >= Self::CAPACITY && !state.closed {
            state = wait(&self.changed, state);
        }
        if state.closed {
            return;
        }
        state.bytes += size(&item);
        state.items.push_back((due, item));
        self.changed.notify_all();
    }

    /// Waits until the next item is due; `None` once the line is closed.
    pub(crate) fn pop(&self) -> Option<Item> {
        let mut state = lock(&self.state);
        loop {
            if state.closed {
                return None;
            }
            let now = Instant::now();
            state = match state.items.front() {
                None => wait(&self.changed, state),
                Some((due, _)) if *due > now => {
                    let pause = *due - now;
                    self.changed.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
                }
                Some(_) => {
                    let (_, item) = state.items.pop_front()?;
                    state.bytes -= size(&item);
                    self.changed.notify_all();
                    return Some(item);
                }
            };
        }
    }

    /// Wakes everybody who waits.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}

fn size(item: &Item) -> usize {
    match item {
        Item::Bytes(bytes) => bytes.len(),
        Item::Hold | Item::Sever | Item::Close => 0,
    }
}

/// Holds whole directions, for all connections of a proxy.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<Held>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Held {
    frontend: bool,
    backend: bool,
    /// Writers that stand before a shut gate.
    frontend_waits: usize,
    backend_waits: usize,
}

impl Held {
    fn shut(&mut self, direction: Direction) -> &mut bool {
        match direction {
            Direction::Frontend => &mut self.frontend,
            Direction::Backend => &mut self.backend,
        }
    }

    fn waits(&mut self, direction: Direction) -> &mut usize {
        match direction {
            Direction::Frontend => &mut self.frontend_waits,
            Direction::Backend => &mut self.backend_waits,
        }
    }
}

impl Gate {
    pub(crate) fn shut(&self, direction: Direction) {
        *lock(&self.state).shut(direction) = true;
    }

    pub(crate) fn open(&self, direction: Direction) {
        *lock(&self.state).shut(direction) = false;
        self.changed.notify_all();
    }

    /// Waits while the direction is held, unless `gone`, which is asked again after every [`Gate::wake`].
    pub(crate) fn pass(&self, direction: Direction, gone: impl Fn() -> bool) {
        let mut state = lock(&self.state);
        *state.waits(direction) += 1;
        self.changed.notify_all();
        while *state.shut(direction) && !gone() {
            state = wait(&self.changed, state);
        }
        *state.waits(direction) -= 1;
    }

    /// Wakes everybody who waits, to ask again whether it is of use.
    pub(crate) fn wake(&self) {
        // Taken, so that nobody is between asking and waiting.
        drop(lock(&self.state));
        self.changed.notify_all();
    }

    /// Waits until something stands before the shut gate; whether it did within `limit`.
    pub(crate) fn wait_held(&self, direction: Direction, limit: Duration) -> bool {
        let holds = |state: &mut Held| *state.shut(direction) && *state.waits(direction) > 0;
        let waited = self.changed.wait_timeout_while(lock(&self.state), limit, |state| !holds(state));
        holds(&mut waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

// A thread that panicked leaves counters and queues that are still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(condvar: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    condvar.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_items_under_way_are_delayed_once() {
        let line = Line::new(Duration::from_millis(30));
        let start = Instant::now();
        for n in 0..100 {
            line.push(Item::Bytes(vec![n]));
        }
        for n in 0..100 {
            assert_eq!(line.pop(), Some(Item::Bytes(vec![n])));
        }
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(30), "{took:?}");
        assert!(took < Duration::from_millis(300), "{took:?}");
    }

    #[test]
    fn a_closed_line_lets_nobody_wait() {
        let line = Line::new(Duration::from_secs(3600));
        line.push(Item::Close);
        line.close();
        assert_eq!(line.pop(), None);
    }
}
