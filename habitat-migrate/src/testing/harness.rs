//! What the attribute `test` writes around the body of a test: databases before it, a verdict on them after it.

use std::any::Any;
use std::borrow::Borrow;
use std::error::Error;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::pin::pin;
use std::process::{ExitCode, Termination};
use std::task::Poll;

use habitat_migrate_catalog::Catalog;

pub use super::argument::Lent;
use super::{TestDatabase, TestError};
use crate::client::words;

/// How a test ends that passes.
#[derive(Clone, Copy, Debug)]
pub enum Ending {
    /// It returns, and not with an error.
    Returns,
    /// It panics; with words that contain these, if any are given.
    Panics(Option<&'static str>),
}

/// The runtime that drives an `async` test.
#[derive(Clone, Copy, Debug)]
pub enum Flavor {
    /// The thread of the test alone.
    CurrentThread,
    /// As many threads as the machine has processors, or so many.
    MultiThread(Option<usize>),
}

/// Why a test could not begin.
pub enum Failure {
    /// There is no database for it.
    Database(TestError),
    /// An argument could not be made.
    Argument(&'static str, Box<dyn Error + Send + Sync>),
    /// There is no runtime.
    Runtime(std::io::Error),
}

/// The databases of a test, and what goes on between their making and their end.
type Outcome<T> = std::thread::Result<Result<T, Failure>>;

/// Runs a test that is no `async fn`.
#[track_caller]
pub fn blocking<T: Termination>(
    ending: Ending,
    create: impl FnOnce() -> Result<Vec<TestDatabase>, TestError>,
    body: impl FnOnce(&[TestDatabase]) -> Result<T, Failure>,
) -> ExitCode {
    match create() {
        Ok(databases) => {
            let outcome = catch_unwind(AssertUnwindSafe(|| body(&databases)));
            ending.settle(databases, outcome)
        }
        Err(error) => ending.not_begun(&Failure::Database(error)),
    }
}

/// Runs an `async` test on a runtime of its own.
#[track_caller]
pub fn on_runtime<T: Termination>(
    flavor: Flavor,
    ending: Ending,
    create: impl FnOnce() -> Result<Vec<TestDatabase>, TestError>,
    body: impl AsyncFnOnce(&[TestDatabase]) -> Result<T, Failure>,
) -> ExitCode {
    // Without its runtime no connection is left, so that the database can be dropped at once.
    blocking(ending, create, |databases| flavor.start()?.block_on(body(databases)))
}

/// Runs an `async` test on the runtime that another attribute has made for it.
pub async fn within<T: Termination>(
    ending: Ending,
    create: impl FnOnce() -> Result<Vec<TestDatabase>, TestError>,
    body: impl AsyncFnOnce(&[TestDatabase]) -> Result<T, Failure>,
) -> ExitCode {
    let databases = match create() {
        Ok(databases) => databases,
        Err(error) => return ending.not_begun(&Failure::Database(error)),
    };
    let outcome = caught(body(&databases)).await;
    // The tasks of the connections whose clients are gone now end in their next turns.
    for _ in 0..TURNS {
        tokio::task::yield_now().await;
    }
    ending.settle(databases, outcome)
}

/// An argument, or why there is none.
pub fn argument<T>(made: Result<T, Box<dyn Error + Send + Sync>>, name: &'static str) -> Result<T, Failure> {
    made.map_err(|error| Failure::Argument(name, error))
}

/// A catalog, given as a value or as a reference.
pub fn catalog(catalog: &impl Borrow<Catalog>) -> &Catalog {
    catalog.borrow()
}

/// How many migrations of an embedded catalog are meant by a version, with or without its context before it. Where the
/// catalog is empty, its errors have been told.
pub const fn matching(catalog: &Catalog, name: &str) -> usize {
    catalog.count_named(name)
}

/// The path of a file that is named relative to the one with the test, for messages.
pub fn beside(source: &str, file: &str) -> String {
    let folder = Path::new(source).parent().unwrap_or(Path::new(""));
    folder.join(file).display().to_string()
}

impl Ending {
    /// What is told about a test that ran: the databases stay if it fails.
    #[track_caller]
    fn settle<T: Termination>(self, databases: Vec<TestDatabase>, outcome: Outcome<T>) -> ExitCode {
        match outcome {
            Ok(Ok(value)) => {
                // It writes the error that the test returned, if it did.
                let code = value.report();
                let passed = code == ExitCode::SUCCESS && matches!(self, Self::Returns);
                finish(databases, passed);
                code
            }
            Ok(Err(failure)) => {
                finish(databases, false);
                self.not_begun(&failure)
            }
            Err(panic) => {
                finish(databases, self.expects(&*panic));
                resume_unwind(panic)
            }
        }
    }

    /// Whether a test that panicked so passes.
    fn expects(self, panic: &(dyn Any + Send)) -> bool {
        let said =
            panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        match self {
            Self::Returns => false,
            Self::Panics(None) => true,
            Self::Panics(Some(expected)) => said.is_some_and(|said| said.contains(expected)),
        }
    }

    /// Fails a test that could not begin.
    #[track_caller]
    fn not_begun(self, failure: &Failure) -> ExitCode {
        match self {
            Self::Returns => panic!("{failure}"),
            // A panic is what it waits for, and would let it pass.
            Self::Panics(_) => {
                eprintln!("{failure}");
                ExitCode::FAILURE
            }
        }
    }
}

impl Flavor {
    fn start(self) -> Result<tokio::runtime::Runtime, Failure> {
        let mut builder = match self {
            Self::CurrentThread => tokio::runtime::Builder::new_current_thread(),
            Self::MultiThread(_) => tokio::runtime::Builder::new_multi_thread(),
        };
        if let Self::MultiThread(Some(threads)) = self {
            builder.worker_threads(threads);
        }
        builder.enable_all().build().map_err(Failure::Runtime)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => write!(f, "the test's database could not be made\n{error:?}"),
            Self::Argument(name, error) => {
                write!(f, "the test's argument `{name}` could not be made: {}", words(&**error))
            }
            Self::Runtime(error) => write!(f, "the test's runtime could not be made: {error}"),
        }
    }
}

/// A future that gives its panic instead of panicking.
async fn caught<T>(future: impl Future<Output = T>) -> std::thread::Result<T> {
    let mut future = pin!(future);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

fn finish(databases: Vec<TestDatabase>, passed: bool) {
    for database in databases {
        database.finish(passed);
    }
}

/// A connection whose client is gone says goodbye, writes that and closes: a few turns.
const TURNS: usize = 16;
