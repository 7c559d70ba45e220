//! From a file to the scripts that its layout has in it: [`read`].

use super::{Layout, is_empty, parse, runs_alone, split, unwrapped};
use crate::encoding::decode;
use crate::folder::Placed;
use crate::name::{FileName, Role};
use crate::script::Script;
use crate::{Kind, MigrationId, Problem, Settings, TransactionMode};

/// One script of a migration.
pub(crate) struct Read {
    pub(crate) kind: Kind,
    pub(crate) role: Role,
    pub(crate) path: String,
    pub(crate) layout: Layout,
    /// The script, unless nothing of it could be read.
    pub(crate) script: Option<Script>,
}

/// Takes a file's name apart and reads the scripts in it.
pub(crate) fn read(placed: Placed, problems: &mut Vec<Problem>) -> Vec<(MigrationId, Read)> {
    let Placed { context, name, folder, path, file, layout, transaction, .. } = placed;
    let FileName { version, kind, role } = match parse(layout, folder.as_deref(), &name) {
        Ok(name) => name,
        Err(bad) => {
            problems.push(Problem::new(path, bad.message).with_help(bad.help));
            return Vec::new();
        }
    };
    let id = MigrationId::new(context, version);
    let make = |role: Role, script: Option<Script>| {
        (id.clone(), Read { kind, role, path: path.clone(), layout, script })
    };
    let text = match file.into_bytes() {
        Ok(bytes) => decode(&path, bytes.into_owned()).map_err(|problem| problems.push(problem)).ok(),
        Err(reason) => {
            problems.push(Problem::new(&path, format!("the file cannot be read: {reason}")));
            None
        }
    };
    let Some(text) = text else { return vec![make(role, None)] };
    if !layout.has_sections() || kind == Kind::Repeatable || role != Role::Up {
        let script = script(layout, transaction, &path, role, text, problems);
        return vec![make(role, script)];
    }
    let Some(sections) = split(layout, &path, &text, problems) else { return vec![make(role, None)] };
    let mut reads = Vec::new();
    for (role, text) in [(Role::Up, Some(sections.up)), (Role::Down, sections.down)] {
        if let Some(text) = text {
            let script = script(layout, transaction, &path, role, text, problems);
            reads.push(make(role, script));
        }
    }
    reads
}

/// Reads one script, with the way in which it runs.
fn script(
    layout: Layout,
    transaction: TransactionMode,
    path: &str,
    role: Role,
    text: String,
    problems: &mut Vec<Problem>,
) -> Option<Script> {
    // The tools make one for a start: to roll back by it would be to do nothing and call it undone.
    if layout.is_foreign() && role == Role::Down && is_empty(&text) {
        return None;
    }
    let may_be_unwrapped = layout.may_be_unwrapped()
        && role != Role::Verify
        && transaction == TransactionMode::Wrapped
        && Settings::of_script(&text).transaction == TransactionMode::Wrapped;
    let text = if may_be_unwrapped { unwrapped(&text).unwrap_or(text) } else { text };
    let alone = layout.is_foreign() && role != Role::Verify && runs_alone(&text);
    let script = Script::read(path, text, role, problems)?;
    if layout == Layout::Flyway {
        placeholder(path, &script.text, problems);
    }
    let declared = script.mode();
    // Of the other tools only this one says it in a file of the down script's own.
    let unkept = [transaction, declared] == [TransactionMode::None, TransactionMode::Wrapped] && !alone;
    if layout == Layout::Flyway && role == Role::Down && unkept {
        let help = "say it in the script too, which is all that is kept of it: begin it with a line `-- no-transaction`";
        problems.push(Problem::new(path, "this down script runs without a transaction").with_help(help));
    }
    Some(script.run_by(match role {
        _ if alone => TransactionMode::None,
        // It speaks for itself: what is kept of it when it is applied is its text.
        Role::Down => declared,
        _ if declared == TransactionMode::Wrapped => transaction,
        _ => declared,
    }))
}

/// Flyway replaces `${name}` in each script; to run it as it is would mean something else.
fn placeholder(path: &str, text: &str, problems: &mut Vec<Problem>) {
    let is_name = |rest: &str| {
        rest.split_once('}').is_some_and(|(name, _)| !name.is_empty() && !name.contains(['\n', '$']))
    };
    let found = text.match_indices("${").find(|(at, _)| is_name(&text[at + 2..]));
    if let (Some((offset, _)), false) = (found, text.contains("-- habitat: placeholders")) {
        let help = "write its value into the script; a migration runs the same everywhere";
        problems.push(
            Problem::at(path, text, offset, "this is a placeholder, which Flyway would replace")
                .with_help(help),
        );
    }
}
