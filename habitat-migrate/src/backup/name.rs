//! The names of backups: the database and the time, so that a folder can be read without opening a file.

use std::fmt::Write as _;
use std::path::Path;

use chrono::{DateTime, NaiveDateTime, Utc};

const TIME: &str = "%Y-%m-%dT%H-%M-%S%.3fZ";

/// `habitat_2026-01-31T12-00-00.000Z.dump`; what a file's name cannot hold is percent-encoded.
pub(super) fn of(database: &str, time: DateTime<Utc>) -> String {
    let mut name = String::new();
    for byte in database.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => name.push(byte.into()),
            _ => write!(name, "%{byte:02X}").expect("a String takes all that is written to it"),
        }
    }
    format!("{name}_{}.dump", time.format(TIME))
}

/// The database and the time of a name that [`of`] gave; none for any other.
pub(super) fn read(path: &Path) -> Option<(String, DateTime<Utc>)> {
    let name = path.file_name()?.to_str()?;
    let (encoded, time) = name.strip_suffix(".dump")?.rsplit_once('_')?;
    let time = NaiveDateTime::parse_from_str(time, TIME).ok()?.and_utc();
    let mut bytes = Vec::new();
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            byte => bytes.push(byte),
        }
    }
    let database = String::from_utf8(bytes).ok()?;
    // What is not exactly such a name is somebody else's file.
    (of(&database, time) == name).then_some((database, time))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_name_tells_database_and_time(database in "[^\0]{1,40}", millis in 0_i64..4_000_000_000_000) {
            let time = DateTime::from_timestamp_millis(millis).expect("a time");
            let name = of(&database, time);
            prop_assert!(!name.contains(['/', ' ', '\'', '\\', '\n']) && !name.starts_with('.'));
            prop_assert_eq!(read(Path::new(&name)), Some((database, time)));
        }
    }

    #[test]
    fn what_somebody_else_has_named_is_no_backup() {
        for name in [
            "habitat.dump",
            "habitat_20261121_063000.dump",
            "habitat_2026-11-21T06-30-00.000Z.dump.gz",
            "habitat_2026-11-21T06-30-00Z.dump",
            "hab%69tat_2026-11-21T06-30-00.000Z.dump",
            "my shop_2026-11-21T06-30-00.000Z.dump",
            "habitat_2026-13-21T06-30-00.000Z.dump",
        ] {
            assert_eq!(read(Path::new(name)), None, "{name}");
        }
        assert!(read(Path::new("/b/my%20shop_2026-11-21T06-30-00.000Z.dump")).is_some());
    }
}
