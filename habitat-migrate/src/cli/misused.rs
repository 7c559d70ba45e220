//! Arguments that cannot be read, told as any other failure: to people by clap, to programs as a document.

use std::ffi::OsString;

use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::answer::{Output, unwritten};
use super::args::Program;
use super::exit::Exit;
use super::failure::Failure;
use super::verb::Verb;

/// Writes what clap has to say: help that was asked for, or what is wrong.
pub(super) fn told(error: &clap::Error, arguments: impl Iterator<Item = OsString>) -> Exit {
    // A closed pipe is no reason to complain.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done;
    }
    let arguments: Vec<OsString> = arguments.collect();
    let failure = Failure::usage(message(error), next(error));
    match failure.write_result(verb(&arguments), output(&arguments)) {
        Ok(()) => Exit::Usage,
        Err(error) => unwritten(&error),
    }
}

/// What is wrong, in one line.
fn message(error: &clap::Error) -> String {
    if matches!(
        error.kind(),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
    ) {
        return "no verb is given".to_owned();
    }
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    first.split_whitespace().collect::<Vec<&str>>().join(" ")
}

fn next(error: &clap::Error) -> String {
    let suggested =
        [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let meant = suggested.into_iter().find_map(|kind| match error.get(kind)? {
        ContextValue::String(meant) => Some(meant.clone()),
        ContextValue::Strings(meant) => meant.first().cloned(),
        _ => None,
    });
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "`--help` tells what there is".to_owned(),
    }
}

/// The verb, by its name, as far as the arguments can be read.
fn verb(arguments: &[OsString]) -> Option<&'static str> {
    let command = Program::command().ignore_errors(true);
    let matches = command.try_get_matches_from(arguments).ok()?;
    let named = matches.subcommand_name()?;
    Verb::NAMES.iter().copied().find(|name| *name == named)
}

/// How results are wanted: clap stops at the mistake, which may stand before it.
fn output(arguments: &[OsString]) -> Output {
    let texts = arguments.iter().map(|argument| argument.to_str().unwrap_or_default());
    let texts: Vec<&str> = texts.take_while(|text| *text != "--").collect();
    let mut said = texts.iter().enumerate().filter_map(|(n, text)| match *text {
        "--output" | "-o" => texts.get(n + 1).copied(),
        text => text.strip_prefix("--output=").or_else(|| text.strip_prefix("-o")),
    });
    match said.next_back() {
        Some("json" | "=json") => Output::Json,
        Some("github" | "=github") => Output::Github,
        _ => Output::Text,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::{Output, output, verb};

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_format_is_known_wherever_it_stands() {
        for line in
            ["x -o json statsu", "x statsu --output json", "x statsu --output=json", "x -ojson", "x -o=json"]
        {
            assert_eq!(output(&arguments(line)), Output::Json, "{line}");
        }
        assert_eq!(output(&arguments("x statsu -o github")), Output::Github);
        for line in ["x status", "x -o text", "x new -- -o json", "x -o", "x status --output"] {
            assert_eq!(output(&arguments(line)), Output::Text, "{line}");
        }
    }

    #[test]
    fn the_verb_is_known_where_it_is_one() {
        assert_eq!(verb(&arguments("x status --nope")), Some("status"));
        assert_eq!(verb(&arguments("x --output json run --nope")), Some("up"));
        assert_eq!(verb(&arguments("x statsu")), None);
        assert_eq!(verb(&arguments("x")), None);
    }
}
