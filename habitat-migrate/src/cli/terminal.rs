//! What the process is connected to: a person's terminal, or something else.

use std::io::{IsTerminal as _, Write as _};

use terminal_size::{Height, Width, terminal_size_of};

/// How wide a table is where no terminal tells.
const COLUMNS: usize = 80;

/// The width that results may take: that of the terminal, `COLUMNS`, or 80.
pub(crate) fn columns() -> usize {
    wide(width(terminal_size_of(std::io::stdout()))).unwrap_or(COLUMNS)
}

/// The width that prose among results is laid out in; none where no person reads along, who greps for whole lines.
pub(crate) fn columns_of_prose() -> Option<usize> {
    let seen = width(terminal_size_of(std::io::stdout()))?;
    wide(Some(seen))
}

/// The width that errors and progress are laid out in; none where they go to a log.
pub(crate) fn columns_of_errors() -> Option<usize> {
    let seen = width(terminal_size_of(std::io::stderr()))?;
    wide(Some(seen))
}

fn width(size: Option<(Width, Height)>) -> Option<usize> {
    size.map(|(width, _)| usize::from(width.0))
}

/// What the user says comes first; what is too narrow to be meant is left alone.
fn wide(seen: Option<usize>) -> Option<usize> {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    said.or(seen).filter(|width| *width >= 40)
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
    let _ = err.write_all(format!("{question} ").as_bytes());
    let _ = err.flush();
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => {
            // No Enter has ended the line.
            let _ = writeln!(err);
            None
        }
        Ok(_) => Some(line.trim().to_owned()),
    }
}
