//! A Markdown table, and how numbers stand in one.

use std::fmt::{self, Display, Write};
use std::time::Duration;

/// Rows of text under a header.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<T: Display>(header: impl IntoIterator<Item = T>) -> Self {
        let mut table = Self::default();
        table.push(header);
        table
    }

    pub(crate) fn push<T: Display>(&mut self, row: impl IntoIterator<Item = T>) {
        self.rows.push(row.into_iter().map(|cell| cell.to_string()).collect());
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |column: usize| {
            self.rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
                .max(3)
        };
        let widths: Vec<_> = (0..columns).map(width).collect();
        for (number, row) in self.rows.iter().enumerate() {
            // The first column names things, the others are numbers.
            for (column, &width) in widths.iter().enumerate() {
                let cell = row.get(column).map_or("", String::as_str);
                if column == 0 { write!(f, "| {cell:<width$} ")? } else { write!(f, "| {cell:>width$} ")? }
            }
            writeln!(f, "|")?;
            if number == 0 {
                for (column, &width) in widths.iter().enumerate() {
                    let dashes = "-".repeat(width - 1);
                    if column == 0 { write!(f, "| {dashes}- ")? } else { write!(f, "| {dashes}: ")? }
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}

/// A whole number with its thousands apart: `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with as many places as mean something.
pub(crate) fn milliseconds(time: Duration) -> String {
    scaled(time.as_secs_f64() * 1_000.0)
}

/// How many times as long `time` is.
pub(crate) fn ratio(time: Duration, reference: Duration) -> String {
    if reference.is_zero() {
        return "–".to_owned();
    }
    format!("{}×", scaled(time.as_secs_f64() / reference.as_secs_f64()))
}

fn scaled(number: f64) -> String {
    let mut text = String::new();
    let written = match number {
        0.0..10.0 => write!(text, "{number:.2}"),
        10.0..100.0 => write!(text, "{number:.1}"),
        _ => return whole(number),
    };
    written.map(|()| text).unwrap_or_default()
}

fn whole(number: f64) -> String {
    format!("{number:.0}").parse().map_or_else(|_| format!("{number:.0}"), thousands)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_places_as_mean_something() {
        let shown =
            [5, 999, 12_340, 345_600, 64_100_000].map(|micros| milliseconds(Duration::from_micros(micros)));
        assert_eq!(shown, ["0.01", "1.00", "12.3", "346", "64,100"]);
        assert_eq!(ratio(Duration::from_millis(3), Duration::from_millis(2)), "1.50×");
    }

    #[test]
    fn a_table_is_aligned_markdown() {
        let mut table = Table::new(["", "ms"]);
        table.push(["sqlx", "1,234"]);
        assert_eq!(table.to_string(), "|      |    ms |\n| ---- | ----: |\n| sqlx | 1,234 |\n");
    }
}
