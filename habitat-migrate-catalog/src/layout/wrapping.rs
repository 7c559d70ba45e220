//! What a script itself says about transactions by its statements: [`unwrapped`], [`runs_alone`].

use crate::command::{Command, Control};
use crate::statement::Scan;

/// The script without the `BEGIN` and `COMMIT` in which it wraps itself as a whole; spaces stand in their places.
pub(crate) fn unwrapped(text: &str) -> Option<String> {
    let scan = Scan::of(text).ok()?;
    let places: Vec<_> =
        scan.statements.iter().map(|each| each.code()).filter(|code| !code.is_empty()).collect();
    let [begin, inner @ .., commit] = places.as_slice() else { return None };
    let control = |code: &str| match Command::of(code) {
        Some(Command::Control(control)) => Some(control),
        _ => None,
    };
    let wraps = is_plain(&text[begin.clone()])
        && control(&text[begin.clone()]) == Some(Control::Begin)
        && is_plain(&text[commit.clone()])
        && control(&text[commit.clone()]) == Some(Control::Commit)
        && !inner.is_empty()
        && inner.iter().all(|code| control(&text[code.clone()]).is_none());
    wraps.then(|| {
        let mut text = text.to_owned();
        for place in [begin, commit] {
            text.replace_range(place.clone(), &" ".repeat(place.len()));
        }
        text
    })
}

/// Whether it is `BEGIN`, `COMMIT` or the like without any option.
fn is_plain(code: &str) -> bool {
    let words: Vec<&str> = code.trim_end_matches(';').split_whitespace().collect();
    match words.as_slice() {
        [_] => true,
        [_, second] => ["work", "transaction"].iter().any(|word| second.eq_ignore_ascii_case(word)),
        _ => false,
    }
}

/// Whether a script holds nothing but statements that cannot run in a transaction.
pub(crate) fn runs_alone(text: &str) -> bool {
    let Ok(scan) = Scan::of(text) else { return false };
    let mut codes =
        scan.statements.iter().filter(|each| !each.is_empty()).map(|each| &text[each.code()]).peekable();
    codes.peek().is_some() && codes.all(|code| matches!(Command::of(code), Some(Command::Alone(_))))
}

/// Whether a script holds no statement.
pub(crate) fn is_empty(text: &str) -> bool {
    Scan::of(text).is_ok_and(|scan| scan.first_code().is_none())
}
