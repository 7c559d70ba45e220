//! SQL that fills a template behind its migrations.

use habitat_migrate_catalog::{Excerpt, offset_of_character, statements};
use postgres::Client;
use postgres::error::ErrorPosition;

use super::test_error::{FailedFixture, Kind, TestError};

/// Runs a file in one transaction, a statement at a time, so that an error without a position has a line too.
pub(super) fn run(client: &mut Client, file: &str, text: &str) -> Result<(), TestError> {
    let place = |offset| Excerpt::at(text, offset);
    let all = statements(text).map_err(|error| FailedFixture {
        file: file.to_owned(),
        place: place(error.offset()),
        words: error.to_string(),
        notes: Vec::new(),
    });
    let all = all.map_err(|failed| Kind::Fixture(Box::new(failed)))?;
    let broken = |source| Kind::Sql { what: format!("run fixture {file}"), source };
    client.batch_execute("BEGIN").map_err(broken)?;
    let mut last = 0;
    for statement in all.iter().filter(|statement| !statement.is_empty()) {
        let code = statement.code();
        last = code.start;
        client.batch_execute(&text[code.clone()]).map_err(|error| failure(file, text, code.start, error))?;
    }
    // Deferred constraints are checked here.
    client.batch_execute("COMMIT").map_err(|error| failure(file, text, last, error))
}

fn failure(file: &str, text: &str, start: usize, error: postgres::Error) -> TestError {
    let Some(reply) = error.as_db_error() else {
        return Kind::Sql { what: format!("run fixture {file}"), source: error }.into();
    };
    let offset = match reply.position() {
        Some(ErrorPosition::Original(position)) => {
            start + offset_of_character(&text[start..], usize::try_from(*position).unwrap_or(1))
        }
        _ => start,
    };
    let notes = [("detail", reply.detail()), ("hint", reply.hint()), ("context", reply.where_())];
    Kind::Fixture(Box::new(FailedFixture {
        file: file.to_owned(),
        place: Excerpt::at(text, offset),
        words: format!("{} ({})", reply.message(), reply.code().code()),
        notes: notes.into_iter().filter_map(|(name, text)| Some((name, text?.to_owned()))).collect(),
    }))
    .into()
}
