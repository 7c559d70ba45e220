//! Lines with round corners, and text that is safe in XML.

use std::fmt::Write as _;

const ROUND: f32 = 6.0;

/// The `d` of a path through corners at right angles, each rounded.
pub(super) fn rounded(corners: &[(f32, f32)]) -> String {
    let mut path = String::new();
    let ([first, .., last], true) = (corners, corners.len() > 1) else { return path };
    let _ = write!(path, "M{} {}", number(first.0), number(first.1));
    for window in corners.windows(3) {
        let [before, corner, after] = window else { continue };
        let (from, to) = (toward(*corner, *before), toward(*corner, *after));
        let _ = write!(
            path,
            "L{} {}Q{} {} {} {}",
            number(from.0),
            number(from.1),
            number(corner.0),
            number(corner.1),
            number(to.0),
            number(to.1)
        );
    }
    let _ = write!(path, "L{} {}", number(last.0), number(last.1));
    path
}

/// The place where a corner's rounding begins on the way to another place.
fn toward(corner: (f32, f32), other: (f32, f32)) -> (f32, f32) {
    let (dx, dy) = (other.0 - corner.0, other.1 - corner.1);
    let length = dx.hypot(dy);
    if length < 0.01 {
        return corner;
    }
    let part = (ROUND.min(length / 2.0)) / length;
    (corner.0 + dx * part, corner.1 + dy * part)
}

/// A number with one digit behind the point at the most.
pub(super) fn number(value: f32) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// A text as XML and HTML have it; what neither can hold becomes U+FFFD.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' => safe.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}
