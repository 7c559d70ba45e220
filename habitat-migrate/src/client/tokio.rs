//! [`Client`] for `tokio_postgres::Client`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_core::Stream;
use tokio_postgres::{Error, IsolationLevel, SimpleQueryMessage};

use super::call::{At, Opened, carry_out};
use super::{Call, CallFailure, Client, Failure, Reply, Work};
use crate::code::{Function, Outcome, Style};

impl Client for tokio_postgres::Client {
    type Outcome<'a, T: Send + 'a> = Work<'a, T>;

    fn complete<'a, T: Send + 'a>(work: Work<'a, T>) -> Self::Outcome<'a, T> {
        work
    }

    fn run<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<Reply, Failure>> {
        Box::pin(async move {
            let mut reply = Reply::default();
            // Only the stream tells how many statements were complete when one failed.
            let stream = self.simple_query_raw(sql).await;
            let mut stream = pin!(stream.map_err(|error| Failure::from_driver(&error, Some(0)))?);
            while let Some(message) = poll_fn(|cx| stream.as_mut().poll_next(cx)).await {
                match message {
                    Ok(message) => reply.take(&message),
                    Err(error) => return Err(Failure::from_driver(&error, Some(reply.completed()))),
                }
            }
            Ok(reply)
        })
    }

    fn style(&self) -> Option<Style> {
        Some(Style::Async)
    }

    fn call<'a>(&'a mut self, call: Call<'a>) -> Work<'a, Result<Reply, CallFailure>> {
        Box::pin(async move {
            let transaction =
                self.build_transaction().isolation_level(IsolationLevel::ReadCommitted).deferrable(true);
            let mut transaction =
                transaction.start().await.map_err(|error| CallFailure::failed(&error, At::Begin))?;
            match carry_out(&mut transaction, &call).await {
                Ok(reply) => match transaction.commit().await {
                    Ok(()) => Ok(reply),
                    Err(error) => Err(CallFailure::failed(&error, At::Commit)),
                },
                Err(failure) => {
                    // If it cannot be rolled back, the connection is gone, and it with it.
                    let _ = transaction.rollback().await;
                    Err(failure)
                }
            }
        })
    }

    fn pause(&mut self, time: Duration) -> Work<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn backend_key(&mut self) -> Option<i32> {
        super::key::process_of(&self.cancel_token())
    }

    fn names_encoding(&self) -> bool {
        true
    }

    fn abandon(&mut self, sql: &str) {
        // The driver hands the message to its connection when the future is first polled. The reply is
        // nobody's: the connection reads it and throws it away.
        let sent = pin!(self.batch_execute(sql));
        let _ = sent.poll(&mut Context::from_waker(Waker::noop()));
    }
}

impl Opened for tokio_postgres::Transaction<'_> {
    fn send<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<Vec<SimpleQueryMessage>, Error>> {
        Box::pin(self.simple_query(sql))
    }

    fn call(&mut self, function: Function) -> Work<'_, Option<Outcome>> {
        match function {
            Function::Async(function) => Box::pin(async move { Some(function(self).await) }),
            #[cfg(feature = "postgres")]
            Function::Blocking(_) => Box::pin(std::future::ready(None)),
        }
    }
}

impl Reply {
    pub(super) fn take(&mut self, message: &SimpleQueryMessage) {
        match message {
            SimpleQueryMessage::RowDescription(columns) => self.columns(columns.iter().map(|c| c.name())),
            SimpleQueryMessage::Row(row) => self.row((0..row.len()).map(|n| row.get(n))),
            SimpleQueryMessage::CommandComplete(_) => self.complete(),
            _ => {}
        }
    }
}
