//! Files that hold the up and the down script as two sections: [`split`].

use std::ops::Range;

use super::Layout;
use crate::Problem;
use crate::statement::Scan;
use crate::suggestion::nearest;

/// The scripts of one file, each at the lines and columns at which it stands there.
pub(crate) struct Sections {
    pub(crate) up: String,
    pub(crate) down: Option<String>,
}

/// Cuts a file of dbmate's or goose's into its sections.
///
/// The up script is the file up to its down section; in the down script the lines before it are empty. Where
/// a section runs without a transaction, its marker reads `-- no-transaction`.
pub(crate) fn split(layout: Layout, path: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Sections> {
    let before = problems.len();
    let mut reader = Reader {
        layout,
        path,
        text,
        up: None,
        down: None,
        open: None,
        ends: Vec::new(),
        bare: false,
        problems,
        before,
    };
    for marker in markers(layout, text) {
        reader.take(&marker);
    }
    let sections = reader.sections();
    // Which statements belong to which section is not known where a marker is wrong.
    (problems.len() == before).then_some(sections).flatten()
}

/// The layout whose sections a file begins with: nothing but comments stands before the first marker.
pub(crate) fn leading(text: &str) -> Option<Layout> {
    for (_, line) in lines(text) {
        let line = line.trim_start_matches('\u{feff}');
        for layout in [Layout::Dbmate, Layout::Goose] {
            if words(layout, line).is_some_and(|words| Mark::of(layout, words).is_some()) {
                return Some(layout);
            }
        }
        if !line.trim().is_empty() && !line.trim_start().starts_with("--") {
            return None;
        }
    }
    None
}

/// A line that a tool reads.
struct Marker<'a> {
    /// The line without its end.
    range: Range<usize>,
    /// What stands behind `migrate:` or `+goose`.
    words: &'a str,
}

/// What a marker says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Up,
    Down,
    Begin,
    End,
    NoTransaction,
    Variables,
}

impl Mark {
    /// The words of each layout's markers.
    fn known(layout: Layout) -> &'static [(&'static str, Self)] {
        match layout {
            Layout::Dbmate => &[("up", Self::Up), ("down", Self::Down)],
            _ => &[
                ("Up", Self::Up),
                ("Down", Self::Down),
                ("StatementBegin", Self::Begin),
                ("StatementEnd", Self::End),
                ("NO TRANSACTION", Self::NoTransaction),
                ("ENVSUB ON", Self::Variables),
                ("ENVSUB OFF", Self::Variables),
                ("ENVSUBST ON", Self::Variables),
                ("ENVSUBST OFF", Self::Variables),
            ],
        }
    }

    fn of(layout: Layout, words: &str) -> Option<Self> {
        let name = name_of(layout, words);
        let same = |known: &str| match layout {
            Layout::Dbmate => known == name,
            _ => known.eq_ignore_ascii_case(&name),
        };
        Self::known(layout).iter().find(|(known, _)| same(known)).map(|(_, mark)| *mark)
    }
}

/// The words that name a marker: the first one of dbmate's, which options may follow, and all of goose's.
fn name_of(layout: Layout, words: &str) -> String {
    let count = if layout == Layout::Dbmate { 1 } else { usize::MAX };
    words.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}

/// What the line says to this tool, if it is a comment that speaks to it.
fn words(layout: Layout, line: &str) -> Option<&str> {
    let comment = line.strip_prefix("--")?.trim_start();
    match layout {
        Layout::Dbmate => {
            comment.strip_prefix("migrate:").filter(|words| words.starts_with(char::is_alphabetic))
        }
        _ => {
            let (head, words) = comment.split_at_checked("+goose".len())?;
            (head.eq_ignore_ascii_case("+goose") && words.starts_with([' ', '\t'])).then(|| words.trim())
        }
    }
}

/// The lines of a text with the offsets at which they begin, without their ends.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split_inclusive(['\n', '\r']).map(move |line| {
        let start = at;
        at += line.len();
        (start, line.trim_end_matches(['\n', '\r']))
    })
}

fn markers(layout: Layout, text: &str) -> impl Iterator<Item = Marker<'_>> {
    lines(text).filter_map(move |(start, line)| {
        // One with white space before it is told as a mistake: the tool does not see it.
        let bare = line.trim_start_matches('\u{feff}');
        let words = words(layout, bare.trim_start())?;
        Some(Marker { range: start + (line.len() - bare.len())..start + line.len(), words })
    })
}

struct Reader<'a> {
    layout: Layout,
    path: &'a str,
    text: &'a str,
    up: Option<Section>,
    down: Option<Section>,
    /// Where goose's `StatementBegin` stands that has no end yet.
    open: Option<usize>,
    /// Goose's `StatementEnd` lines.
    ends: Vec<Range<usize>>,
    /// Whether the whole file runs without a transaction.
    bare: bool,
    problems: &'a mut Vec<Problem>,
    /// How many problems there were before.
    before: usize,
}

/// The line that begins a section.
struct Section {
    line: Range<usize>,
    bare: bool,
}

impl Reader<'_> {
    fn take(&mut self, marker: &Marker<'_>) {
        let place = marker.range.start;
        if self.text[marker.range.clone()].starts_with(char::is_whitespace) {
            let message = format!(
                "white space stands before this marker, where {} does not see it",
                self.layout.tool()
            );
            return self.problem(place, message, "remove the white space");
        }
        let Some(mark) = Mark::of(self.layout, marker.words) else { return self.unknown(marker) };
        match mark {
            Mark::Up | Mark::Down => self.begin(mark, marker),
            Mark::NoTransaction => self.bare = true,
            Mark::Variables if name_of(self.layout, marker.words).to_ascii_uppercase().ends_with("OFF") => {}
            Mark::Variables => {
                let help = "write the values into the script; a migration runs the same everywhere";
                self.problem(place, "variables of the environment are not put into scripts", help);
            }
            Mark::Begin if self.up.is_none() => {
                self.problem(place, "this statement stands in no section", "write `-- +goose Up` before it");
            }
            Mark::Begin if self.open.is_some() => {
                self.problem(
                    place,
                    "the statement before this one has no end",
                    "write `-- +goose StatementEnd` before it",
                );
            }
            Mark::Begin => self.open = Some(place),
            Mark::End if self.open.take().is_none() => {
                self.problem(
                    place,
                    "no statement ends here",
                    "write `-- +goose StatementBegin` before it, or remove it",
                );
            }
            Mark::End => self.ends.push(marker.range.clone()),
        }
    }

    fn begin(&mut self, mark: Mark, marker: &Marker<'_>) {
        let place = marker.range.start;
        let (up, down) = (self.marker("up"), self.marker("down"));
        let fault = match (mark, &self.up, &self.down) {
            (Mark::Up, None, None) | (Mark::Down, Some(_), None) => None,
            (Mark::Up, Some(_), _) => {
                Some((format!("the file has two sections `{up}`"), "make two files of them".to_owned()))
            }
            (Mark::Down, _, Some(_)) => {
                Some((format!("the file has two sections `{down}`"), "join them".to_owned()))
            }
            _ => Some((
                format!("`{down}` stands before `{up}`"),
                format!(
                    "write `{up}` and its statements first; a file with a down section only would undo nothing"
                ),
            )),
        };
        if let Some((message, help)) = fault {
            return self.problem(place, message, help);
        }
        if let Some(open) = self.open.take() {
            self.unended(open);
        }
        let section = Section { line: marker.range.clone(), bare: self.options(marker) };
        let slot = if mark == Mark::Up { &mut self.up } else { &mut self.down };
        *slot = Some(section);
    }

    /// Whether the options behind dbmate's marker turn the transaction off.
    fn options(&mut self, marker: &Marker<'_>) -> bool {
        let mut bare = false;
        if self.layout != Layout::Dbmate {
            return bare;
        }
        for option in marker.words.split_whitespace().skip(1) {
            let line = &self.text[marker.range.clone()];
            let offset = marker.range.start + line.find(option).unwrap_or(0);
            match option {
                "transaction:false" => bare = true,
                "transaction:true" => {}
                _ => {
                    let message = format!("there is no option `{}` that dbmate knows", short(option));
                    self.problem(
                        offset,
                        message,
                        "`transaction:false` is the only one, without white space inside",
                    );
                }
            }
        }
        bare
    }

    fn unknown(&mut self, marker: &Marker<'_>) {
        let name = name_of(self.layout, marker.words);
        let known: Vec<&str> = Mark::known(self.layout).iter().map(|(known, _)| *known).collect();
        let help = match nearest(&name, known.iter().copied()) {
            Some(meant) => format!("did you mean `{}`?", self.marker(meant)),
            None => format!(
                "the markers are {}",
                known.iter().map(|known| format!("`{}`", self.marker(known))).collect::<Vec<_>>().join(", ")
            ),
        };
        let message = format!("there is no marker `{}`", self.marker(&short(&name)));
        self.problem(marker.range.start, message, help);
    }

    fn unended(&mut self, open: usize) {
        self.problem(open, "this statement has no end", "write `-- +goose StatementEnd` behind it");
    }

    fn sections(mut self) -> Option<Sections> {
        if let Some(open) = self.open.take() {
            self.unended(open);
        }
        let Some(up) = self.up.take() else {
            if self.problems.len() == self.before {
                let marker = self.marker("up");
                let help = format!(
                    "write `{marker}` before its statements; {} has it in each file of a migration",
                    self.layout.tool()
                );
                self.problems.push(
                    Problem::new(self.path, format!("the file has no section `{marker}`")).with_help(help),
                );
            }
            return None;
        };
        self.nothing_before(up.line.start);
        let text = self.separated();
        let end = self.down.as_ref().map_or(text.len(), |down| down.line.start);
        let mut up_text = text[..end].to_owned();
        if up.bare || self.bare {
            up_text.replace_range(up.line, NO_TRANSACTION);
        }
        let down = self.down.take().map(|down| {
            let ends = text[..down.line.start].chars().filter(|character| matches!(character, '\n' | '\r'));
            let bare = down.bare || self.bare;
            let line = if bare { NO_TRANSACTION } else { &text[down.line.clone()] };
            ends.chain(line.chars()).chain(text[down.line.end..].chars()).collect()
        });
        Some(Sections { up: up_text, down })
    }

    /// Statements before the first section would run in neither tool.
    fn nothing_before(&mut self, up: usize) {
        let text = &self.text[..up];
        let offset = match Scan::of(text) {
            Ok(scan) => scan.first_code(),
            Err(error) => Some(error.offset()),
        };
        if let Some(offset) = offset {
            let marker = self.marker("up");
            let message = format!("this stands before `{marker}`, where {} runs nothing", self.layout.tool());
            self.problem(offset, message, format!("move it behind `{marker}`"));
        }
    }

    /// The text in which a statement that goose ends by a marker alone ends by a semicolon.
    fn separated(&self) -> String {
        let mut text = self.text.to_owned();
        if let (false, Ok(scan)) = (self.ends.is_empty(), Scan::of(self.text)) {
            let runs_on = |end: &&Range<usize>| {
                scan.statements.iter().any(|each| each.code().start < end.start && end.end < each.code().end)
            };
            for end in self.ends.iter().filter(runs_on) {
                text.replace_range(end.clone(), &format!("{:<width$}", ';', width = end.len()));
            }
        }
        text
    }

    fn marker(&self, words: &str) -> String {
        match self.layout {
            Layout::Dbmate => format!("-- migrate:{words}"),
            _ => {
                let known =
                    Mark::known(self.layout).iter().find(|(known, _)| known.eq_ignore_ascii_case(words));
                format!("-- +goose {}", known.map_or(words, |(known, _)| known))
            }
        }
    }

    fn problem(&mut self, offset: usize, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(self.path, self.text, offset, message).with_help(help));
    }
}

/// What a section begins with that runs without a transaction.
const NO_TRANSACTION: &str = "-- no-transaction";

fn short(text: &str) -> String {
    text.chars().flat_map(char::escape_default).take(40).collect()
}
