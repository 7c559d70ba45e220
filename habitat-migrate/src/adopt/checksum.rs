//! The checksums that other tools keep: computed as they compute them, and compared.

use std::borrow::Cow;
use std::fmt;

use habitat_migrate_catalog::normalise;
use sha2::{Digest as _, Sha384};

/// How a tool computes the checksum of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-384 of the file's bytes: sqlx.
    Sha384,
    /// CRC-32 of the lines without their ends, as a signed number: Flyway.
    Crc32,
    /// SipHash-1-3 of name, version and script: refinery.
    SipHash13,
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha384 => "SHA-384",
            Self::Crc32 => "CRC-32",
            Self::SipHash13 => "SipHash-1-3",
        })
    }
}

/// A checksum as the tool's table has it: hexadecimal digits or a decimal number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) algorithm: Algorithm,
    pub(crate) value: String,
    /// How many bytes the tool's version has, where its checksum covers it: 4 or 8.
    pub(crate) width: usize,
}

/// What came of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The script is the one that was applied.
    Same,
    /// It is, apart from what an editor or git changes on its own: line ends, byte order mark, last newline.
    SameButForm,
    /// It is another one; this is its checksum.
    Different(String),
    /// It cannot be told, for this reason.
    Unknown(&'static str),
}

impl Stored {
    /// Compares with a script; refinery's checksum covers the version and the name that it stored.
    pub(crate) fn verify(&self, script: &str, version: &str, name: Option<&str>) -> Verdict {
        let checksum = |text: &str| match self.algorithm {
            Algorithm::Sha384 => Ok(sha384(text)),
            Algorithm::Crc32 => Ok(crc32(text).to_string()),
            Algorithm::SipHash13 => sip_hash(version, self.width, name.unwrap_or_default(), text),
        };
        let ours = match checksum(script) {
            Ok(ours) if ours == self.value => return Verdict::Same,
            Ok(ours) => ours,
            Err(reason) => return Verdict::Unknown(reason),
        };
        match forms(script).any(|text| checksum(&text).is_ok_and(|other| other == self.value)) {
            true => Verdict::SameButForm,
            false => Verdict::Different(ours),
        }
    }
}

/// The texts that this library takes for the same script.
fn forms(script: &str) -> impl Iterator<Item = Cow<'_, str>> {
    let unix = normalise(script).trim_end_matches(['\n', '\r']).to_owned();
    let ended = format!("{unix}\n");
    let texts = [unix.replace('\n', "\r\n"), ended.replace('\n', "\r\n"), unix, ended];
    let marked = texts.clone().map(|text| format!("\u{feff}{text}"));
    texts.into_iter().chain(marked).map(Cow::Owned)
}

/// sqlx hashes the text of the file, just as it is.
fn sha384(text: &str) -> String {
    let hash = Sha384::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Flyway reads lines as Java's `BufferedReader` does, so their ends do not count; neither does a byte order mark ahead of the first.
fn crc32(text: &str) -> i32 {
    let mut hasher = crc32fast::Hasher::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    text.split(['\n', '\r']).for_each(|line| hasher.update(line.as_bytes()));
    i32::from_ne_bytes(hasher.finalize().to_ne_bytes())
}

/// refinery's own code computes it, so that it is the same in whatever way refinery does it.
#[cfg(feature = "refinery-core")]
fn sip_hash(version: &str, width: usize, name: &str, text: &str) -> Result<String, &'static str> {
    let migration = refinery_core::Migration::unapplied(&format!("V{version}__{name}"), text);
    let migration = migration.map_err(|_| "refinery-core cannot read its version and name")?;
    match (width, std::mem::size_of_val(&migration.version())) {
        (8, 4) => return Err("its version has 64 bits: turn on refinery-core's feature `int8-versions`"),
        (4, 8) => return Err("its version has 32 bits: turn off refinery-core's feature `int8-versions`"),
        _ => {}
    }
    Ok(migration.checksum().to_string())
}

#[cfg(not(feature = "refinery-core"))]
fn sip_hash(_: &str, _: usize, _: &str, _: &str) -> Result<String, &'static str> {
    Err("the feature `refinery-core` of habitat-migrate is off")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(algorithm: Algorithm, value: &str) -> Stored {
        Stored { algorithm, value: value.to_owned(), width: 4 }
    }

    // The vectors were computed by Python's zlib and hashlib.
    const SCRIPT: &str = "CREATE TABLE person (\n    id int NOT NULL,\n    name varchar(100) NOT NULL\n);\n";

    #[test]
    fn flyway_s_checksum_is_that_of_the_lines_without_their_ends() {
        assert_eq!(crc32(""), 0);
        assert_eq!(crc32("123456789"), -873_187_034);
        assert_eq!(crc32("1234\r\n567\n\n89\r"), -873_187_034);
        assert_eq!(crc32("\u{feff}123456789\n"), -873_187_034);
        assert_eq!(crc32(SCRIPT), CRC32);
        assert_eq!(crc32("SELECT 'ä€';\n"), CRC32_UTF8);
    }

    #[test]
    fn sqlx_s_checksum_is_that_of_the_bytes() {
        // The example of FIPS 180.
        let abc = "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
                   8086072ba1e7cc2358baeca134c825a7";
        assert_eq!(sha384("abc"), abc);
        assert_eq!(stored(Algorithm::Sha384, abc).verify("abc", "1", None), Verdict::Same);
        let Verdict::Different(ours) = stored(Algorithm::Sha384, abc).verify("abd", "1", None) else {
            panic!("another text has another checksum")
        };
        assert_eq!(ours, sha384("abd"));
    }

    #[test]
    fn line_ends_that_git_changed_make_no_difference() {
        let windows = stored(Algorithm::Sha384, &sha384(&SCRIPT.replace('\n', "\r\n")));
        assert_eq!(windows.verify(SCRIPT, "1", None), Verdict::SameButForm);
        let marked = stored(Algorithm::Sha384, &sha384(&format!("\u{feff}{SCRIPT}")));
        assert_eq!(marked.verify(SCRIPT, "1", None), Verdict::SameButForm);
        let unended = stored(Algorithm::Sha384, &sha384(SCRIPT.trim_end()));
        assert_eq!(unended.verify(&SCRIPT.replace('\n', "\r\n"), "1", None), Verdict::SameButForm);
    }

    #[cfg(feature = "refinery-core")]
    #[test]
    fn refinery_s_checksum_covers_the_name_and_the_version() {
        let checksum = sip_hash("1", 4, "person", SCRIPT).expect("a name that refinery reads");
        let stored = stored(Algorithm::SipHash13, &checksum);
        assert_eq!(stored.verify(SCRIPT, "1", Some("person")), Verdict::Same);
        assert_eq!(stored.verify(&SCRIPT.replace('\n', "\r\n"), "1", Some("person")), Verdict::SameButForm);
        assert!(matches!(stored.verify(SCRIPT, "2", Some("person")), Verdict::Different(_)));
        assert!(matches!(stored.verify("SELECT 1", "1", Some("person")), Verdict::Different(_)));
        assert!(matches!(stored.verify(SCRIPT, "x", Some("person")), Verdict::Unknown(_)));
        let wide = Stored { width: 8, ..stored };
        assert!(
            matches!(wide.verify(SCRIPT, "1", Some("person")), Verdict::Unknown(why) if why.contains("int8"))
        );
    }

    #[cfg(not(feature = "refinery-core"))]
    #[test]
    fn refinery_s_checksum_is_not_verified_without_its_feature() {
        assert!(matches!(
            stored(Algorithm::SipHash13, "1").verify(SCRIPT, "1", Some("person")),
            Verdict::Unknown(reason) if reason.contains("refinery-core")
        ));
    }

    const CRC32: i32 = 1_117_511_410;
    const CRC32_UTF8: i32 = 1_566_412_564;
}
