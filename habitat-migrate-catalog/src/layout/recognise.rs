//! Which layout a folder has that was not told: [`recognise`].

use std::collections::BTreeSet;

use super::sections::leading;
use super::{Layout, name_it, unwrapped};
use crate::{Problem, SourceFile};

/// What the files of a source say about their layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// All of them have this one.
    One(Layout),
    /// They disagree, which was told; each is checked as what it looks like.
    Mixed,
}

impl Recognised {
    /// The layout of one file.
    pub(crate) fn of(self, file: &SourceFile) -> Layout {
        match self {
            Self::One(layout) => layout,
            Self::Mixed => match Family::of(file.path()) {
                Some(Family::Pairs) => Layout::Sqlx,
                Some(Family::Prefixed) => Layout::Flyway,
                Some(Family::Folders) => Layout::Diesel,
                _ => text(file).and_then(leading).unwrap_or(Layout::Habitat),
            },
        }
    }
}

/// Finds out the layout of scripts, given in the order of their paths; `None` if it cannot be told, which is then a problem.
///
/// A name that this library itself would refuse is the least that makes a folder another tool's, or a section's marker
/// before any statement of every file.
pub(crate) fn recognise(
    files: &[SourceFile],
    shown: &dyn Fn(&str) -> String,
    problems: &mut Vec<Problem>,
) -> Option<Recognised> {
    let known = || files.iter().filter_map(|file| Some((file, Family::of(file.path())?)));
    let Some((first, family)) = known().next() else { return Some(Recognised::One(Layout::Habitat)) };
    let kind = |file: &SourceFile, family: Family| match family {
        Family::Numbered => text(file).and_then(leading),
        _ => None,
    };
    let sections = kind(first, family);
    if let Some((other, other_family)) =
        known().find(|(file, each)| *each != family || kind(file, *each) != sections)
    {
        let sections = [kind(first, family), kind(other, other_family)];
        let [one, two] = [(family, sections[0]), (other_family, sections[1])]
            .map(|(family, sections)| family.described(sections));
        let message = format!(
            "two layouts are mixed: {} is {one}, {} is {two}",
            shown(first.path()),
            shown(other.path())
        );
        let meant = if family == Family::Numbered {
            other_family.layout(sections[1])
        } else {
            family.layout(sections[0])
        };
        let help = format!("correct one of them, or name the layout of all: {}", name_it(meant));
        problems.push(Problem::new(shown(other.path()), message).with_help(help));
        return Some(Recognised::Mixed);
    }
    let layout = match family {
        Family::Pairs => pairs(files),
        Family::Prefixed => prefixed(files, shown, problems)?,
        _ => family.layout(sections),
    };
    Some(Recognised::One(layout))
}

/// Names that look alike.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// `1_name.sql`: this library, sqlx, dbmate, goose.
    Numbered,
    /// `1_name.up.sql`: sqlx, golang-migrate.
    Pairs,
    /// `V1__name.sql`: refinery, Flyway.
    Prefixed,
    /// `2024-01-31-000000_name/up.sql`: diesel.
    Folders,
}

impl Family {
    /// What a path says; `None` for names that several families have, and for mistakes.
    fn of(path: &str) -> Option<Self> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.strip_suffix(".sql")?;
        let begins_with_digit = |text: &str| text.starts_with(|character: char| character.is_ascii_digit());
        if matches!(stem, "up" | "down") {
            return begins_with_digit(folder.rsplit('/').next().unwrap_or(folder)).then_some(Self::Folders);
        }
        if let Some(rest) = stem.strip_prefix(['V', 'U']) {
            return (begins_with_digit(rest) && rest.contains("__")).then_some(Self::Prefixed);
        }
        if !begins_with_digit(stem) || stem.ends_with(".down") || stem.ends_with(".verify") {
            return None;
        }
        Some(if stem.ends_with(".up") { Self::Pairs } else { Self::Numbered })
    }

    /// The layout of which it is, or the first of several.
    fn layout(self, sections: Option<Layout>) -> Layout {
        match self {
            Self::Numbered => sections.unwrap_or(Layout::Habitat),
            Self::Pairs => Layout::Sqlx,
            Self::Prefixed => Layout::Refinery,
            Self::Folders => Layout::Diesel,
        }
    }

    fn described(self, sections: Option<Layout>) -> String {
        match (self, sections) {
            (Self::Numbered, Some(layout)) => format!("one with sections of {}", layout.tool()),
            (Self::Numbered, None) => "one script, as habitat-migrate has them".to_owned(),
            (Self::Pairs, _) => "named as sqlx and golang-migrate do".to_owned(),
            (Self::Prefixed, _) => "named as refinery and Flyway do".to_owned(),
            (Self::Folders, _) => "named as diesel does".to_owned(),
        }
    }
}

/// sqlx and golang-migrate differ in who writes BEGIN and COMMIT.
fn pairs(files: &[SourceFile]) -> Layout {
    let texts = || files.iter().filter_map(text);
    let wraps = texts().any(|text| unwrapped(text).is_some())
        && !texts().any(|text| text.starts_with("-- no-transaction"));
    if wraps { Layout::GolangMigrate } else { Layout::Sqlx }
}

/// refinery and Flyway differ in what U means, and in `${name}`.
fn prefixed(
    files: &[SourceFile],
    shown: &dyn Fn(&str) -> String,
    problems: &mut Vec<Problem>,
) -> Option<Layout> {
    let mut versioned: BTreeSet<&str> = BTreeSet::new();
    let mut others: Vec<(&SourceFile, &str)> = Vec::new();
    let mut flyway = false;
    for file in files {
        let name = file.path().rsplit('/').next().unwrap_or_default();
        let Some((number, _)) = name.get(1..).and_then(|rest| rest.split_once("__")) else { continue };
        let key = number.trim_start_matches('0');
        match name.as_bytes().first() {
            Some(b'V') => drop(versioned.insert(key)),
            Some(b'U') => others.push((file, key)),
            _ => continue,
        }
        flyway |= number.contains(['.', '_']);
    }
    let lone = others.iter().find(|(_, key)| !versioned.contains(key)).map(|(file, _)| *file);
    let variable = files.iter().find(|file| text(file).is_some_and(|text| text.contains("${")));
    let nested = files.iter().find(|file| file.path().contains('/'));
    let (file, message) = match (flyway, lone, variable, nested) {
        (false, Some(file), _, _) => (
            file,
            "whether this migrates or undoes depends on the tool: in refinery U migrates, in Flyway it undoes",
        ),
        (false, None, Some(file), _) if others.is_empty() => {
            (file, "whether `${…}` is text or a placeholder depends on the tool: in refinery it is text")
        }
        (_, _, _, Some(file)) => (
            file,
            "refinery and Flyway read folders within the folder as one set, here each would be a context of its own",
        ),
        _ if flyway || !others.is_empty() => return Some(Layout::Flyway),
        _ => return Some(Layout::Refinery),
    };
    let help = format!("name the layout, refinery or flyway: {}", name_it(Layout::Refinery));
    problems.push(Problem::new(shown(file.path()), message).with_help(help));
    None
}

fn text(file: &SourceFile) -> Option<&str> {
    file.bytes().ok().and_then(|bytes| std::str::from_utf8(bytes).ok())
}
