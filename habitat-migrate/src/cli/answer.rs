//! What a verb has to say: [`Answer`], as text, as JSON, as annotations for GitHub.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::exit::Exit;

/// The version of the JSON's format; it grows when a reader of the last one would be misled.
pub(crate) const FORMAT: u32 = 1;

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// For people.
    #[default]
    Text,
    /// One JSON document, for programs; docs/cli-schema has its schemas.
    Json,
    /// Annotations on a pull request's lines, for GitHub Actions.
    Github,
}

/// The outcome of a verb that came to its end.
pub(crate) struct Answer {
    exit: Exit,
    body: Body,
    result: Value,
}

/// What is written where no program reads.
enum Body {
    /// Words for people, with colours, which are left out where nobody sees them.
    Words(String),
    /// SQL, a picture, a script: for a file or another program, as it is.
    Exact(String),
}

/// A remark on a line of a file.
pub(crate) struct Annotation {
    pub(crate) level: &'static str,
    pub(crate) path: String,
    pub(crate) place: Option<(usize, usize)>,
    pub(crate) message: String,
}

impl Answer {
    /// An answer in both languages; the text may have colours, which are left out where nobody sees them.
    pub(crate) fn new(text: impl Into<String>, result: Value) -> Self {
        Self { exit: Exit::Done, body: Body::Words(text.into()), result }
    }

    /// An answer whose text is not this command's own words, and is written byte for byte.
    pub(crate) fn exact(text: impl Into<String>, result: Value) -> Self {
        Self { exit: Exit::Done, body: Body::Exact(text.into()), result }
    }

    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds a line to its words.
    pub(crate) fn and_text(mut self, line: &str) -> Self {
        if let Body::Words(text) = &mut self.body {
            text.push('\n');
            text.push_str(line);
        }
        self
    }

    /// Adds a member to the result.
    pub(crate) fn and(mut self, name: &str, value: Value) -> Self {
        self.result[name] = value;
        self
    }

    /// Writes it to the standard output. What cannot be written there is no success.
    pub(super) fn write(self, verb: &str, output: Output) -> Exit {
        let written = match (output, self.body) {
            (Output::Json, _) => {
                let document = json!({ "format": FORMAT, "verb": verb, "exit": self.exit.code(), "result": self.result });
                write_out(&document.to_string())
            }
            (Output::Text | Output::Github, Body::Words(text)) => write_out(&text),
            (Output::Text | Output::Github, Body::Exact(text)) => write_exactly(&text),
        };
        match written {
            Ok(()) => self.exit,
            Err(error) => unwritten(&error),
        }
    }
}

/// Writes results, with colours where somebody sees them.
pub(super) fn write_out(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut out = anstream::stdout();
    read_enough(writeln!(out, "{}", text.trim_end_matches('\n')).and_then(|()| out.flush()))
}

/// Writes a text as it is; what has no end of its last line gets one.
fn write_exactly(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let written = out.write_all(text.as_bytes()).and_then(|()| out.write_all(end.as_bytes()));
    read_enough(written.and_then(|()| out.flush()))
}

/// Whoever closed the pipe has read enough.
fn read_enough(written: io::Result<()>) -> io::Result<()> {
    written.or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
}

/// Says on standard error that the standard output did not take a result.
pub(super) fn unwritten(error: &io::Error) -> Exit {
    let words = format!("error: the standard output does not take the result: {error}");
    let _ = writeln!(anstream::stderr(), "{words}\n = next: make room there, or send it elsewhere");
    Exit::Failed
}

impl Annotation {
    /// <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>
    pub(super) fn line(&self) -> String {
        let place = match self.place {
            Some((line, column)) => format!(",line={line},col={column}"),
            None => String::new(),
        };
        let path = escaped(&self.path).replace(':', "%3A").replace(',', "%2C");
        let file = if path.is_empty() { String::new() } else { format!(" file={path}{place}") };
        format!("::{}{file}::{}", self.level, escaped(&self.message))
    }
}

fn escaped(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::Annotation;

    #[test]
    fn an_annotation_keeps_its_lines_and_its_commas() {
        let annotation = Annotation {
            level: "error",
            path: "a,b/01_x.sql".to_owned(),
            place: Some((3, 5)),
            message: "100% wrong\nsee".to_owned(),
        };
        assert_eq!(annotation.line(), "::error file=a%2Cb/01_x.sql,line=3,col=5::100%25 wrong%0Asee");
    }
}
