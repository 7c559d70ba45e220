//! What the process is connected to: a person's terminal, or something else.

use std::io::{IsTerminal as _, Write as _};

/// How wide a table is where no terminal tells.
const COLUMNS: usize = 80;

/// The width that results may take: that of the terminal, `COLUMNS`, or 80.
pub(crate) fn columns() -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let seen = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    said.or_else(seen).filter(|width| *width >= 40).unwrap_or(COLUMNS)
}

/// Whether somebody can answer a question; a pipeline that says so by `CI` cannot.
pub(crate) fn is_interactive() -> bool {
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    !ci && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Whether progress can be drawn over itself.
pub(crate) fn is_live() -> bool {
    let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
    !dumb && is_interactive()
}

/// Asks a question on standard error, and reads one line; none where the input has ended.
pub(crate) fn ask(question: &str) -> Option<String> {
    let mut err = anstream::stderr();
    let _ = write!(err, "{question} ");
    let _ = err.flush();
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(line.trim().to_owned()),
    }
}
