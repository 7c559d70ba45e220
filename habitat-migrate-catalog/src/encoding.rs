//! From the bytes of a file to the text of a script: [`decode`].

use crate::Problem;

/// The text of a file, if it is UTF-8 that PostgreSQL can take.
pub(crate) fn decode(path: &str, bytes: Vec<u8>) -> Result<String, Problem> {
    if is_utf16(&bytes) {
        return Err(Problem::new(path, "the file is UTF-16, from byte 0 on").with_help(
            "save it as UTF-8; PowerShell's `>` writes UTF-16, `Out-File -Encoding utf8` does not",
        ));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return Err(invalid(path, &error)),
    };
    if let Some(offset) = text.find('\0') {
        return Err(Problem::at(path, &text, offset, format!("a NUL character stands at byte {offset}"))
            .with_help(
                "remove it; PostgreSQL's text cannot hold one, and for bytes there is `'\\x00'::bytea`",
            ));
    }
    let first = if text.starts_with(MARK) { MARK.len_utf8() } else { 0 };
    if let Some(length) = text[first..].find(MARK) {
        let offset = first + length;
        let message = format!("a byte order mark stands inside of the text, at byte {offset}");
        let help = "remove the character U+FEFF; it gets there when files are joined, and one cannot see it";
        return Err(Problem::at(path, &text, offset, message).with_help(help));
    }
    Ok(text)
}

/// The byte order mark, which some editors put before a text.
const MARK: char = '\u{feff}';

/// Whether this is UTF-16: it says so itself, or every second byte is zero as in text of any Latin script.
fn is_utf16(bytes: &[u8]) -> bool {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return true;
    }
    let sample = &bytes[..bytes.len().min(512) & !1];
    let pairs = sample.chunks_exact(2);
    let enough = pairs.len().div_ceil(4) * 3;
    pairs.len() >= 2
        && [0, 1].into_iter().any(|half| {
            let zeros = sample.chunks_exact(2).filter(|pair| pair[half] == 0 && pair[1 - half] != 0).count();
            zeros >= enough.min(pairs.len())
        })
}

fn invalid(path: &str, error: &std::string::FromUtf8Error) -> Problem {
    let offset = error.utf8_error().valid_up_to();
    let byte = error.as_bytes().get(offset).copied().unwrap_or_default();
    // What is shown of the text is the same up to the place that is wrong.
    let shown = String::from_utf8_lossy(error.as_bytes());
    Problem::at(path, &shown, offset, format!("byte {offset} (0x{byte:02x}) is not UTF-8"))
        .with_help("save the file as UTF-8; from Latin 1, `iconv -f latin1 -t utf-8` converts it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> String {
        let problem = decode("a.sql", bytes.to_vec()).expect_err("it is no text");
        let place = problem.location().map(|location| location.to_string());
        format!("{} {}", place.unwrap_or_default(), problem.message())
    }

    #[test]
    fn r55_invalid_utf_8_is_refused_with_its_place() {
        assert_eq!(problem(b"SELECT 1;\n-- \xe9t\xe9"), "2:4 byte 13 (0xe9) is not UTF-8");
    }

    #[test]
    fn r55_a_nul_is_refused_with_its_place() {
        assert_eq!(problem(b"SELECT 1;\n \0"), "2:2 a NUL character stands at byte 11");
    }

    #[test]
    fn r55_utf_16_is_recognised_with_and_without_mark() {
        let text = "SELECT 'é';\r\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big, b"\xff\xfeS\0".to_vec(), b"\xfe\xff\0S".to_vec()] {
            assert!(problem(&bytes).contains("UTF-16"));
        }
    }

    #[test]
    fn r55_a_mark_inside_is_refused_and_one_before_the_text_is_not() {
        assert_eq!(
            problem("\u{feff}a\n\u{feff}b".as_bytes()),
            "2:1 a byte order mark stands inside of the text, at byte 5"
        );
        assert!(decode("a.sql", "\u{feff}a".into()).is_ok());
    }
}
