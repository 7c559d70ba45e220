//! What a verb has to say: [`Answer`], as text, as JSON, as annotations for GitHub.

use std::io::Write as _;

use serde_json::{Value, json};

use super::exit::Exit;
use super::failure::for_the_command;

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
    text: String,
    result: Value,
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
        Self { exit: Exit::Done, text: text.into(), result }
    }

    pub(crate) fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Adds a line.
    pub(crate) fn and_text(mut self, line: &str) -> Self {
        self.text = format!("{}\n{line}", self.text);
        self
    }

    /// Adds a member to the result.
    pub(crate) fn and(mut self, name: &str, value: Value) -> Self {
        self.result[name] = value;
        self
    }

    /// Writes it to the standard output.
    pub(super) fn write(self, verb: &str, output: Output) -> Exit {
        let text = match output {
            Output::Json => {
                let document = json!({ "format": FORMAT, "verb": verb, "exit": self.exit.code(), "result": self.result });
                document.to_string()
            }
            Output::Text | Output::Github => for_the_command(&self.text),
        };
        write_out(&text);
        self.exit
    }
}

/// Writes results; whoever closed the pipe has read enough.
pub(super) fn write_out(text: &str) {
    if !text.is_empty() {
        let _ = writeln!(anstream::stdout(), "{}", text.trim_end_matches('\n'));
    }
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
