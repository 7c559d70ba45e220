//! Screens that people have looked at, kept as text in `tests/cli/snapshots`. `HABITAT_BLESS=1` keeps what is seen now.

use super::support::Desk;

/// Compares a text with the one that is kept under this name.
pub(crate) fn keep(name: &str, text: &str) {
    let path = format!("{}/tests/cli/snapshots/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("HABITAT_BLESS").is_some() {
        std::fs::write(&path, text).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{name} is not what is kept; now it is:\n{text}\n--- kept:\n{kept}");
}

/// Without what differs from run to run: times, process ids, the database's name; escapes made visible.
pub(crate) fn masked(desk: &Desk, text: &str) -> String {
    let mut out = String::new();
    for line in text.replace(desk.database().name(), "DATABASE").replace('\u{1b}', "␛").lines() {
        out.push_str(&without_version(&without_processes(&without_elapsed(&without_times(line)))));
        out.push('\n');
    }
    out
}

/// `2026-03-01 09:12` and `4.1 ms`, in as many characters.
fn without_times(line: &str) -> String {
    let chars: Vec<char> = line.chars().collect();
    let mut out = chars.clone();
    for start in 0..chars.len() {
        let is_date = |offset: usize, c: char| match offset {
            4 | 7 => c == '-',
            10 => c == ' ',
            13 => c == ':',
            _ => c.is_ascii_digit(),
        };
        if chars.len() >= start + 16 && (0..16).all(|n| is_date(n, chars[start + n])) {
            for (n, mark) in "YYYY-MM-DD hh:mm".chars().enumerate() {
                out[start + n] = mark;
            }
        }
    }
    let mut line: String = out.into_iter().collect();
    for unit in [" ms", " s"] {
        let mut from = 0;
        while let Some(found) = line[from..].find(unit) {
            let at = from + found;
            let digits = line[..at].chars().rev().take_while(|c| c.is_ascii_digit() || *c == '.').count();
            let begin = at - digits;
            // The number with the blanks before it, and its unit, as wide as they may be.
            let blanks = line[..begin].chars().rev().take_while(|c| *c == ' ').count();
            // `2 steps` are no seconds.
            let is_unit = !line[at + unit.len()..].starts_with(char::is_alphabetic);
            if digits > 0 && is_unit {
                line.replace_range(begin - blanks..at + unit.len(), " T");
                from = begin - blanks + 2;
            } else {
                from = at + unit.len();
            }
        }
    }
    line
}

/// `process PID` for `process 4711`.
fn without_processes(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once("process ") {
        let number = behind.trim_start_matches(|c: char| c.is_ascii_digit());
        out.push_str(before);
        out.push_str(if number.len() < behind.len() { "process PID" } else { "process " });
        rest = number;
    }
    out + rest
}

/// A line that lives, without its turning sign, without the clock at its end and the blanks before that.
fn without_elapsed(line: &str) -> String {
    match line.strip_prefix(|c: char| ('\u{2800}'..='\u{28ff}').contains(&c)) {
        Some(rest) => {
            let clock = |c: char| c.is_ascii_digit() || c == ':';
            format!("⠿{} m:ss", rest.trim_end_matches(clock).trim_end())
        }
        None => line.to_owned(),
    }
}

/// The server's version, and until when it gets fixes.
fn without_version(line: &str) -> String {
    let Some((before, behind)) = line.split_once("PostgreSQL ") else { return line.to_owned() };
    let rest = behind.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let rest = match rest.split_once("fixes until ") {
        Some((words, _)) => format!("{words}fixes until YYYY-MM-DD"),
        None => rest.to_owned(),
    };
    format!("{before}PostgreSQL N.N{rest}")
}
