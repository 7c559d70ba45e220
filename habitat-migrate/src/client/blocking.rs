//! [`Client`] for `postgres::Client`: every future is ready when it is first polled.

use std::future::ready;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::{Client, Failure, Reply, Work};

impl Client for postgres::Client {
    type Outcome<'a, T: Send + 'a> = T;

    fn complete<'a, T: Send + 'a>(mut work: Work<'a, T>) -> Self::Outcome<'a, T> {
        match work.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            // The engine awaits nothing but this client, and all of the futures below are ready.
            Poll::Pending => unreachable!("a blocking client's work is done when it is first polled"),
        }
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
