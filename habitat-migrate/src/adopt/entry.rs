//! What another tool's history says: [`Entry`]s, read from its rows.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::checksum::{Algorithm, Stored};
use super::tool::Tool;
use crate::client::{Reply, Row};

/// One migration that another tool knows of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The version as the tool writes it.
    pub(crate) version: String,
    /// The name, where the tool keeps one.
    pub(crate) name: Option<String>,
    pub(crate) checksum: Option<Stored>,
    pub(crate) applied_at: Option<DateTime<Utc>>,
    pub(crate) applied_by: Option<String>,
    pub(crate) took: Option<Duration>,
    pub(crate) standing: Standing,
}

/// What the tool says of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is applied.
    Applied,
    /// It and everything below it is applied; the tool keeps only this one.
    UpTo,
    /// It and everything below it was there before the tool came.
    Baseline,
    /// It failed, or it was interrupted.
    Failed,
}

/// What the rows that [`query`](super::query::query) returned mean: what is applied now, in the order in which the tool applied it.
pub(crate) fn read(tool: Tool, reply: &Reply) -> Vec<Entry> {
    let rows = reply.rows("entry");
    match tool {
        Tool::Flyway => super::flyway::current(rows.map(|row| (row.text(8).to_owned(), entry(tool, row)))),
        Tool::Goose => latest(rows.map(|row| entry(tool, row))),
        // A version of -1 is none: everything was taken back.
        Tool::GolangMigrate => rows.map(|row| entry(tool, row)).filter(|e| e.version != "-1").collect(),
        _ => rows.map(|row| entry(tool, row)).collect(),
    }
}

fn entry(tool: Tool, row: &Row) -> Entry {
    let algorithm = match tool {
        Tool::Refinery => Some(Algorithm::SipHash13),
        Tool::Sqlx => Some(Algorithm::Sha384),
        Tool::Flyway => Some(Algorithm::Crc32),
        _ => None,
    };
    let owned = |column| row.value(column).map(str::to_owned);
    let stored = |algorithm| {
        let width = row.number(9).unwrap_or_default();
        owned(3).map(|value| Stored { algorithm, value, width })
    };
    let version = row.text(1).to_owned();
    let stem = || tool.notation().read(&version).map(|(_, name)| name.to_owned());
    Entry {
        name: if tool.has_stems() { stem() } else { owned(2) },
        checksum: algorithm.and_then(stored),
        applied_at: time(tool, row),
        applied_by: owned(5).filter(|name| !name.is_empty()),
        took: took(tool, row),
        standing: match row.value(7) {
            Some("false") => Standing::Failed,
            _ if tool == Tool::GolangMigrate => Standing::UpTo,
            _ => Standing::Applied,
        },
        version,
    }
}

/// refinery keeps its times as text, to the nanosecond; PostgreSQL's end at the microsecond.
fn time(tool: Tool, row: &Row) -> Option<DateTime<Utc>> {
    match tool {
        Tool::Refinery => {
            let time = DateTime::parse_from_rfc3339(row.value(4)?).ok()?;
            DateTime::from_timestamp_micros(time.timestamp_micros())
        }
        _ => DateTime::from_timestamp_micros(row.number(4)?),
    }
}

/// sqlx counts nanoseconds, and -1 while a migration is under way; Flyway counts milliseconds.
fn took(tool: Tool, row: &Row) -> Option<Duration> {
    let count: u64 = row.number(6)?;
    Some(if tool == Tool::Sqlx { Duration::from_nanos(count) } else { Duration::from_millis(count) })
}

/// goose adds a row whenever a version is applied or taken back; its first row is version 0, which is no migration.
fn latest(rows: impl Iterator<Item = Entry>) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    for entry in rows.filter(|entry| entry.version != "0") {
        entries.retain(|earlier| earlier.version != entry.version);
        entries.push(entry);
    }
    // What "did not go well" is with other tools was taken back here.
    entries.retain(|entry| entry.standing == Standing::Applied);
    entries
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A reply with rows of the columns that `query` selects.
    pub(crate) fn reply(rows: &[[Option<&str>; 9]]) -> Reply {
        let mut reply = Reply::default();
        reply.columns(["habitat-migrate"].into_iter());
        for row in rows {
            reply.row([Some("entry")].into_iter().chain(row.iter().copied()));
        }
        reply.complete();
        reply
    }

    fn versions(entries: &[Entry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.version.as_str()).collect()
    }

    fn goose(version: &'static str, well: &'static str) -> [Option<&'static str>; 9] {
        [Some(version), None, None, Some("0"), None, None, Some(well), None, None]
    }

    #[test]
    fn goose_s_latest_row_of_a_version_counts() {
        let rows = [
            goose("0", "true"),
            goose("1", "true"),
            goose("2", "true"),
            goose("3", "true"),
            goose("3", "false"),
            goose("2", "false"),
            goose("2", "true"),
        ];
        assert_eq!(versions(&read(Tool::Goose, &reply(&rows))), ["1", "2"]);
    }

    #[test]
    fn golang_migrate_s_version_stands_for_those_below_it() {
        let row = |version, well| [Some(version), None, None, None, None, None, Some(well), None, None];
        let read = |row| read(Tool::GolangMigrate, &reply(&[row]));
        assert_eq!(read(row("7", "true"))[0].standing, Standing::UpTo);
        assert_eq!(read(row("7", "false"))[0].standing, Standing::Failed);
        assert_eq!(read(row("-1", "true")), []);
    }

    #[test]
    fn sqlx_counts_nanoseconds_and_minus_one_while_it_runs() {
        let row = |took| {
            let row =
                [Some("1"), Some("users"), Some("ab"), Some("0"), None, Some(took), Some("true"), None, None];
            read(Tool::Sqlx, &reply(&[row])).remove(0)
        };
        assert_eq!(row("2000000").took, Some(Duration::from_millis(2)));
        assert_eq!(row("-1").took, None);
        assert_eq!(row("0").name.as_deref(), Some("users"));
    }

    #[test]
    fn refinery_s_times_are_text() {
        let time = |text| {
            let row = [Some("1"), Some("users"), Some("9"), Some(text), None, None, None, None, Some("4")];
            read(Tool::Refinery, &reply(&[row])).remove(0).applied_at
        };
        let expected = DateTime::from_timestamp_micros(1_714_564_800_123_456);
        assert_eq!(time("2024-05-01T12:00:00.123456Z"), expected);
        assert_eq!(time("2024-05-01T14:00:00.123456789+02:00"), expected);
        assert_eq!(time("yesterday"), None);
    }

    #[test]
    fn a_stem_has_its_name_in_it() {
        let row = [Some("m20240501_000001_users"), None, None, Some("1"), None, None, None, None, None];
        let entry = read(Tool::SeaOrm, &reply(&[row])).remove(0);
        assert_eq!(entry.name.as_deref(), Some("users"));
    }
}
