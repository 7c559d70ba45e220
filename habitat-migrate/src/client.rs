//! What the engine needs of a connection: [`Client`], and what it hears from one.
//!
//! The trait speaks text: a simple-query message goes out, rows of text come back. It is implemented for
//! `postgres::Client` and `tokio_postgres::Client`; a client of another driver takes some twenty lines.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

pub use crate::code::Style;
pub use crate::server::ServerError;
pub use call::{At, Call, CallFailure};

#[cfg(feature = "postgres")]
mod blocking;
mod call;
#[cfg(feature = "tokio-postgres")]
mod key;
#[cfg(feature = "tokio-postgres")]
mod tokio;

/// Work that goes on while it is polled; for a blocking client it is done when it is first polled.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection to PostgreSQL that migrations can be applied through.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use habitat_migrate::{Catalog, Migrator};
/// # let migrator = Migrator::new(Catalog::from_directory("migrations")?);
/// // A `postgres::Client` gives the result itself …
/// let mut client = postgres::Client::connect("host=localhost user=app", postgres::NoTls)?;
/// let report = migrator.migrate(&mut client)?;
/// # Ok(()) }
/// # #[cfg(not(feature = "postgres"))] fn main() {}
/// ```
/// ```no_run
/// # #[cfg(feature = "tokio-postgres")]
/// # async fn example(client: &mut tokio_postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// # use habitat_migrate::{Catalog, Migrator};
/// # let migrator = Migrator::new(Catalog::from_directory("migrations")?);
/// // … and a `tokio_postgres::Client` a future of it.
/// let report = migrator.migrate(client).await?;
/// # Ok(()) }
/// ```
pub trait Client: Send {
    /// What a verb of the migrator returns for this client: the value, or a future of it.
    type Outcome<'a, T: Send + 'a>;

    /// Makes the outcome of a verb out of the work that it takes.
    fn complete<'a, T: Send + 'a>(work: Work<'a, T>) -> Self::Outcome<'a, T>;

    /// Sends one simple-query message and waits for its reply.
    ///
    /// Implementations hand every column description, row and command completion to the [`Reply`], in
    /// the order in which they come; they may stop at the first error, since the server does, too.
    ///
    /// # Cancellation
    ///
    /// The future may be dropped at any time; the message may have been sent by then.
    fn run<'a>(&'a mut self, sql: &'a str) -> Work<'a, Result<Reply, Failure>>;

    /// How functions are written that this client can call; none where it calls none.
    fn style(&self) -> Option<Style> {
        None
    }

    /// Runs a migration that is written in Rust, in one transaction: begins it, calls the function between the engine's own
    /// statements, and commits. Whatever fails, it rolls back.
    ///
    /// It takes the driver's own transaction, so a client that wraps another one hands the call on to that; others call none.
    ///
    /// # Cancellation
    ///
    /// When the future is dropped, the transaction is rolled back.
    fn call<'a>(&'a mut self, call: Call<'a>) -> Work<'a, Result<Reply, CallFailure>> {
        let _ = call;
        Box::pin(std::future::ready(Err(CallFailure::Unsupported)))
    }

    /// Waits for some time.
    fn pause(&mut self, time: Duration) -> Work<'_, ()>;

    /// The server process that the connection was told of when it began, in `BackendKeyData`; none if the driver does not tell.
    ///
    /// Where it is not the process that answers, a pooler stands between.
    fn backend_key(&mut self) -> Option<i32> {
        None
    }

    /// Whether the driver names `client_encoding` in the message that begins a connection, as `postgres` and `tokio-postgres` do.
    ///
    /// Where it does and the server has not heard of it, a pooler stands between.
    fn names_encoding(&self) -> bool {
        false
    }

    /// Sends a message behind all that were sent, without waiting for its reply: called when a run is dropped midway.
    fn abandon(&mut self, sql: &str);
}

/// The reply to a simple-query message: the rows that the library asked for, and a count.
///
/// A script may return rows, too. Only results whose first column has the engine's own name are kept; the blocking
/// driver itself holds all rows of a message until it is complete.
#[derive(Debug, Default)]
pub struct Reply {
    rows: Vec<Row>,
    keeping: Keeping,
    completed: usize,
    watch: Option<usize>,
    watched: Vec<Watched>,
}

/// What becomes of the rows that come next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Keeping {
    /// They are nobody's.
    #[default]
    Nothing,
    /// The engine asked for them.
    Own,
    /// They are what a statement of a verify script returned.
    Watched,
}

/// What a statement of a verify script returned.
#[derive(Debug)]
pub(crate) struct Watched {
    /// Where the statement begins.
    pub(crate) place: usize,
    columns: Vec<String>,
    rows: usize,
    wrong: usize,
    first_wrong: Option<Row>,
}

impl Watched {
    /// Why it does not prove what it is there to prove: no row, or one that begins with `false` or NULL.
    pub(crate) fn disproof(&self) -> Option<String> {
        if self.rows == 0 {
            return Some("it returned no row".to_owned());
        }
        let row = self.first_wrong.as_ref()?;
        let value = |(n, name): (usize, &String)| format!("{name} = {}", row.value(n).unwrap_or("NULL"));
        let rest: Vec<String> = self.columns.iter().enumerate().skip(1).map(value).collect();
        let mut text = format!("it returned {}", if row.value(0).is_some() { "false" } else { "NULL" });
        if !rest.is_empty() {
            text += &format!(": {}", rest.join(", "));
        }
        if self.wrong > 1 {
            text += &format!(" (and {} rows more)", self.wrong - 1);
        }
        Some(text)
    }
}

impl Reply {
    /// Takes note of a result's columns.
    pub fn columns<'a>(&mut self, names: impl Iterator<Item = &'a str>) {
        let mut names = names.peekable();
        self.keeping = match (names.peek(), self.watch) {
            (Some(&"habitat-migrate"), _) => Keeping::Own,
            (_, Some(place)) => {
                let columns = names.map(str::to_owned).collect();
                self.watched.push(Watched { place, columns, rows: 0, wrong: 0, first_wrong: None });
                Keeping::Watched
            }
            _ => Keeping::Nothing,
        };
    }

    /// Takes a row of the result whose columns were given last.
    pub fn row<'a>(&mut self, values: impl Iterator<Item = Option<&'a str>>) {
        let own = |values: &mut dyn Iterator<Item = Option<&'a str>>| {
            Row(values.map(|value| value.map(str::to_owned)).collect())
        };
        let mut values = values.peekable();
        match (self.keeping, self.watched.last_mut()) {
            (Keeping::Own, _) => {
                let row = own(&mut values);
                match row.text(0) {
                    "watch" => self.watch = row.number(1),
                    _ => self.rows.push(row),
                }
            }
            (Keeping::Watched, Some(watched)) => {
                watched.rows += 1;
                // What is unknown is not proved.
                if matches!(values.peek(), Some(Some("f") | None)) {
                    watched.wrong += 1;
                    watched.first_wrong.get_or_insert_with(|| own(&mut values));
                }
            }
            _ => {}
        }
    }

    /// Takes note of a statement's completion.
    pub fn complete(&mut self) {
        self.keeping = Keeping::Nothing;
        self.completed += 1;
    }

    /// The statement behind which the results are those of a verify script's statement that begins at `place`.
    pub(crate) fn watch(place: usize) -> String {
        format!("SELECT 'watch' AS \"habitat-migrate\", {place};\n")
    }

    /// The statement behind which results are nobody's again.
    pub(crate) const UNWATCH: &'static str = "SELECT 'watch' AS \"habitat-migrate\", NULL;\n";

    /// What the statements of verify scripts returned, where they return anything.
    pub(crate) fn watched(&self) -> impl Iterator<Item = &Watched> {
        self.watched.iter()
    }

    /// Whether the lock was taken, and what it is for is still to be done.
    #[cfg(feature = "tokio-postgres")]
    fn may_begin(&self) -> bool {
        self.first("lock").is_some_and(|row| row.is_true(1)) && self.first("still to do").is_some()
    }

    /// How many statements are complete.
    pub fn completed(&self) -> usize {
        self.completed
    }

    /// The rows whose first value is `kind`.
    pub(crate) fn rows<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Row> {
        self.rows.iter().filter(move |row| row.text(0) == kind)
    }

    /// The first row whose first value is `kind`.
    pub(crate) fn first(&self, kind: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.text(0) == kind)
    }
}

/// One row of text.
#[derive(Debug)]
pub(crate) struct Row(Vec<Option<String>>);

impl Row {
    /// The value of a column; empty where it is null or not there.
    pub(crate) fn text(&self, column: usize) -> &str {
        self.value(column).unwrap_or_default()
    }

    pub(crate) fn value(&self, column: usize) -> Option<&str> {
        self.0.get(column).and_then(Option::as_deref)
    }

    /// PostgreSQL's text for booleans is `t` and `f`.
    pub(crate) fn is_true(&self, column: usize) -> bool {
        self.text(column) == "t"
    }

    pub(crate) fn number<N: std::str::FromStr>(&self, column: usize) -> Option<N> {
        self.value(column).and_then(|text| text.parse().ok())
    }

    pub(crate) fn micros(&self, column: usize) -> Duration {
        Duration::from_micros(self.number(column).unwrap_or_default())
    }
}

/// Why a message had no reply to its end.
#[derive(Debug)]
#[non_exhaustive]
pub enum Failure {
    /// The server refused a statement.
    Server {
        /// What it said.
        error: Box<ServerError>,
        /// How many statements of the message were complete by then, where the client can tell.
        completed: Option<usize>,
    },
    /// The connection broke: whether the message was carried out is not known.
    Lost(String),
}

#[cfg(feature = "tokio-postgres")]
impl ServerError {
    /// Reads the server's words out of the driver's error; none where the error is the driver's own.
    pub(crate) fn from_driver(error: &tokio_postgres::Error) -> Option<Self> {
        error.as_db_error().map(Self::from_server)
    }

    /// Reads the server's words where an error has them, or one of those that caused it.
    pub(crate) fn behind(error: &(dyn std::error::Error + 'static)) -> Option<Self> {
        let chain = std::iter::successors(Some(error), |error| error.source());
        chain.filter_map(|error| error.downcast_ref()).map(Self::from_server).next()
    }

    fn from_server(error: &tokio_postgres::error::DbError) -> Self {
        use tokio_postgres::error::ErrorPosition;

        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            _ => None,
        };
        Self {
            code: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: error.detail().map(str::to_owned),
            hint: error.hint().map(str::to_owned),
            position,
            context: error.where_().map(str::to_owned),
            schema: error.schema().map(str::to_owned),
            table: error.table().map(str::to_owned),
            constraint: error.constraint().map(str::to_owned),
        }
    }
}

#[cfg(not(feature = "tokio-postgres"))]
impl ServerError {
    /// No driver has words of the server.
    pub(crate) fn behind(_: &(dyn std::error::Error + 'static)) -> Option<Self> {
        None
    }
}

#[cfg(feature = "tokio-postgres")]
impl Failure {
    /// Tells a refusal by the server from a broken connection.
    pub(crate) fn from_driver(error: &tokio_postgres::Error, completed: Option<usize>) -> Self {
        use tokio_postgres::error::Severity;

        let severity = error.as_db_error().and_then(tokio_postgres::error::DbError::parsed_severity);
        match ServerError::from_driver(error) {
            // The server says why, and closes the connection.
            Some(error) if matches!(severity, Some(Severity::Fatal | Severity::Panic)) => {
                Self::Lost(error.to_string())
            }
            Some(error) => Self::Server { error: Box::new(error), completed },
            None => Self::Lost(words(error)),
        }
    }
}

/// The texts of an error and of what caused it; tokio-postgres puts what matters into the source.
#[cfg(feature = "tokio-postgres")]
pub(crate) fn words(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}
