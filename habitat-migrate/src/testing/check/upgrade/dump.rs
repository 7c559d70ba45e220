//! Restores what pg_dump printed, data by COPY included.

use std::io::Write;

use habitat_migrate_catalog::statements;
use postgres::Client;

use super::super::fault::{CheckError, Fault};

/// Runs the statements of a dump one by one.
pub(super) fn restore(client: &mut Client, text: &str) -> Result<(), CheckError> {
    let line_of = |offset: usize| text[..offset].matches('\n').count() + 1;
    let fault = |offset: usize, what: &str| Fault::new(format!("the dump, line {}: {what}", line_of(offset)));
    let statements = statements(text).map_err(|error| fault(error.offset(), &error.to_string()))?;
    for statement in statements.iter().filter(|statement| !statement.is_empty()) {
        let start = statement.code().start;
        let code = &text[statement.code()];
        if let Some(command) = code.strip_prefix('\\') {
            let name = command.split_whitespace().next().unwrap_or_default();
            if matches!(name, "restrict" | "unrestrict") {
                continue;
            }
            let what = format!(
                "\\{name} is a command of psql, and psql is not used here: make the dump without --create"
            );
            return Err(fault(start, &what).into());
        }
        let outcome = match copy(&text[start..statement.range().end]) {
            Some((head, data)) => copy_in(client, head, data),
            None => client.batch_execute(code),
        };
        outcome.map_err(|error| fault(start, &words(&error)))?;
    }
    // What a dump sets for its session.
    client.batch_execute("RESET ALL")?;
    Ok(())
}

fn copy_in(client: &mut Client, head: &str, data: &str) -> Result<(), postgres::Error> {
    let mut writer = client.copy_in(head)?;
    // A connection that is lost meanwhile is told by what follows.
    let _ = writer.write_all(data.as_bytes());
    writer.finish().map(drop)
}

/// A COPY with its data: `COPY … FROM stdin;`, lines, and a line with `\.`.
fn copy(code: &str) -> Option<(&str, &str)> {
    let (head, rest) = code.split_once('\n')?;
    let upper = head.to_ascii_uppercase();
    (upper.starts_with("COPY ") && upper.contains(" FROM STDIN")).then_some(())?;
    let end = if rest.starts_with("\\.") { 0 } else { rest.find("\n\\.").map_or(rest.len(), |end| end + 1) };
    Some((head.trim_end().trim_end_matches(';'), &rest[..end]))
}

/// The server's words, without those of the driver around them.
pub(super) fn words(error: &postgres::Error) -> String {
    match error.as_db_error() {
        Some(error) => {
            let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
            format!("{}{detail} ({})", error.message(), error.code().code())
        }
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_of_a_copy_ends_before_its_mark() {
        assert_eq!(copy("COPY a (x) FROM stdin;\n1\n2\n\\.\n"), Some(("COPY a (x) FROM stdin", "1\n2\n")));
        assert_eq!(copy("COPY a FROM stdin;\n\\.\n"), Some(("COPY a FROM stdin", "")));
        assert_eq!(copy("SELECT 1;\n"), None);
    }
}
