//! Prose in lines that fit a terminal, so that no word is broken where the screen ends.

use unicode_width::UnicodeWidthStr as _;

/// A text in lines of so many columns; `first` of them are taken in the first line, and `indent` blanks begin the others.
pub(crate) fn folded(text: &str, columns: Option<usize>, first: usize, indent: usize) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let mut out = String::new();
    let mut width = first;
    for (n, word) in unbroken(text).iter().enumerate() {
        if n > 0 && width + 1 + word.width() > columns {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            width = indent;
        } else if n > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.width();
    }
    out
}

/// The words of a text, and as one word what is to be copied: `a command`, a flag with its value, a number with its unit.
fn unbroken(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.split(' ') {
        let unit = ["s", "s;", "s,", "ms", "ms;"].contains(&word);
        match words.last_mut() {
            Some(last)
                if last.matches('`').count() % 2 == 1
                    || (last.starts_with("--") && !last.contains(' '))
                    || unit && last.ends_with(|c: char| c.is_ascii_digit()) =>
            {
                last.push(' ');
                last.push_str(word);
            }
            _ => words.push(word.to_owned()),
        }
    }
    words
}

/// An error's picture, its head and its notes in lines of so many columns; scripts stay as they are.
///
/// In a log, where no terminal tells of columns, each is one line: people look for whole sentences there.
pub(crate) fn picture(text: &str, columns: Option<usize>) -> String {
    let lines = text.lines().enumerate().map(|(n, line)| match n {
        0 => folded(line, columns, HEAD, HEAD),
        _ => note(line, columns),
    });
    lines.collect::<Vec<String>>().join("\n")
}

fn note(line: &str, columns: Option<usize>) -> String {
    let margin = line.len() - line.trim_start().len();
    match line.trim_start().strip_prefix("= ") {
        Some(words) => {
            let lead = margin + "= ".len();
            format!("{}= {}", &line[..margin], folded(words, columns, lead, lead))
        }
        None => line.to_owned(),
    }
}

/// How much `error: ` takes of an error's first line.
const HEAD: usize = "error: ".len();

#[cfg(test)]
mod tests {
    use super::{folded, picture};

    #[test]
    fn no_word_is_broken_and_none_is_lost() {
        assert_eq!(folded("one two three four", Some(12), 4, 2), "one two\n  three four");
        assert_eq!(folded("one averylongwordindeed x", Some(10), 0, 2), "one\n  averylongwordindeed\n  x");
        assert_eq!(folded("run `up --to 1` in 0.2 s or", Some(9), 0, 0), "run\n`up --to 1`\nin 0.2 s\nor");
        assert_eq!(
            folded("confirm it: --confirm shop now", Some(20), 0, 0),
            "confirm it:\n--confirm shop now"
        );
        assert_eq!(folded("one two three", None, 4, 2), "one two three");
    }

    #[test]
    fn notes_are_folded_and_scripts_are_not() {
        let error = "it failed\n --> a.sql:1:1\n  |\n1 | SELECT a, b, c, d\n  = next: correct the file";
        let folded = "it failed\n --> a.sql:1:1\n  |\n1 | SELECT a, b, c, d\n  = next: correct\n    the file";
        assert_eq!(picture(error, Some(17)), folded);
        assert_eq!(picture(error, None), error);
        assert_eq!(picture("it failed again", Some(17)), "it failed\n       again");
    }
}
