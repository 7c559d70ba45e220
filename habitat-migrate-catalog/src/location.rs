//! Where in a text something stands: [`Location`], and the line that shows it: [`Excerpt`].

use std::fmt;

/// A line and a column, both counted from 1, the column in characters.
///
/// ```
/// use habitat_migrate_catalog::Location;
///
/// let script = "CREATE TABLE a ();\nCREATE TABEL b ();";
/// let location = Location::at(script, script.find("TABEL").unwrap());
/// assert_eq!(location.to_string(), "2:8");
/// ```
///
/// A line ends with `\n`, `\r\n` or `\r`; a byte order mark at the beginning is no column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    line: usize,
    column: usize,
}

impl Location {
    /// The place of a byte offset; one past the end, or inside a character, counts as the nearest character before it.
    pub fn at(text: &str, offset: usize) -> Self {
        let (line, start) = line_of(text, offset);
        let mut offset = offset.min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        Self { line, column: text[start.min(offset)..offset].chars().count() + 1 }
    }

    /// The place of the `position`th character, counted from 1: what PostgreSQL reports of the message that it was sent.
    pub fn of_character(text: &str, position: usize) -> Self {
        Self::at(text, offset_of_character(text, position))
    }

    /// The line, from 1.
    pub fn line(self) -> usize {
        self.line
    }

    /// The column in characters, from 1.
    pub fn column(self) -> usize {
        self.column
    }
}

/// `line:column`.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The byte offset of the `position`th character, counted from 1; the text's end where it has fewer.
pub fn offset_of_character(text: &str, position: usize) -> usize {
    text.char_indices().nth(position.saturating_sub(1)).map_or(text.len(), |(at, _)| at)
}

/// One line of a script with a caret below the place that is meant, for a person to read.
///
/// Long lines are cut around the place, control characters are escaped: a script can neither flood nor
/// steer the terminal on which it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    location: Location,
    /// None where it is not shown.
    line: Option<Box<str>>,
    caret: usize,
}

impl Excerpt {
    /// The line around a byte offset.
    pub fn at(text: &str, offset: usize) -> Self {
        let location = Location::at(text, offset);
        let (_, start) = line_of(text, offset);
        let line = text[start..].split(['\n', '\r']).next().unwrap_or_default();
        let skipped = (location.column - 1).saturating_sub(WIDTH / 2);
        let mut shown = String::new();
        let mut caret = 0;
        if skipped > 0 {
            shown.push('…');
        }
        let mut rest = line.chars().skip(skipped);
        for column in skipped + 1..=skipped + WIDTH {
            if column == location.column {
                caret = shown.chars().count();
            }
            match rest.next() {
                Some(character) => show(character, &mut shown),
                None => break,
            }
        }
        if rest.next().is_some() {
            shown.push('…');
        }
        Self { location, line: Some(shown.into_boxed_str()), caret }
    }

    /// The place alone, for a line that may hold a secret.
    #[must_use]
    pub fn without_line(self) -> Self {
        Self { line: None, ..self }
    }

    /// The place that the caret points at.
    pub fn location(&self) -> Location {
        self.location
    }

    /// The line, cut and escaped; empty where it is not shown.
    pub fn line(&self) -> &str {
        self.line.as_deref().unwrap_or_default()
    }

    /// Writes the place, the line and the caret as rustc does, with `label` behind the caret. Of a line that is not shown there is the
    /// place, and the label below it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn render(&self, path: &str, label: &str, out: &mut dyn fmt::Write) -> fmt::Result {
        let number = self.location.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(out, "{margin}--> {path}:{}", self.location)?;
        let Some(line) = &self.line else {
            return if label.is_empty() { Ok(()) } else { writeln!(out, "{margin} = {label}") };
        };
        writeln!(out, "{margin} |")?;
        writeln!(out, "{number} | {line}")?;
        writeln!(
            out,
            "{margin} | {}^{}{label}",
            " ".repeat(self.caret),
            if label.is_empty() { "" } else { " " }
        )
    }
}

/// How many characters of a line are shown.
const WIDTH: usize = 120;

/// The number of the line that holds this offset, and the offset at which it begins.
fn line_of(text: &str, offset: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let offset = offset.min(bytes.len());
    let first = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let (mut line, mut start) = (1, first);
    for at in first..offset {
        let ends = match bytes[at] {
            b'\n' => true,
            b'\r' => bytes.get(at + 1) != Some(&b'\n'),
            _ => false,
        };
        if ends {
            line += 1;
            start = at + 1;
        }
    }
    (line, start)
}

/// Appends a character, or its escape if a terminal would obey it instead of showing it.
fn show(character: char, out: &mut String) {
    match character {
        '\t' => out.push(' '),
        // Marks that change the direction of what follows would show another line than the one that runs.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' => {
            out.extend(character.escape_unicode());
        }
        _ if character.is_control() => out.extend(character.escape_default()),
        _ => out.push(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_as_the_checksum_ends_them() {
        let text = "a\r\nb\rc\nd";
        let places: Vec<String> =
            text.char_indices().map(|(at, _)| Location::at(text, at).to_string()).collect();
        assert_eq!(places, ["1:1", "1:2", "1:3", "2:1", "2:2", "3:1", "3:2", "4:1"]);
    }

    #[test]
    fn columns_count_characters_and_no_byte_order_mark() {
        let text = "\u{feff}é€x";
        assert_eq!(Location::at(text, text.len() - 1).to_string(), "1:3");
        assert_eq!(Location::at(text, 0).to_string(), "1:1");
    }

    #[test]
    fn a_position_of_the_server_counts_characters() {
        assert_eq!(Location::of_character("é;\né x", 6).to_string(), "2:3");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let text = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let excerpt = Excerpt::at(&text, 500);
        assert!(excerpt.line().chars().count() <= WIDTH + 2);
        assert_eq!(excerpt.line().chars().nth(excerpt.caret), Some('X'));
    }

    #[test]
    fn a_line_that_is_not_shown_has_its_place() {
        let excerpt = Excerpt::at("a = 1\npassword = \"hunter2", 17).without_line();
        let mut out = String::new();
        excerpt.render("a.toml", "", &mut out).expect("a String takes everything");
        assert_eq!(out, " --> a.toml:2:12\n");
        excerpt.render("a.toml", "no end", &mut out).expect("a String takes everything");
        assert_eq!(out, " --> a.toml:2:12\n --> a.toml:2:12\n  = no end\n");
        assert!(!format!("{excerpt:?}").contains("hunter2"), "{excerpt:?}");
    }

    #[test]
    fn control_characters_are_escaped_and_the_caret_still_points() {
        let excerpt = Excerpt::at("a\u{1b}[31mX", 6);
        assert_eq!(excerpt.line(), "a\\u{1b}[31mX");
        assert_eq!(excerpt.line().chars().nth(excerpt.caret), Some('X'));
    }
}
