//! A client while the engine uses it: it is left clean, whatever happens.

use std::time::Duration;

use crate::client::{Call, CallFailure, Client, Failure, Reply};
use crate::code::Style;

/// Sends messages; when it is dropped midway, it rolls back and gives the lock back.
pub(super) struct Session<'a, C: Client> {
    client: &'a mut C,
    clear: String,
    open: bool,
}

impl<'a, C: Client> Session<'a, C> {
    /// `clear` is sent if the session is dropped while it is open.
    pub(super) fn new(client: &'a mut C, clear: String) -> Self {
        Self { client, clear, open: false }
    }

    /// Sends a message that leaves nothing behind.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<Reply, Failure> {
        self.client.run(sql).await
    }

    /// Sends a message that may leave a transaction open and the lock taken.
    pub(super) async fn run(&mut self, sql: &str) -> Result<Reply, Failure> {
        self.open = true;
        self.client.run(sql).await
    }

    /// Says what leaves nothing behind from now on.
    pub(super) fn clears_by(&mut self, clear: String) {
        self.clear = clear;
    }

    /// What the driver was told when the connection began.
    pub(super) fn hints(&mut self) -> (Option<i32>, bool) {
        (self.client.backend_key(), self.client.names_encoding())
    }

    /// Calls a function in a transaction of its own; nothing is left behind, whatever comes of it.
    pub(super) async fn call(&mut self, call: Call<'_>) -> Result<Reply, CallFailure> {
        self.open = true;
        let outcome = self.client.call(call).await;
        self.open = false;
        outcome
    }

    /// How functions are written that the client can call.
    pub(super) fn style(&self) -> Option<Style> {
        self.client.style()
    }

    /// Whether something may be left behind.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Sends the last message, after which nothing is left behind if it succeeds.
    pub(super) async fn finish(&mut self, sql: &str) -> Result<Reply, Failure> {
        let reply = self.run(sql).await?;
        self.open = false;
        Ok(reply)
    }

    /// Takes note that the last message has left nothing behind.
    pub(super) fn is_clean(&mut self) {
        self.open = false;
    }

    /// Rolls back and gives the lock back. What fails here is told by the next message.
    pub(super) async fn clear(&mut self) -> Result<(), Failure> {
        let clear = std::mem::take(&mut self.clear);
        let outcome = self.finish(&clear).await;
        self.clear = clear;
        outcome.map(drop)
    }

    pub(super) async fn pause(&mut self, time: Duration) {
        self.client.pause(time).await;
    }
}

impl<C: Client> Drop for Session<'_, C> {
    fn drop(&mut self) {
        if self.open {
            self.client.abandon(&self.clear);
        }
    }
}
