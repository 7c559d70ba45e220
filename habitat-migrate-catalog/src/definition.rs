//! Scripts that leave nothing behind in a session: [`is_definition`].

use crate::command::Phrase;
use crate::lexer::Token;
use crate::statement::statements;

/// Whether a script does nothing but define lasting objects, by statements that run no code of anybody's: no query, no
/// function, no row is looked at. So it cannot have changed a setting or a role, and has left no temporary table, no
/// cursor, no prepared statement and no deferred check behind. An event trigger still may.
///
/// ```
/// use habitat_migrate_catalog::is_definition;
///
/// assert!(is_definition("CREATE TABLE a (id bigint PRIMARY KEY); COMMENT ON TABLE a IS 'first';"));
/// assert!(!is_definition("CREATE TABLE a AS SELECT f()"));
/// assert!(!is_definition("CREATE TABLE a (id bigint); SET search_path = a"));
/// ```
///
/// It says no where it is not sure.
pub fn is_definition(script: &str) -> bool {
    let Ok(statements) = statements(script) else { return false };
    let mut codes = statements.iter().filter(|statement| !statement.is_empty()).map(|s| &script[s.code()]);
    codes.all(defines)
}

fn defines(code: &str) -> bool {
    let mut phrase = Phrase::new(code);
    if phrase.word("comment") {
        return phrase.word("on");
    }
    // A statement may name a temporary schema, whatever else it says.
    phrase.word("create") && !code.to_ascii_lowercase().contains("pg_temp") && creates(phrase)
}

fn creates(mut phrase: Phrase<'_>) -> bool {
    phrase.word("unlogged");
    if phrase.word("table") {
        // AS is a query's, OF a partition's, whose bounds are evaluated and whose siblings are read.
        return !Shape::of(phrase).has(&["as", "of", "execute"]);
    }
    phrase.word("unique");
    if phrase.word("index") {
        // An expression and a condition are evaluated for every row.
        let shape = Shape::of(phrase);
        return shape.depth < 2 && !shape.has(&["where"]);
    }
    // A schema may be created along with what lies in it.
    phrase.word("type") || phrase.word("schema") && !Shape::of(phrase).has(&["create", "grant"])
}

/// The rest of a statement: its words outside of parentheses, and how deep those go.
struct Shape<'a> {
    words: Vec<&'a str>,
    depth: usize,
}

impl<'a> Shape<'a> {
    fn of(mut phrase: Phrase<'a>) -> Self {
        let mut shape = Self { words: Vec::new(), depth: 0 };
        let mut depth: usize = 0;
        while let Some((token, text)) = phrase.take() {
            match token {
                Token::Open => depth += 1,
                Token::Close => depth = depth.saturating_sub(1),
                Token::Word if depth == 0 => shape.words.push(text),
                _ => {}
            }
            shape.depth = shape.depth.max(depth);
        }
        shape
    }

    fn has(&self, words: &[&str]) -> bool {
        self.words.iter().any(|found| words.iter().any(|word| found.eq_ignore_ascii_case(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::is_definition;

    #[test]
    fn definitions_of_lasting_objects() {
        for script in [
            "",
            "-- nothing\n",
            "CREATE TABLE a (id bigint GENERATED ALWAYS AS IDENTITY, b text DEFAULT f(), CHECK (b <> ''));",
            "CREATE UNLOGGED TABLE IF NOT EXISTS s.\"as\" (id int) WITH (fillfactor = 70);",
            "CREATE TABLE a (id int) PARTITION BY RANGE (id)",
            "CREATE UNIQUE INDEX i ON a USING btree (b DESC, c) INCLUDE (d)",
            "CREATE TYPE t AS ENUM ('as', 'of'); CREATE SCHEMA s AUTHORIZATION o; COMMENT ON TYPE t IS 'SET role x';",
        ] {
            assert!(is_definition(script), "{script}");
        }
    }

    #[test]
    fn whatever_may_run_code_or_is_gone_with_the_session() {
        for script in [
            "CREATE TABLE a AS SELECT 1",
            "CREATE TABLE a (b, c) AS EXECUTE p",
            "CREATE TABLE p PARTITION OF a FOR VALUES FROM (f()) TO (9)",
            "CREATE TEMP TABLE a (id int)",
            "CREATE LOCAL TEMPORARY TABLE a (id int)",
            "CREATE TABLE pg_temp.a (id int)",
            "CREATE TABLE \"pg_temp\".a (id int)",
            "CREATE INDEX ON a (f(b))",
            "CREATE INDEX ON a ((b || c))",
            "CREATE INDEX ON a (b) WHERE f(b)",
            "CREATE SCHEMA s CREATE TABLE a (id int)",
            "CREATE TABLE a (id int); INSERT INTO a VALUES (1)",
            "SET search_path = a",
            "SELECT set_config('a.b', 'c', false)",
            "DO $$ BEGIN END $$",
            "PREPARE p AS SELECT 1",
            "ALTER TABLE a ADD COLUMN b int DEFAULT f()",
            "CREATE EXTENSION pgcrypto",
            "CREATE MATERIALIZED VIEW v AS SELECT f()",
            "'",
        ] {
            assert!(!is_definition(script), "{script}");
        }
    }
}
