//! What Flyway's history means: its rows are a log, of which only some tell what is applied now.
//!
//! <https://documentation.red-gate.com/flyway/flyway-concepts/migrations/flyway-schema-history-table>

use super::entry::{Entry, Standing};
use super::number::{Notation, Number};

/// Goes through rows and their types in the order in which they were installed.
pub(crate) fn current(rows: impl Iterator<Item = (String, Entry)>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for (kind, entry) in rows {
        // A row without a version is of a repeatable migration, or of the schema that Flyway created.
        if entry.version.is_empty() {
            continue;
        }
        let number = number(&entry);
        let is_same = |earlier: &Entry| self::number(earlier) == number;
        match kind.as_str() {
            // Taken back by an undo script, or by a repair because its file is gone.
            "DELETE" => entries.retain(|earlier| !is_same(earlier)),
            kind if kind.starts_with("UNDO") => {
                if entry.standing == Standing::Failed {
                    entries.push(entry);
                } else {
                    entries.retain(|earlier| !is_same(earlier));
                }
            }
            "BASELINE" | "SQL_BASELINE" => {
                let standing =
                    if entry.standing == Standing::Failed { Standing::Failed } else { Standing::Baseline };
                entries.push(Entry { standing, checksum: None, ..entry });
            }
            _ => {
                // A failed one that was repeated with success is there twice.
                entries.retain(|earlier| earlier.standing != Standing::Failed || !is_same(earlier));
                entries.push(entry);
            }
        }
    }
    entries
}

fn number(entry: &Entry) -> Option<Number> {
    Notation::Parts.number(&entry.version)
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::reply;
    use super::super::entry::{Entry, Standing, read};
    use super::super::tool::Tool;

    fn history(rows: &[(&str, &str, &str)]) -> Vec<(String, Standing)> {
        let rows: Vec<[Option<&str>; 9]> = rows
            .iter()
            .map(|&(version, kind, well)| {
                let version = (!version.is_empty()).then_some(version);
                [
                    version,
                    Some("a name"),
                    Some("7"),
                    Some("0"),
                    Some("app"),
                    Some("3"),
                    Some(well),
                    Some(kind),
                    None,
                ]
            })
            .collect();
        let standing = |entry: Entry| (entry.version, entry.standing);
        read(Tool::Flyway, &reply(&rows)).into_iter().map(standing).collect()
    }

    fn one(version: &str, standing: Standing) -> (String, Standing) {
        (version.to_owned(), standing)
    }

    #[test]
    fn rows_without_a_version_do_not_count() {
        let rows = [("", "SCHEMA", "true"), ("1", "SQL", "true"), ("", "SQL", "true")];
        assert_eq!(history(&rows), [one("1", Standing::Applied)]);
    }

    #[test]
    fn what_was_undone_is_not_applied_and_what_was_applied_again_is() {
        let undone = [("1", "SQL", "true"), ("2", "SQL", "true"), ("2", "UNDO_SQL", "true")];
        assert_eq!(history(&undone), [one("1", Standing::Applied)]);
        let again = [undone[1], undone[2], undone[1]];
        assert_eq!(history(&again), [one("2", Standing::Applied)]);
        let failed = [("1", "SQL", "true"), ("1", "UNDO_SQL", "false")];
        assert_eq!(history(&failed), [one("1", Standing::Applied), one("1", Standing::Failed)]);
    }

    #[test]
    fn what_a_repair_deleted_is_not_applied() {
        let rows = [("1", "SQL", "true"), ("2", "SQL", "true"), ("1", "DELETE", "true")];
        assert_eq!(history(&rows), [one("2", Standing::Applied)]);
    }

    #[test]
    fn a_failed_migration_counts_until_it_succeeds() {
        let rows = [("1", "SQL", "false")];
        assert_eq!(history(&rows), [one("1", Standing::Failed)]);
        assert_eq!(history(&[rows[0], ("1.0", "SQL", "true")]), [one("1.0", Standing::Applied)]);
    }

    #[test]
    fn a_baseline_has_no_checksum_of_a_script() {
        let row =
            [Some("3"), Some("base"), Some("7"), None, None, None, Some("true"), Some("SQL_BASELINE"), None];
        let entries = read(Tool::Flyway, &reply(&[row]));
        assert_eq!(entries[0].standing, Standing::Baseline);
        assert_eq!(entries[0].checksum, None);
    }
}
