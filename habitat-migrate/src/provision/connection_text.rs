//! How the formats of connection files write a value, so that any text reads back as it was.

use std::fmt::{self, Write as _};

/// A string in double quotes that YAML 1.2 and TOML 1.0 both read.
///
/// Control characters, the byte order mark and the breaks that YAML knows beside the newline are escaped.
pub(super) struct Quoted<'a>(pub(super) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => write!(f, "\\{c}")?,
                '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                    write!(f, "\\u{:04X}", u32::from(c))?
                }
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A word of the shell: in single quotes, in which nothing has a meaning.
pub(super) struct ShellWord<'a>(pub(super) &'a str);

impl fmt::Display for ShellWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", Replaced(self.0, '\'', "'\\''"))
    }
}

/// A field of a password file, in which a colon and a backslash are escaped.
/// <https://www.postgresql.org/docs/current/libpq-pgpass.html>
pub(super) struct PassField<'a>(pub(super) &'a str);

impl fmt::Display for PassField<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if matches!(c, ':' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(c)?;
        }
        Ok(())
    }
}

/// A text with one character replaced.
struct Replaced<'a>(&'a str, char, &'a str);

impl fmt::Display for Replaced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(text, from, to) = self;
        for (n, piece) in text.split(*from).enumerate() {
            if n > 0 {
                f.write_str(to)?;
            }
            f.write_str(piece)?;
        }
        Ok(())
    }
}
