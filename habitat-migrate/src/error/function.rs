//! A function of the program that returned an error: [`FailedFunction`].

use std::fmt;

use habitat_migrate_catalog::MigrationId;

use crate::client::ServerError;

/// A migration that is a function, and what it returned.
#[derive(Debug)]
pub(crate) struct FailedFunction {
    pub(crate) id: MigrationId,
    /// Its source file and line.
    pub(crate) path: String,
    pub(crate) error: Box<dyn std::error::Error + Send + Sync>,
    /// The server's words, where the error has some.
    pub(crate) server: Option<ServerError>,
    /// How often it was tried again.
    pub(crate) attempts: u32,
    /// Whether it had ended the transaction that it was called in.
    pub(crate) ended: bool,
    /// Whether it was to take the migration back.
    pub(crate) undoing: bool,
}

impl FailedFunction {
    /// What the error says, and what caused it; nothing twice.
    pub(crate) fn words(&self) -> Vec<String> {
        let first: &(dyn std::error::Error + 'static) = &*self.error;
        let mut words: Vec<String> = Vec::new();
        for error in std::iter::successors(Some(first), |error| error.source()) {
            let text = error.to_string();
            // Many errors repeat their source's words; a driver's says only that there are some.
            if text != "db error" && !words.iter().any(|before| before.contains(&text)) {
                words.push(text);
            }
        }
        words
    }

    /// Where the function is: its file and line.
    pub(crate) fn location(&self) -> Option<(&str, usize)> {
        let (file, line) = self.path.rsplit_once(':')?;
        Some((file, line.parse().ok()?))
    }
}

impl fmt::Display for FailedFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.undoing { "the rollback of" } else { "migration" };
        write!(f, "{what} {} failed", self.id)?;
        match self.ended {
            true => f.write_str(": the function ended its own transaction, so a part of it may be kept")?,
            false => f.write_str("; nothing of it was kept")?,
        }
        match self.attempts {
            0 => Ok(()),
            retries => write!(f, " ({} attempts)", retries + 1),
        }
    }
}
