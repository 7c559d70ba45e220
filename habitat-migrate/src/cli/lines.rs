//! Prose in lines that fit a terminal, so that no word is broken where the screen ends.

use unicode_width::UnicodeWidthStr as _;

/// A text in lines of so many columns; `first` of them are taken in the first line, and `indent` blanks begin the others.
pub(crate) fn folded(text: &str, columns: Option<usize>, first: usize, indent: usize) -> String {
    let Some(columns) = columns else { return text.to_owned() };
    let mut out = String::new();
    let mut width = first;
    for (n, word) in text.split(' ').enumerate() {
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

/// An error's picture, its notes in lines of so many columns; scripts stay as they are.
pub(crate) fn picture(text: &str, columns: usize) -> String {
    let lines: Vec<String> = text.lines().map(|line| note(line, columns)).collect();
    lines.join("\n")
}

fn note(line: &str, columns: usize) -> String {
    let margin = line.len() - line.trim_start().len();
    match line.trim_start().strip_prefix("= ") {
        Some(words) => {
            let lead = margin + "= ".len();
            format!("{}= {}", &line[..margin], folded(words, Some(columns), lead, lead))
        }
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::{folded, picture};

    #[test]
    fn no_word_is_broken_and_none_is_lost() {
        assert_eq!(folded("one two three four", Some(12), 4, 2), "one two\n  three four");
        assert_eq!(folded("one averylongwordindeed x", Some(10), 0, 2), "one\n  averylongwordindeed\n  x");
        assert_eq!(folded("one two three", None, 4, 2), "one two three");
    }

    #[test]
    fn notes_are_folded_and_scripts_are_not() {
        let error = "it failed\n --> a.sql:1:1\n  |\n1 | SELECT a, b, c, d\n  = next: correct the file";
        let folded = "it failed\n --> a.sql:1:1\n  |\n1 | SELECT a, b, c, d\n  = next: correct\n    the file";
        assert_eq!(picture(error, 17), folded);
    }
}
