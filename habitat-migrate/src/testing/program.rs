//! The programs that are run to their end here: initdb, cp, npm.

use std::fs::File;
use std::process::{Command, Stdio};

use super::error::{Kind, ServerError};

/// What `command` prints; an error with what it complains about if it fails.
pub(super) fn output(command: &mut Command) -> Result<String, ServerError> {
    output_on(command, Stdio::null())
}

/// The same, and the lock on `file` is kept until the program ends, even if this process is killed before.
pub(super) fn output_under(command: &mut Command, file: &File) -> Result<String, ServerError> {
    // A lock belongs to the file as it was opened, so a copy of the descriptor keeps it.
    let copy = file.try_clone().map(Stdio::from);
    output_on(command, copy.unwrap_or_else(|_| Stdio::null()))
}

fn output_on(command: &mut Command, input: Stdio) -> Result<String, ServerError> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(input).output();
    let output = output.map_err(|source| Kind::Command { name: name.clone(), source })?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
        if text.trim().is_empty() {
            text = output.status.to_string();
        }
        Err(Kind::Failed { name, output: text }.into())
    }
}
