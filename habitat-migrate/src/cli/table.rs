//! Tables for a terminal: columns that are as wide as they need, the last ones left out or cut where there is no room.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

use super::paint::paint;

/// A cell: its text, and how it is painted.
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        // A name in a database may hold anything; a row is one line.
        let text = text.into().replace(|c: char| c.is_control(), " ");
        Self { text, style: Style::new(), right: false }
    }

    pub(crate) fn styled(text: impl Into<String>, style: Style) -> Self {
        Self { style, ..Self::new(text) }
    }

    /// A number, which ends where those above it end.
    pub(crate) fn right(text: impl Into<String>) -> Self {
        Self { right: true, ..Self::new(text) }
    }
}

/// Lays rows out in `columns` columns of a terminal; `needed` is how many of theirs a narrow one shows, too.
pub(crate) fn table(rows: &[Vec<Cell>], needed: usize, columns: usize) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |n: usize| rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.text.width()).max();
    let mut widths: Vec<usize> = (0..count).map(|n| width(n).unwrap_or_default()).collect();
    let total = |widths: &[usize]| widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    while let [kept @ .., last] = widths.as_slice() {
        if kept.len() < needed || total(kept) + GAP + WORTH.min(*last) <= columns {
            break;
        }
        widths.pop();
    }
    // What is still too wide gives way where it is widest.
    while total(&widths) > columns {
        let Some(widest) = widths.iter_mut().max() else { break };
        if *widest <= LEAST {
            break;
        }
        *widest -= 1;
    }
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        for (n, (cell, width)) in row.iter().zip(&widths).enumerate() {
            if n > 0 {
                line.push_str("  ");
            }
            let text = cut(&cell.text, *width);
            let room = " ".repeat(width.saturating_sub(text.width()));
            let last = n + 1 == row.len().min(widths.len());
            match (cell.right, last) {
                (true, _) => line.push_str(&format!("{room}{}", paint(cell.style, &text))),
                (false, true) => line.push_str(&paint(cell.style, &text)),
                (false, false) => line.push_str(&format!("{}{room}", paint(cell.style, &text))),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// The text, or its beginning and a mark that there is more.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        let mut next = [0; 4];
        if out.width() + c.encode_utf8(&mut next).width() + 1 > width {
            break;
        }
        out.push(c);
    }
    out.push('…');
    out
}

/// Between two columns.
const GAP: usize = 2;
/// What a column that can be left out must have for itself.
const WORTH: usize = 16;
/// How narrow a column gets.
const LEAST: usize = 8;

#[cfg(test)]
mod tests {
    use super::{Cell, table};

    fn rows() -> Vec<Vec<Cell>> {
        let row = |a: &str, b: &str, c: &str| vec![Cell::new(a), Cell::right(b), Cell::new(c)];
        vec![row("01_a_long_name_of_it", "4 ms", "what it does"), row("02_ü", "12 ms", "")]
    }

    #[test]
    fn a_narrow_terminal_lacks_the_columns_that_are_not_needed() {
        assert_eq!(
            table(&rows(), 2, 80),
            "01_a_long_name_of_it   4 ms  what it does\n02_ü                  12 ms\n"
        );
        assert_eq!(table(&rows(), 2, 40), "01_a_long_name_of_it   4 ms\n02_ü                  12 ms\n");
    }

    #[test]
    fn the_widest_column_gives_way() {
        assert_eq!(table(&rows(), 2, 20), "01_a_long_na…   4 ms\n02_ü           12 ms\n");
    }
}
