//! Functions of the program that are migrations: what the attribute `migration` makes of one, and how it is called.

#[cfg(feature = "tokio-postgres")]
use std::future::Future;
#[cfg(feature = "tokio-postgres")]
use std::pin::Pin;

use habitat_migrate_catalog::Opaque;

/// How functions are written that a client can call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Style {
    /// `async fn(&mut tokio_postgres::Transaction<'_>)`.
    Async,
    /// `fn(&mut postgres::Transaction<'_>)`.
    Blocking,
}

impl Style {
    /// The client whose functions are written so.
    pub(crate) fn client(self) -> &'static str {
        match self {
            Self::Async => "tokio_postgres::Client",
            Self::Blocking => "postgres::Client",
        }
    }
}

/// What a function returns.
pub type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

/// A function to be awaited.
#[cfg(feature = "tokio-postgres")]
pub type AsyncFunction =
    for<'a> fn(&'a mut AsyncTransaction<'_>) -> Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A function that returns when it is done.
#[cfg(feature = "postgres")]
pub type BlockingFunction = fn(&mut BlockingTransaction<'_>) -> Outcome;

#[cfg(feature = "postgres")]
pub use postgres::Transaction as BlockingTransaction;
#[cfg(feature = "tokio-postgres")]
pub use tokio_postgres::Transaction as AsyncTransaction;

/// A function, by the kind of transaction that it takes.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// For a `tokio_postgres::Client`.
    #[cfg(feature = "tokio-postgres")]
    Async(AsyncFunction),
    /// For a `postgres::Client`.
    #[cfg(feature = "postgres")]
    Blocking(BlockingFunction),
}

impl Function {
    /// The function that a catalog keeps; none if another version of the library put it there.
    pub(crate) fn of(opaque: Opaque) -> Option<Self> {
        opaque.downcast_ref::<Self>().copied()
    }

    pub(crate) fn style(self) -> Style {
        match self {
            #[cfg(feature = "tokio-postgres")]
            Self::Async(_) => Style::Async,
            #[cfg(feature = "postgres")]
            Self::Blocking(_) => Style::Blocking,
        }
    }
}
