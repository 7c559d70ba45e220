//! A diagnosis as a page for a terminal.

use std::fmt::{self, Display, Formatter};

use super::{Diagnosis, Level, Line, Topic};

/// What a terminal has at the least.
const COLUMNS: usize = 80;
/// Where what was seen begins.
const INDENT: usize = 20;

impl Diagnosis {
    /// The page in lines of so many columns, for a terminal that has more or less than 80.
    pub fn to_text(&self, width: usize) -> String {
        let mut page = format!("{}\n\n", wrapped(&self.head, width).join("\n"));
        let mut before = None;
        for line in &self.lines {
            // A topic is named once, above all that was found about it.
            let topic = if before == Some(line.topic) { String::new() } else { line.topic.to_string() };
            before = Some(line.topic);
            let head = format!("{:<6}{topic:<14}", line.level.to_string());
            write_line(&head, line, width.max(INDENT + 20), &mut page);
        }
        if let Some(checklist) = &self.checklist {
            page += &format!("\nchecklist\n{checklist}");
        }
        page += &format!("\n{}\n", self.summary());
        page
    }

    /// `2 problems, 1 warning` or `nothing is wrong`.
    fn summary(&self) -> String {
        let count = |level| self.lines.iter().filter(|line| line.level == level).count();
        let counted = [(Level::Problem, "problem"), (Level::Warning, "warning")];
        let words: Vec<String> = counted
            .iter()
            .filter(|(level, _)| count(*level) > 0)
            .map(|(level, word)| match count(*level) {
                1 => format!("1 {word}"),
                many => format!("{many} {word}s"),
            })
            .collect();
        match (words.is_empty(), self.is_healthy()) {
            (false, _) => words.join(", "),
            (true, true) => "nothing is wrong".to_owned(),
            (true, false) => "the checklist is not met".to_owned(),
        }
    }
}

impl Display for Diagnosis {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text(COLUMNS))
    }
}

/// One line: `WARN transactions: …; next: …`.
impl Display for Line {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.level, self.topic, self.text)?;
        match &self.next {
            Some(next) => write!(f, "; next: {next}"),
            None => Ok(()),
        }
    }
}

impl Display for Level {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "ok",
            Self::Note => "note",
            Self::Unseen => "?",
            Self::Warning => "WARN",
            Self::Problem => "FAIL",
        })
    }
}

impl Display for Topic {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Server => "server",
            Self::Connection => "connection",
            Self::Pooler => "pooler",
            Self::Standing => "standing",
            Self::Rights => "rights",
            Self::Tracker => "tracker",
            Self::Lock => "lock",
            Self::Migrations => "migrations",
            Self::Indexes => "indexes",
            Self::Constraints => "constraints",
            Self::Transactions => "transactions",
            Self::Settings => "settings",
            Self::Rules => "rules",
            Self::Environment => "environment",
            Self::Backup => "backup",
        })
    }
}

fn write_line(head: &str, line: &Line, width: usize, page: &mut String) {
    let mut head = head.to_owned();
    let next = line.next.as_ref().map(|next| format!("next: {next}"));
    for text in std::iter::once(&line.text).chain(next.as_ref()) {
        for part in text.lines().flat_map(|text| wrapped(text, width - INDENT)) {
            page.push_str(format!("{head:<INDENT$}{part}").trim_end());
            page.push('\n');
            head.clear();
        }
    }
}

/// A text in lines that fit; a word that does not fit has a line of its own.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is one line at least");
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            lines.push(word.to_owned());
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines
}
