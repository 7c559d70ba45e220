//! A migration that is a function: [`Call`], one transaction around it, and what can fail there.

use super::{Failure, Reply};
use crate::code::Function;

/// A function of the program and the engine's own statements around it, all in one transaction.
#[derive(Debug)]
pub struct Call<'a> {
    #[cfg_attr(not(feature = "tokio-postgres"), allow(dead_code, reason = "no client can call it"))]
    pub(crate) function: Function,
    /// Takes the lock, sets timeouts, and says whether the function is to run.
    #[cfg_attr(not(feature = "tokio-postgres"), allow(dead_code, reason = "no client can call it"))]
    pub(crate) before: &'a str,
    /// Messages that verify and record it.
    #[cfg_attr(not(feature = "tokio-postgres"), allow(dead_code, reason = "no client can call it"))]
    pub(crate) after: &'a [&'a str],
}

/// Why a [`Call`] was rolled back.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallFailure {
    /// This client calls no functions, or none of this kind.
    Unsupported,
    /// Another process has taken the lock, or has done it: the function was not called.
    Overtaken,
    /// The function returned an error.
    Function {
        /// What it returned.
        error: Box<dyn std::error::Error + Send + Sync>,
        /// Whether it had ended the transaction that it was called in.
        ended: bool,
    },
    /// One of the engine's own statements failed, or the function's transaction was unusable by then.
    Engine {
        /// What happened.
        failure: Failure,
        /// Which statement it was.
        at: At,
    },
    /// The verify script did not prove the migration.
    Unproved(Box<Reply>),
}

/// Which of a [`Call`]'s own statements failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// What comes before the function.
    Begin,
    /// The question whether the function left its transaction as it was.
    Return,
    /// The message of this number behind the function.
    After(usize),
    /// The commit.
    Commit,
}

#[cfg(feature = "tokio-postgres")]
pub(super) use with_driver::{Opened, carry_out};

#[cfg(feature = "tokio-postgres")]
mod with_driver {
    use tokio_postgres::{Error, SimpleQueryMessage};

    use super::{At, Call, CallFailure};
    use crate::client::{Failure, Reply, Work};
    use crate::code::{Function, Outcome};

    /// A driver's open transaction.
    pub(in crate::client) trait Opened: Send {
        /// Sends one simple-query message.
        fn send<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<Vec<SimpleQueryMessage>, Error>>;

        /// Calls a function; none where it is not of this transaction's kind.
        fn call(&mut self, function: Function) -> Work<'_, Option<Outcome>>;
    }

    /// Does everything that a call consists of, but the commit.
    pub(in crate::client) async fn carry_out(
        transaction: &mut impl Opened,
        call: &Call<'_>,
    ) -> Result<Reply, CallFailure> {
        let mut reply = Reply::default();
        send(transaction, call.before, At::Begin, &mut reply).await?;
        if !reply.may_begin() {
            return Err(CallFailure::Overtaken);
        }
        let outcome = transaction.call(call.function).await.ok_or(CallFailure::Unsupported)?;
        let open = send(transaction, OPEN, At::Return, &mut reply).await;
        let ended = reply.first("open").is_some_and(|row| !row.is_true(1));
        match (outcome, open) {
            // Whatever the function made of it.
            (_, Err(CallFailure::Engine { failure: Failure::Lost(words), at })) => {
                return Err(CallFailure::Engine { failure: Failure::Lost(words), at });
            }
            (Err(error), _) => return Err(CallFailure::Function { error, ended }),
            (Ok(()), Err(failure)) => return Err(failure),
            (Ok(()), Ok(())) if ended => {
                let error = "a COMMIT or a ROLLBACK was sent as text".into();
                return Err(CallFailure::Function { error, ended });
            }
            (Ok(()), Ok(())) => {}
        }
        for (n, sql) in call.after.iter().enumerate() {
            send(transaction, sql, At::After(n), &mut reply).await?;
        }
        let proved = reply.watched().all(|watched| watched.disproof().is_none());
        if proved { Ok(reply) } else { Err(CallFailure::Unproved(Box::new(reply))) }
    }

    async fn send(
        transaction: &mut impl Opened,
        sql: &str,
        at: At,
        reply: &mut Reply,
    ) -> Result<(), CallFailure> {
        match transaction.send(sql).await {
            Ok(messages) => {
                messages.iter().for_each(|message| reply.take(message));
                Ok(())
            }
            Err(error) => Err(CallFailure::failed(&error, at)),
        }
    }

    impl CallFailure {
        pub(in crate::client) fn failed(error: &Error, at: At) -> Self {
            Self::Engine { failure: Failure::from_driver(error, None), at }
        }
    }

    /// Whether the transaction is the one that was begun: the engine's are DEFERRABLE. No answer comes in one that has failed.
    const OPEN: &str = "SELECT 'open' AS \"habitat-migrate\", \
        pg_catalog.current_setting('transaction_deferrable') OPERATOR(pg_catalog.=) 'on';\n";
}
