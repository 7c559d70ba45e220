//! What to do about things in a script that psql understands and the server does not.

use std::collections::HashSet;

use crate::Problem;
use crate::statement::{Foreign, ForeignKind, Scan};
use crate::value::is_name;

/// Adds a problem for each command of psql, each of its variables and the first data of `COPY`.
///
/// A dump holds hundreds of them: each kind is told once, where it first stands.
pub(crate) fn report(path: &str, text: &str, scan: &Scan, problems: &mut Vec<Problem>) {
    let mut told = HashSet::new();
    for Foreign { kind, range } in &scan.foreign {
        // Whether that is a placeholder depends on what the migration declares.
        if *kind == ForeignKind::Variable && undeclared_placeholder(text, range.start).is_some() {
            continue;
        }
        let source = &text[range.clone()];
        let (subject, message, help) = match kind {
            ForeignKind::MetaCommand => meta_command(source),
            ForeignKind::Variable => variable(&text[range.start..]),
            ForeignKind::CopyData => copy_data(),
            ForeignKind::CopyOut => copy_out(),
        };
        if told.insert((*kind as u8, subject)) {
            problems.push(Problem::at(path, text, range.start, message).with_help(help));
        }
    }
}

/// Adds a problem if a script that declares no placeholders has one with a kind, at the first of them.
pub(crate) fn report_placeholder(path: &str, text: &str, scan: &Scan, problems: &mut Vec<Problem>) {
    let variables = scan.foreign.iter().filter(|foreign| foreign.kind == ForeignKind::Variable);
    let mut placeholders = variables.filter_map(|foreign| undeclared_placeholder(text, foreign.range.start));
    problems.extend(placeholders.next().map(|(offset, name)| {
        let message = format!("the placeholder `{name}` is not declared, and the server does not know it");
        let help = format!("declare it at the beginning of the migration: `-- habitat: placeholders {name}`");
        Problem::at(path, text, offset, message).with_help(help)
    }));
}

/// The offset and the name of what looks like `${name:kind}` around the colon at this offset.
fn undeclared_placeholder(text: &str, colon: usize) -> Option<(usize, &str)> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    let (before, after) = text.split_at(colon);
    let start = before.trim_end_matches(is_part).len();
    let name = &before[start..];
    let kind = after[1..].split(|character| !is_part(character)).next()?;
    let framed = before[..start].ends_with("${") && after[1 + kind.len()..].starts_with('}');
    (framed && is_name(name) && is_name(kind)).then(|| (start - "${".len(), name))
}

fn meta_command(source: &str) -> (&str, String, String) {
    let length = source[1..]
        .find(|character: char| !character.is_ascii_alphabetic())
        .map_or(source.len(), |at| at + 1);
    let name = &source[..length];
    let help = match name {
        "\\set" if source.contains("ON_ERROR_STOP") => {
            "remove the line: a migration always stops at its first error, and nothing of it is kept"
        }
        "\\set" | "\\unset" | "\\gset" | "\\prompt" => {
            "write the value into the script; a migration runs the same everywhere"
        }
        "\\restrict" | "\\unrestrict" => {
            "remove the line: pg_dump writes it for psql, and it changes nothing in the schema"
        }
        "\\c" | "\\connect" => {
            "remove the line: a migration runs in the database that the program is connected to"
        }
        "\\i" | "\\ir" | "\\include" => {
            "put the statements of that file here, or make the file a migration of its own"
        }
        "\\copy" => "write the rows as INSERT statements, or load them from the program",
        "\\" => "a backslash has a meaning inside of quotes only; is a quote missing before it?",
        "\\if" | "\\elif" | "\\else" | "\\endif" => {
            "write the condition in SQL, `DO $$ BEGIN IF … END IF; END $$`, or make two migrations with `-- habitat: environments`"
        }
        "\\gexec" => "run the statements that the query builds in a DO block, with EXECUTE",
        "\\echo" | "\\qecho" | "\\warn" => "remove the line, or use RAISE NOTICE in a DO block",
        _ => "remove the line, or write what it does in SQL",
    };
    // What `\set` sets matters, what other commands do does not.
    let subject = if name == "\\set" { source } else { name };
    let message = match name {
        "\\" => "a backslash outside of quotes is no SQL".to_owned(),
        name => format!("`{name}` is a command of psql, which the server does not know"),
    };
    (subject, message, help.to_owned())
}

fn variable(source: &str) -> (&str, String, String) {
    let name = source[1..].trim_start_matches(['\'', '"', '{', '?']);
    let length =
        name.find(|character: char| !character.is_alphanumeric() && character != '_').unwrap_or(name.len());
    let name = &name[..length];
    let shown: String = name.chars().take(60).collect();
    let message = format!("`:{shown}` is a variable of psql, which the server does not know");
    (name, message, "write its value into the script; if this is a cast, it has two colons".to_owned())
}

fn copy_data() -> (&'static str, String, String) {
    (
        "",
        "COPY … FROM STDIN takes its data from psql, and a migration has none".to_owned(),
        "write the rows as INSERT statements (pg_dump does with --inserts), or load them from the program"
            .to_owned(),
    )
}

fn copy_out() -> (&'static str, String, String) {
    (
        "",
        "COPY … TO STDOUT gives its data to psql, and a migration has nobody to give it to".to_owned(),
        "remove it, or read the rows in the program".to_owned(),
    )
}
