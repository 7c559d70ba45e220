//! What orders the versions of each tool: [`Number`], read from the tool's version or from a file's stem.

use std::cmp::Ordering;

/// The number in a version, without leading zeros: `20240501120000`, or `1.2` in parts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Number(Vec<String>);

/// How a tool writes the number of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notation {
    /// Digits: `0001_users`, `V1__users`.
    Digits,
    /// Digits with dashes that do not count: `2024-05-01-120000_users`.
    Dashed,
    /// Parts that count one by one, between dots or single underscores: `V1.2__users`, `V1_2__users`.
    Parts,
    /// A date and a time or a counter: `m20240501_000001_users`.
    Dated,
}

impl Notation {
    /// Takes a version apart: its number, and the name behind it. Nothing where it does not begin with a number.
    pub(crate) fn read(self, version: &str) -> Option<(Number, &str)> {
        let body = without_letter(version);
        let end = match self {
            Self::Digits => digits(body),
            Self::Dashed => leading(body, |byte| byte.is_ascii_digit() || byte == b'-'),
            Self::Parts => parts(body),
            Self::Dated => dated(body),
        };
        let (number, name) = body.split_at(end);
        let parts: Vec<String> = match self {
            Self::Parts => trimmed(number.split(['.', '_']).map(without_zeros).collect()),
            _ => vec![without_zeros(number.replace(['-', '_'], ""))],
        };
        let has_digits = number.bytes().any(|byte| byte.is_ascii_digit());
        has_digits.then(|| (Number(parts), name.trim_start_matches('_')))
    }

    /// The number alone.
    pub(crate) fn number(self, version: &str) -> Option<Number> {
        self.read(version).map(|(number, _)| number)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let part = |number: &Self, n: usize| number.0.get(n).map_or("0", String::as_str).to_owned();
        let longest = self.0.len().max(other.0.len());
        (0..longest)
            .map(|n| (part(self, n), part(other, n)))
            .map(|(mine, theirs)| mine.len().cmp(&theirs.len()).then_with(|| mine.cmp(&theirs)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Whether two names are the same apart from the marks between their words: some tools keep `users table` for `users_table`.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    let words = |name: &str| name.replace(['_', '-'], " ").trim().to_owned();
    words(one) == words(other)
}

/// Takes off the letter that tells the kind of a file, where a digit follows it.
fn without_letter(version: &str) -> &str {
    match version.strip_prefix(['V', 'v', 'U', 'm', 'B']) {
        Some(rest) if rest.starts_with(|first: char| first.is_ascii_digit()) => rest,
        _ => version,
    }
}

fn leading(text: &str, belongs: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|&byte| belongs(byte)).count()
}

fn digits(text: &str) -> usize {
    leading(text, |byte| byte.is_ascii_digit())
}

/// A single underscore parts numbers only where two of them end the version: `0001_2_users` is number 1.
fn parts(text: &str) -> usize {
    if let Some(end) = text.find("__") {
        let is_number = |part: &str| !part.is_empty() && digits(part) == part.len();
        if text[..end].split(['.', '_']).all(is_number) {
            return end;
        }
    }
    // The database has the version alone.
    let end = leading(text, |byte| byte.is_ascii_digit() || byte == b'.');
    text[..end].trim_end_matches('.').len()
}

/// `20240501_000001`, or the same digits without the underscore.
fn dated(text: &str) -> usize {
    let date = digits(text);
    let time = text[date..].strip_prefix('_').map_or(0, digits);
    if date == 8 && time == 6 { date + 1 + time } else { date }
}

fn without_zeros(digits: impl AsRef<str>) -> String {
    match digits.as_ref().trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    }
}

/// 1.0 is 1.
fn trimmed(mut parts: Vec<String>) -> Vec<String> {
    while parts.len() > 1 && parts.last().is_some_and(|part| part == "0") {
        parts.pop();
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(notation: Notation, one: &str, other: &str) -> bool {
        let (one, other) = (notation.number(one), notation.number(other));
        assert!(one.is_some() && other.is_some(), "{one:?} {other:?}");
        one == other
    }

    #[test]
    fn leading_zeros_and_the_letter_do_not_count() {
        assert!(same(Notation::Digits, "0001_users", "1"));
        assert!(same(Notation::Digits, "V1__users", "1"));
        assert!(same(Notation::Digits, "000_setup", "0"));
        assert!(!same(Notation::Digits, "10_users", "1"));
        assert_eq!(Notation::Digits.number("Vista"), None);
        assert_eq!(Notation::Digits.number("-1"), None);
    }

    #[test]
    fn a_diesel_folder_has_the_number_that_diesel_stores() {
        assert!(same(Notation::Dashed, "2024-05-01-120000_users", "20240501120000"));
        assert!(same(Notation::Dashed, "20240501120000_users", "20240501120000"));
        assert!(same(Notation::Dashed, "00000000000000_diesel_initial_setup", "00000000000000"));
    }

    #[test]
    fn parts_of_a_flyway_version_count_one_by_one() {
        assert!(same(Notation::Parts, "V1.2__users", "1.2"));
        assert!(same(Notation::Parts, "V1_2__users", "1.2"));
        assert!(same(Notation::Parts, "V01.02__users", "1.2"));
        assert!(same(Notation::Parts, "V1.0__users", "1"));
        assert!(same(Notation::Parts, "0001_users", "1"));
        assert!(same(Notation::Parts, "0001_2_users", "1"));
        assert!(!same(Notation::Parts, "V1.10__users", "1.1"));
        let order = ["1", "1.1", "1.2", "1.10", "2", "10"].map(|text| Notation::Parts.number(text));
        assert!(order.is_sorted() && order.iter().all(Option::is_some));
    }

    #[test]
    fn a_sea_orm_stem_is_a_date_and_a_counter() {
        assert!(same(Notation::Dated, "m20240501_000001_create_users", "20240501000001_create_users"));
        assert!(!same(Notation::Dated, "m20240501_000001_create_users", "m20240501_000002_create_users"));
        assert!(same(Notation::Dated, "20240501_users", "m20240501"));
    }

    #[test]
    fn the_name_is_what_follows() {
        let name = |notation: Notation, version| notation.read(version).map(|(_, name)| name);
        assert_eq!(name(Notation::Digits, "V1__create_users"), Some("create_users"));
        assert_eq!(name(Notation::Digits, "0001_create_users"), Some("create_users"));
        assert_eq!(name(Notation::Parts, "V1_2__users"), Some("users"));
        assert_eq!(name(Notation::Parts, "0001_2_users"), Some("2_users"));
        assert_eq!(name(Notation::Dated, "m20240501_000001_create_users"), Some("create_users"));
        assert_eq!(name(Notation::Digits, "20240501"), Some(""));
        assert!(is_same_name("create_users", "create users") && !is_same_name("create_users", "users"));
    }
}
