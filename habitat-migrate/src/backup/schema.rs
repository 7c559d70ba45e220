//! The schema of a database as SQL, for review in git: [`dump_schema`].

#[cfg(feature = "cli")]
use std::path::PathBuf;
use std::time::Duration;

use super::error::Result;
use super::lock;
use super::program::{self, Folders, Tool};
use super::question;
use crate::client::Client;
use crate::provision::Connection;

/// The schema of the database that the connection is for, as `pg_dump --schema-only` writes it, without rows.
///
/// Two dumps of one schema are equal, whichever minor versions of server and `pg_dump` made them: what names a version, and the random
/// word of `\restrict`, is left out. So a difference in git is a difference of the schema.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::backup::dump_schema;
/// use habitat_migrate::provision::Connection;
///
/// let connection = Connection::new("admin", "localhost", "habitat", "habitat_admin");
/// let mut client = connection.connector()?.connect_blocking()?;
/// std::fs::write("schema.sql", dump_schema(&mut client, &connection)?)?;
/// # Ok(()) }
/// # #[cfg(not(feature = "postgres"))] fn main() {}
/// ```
///
/// # Errors
///
/// [`ErrorKind::NoProgram`](super::ErrorKind::NoProgram), [`ErrorKind::WrongConnection`](super::ErrorKind::WrongConnection),
/// [`ErrorKind::Locked`](super::ErrorKind::Locked) behind a table that is locked for more than 30 s, [`ErrorKind::Program`](super::ErrorKind::Program), [`ErrorKind::File`](super::ErrorKind::File),
/// [`ErrorKind::Server`](super::ErrorKind::Server), [`ErrorKind::Lost`](super::ErrorKind::Lost).
///
/// # Cancellation
///
/// When the future is dropped, `pg_dump` is killed.
pub fn dump_schema<'a, C: Client>(
    client: &'a mut C,
    connection: &'a Connection,
) -> C::Outcome<'a, Result<String>> {
    C::complete(Box::pin(dump(client, connection, Folders::default(), lock::PATIENCE)))
}

/// [`dump_schema`] by the programs of a folder, where one is named, and no others; they wait for tables as long as is said.
#[cfg(feature = "cli")]
pub(crate) fn dump_schema_by<'a, C: Client>(
    client: &'a mut C,
    connection: &'a Connection,
    programs: Option<PathBuf>,
    patience: Option<Duration>,
) -> C::Outcome<'a, Result<String>> {
    let folders = programs.map(Folders::named).unwrap_or_default();
    C::complete(Box::pin(dump(client, connection, folders, patience.unwrap_or(lock::PATIENCE))))
}

async fn dump<C: Client>(
    client: &mut C,
    connection: &Connection,
    folders: Folders,
    patience: Duration,
) -> Result<String> {
    let server = question::server(client, connection).await?;
    let tools = folders.find(server.version)?;
    let mut dump = tools.command(Tool::Dump, connection);
    dump.args(["--schema-only", "--no-password", "--encoding=UTF8", &lock::argument(patience)]);
    match program::run(client, dump).await {
        Ok(text) => Ok(normalised(&text)),
        Err(error) => Err(lock::explained(client, error, patience).await),
    }
}

/// A dump without what differs between minor versions. Only its head and its tail have such lines: one within a function's body stays.
fn normalised(dump: &str) -> String {
    let lines: Vec<&str> = dump.lines().collect();
    let is_frame = |line: &&str| line.trim().is_empty() || line.starts_with("--") || line.starts_with('\\');
    let head = lines.iter().take_while(|line| is_frame(line)).count();
    let tail = lines.len() - lines[head..].iter().rev().take_while(|line| is_frame(line)).count();
    let differs = |line: &str| {
        ["-- Dumped from database version", "-- Dumped by pg_dump version", "\\restrict ", "\\unrestrict "]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let mut text = String::with_capacity(dump.len());
    for (n, line) in lines.iter().enumerate() {
        let framed = n < head || n >= tail;
        // Nor do two empty lines where there was something between them.
        let doubled = framed && line.is_empty() && (text.is_empty() || text.ends_with("\n\n"));
        let left_out = doubled || (framed && differs(line));
        if !left_out {
            text.push_str(line);
            text.push('\n');
        }
    }
    let end = text.trim_end().len();
    text.truncate(end);
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::normalised;

    #[test]
    fn dumps_of_two_minor_versions_are_equal_and_bodies_stay() {
        let body = "SET a = 0;\n\nCREATE FUNCTION f() AS $$\n-- Dumped by pg_dump version 1\n\\restrict x\n$$;\n\n\n";
        let old = format!(
            "--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 15.13\n-- Dumped by pg_dump version 15.13\n\n{body}--\n-- PostgreSQL database dump complete\n--\n\n"
        );
        let new = format!(
            "--\n-- PostgreSQL database dump\n--\n\n\\restrict aB3\n\n-- Dumped from database version 15.18 (Debian)\n-- Dumped by pg_dump version 15.18\n\n{body}--\n-- PostgreSQL database dump complete\n--\n\n\\unrestrict aB3\n\n"
        );
        assert_eq!(normalised(&old), normalised(&new));
        assert!(normalised(&new).contains("$$\n-- Dumped by pg_dump version 1\n\\restrict x\n$$"));
        assert!(normalised(&new).ends_with("dump complete\n--\n"));
    }
}
