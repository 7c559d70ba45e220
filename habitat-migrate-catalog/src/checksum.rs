//! What tells one text of a migration from another: [`Checksum`] of a script, [`Digest`] of a set of migrations.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// SHA-256 over a script's text with the byte order mark removed, line ends unified and one final newline.
///
/// Two files that differ only in what an editor or git may change on its own (CRLF, BOM, the last newline)
/// have the same checksum.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Computes the checksum of a script's text.
    pub fn of(text: &str) -> Self {
        let mut hasher = Sha256::new();
        let body = text.trim_start_matches('\u{feff}');
        let body = body.trim_end_matches(['\n', '\r']);
        for piece in lines_without_ends(body) {
            hasher.update(piece.as_bytes());
            hasher.update(b"\n");
        }
        Self(hasher.finalize().into())
    }

    /// The checksum with these bytes; for code that a macro generated.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// The form in which the tracker stores it: `sha256:` and 64 hexadecimal digits.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        hex(&self.0, f)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Checksum {
    type Err = ParseChecksumError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_prefix("sha256:").ok_or(ParseChecksumError)?;
        parse_hex(digits).map(Self).ok_or(ParseChecksumError)
    }
}

/// A text that is not `sha256:` followed by 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseChecksumError;

impl fmt::Display for ParseChecksumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a checksum is `sha256:` followed by 64 hexadecimal digits")
    }
}

impl std::error::Error for ParseChecksumError {}

/// Identifies a *set* of migrations with their checksums, in whatever order they were applied.
///
/// The tracker keeps one for each row, over all rows of the context up to it, so that one comparison
/// tells whether a database holds exactly the migrations that a program was built with. It finds
/// differences, it does not withstand an attacker: who can write the tracker can write anything.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 16]);

impl Digest {
    /// The digest of no migrations.
    pub const EMPTY: Self = Self([0; 16]);

    /// The digest with these bytes; for code that a macro generated.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the digest.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The digest of this set with one migration more.
    ///
    /// `checksum` is the text that the tracker stores, so that rows of a later format count as well.
    #[must_use]
    pub fn with(self, context: &str, version: &str, checksum: &str) -> Self {
        let mut hasher = Sha256::new();
        for part in [context, version, checksum] {
            hasher.update(part.as_bytes());
            hasher.update([0]);
        }
        let hash = hasher.finalize();
        let mut sum = self.0;
        for (byte, more) in sum.iter_mut().zip(hash) {
            *byte ^= more;
        }
        Self(sum)
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(&self.0, f)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text that is sent to the server: without a byte order mark, every line ended by `\n` alone.
///
/// What the checksum calls the same text is thereby the same to the server, also inside of a
/// function's body. The number of lines, and the columns within them, stay as they are in the file.
pub fn normalise(text: &str) -> Cow<'_, str> {
    let body = text.trim_start_matches('\u{feff}');
    if !body.contains('\r') {
        return Cow::Borrowed(body);
    }
    let mut out = String::with_capacity(body.len());
    for piece in lines_without_ends(body) {
        out.push_str(piece);
        out.push('\n');
    }
    if !body.ends_with(['\n', '\r']) {
        out.pop();
    }
    Cow::Owned(out)
}

/// Splits at `\r\n`, `\n` and `\r`; a final line end does not begin another line.
fn lines_without_ends(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest.take()?;
        let Some(at) = text.find(['\n', '\r']) else { return (!text.is_empty()).then_some(text) };
        let end = if text[at..].starts_with("\r\n") { at + 2 } else { at + 1 };
        rest = Some(&text[end..]);
        Some(&text[..at])
    })
}

fn hex(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let digits = digits.as_bytes();
    if digits.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}
