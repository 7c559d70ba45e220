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
    place: Place,
}

/// What the server complained about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Which step of the plan.
    pub(super) step: usize,
    pub(super) text: Text,
}

/// Whose text a piece is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    /// The engine's: the lock and the tracker.
    Engine,
    /// The engine's: what the script has left in the session goes.
    Session,
    /// The engine's on behalf of the migration: its role, its deferred constraints, its COMMIT.
    Migration,
    /// The migration's script, from this byte on.
    Script(usize),
    /// Its verify script, from this byte on.
    Verify(usize),
}

/// What the server counts positions in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// Characters of the message.
    Character,
    /// Bytes: a database of encoding `SQL_ASCII` knows no characters.
    /// <https://www.postgresql.org/docs/current/multibyte.html>
    Byte,
}

impl Message {
    /// Adds text about a step.
    pub(super) fn push(&mut self, step: usize, text: Text, sql: &str) {
        let start = self.sql.len();
        self.sql.push_str(sql);
        self.pieces.push(Piece { range: start..self.sql.len(), place: Place { step, text } });
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

    /// Its pieces, with the place that each begins at.
    pub(super) fn texts(&self) -> impl Iterator<Item = (Place, &str)> {
        self.pieces.iter().map(|piece| (piece.place, &self.sql[piece.range.clone()]))
    }

    /// The steps that it has something of.
    pub(super) fn steps(&self) -> Range<usize> {
        match (self.pieces.first(), self.pieces.last()) {
            (Some(first), Some(last)) => first.place.step..last.place.step + 1,
            _ => 0..0,
        }
    }

    /// From which byte on it holds a step's script.
    pub(super) fn script_start(&self, step: usize) -> Option<usize> {
        self.pieces.iter().filter(|piece| piece.place.step == step).find_map(|piece| match piece.place.text {
            Text::Script(start) => Some(start),
            _ => None,
        })
    }

    /// Finds what failed: by the server's position, or by the number of statements that were complete.
    pub(super) fn find(&self, error: &ServerError, unit: Unit, completed: Option<usize>) -> Option<Place> {
        if let Some(position) = error.position {
            let position = usize::try_from(position).ok()?;
            let at = match unit {
                Unit::Character => offset_of_character(&self.sql, position),
                Unit::Byte => position.saturating_sub(1),
            };
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
        let text = match self.place.text {
            Text::Script(start) => Text::Script(start + offset),
            Text::Verify(start) => Text::Verify(start + offset),
            text => text,
        };
        Place { text, ..self.place }
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
        message.push(0, Text::Engine, "BEGIN;\n");
        message.push(0, Text::Script(0), "SELECT 'é'; -- one\nSELECT 2");
        message.push(0, Text::Migration, "\n;\nCOMMIT;\n");
        message.push(1, Text::Script(10), "SELECT 3;");
        message
    }

    fn place(step: usize, text: Text) -> Option<Place> {
        Some(Place { step, text })
    }

    #[test]
    fn positions_count_characters_of_the_whole_message() {
        let at = |position| {
            let error = ServerError { position: Some(position), ..Default::default() };
            message().find(&error, Unit::Character, None)
        };
        assert_eq!(at(1), place(0, Text::Engine));
        assert_eq!(at(8), place(0, Text::Script(0)));
        assert_eq!(at(8 + 19), place(0, Text::Script(20)));
        assert_eq!(at(8 + 27 + 11 + 7), place(1, Text::Script(17)));
    }

    #[test]
    fn where_there_are_no_characters_positions_count_bytes() {
        let error = ServerError { position: Some(8 + 20), ..Default::default() };
        assert_eq!(message().find(&error, Unit::Byte, None), place(0, Text::Script(20)));
    }

    #[test]
    fn completed_statements_are_counted_and_empty_ones_are_not() {
        let after = |completed| message().find(&ServerError::default(), Unit::Character, Some(completed));
        assert_eq!(after(0), place(0, Text::Engine));
        assert_eq!(after(1), place(0, Text::Script(0)));
        assert_eq!(after(2), place(0, Text::Script(20)));
        assert_eq!(after(3), place(0, Text::Migration));
        assert_eq!(after(4), place(1, Text::Script(10)));
        assert_eq!(after(5), None);
    }
}
