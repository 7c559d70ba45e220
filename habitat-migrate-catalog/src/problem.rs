//! What is wrong with a set of migrations: [`Problem`], and all of them at once: [`Problems`].

use std::fmt;

use crate::{Excerpt, Location};

/// One thing that is wrong with a set of migrations, and where.
///
/// Shown, it is what rustc would print:
/// ```text
/// error: this COMMIT would commit the migration's own transaction
///  --> migrations/people/04_people_core.sql:57:1
///    |
/// 57 | COMMIT;
///    | ^
///    = help: remove it; the migration is committed together with its record
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Problem {
    path: String,
    excerpt: Option<Excerpt>,
    message: String,
    help: Option<String>,
}

impl Problem {
    /// A problem of a whole file or folder.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), excerpt: None, message: message.into(), help: None }
    }

    /// A problem at a byte offset of a text.
    pub fn at(path: impl Into<String>, text: &str, offset: usize, message: impl Into<String>) -> Self {
        Self { excerpt: Some(Excerpt::at(text, offset)), ..Self::new(path, message) }
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Shows the place without its line, which may hold a secret.
    #[must_use]
    pub fn without_line(mut self) -> Self {
        self.excerpt = self.excerpt.map(Excerpt::without_line);
        self
    }

    /// The file or the folder, as messages name it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The place in the file, if it is about one.
    pub fn location(&self) -> Option<Location> {
        self.excerpt.as_ref().map(Excerpt::location)
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<usize> {
        self.location().map(Location::line)
    }

    /// The column in characters, from 1.
    pub fn column(&self) -> Option<usize> {
        self.location().map(Location::column)
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.message)?;
        let margin = match &self.excerpt {
            Some(excerpt) => {
                excerpt.render(&self.path, "", f)?;
                " ".repeat(excerpt.location().line().to_string().len())
            }
            None => {
                writeln!(f, " --> {}", self.path)?;
                " ".to_owned()
            }
        };
        match &self.help {
            Some(help) => write!(f, "{margin} = help: {help}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Everything that is wrong with a set of migrations, sorted by file, line and column. Never empty.
///
/// `{}` is one line with the first problem, `{:#}` and `{:?}` show every problem with its place.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// The problems, or `None` where there is none.
    pub fn new(problems: impl IntoIterator<Item = Problem>) -> Option<Self> {
        let mut problems: Vec<Problem> = problems.into_iter().collect();
        problems.sort_by(|a, b| {
            (&a.path, a.location(), &a.message, &a.help).cmp(&(&b.path, b.location(), &b.message, &b.help))
        });
        problems.dedup();
        (!problems.is_empty()).then_some(Self(problems))
    }

    /// The problems in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.0.iter()
    }

    /// Every problem with its place, as rustc would show it.
    pub fn render(&self) -> String {
        let shown: Vec<String> =
            self.0.iter().map(|problem| problem.to_string().trim_end().to_owned()).collect();
        shown.join("\n\n")
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Self {
        Self(vec![problem])
    }
}

impl IntoIterator for Problems {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.write_str(&self.render());
        }
        let Some(first) = self.0.first() else { return Ok(()) };
        match self.0.len() {
            1 => f.write_str("the migrations have a problem: ")?,
            count => write!(f, "the migrations have {count} problems, the first: ")?,
        }
        match first.location() {
            Some(location) => write!(f, "{}:{location}: {}", first.path, first.message),
            None => write!(f, "{}: {}", first.path, first.message),
        }
    }
}

/// `unwrap()` and a `main` that returns it print this: all of it is what the reader needs then.
impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}\n\n{}", self.render())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_shown_as_rustc_would() {
        let problem = Problem::at("people/04_x.sql", "BEGIN;\nCOMMIT;\n", 7, "this COMMIT is wrong")
            .with_help("remove it");
        assert_eq!(
            problem.to_string(),
            "error: this COMMIT is wrong\n --> people/04_x.sql:2:1\n  |\n2 | COMMIT;\n  | ^\n  = help: remove it"
        );
    }

    #[test]
    fn a_problem_without_its_line_has_its_place() {
        let problem = Problem::at("habitat.toml", "token = \"hunter2\n", 8, "a string has no end");
        let shown = problem.with_help("end it").without_line();
        assert_eq!(shown.location().map(|place| place.to_string()).as_deref(), Some("1:9"));
        assert_eq!(shown.to_string(), "error: a string has no end\n --> habitat.toml:1:9\n  = help: end it");
    }

    #[test]
    fn problems_are_sorted_by_file_line_and_column() {
        let text = "a\nb c";
        let problems = Problems::new([
            Problem::at("2.sql", text, 0, "third"),
            Problem::at("1.sql", text, 4, "second"),
            Problem::at("1.sql", text, 2, "first"),
            Problem::new("1.sql", "whole file"),
        ]);
        let problems = problems.expect("four problems");
        let order: Vec<&str> = problems.iter().map(Problem::message).collect();
        assert_eq!(order, ["whole file", "first", "second", "third"]);
        assert_eq!(problems.to_string(), "the migrations have 4 problems, the first: 1.sql: whole file");
    }
}
