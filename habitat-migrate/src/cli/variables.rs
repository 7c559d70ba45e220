//! Environment variables, of the process and of a `.env` file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use habitat_migrate_catalog::Problem;

use super::failure::Failure;

/// The variables of the process, and behind them those of the nearest `.env` from the working folder upwards.
pub(crate) struct Variables {
    file: BTreeMap<String, String>,
}

impl Variables {
    /// Reads `.env`, if there is one.
    pub(crate) fn read(folder: &Path) -> Result<Self, Failure> {
        let Some(path) = upwards(folder, ".env") else { return Ok(Self { file: BTreeMap::new() }) };
        let text = std::fs::read_to_string(&path).map_err(|error| Failure::unreadable(&path, &error))?;
        Ok(Self { file: parse(&path.to_string_lossy(), &text)? })
    }

    /// The value of a variable; an empty one counts as none.
    pub(crate) fn get(&self, name: &str) -> Option<String> {
        self.first(&[name]).map(|(_, value)| value)
    }

    /// The first of several variables that say the same, with its name: each of the process comes before any of the file.
    pub(crate) fn first<'n>(&self, names: &[&'n str]) -> Option<(&'n str, String)> {
        let own = |name: &str| std::env::var(name).ok();
        let filed = |name: &str| self.file.get(name).cloned();
        let find = |value: &dyn Fn(&str) -> Option<String>| {
            names.iter().find_map(|name| Some((*name, value(name).filter(|value| !value.is_empty())?)))
        };
        find(&own).or_else(|| find(&filed))
    }
}

/// The file of this name in the folder, or in the nearest one above that has it.
pub(crate) fn upwards(folder: &Path, name: &str) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Reads `NAME=value`, `export NAME="value"` and comments, a line each. Nothing is put in for `$NAME`.
fn parse(path: &str, text: &str) -> Result<BTreeMap<String, String>, Problem> {
    let mut variables = BTreeMap::new();
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let start = offset;
        offset += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        // The line itself may be half a password, so it is not shown.
        let Some((name, value)) = line.split_once('=') else {
            return Err(Problem::new(path, format!("line {} has no `=`", text[..start].lines().count() + 1))
                .with_help("write NAME=value, a line each"));
        };
        variables.insert(name.trim().to_owned(), unquoted(value.trim()));
    }
    Ok(variables)
}

fn unquoted(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.split('\'').next()) {
        return inner.to_owned();
    }
    if let Some(rest) = value.strip_prefix('"') {
        let mut out = String::new();
        let mut chars = rest.chars();
        while let Some(c) = chars.next() {
            match c {
                '"' => break,
                '\\' => match chars.next() {
                    Some('n') => out.push('\n'),
                    Some(c) => out.push(c),
                    None => {}
                },
                c => out.push(c),
            }
        }
        return out;
    }
    value.split(" #").next().unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_line_is_read_as_shells_read_it() {
        let text = "# a comment\nexport A=\"x \\\"y\\\" #z\"\nB='it $is' # said\nC = plain # said\n\nD=a#b\n";
        let variables = parse(".env", text).unwrap_or_default();
        let value = |name: &str| variables.get(name).map(String::as_str);
        assert_eq!(value("A"), Some("x \"y\" #z"));
        assert_eq!(value("B"), Some("it $is"));
        assert_eq!(value("C"), Some("plain"));
        assert_eq!(value("D"), Some("a#b"));
    }

    #[test]
    fn a_line_without_a_value_is_named_and_not_shown() {
        let problem = parse(".env", "A=1\nhunter2\n").expect_err("no `=`").to_string();
        assert!(problem.contains("line 2 has no `=`"), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}
