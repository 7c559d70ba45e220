//! One simple-query message made of many pieces, and the way back from the server's words to a piece.

use std::ops::Range;

use habitat_migrate_catalog::{offset_of_character, statements};

use crate::client::ServerError;

/// A message under construction: the engine's own statements and pieces of scripts.
#[derive(Debug, Default)]
pub(super) struct Message {
    sql: String,
    pieces: Vec<Piece>,
}

/// A run of text in a message.
#[derive(Debug)]
struct Piece {
    range: Range<usize>,
    step: usize,
    /// Where in the step's script it begins; none for the engine's own statements.
    script: Option<usize>,
}

/// What the server complained about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which step of the plan.
    pub(super) step: usize,
    /// The byte of the step's script; none where the engine's own statement failed.
    pub(super) script: Option<usize>,
}

impl Message {
    /// Adds a statement of the engine's own, about a step.
    pub(super) fn own(&mut self, step: usize, sql: &str) {
        self.push(step, None, sql);
    }

    /// Adds a piece of a step's script that begins at a byte of it.
    pub(super) fn script(&mut self, step: usize, offset: usize, sql: &str) {
        self.push(step, Some(offset), sql);
    }

    fn push(&mut self, step: usize, script: Option<usize>, sql: &str) {
        let start = self.sql.len();
        self.sql.push_str(sql);
        self.pieces.push(Piece { range: start..self.sql.len(), step, script });
    }

    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    pub(super) fn len(&self) -> usize {
        self.sql.len()
    }

    /// Empties it; a buffer that one large script blew up is not kept.
    pub(super) fn clear(&mut self) {
        self.sql.clear();
        self.sql.shrink_to(1 << 20);
        self.pieces.clear();
    }

    /// The steps that it has something of.
    pub(super) fn steps(&self) -> Range<usize> {
        match (self.pieces.first(), self.pieces.last()) {
            (Some(first), Some(last)) => first.step..last.step + 1,
            _ => 0..0,
        }
    }

    /// Finds what failed: by the server's position, or by the number of statements that were complete.
    pub(super) fn find(&self, error: &ServerError, completed: Option<usize>) -> Option<Place> {
        if let Some(position) = error.position {
            let at = offset_of_character(&self.sql, usize::try_from(position).ok()?);
            let piece = self.pieces.iter().find(|piece| piece.range.contains(&at))?;
            return Some(piece.place(at - piece.range.start));
        }
        let mut before = completed?;
        for piece in &self.pieces {
            for statement in piece.statements(&self.sql) {
                if before == 0 {
                    return Some(piece.place(statement));
                }
                before -= 1;
            }
        }
        None
    }
}

impl Piece {
    fn place(&self, offset: usize) -> Place {
        Place { step: self.step, script: self.script.map(|start| start + offset) }
    }

    /// Where each statement's first word stands.
    fn statements(&self, message: &str) -> impl Iterator<Item = usize> {
        let statements = statements(&message[self.range.clone()]).unwrap_or_default();
        statements.into_iter().filter(|s| !s.is_empty()).map(|s| s.code().start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        let mut message = Message::default();
        message.own(0, "BEGIN;\n");
        message.script(0, 0, "SELECT 'é'; -- one\nSELECT 2");
        message.own(0, "\n;\nCOMMIT;\n");
        message.script(1, 10, "SELECT 3;");
        message
    }

    fn place(step: usize, script: Option<usize>) -> Option<Place> {
        Some(Place { step, script })
    }

    #[test]
    fn positions_count_characters_of_the_whole_message() {
        let at =
            |position| message().find(&ServerError { position: Some(position), ..Default::default() }, None);
        assert_eq!(at(1), place(0, None));
        assert_eq!(at(8), place(0, Some(0)));
        assert_eq!(at(8 + 19), place(0, Some(20)));
        assert_eq!(at(8 + 27 + 11 + 7), place(1, Some(17)));
    }

    #[test]
    fn completed_statements_are_counted_and_empty_ones_are_not() {
        let after = |completed| message().find(&ServerError::default(), Some(completed));
        assert_eq!(after(0), place(0, None));
        assert_eq!(after(1), place(0, Some(0)));
        assert_eq!(after(2), place(0, Some(20)));
        assert_eq!(after(3), place(0, None));
        assert_eq!(after(4), place(1, Some(10)));
        assert_eq!(after(5), None);
    }
}
