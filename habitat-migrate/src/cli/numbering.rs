//! How a folder numbers its migrations, and which number comes next.

use std::fs;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use habitat_migrate_catalog::Layout;

use super::failure::Failure;

/// What a folder's migrations are numbered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// 01, 02, in this many digits.
    Counter(usize),
    /// The time in UTC, to the second.
    Time,
}

/// The names in a folder, and the text of one script, which tells tools apart that name alike.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    sample: String,
}

impl Names {
    /// Reads the names; nothing where the folder is not there yet.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let mut names = Self::default();
        if !folder.exists() {
            return Ok(names);
        }
        let failed = |error| Failure::unreadable(folder, &error);
        for entry in fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else {
                continue;
            };
            let is_script = path.extension().is_some_and(|extension| extension == "sql");
            if is_script || path.join("up.sql").is_file() {
                if is_script && names.sample.is_empty() {
                    names.sample = fs::read_to_string(&path).unwrap_or_default();
                }
                names.names.push(name);
            }
        }
        Ok(names)
    }

    /// The layout that the names have; this library's own where they do not tell.
    pub(crate) fn layout(&self) -> Layout {
        let any = |is: &dyn Fn(&str) -> bool| self.names.iter().any(|name| is(name));
        let flyway = |name: &str| name.starts_with('U') && name.contains("__");
        let dotted = |name: &str| {
            let number = name.strip_prefix('V').and_then(|rest| rest.split("__").next()).unwrap_or_default();
            number.contains(['.', '_'])
        };
        if any(&|name| !name.ends_with(".sql")) {
            Layout::Diesel
        } else if any(&|name| name.ends_with(".up.sql")) {
            Layout::Sqlx
        } else if any(&|name| name.starts_with('V') && name.contains("__")) {
            if any(&flyway) || any(&dotted) { Layout::Flyway } else { Layout::Refinery }
        } else if self.sample.contains("-- migrate:up") {
            Layout::Dbmate
        } else if self.sample.contains("-- +goose") {
            Layout::Goose
        } else {
            Layout::Habitat
        }
    }

    /// What they are numbered by: four digits where there is none yet.
    pub(crate) fn style(&self) -> Style {
        let last = self.numbers().max_by_key(|(number, _)| *number);
        match last {
            Some((_, width)) if width >= TIME_DIGITS => Style::Time,
            Some((_, width)) => Style::Counter(width),
            None => Style::Counter(4),
        }
    }

    /// Each number, and how many digits it is written with.
    fn numbers(&self) -> impl Iterator<Item = (u64, usize)> {
        self.names.iter().filter_map(|name| {
            let name = name.strip_prefix(['V', 'U']).unwrap_or(name);
            // Diesel's dashes, and no others, join digits.
            let digits: String =
                name.chars().take_while(|c| c.is_ascii_digit() || *c == '-').filter(|c| *c != '-').collect();
            digits.parse().ok().map(|number| (number, digits.len()))
        })
    }
}

/// The number behind the last one; a time that is taken already is moved on.
pub(crate) fn next_number(names: &Names, style: Style, now: DateTime<Utc>) -> String {
    let last = names.numbers().map(|(number, _)| number).max().unwrap_or_default();
    match style {
        Style::Counter(width) => format!("{:0width$}", last.saturating_add(1)),
        Style::Time => {
            let own = now.format(TIME).to_string();
            let behind = NaiveDateTime::parse_from_str(&last.to_string(), TIME)
                .ok()
                .and_then(|time| time.checked_add_signed(TimeDelta::seconds(1)))
                .map(|time| time.format(TIME).to_string());
            behind.filter(|behind| *behind > own).unwrap_or(own)
        }
    }
}

const TIME: &str = "%Y%m%d%H%M%S";
/// A counter has fewer, whoever wrote it.
const TIME_DIGITS: usize = 12;

#[cfg(test)]
mod tests {
    use chrono::{TimeZone as _, Utc};
    use habitat_migrate_catalog::Layout;

    use super::{Names, Style, next_number};

    fn names(names: &[&str]) -> Names {
        Names { names: names.iter().map(|name| (*name).to_owned()).collect(), sample: String::new() }
    }

    fn next(of: &[&str]) -> String {
        let names = names(of);
        let now = Utc.with_ymd_and_hms(2026, 3, 1, 9, 12, 0).single().expect("a time");
        next_number(&names, names.style(), now)
    }

    #[test]
    fn the_next_number_is_written_as_the_last_one() {
        assert_eq!(next(&[]), "0001");
        assert_eq!(next(&["09_a.sql", "09_a.down.sql", "R__views.sql"]), "10");
        assert_eq!(next(&["1_a.sql", "12_b.sql"]), "13");
        assert_eq!(next(&["V7__a.sql"]), "8");
    }

    #[test]
    fn a_folder_of_times_gets_a_time_behind_all_others() {
        assert_eq!(next(&["20240131000000_a.sql"]), "20260301091200");
        assert_eq!(next(&["20260301091200_a.sql"]), "20260301091201");
        assert_eq!(next(&["20990101000059_a.sql"]), "20990101000100");
    }

    #[test]
    fn the_layout_is_that_of_the_names() {
        assert_eq!(names(&["01_a.sql", "01_a.down.sql"]).layout(), Layout::Habitat);
        assert_eq!(names(&["1_a.up.sql"]).layout(), Layout::Sqlx);
        assert_eq!(names(&["V1__a.sql"]).layout(), Layout::Refinery);
        assert_eq!(names(&["V1.2__a.sql"]).layout(), Layout::Flyway);
        assert_eq!(names(&["2024-01-31-000000_a"]).layout(), Layout::Diesel);
        assert_eq!(names(&["2024-01-31-000000_a"]).style(), Style::Time);
    }
}
