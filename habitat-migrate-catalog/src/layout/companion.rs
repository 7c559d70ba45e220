//! Files beside the scripts that say how they run: [`Companion`].

use super::Layout;
use crate::encoding::decode;
use crate::{Problem, SourceFile, TransactionMode};

/// Whether a file, named by its path, may matter to the migrations beside it although it is no script.
pub(crate) fn is_companion(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == METADATA || name.ends_with(".sql.conf") || is_code(name, ".rs") || is_code(name, ".go")
}

/// What diesel calls the file that says how a migration runs.
const METADATA: &str = "metadata.toml";

/// What a file beside a script says.
pub(crate) struct Companion {
    /// The path of the script that it speaks for, relative to the source.
    pub(crate) script: String,
    pub(crate) transaction: TransactionMode,
    /// Its own path, as messages name it.
    pub(crate) path: String,
}

impl Companion {
    /// Reads a file; `None` if it does not matter in this layout, or is a problem.
    pub(crate) fn read(
        layout: Layout,
        file: &SourceFile,
        shown: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let (folder, name) = file.path().rsplit_once('/').unwrap_or(("", file.path()));
        match layout {
            Layout::Diesel if name == METADATA => {
                let script = if folder.is_empty() { "up.sql".to_owned() } else { format!("{folder}/up.sql") };
                Self::settings(file, script, shown, "run_in_transaction", problems)
            }
            Layout::Flyway => {
                let script = file.path().strip_suffix(".conf")?.to_owned();
                Self::settings(file, script, shown, "executeInTransaction", problems)
            }
            Layout::Refinery if is_code(name, ".rs") => code("Rust", shown, problems),
            Layout::Goose if is_code(name, ".go") => code("Go", shown, problems),
            _ => None,
        }
    }

    /// Reads the one key that such a file may have.
    fn settings(
        file: &SourceFile,
        script: String,
        shown: &str,
        key: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<Self> {
        let text = match file.bytes() {
            Ok(bytes) => decode(shown, bytes.to_vec()).map_err(|problem| problems.push(problem)).ok()?,
            Err(reason) => {
                problems.push(Problem::new(shown, format!("the file cannot be read: {reason}")));
                return None;
            }
        };
        let mut found = None;
        let mut at = 0;
        for line in text.split_inclusive(['\n', '\r']) {
            let start = at;
            at += line.len();
            let content = line.trim_start_matches('\u{feff}').trim();
            let content = content.split('#').next().unwrap_or_default().trim();
            if content.is_empty() {
                continue;
            }
            let mode =
                content.split_once('=').filter(|(left, _)| left.trim() == key).and_then(|(_, value)| {
                    match value.trim() {
                        "true" => Some(TransactionMode::Wrapped),
                        "false" => Some(TransactionMode::None),
                        _ => None,
                    }
                });
            match mode {
                Some(mode) if found.is_none() => found = Some(mode),
                Some(_) => problems.push(
                    Problem::at(shown, &text, start, format!("`{key}` is set twice"))
                        .with_help("keep one of the lines"),
                ),
                None => {
                    let help = format!(
                        "write `{key} = true` or `{key} = false`; nothing else of such a file is read"
                    );
                    problems.push(
                        Problem::at(shown, &text, start, "this line is not understood").with_help(help),
                    );
                    return None;
                }
            }
        }
        if found.is_none() {
            let message = format!("the file does not say `{key}`");
            let help = format!(
                "write `{key} = false` for a migration without a transaction; otherwise remove the file"
            );
            problems.push(Problem::new(shown, message).with_help(help));
        }
        Some(Self { script, transaction: found?, path: shown.to_owned() })
    }
}

/// Whether this is a migration that is written in a programming language: `V1__name.rs`, `00001_name.go`.
fn is_code(name: &str, extension: &str) -> bool {
    let Some(stem) = name.strip_suffix(extension) else { return false };
    let number = match extension {
        ".rs" => stem.strip_prefix(['V', 'U']).and_then(|rest| rest.split_once("__")),
        _ => stem.split_once('_').filter(|_| !stem.ends_with("_test")),
    };
    number.is_some_and(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A migration that is no SQL must not be left out in silence.
fn code(language: &str, shown: &str, problems: &mut Vec<Problem>) -> Option<Companion> {
    let message = format!("this migration is written in {language}, and a folder holds SQL");
    let help = "write what it does as SQL under the same number; if every database has it, a script that does nothing will do";
    problems.push(Problem::new(shown, message).with_help(help));
    None
}
