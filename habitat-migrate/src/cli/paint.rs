//! Colours. They are written always, and taken out on the way where nobody sees them.

use anstyle::{AnsiColor, Style};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const TO_DO: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const FAINT: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
const PLACE: Style = AnsiColor::Blue.on_default().bold();

/// A text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{style}{text}{style:#}") }
}

/// An error as rustc would colour it: its head red, margins blue, carets red.
pub(crate) fn error(picture: &str) -> String {
    let mut out = paint(BAD, "error: ");
    for (n, line) in picture.lines().enumerate() {
        if n == 0 {
            out.push_str(&paint(BOLD, line));
            continue;
        }
        out.push('\n');
        if let Some(head) = line.strip_prefix("error: ") {
            out.push_str(&paint(BAD, "error: "));
            out.push_str(&paint(BOLD, head));
            continue;
        }
        let margin = line.len() - line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).len();
        let (margin, rest) = line.split_at(margin);
        match ["--> ", "| ", "|", "= "].iter().find(|mark| rest.starts_with(**mark)) {
            Some(mark) => {
                out.push_str(&paint(PLACE, &format!("{margin}{mark}")));
                let rest = &rest[mark.len()..];
                let caret = rest.trim_start().starts_with('^');
                out.push_str(&if caret { paint(BAD, rest) } else { rest.to_owned() });
            }
            None => out.push_str(line),
        }
    }
    out
}
