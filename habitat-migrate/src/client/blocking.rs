//! [`Client`] for `postgres::Client`: every future is ready when it is first polled.

use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use postgres::{Error, IsolationLevel, SimpleQueryMessage};

use super::call::{At, Opened, carry_out};
use super::{Call, CallFailure, Client, Failure, Reply, Work};
use crate::code::{Function, Outcome, Style};

impl Client for postgres::Client {
    type Outcome<'a, T: Send + 'a> = T;

    fn complete<'a, T: Send + 'a>(work: Work<'a, T>) -> Self::Outcome<'a, T> {
        complete(work)
    }

    fn run<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<Reply, Failure>> {
        let mut reply = Reply::default();
        let outcome = match self.simple_query(sql) {
            Ok(messages) => {
                messages.iter().for_each(|message| reply.take(message));
                Ok(reply)
            }
            // This driver keeps no count of what was complete; the engine finds the place another way.
            Err(error) => Err(Failure::from_driver(&error, None)),
        };
        Box::pin(ready(outcome))
    }

    fn style(&self) -> Option<Style> {
        Some(Style::Blocking)
    }

    fn call<'a>(&'a mut self, call: Call<'a>) -> Work<'a, Result<Reply, CallFailure>> {
        Box::pin(ready(self::call(self, &call)))
    }

    fn pause(&mut self, time: Duration) -> Work<'_, ()> {
        std::thread::sleep(time);
        Box::pin(ready(()))
    }

    fn names_encoding(&self) -> bool {
        true
    }

    fn abandon(&mut self, sql: &str) {
        // Called while unwinding, if at all; a connection that is gone needs no cleaning.
        let _ = self.batch_execute(sql);
    }
}

/// What work gives that needs no waiting.
fn complete<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        // The engine awaits nothing but this client, and all of the futures here are ready.
        Poll::Pending => unreachable!("a blocking client's work is done when it is first polled"),
    }
}

fn call(client: &mut postgres::Client, call: &Call<'_>) -> Result<Reply, CallFailure> {
    let transaction =
        client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).deferrable(true);
    let mut transaction = transaction.start().map_err(|error| CallFailure::failed(&error, At::Begin))?;
    match complete(carry_out(&mut transaction, call)) {
        Ok(reply) => match transaction.commit() {
            Ok(()) => Ok(reply),
            Err(error) => Err(CallFailure::failed(&error, At::Commit)),
        },
        Err(failure) => {
            // If it cannot be rolled back, the connection is gone, and it with it.
            let _ = transaction.rollback();
            Err(failure)
        }
    }
}

impl Opened for postgres::Transaction<'_> {
    fn send<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<Vec<SimpleQueryMessage>, Error>> {
        Box::pin(ready(self.simple_query(sql)))
    }

    fn call(&mut self, function: Function) -> Work<'_, Option<Outcome>> {
        Box::pin(ready(match function {
            Function::Blocking(function) => Some(function(self)),
            Function::Async(_) => None,
        }))
    }
}
