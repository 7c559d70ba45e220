//! What a statement does to the transaction around it: [`Command`].

use crate::lexer::{Lexer, Token};

/// A statement that does not go with the transaction in which a migration runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// It begins or ends a transaction.
    Control(Control),
    /// The server refuses to run it in a transaction; this is what it is called.
    Alone(&'static str),
}

/// How a statement controls transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    Begin,
    Commit,
    Rollback,
    Prepare,
}

impl Command {
    /// What the statement with this code is; `None` for all that goes with a transaction.
    ///
    /// Whether `CALL`, `DO` and `REINDEX` of a partitioned table do depends on what is in the database:
    /// the server decides.
    pub(crate) fn of(code: &str) -> Option<Self> {
        let mut phrase = Phrase::new(code);
        let (Token::Word, first) = phrase.peek()? else { return None };
        let first = FIRST_WORDS.iter().find(|word| first.eq_ignore_ascii_case(word))?;
        phrase.skip();
        let control = |control| Some(Self::Control(control));
        match *first {
            "begin" => control(Control::Begin),
            "start" if phrase.word("transaction") => control(Control::Begin),
            "commit" if phrase.word("prepared") => Some(Self::Alone("COMMIT PREPARED")),
            "commit" | "end" => control(Control::Commit),
            "abort" => control(Control::Rollback),
            "rollback" => rollback(&mut phrase),
            // PREPARE transaction AS … is a prepared statement of that name.
            "prepare" if phrase.word("transaction") && phrase.is_at(Token::Text) => control(Control::Prepare),
            "vacuum" => Some(Self::Alone("VACUUM")),
            "discard" if phrase.word("all") => Some(Self::Alone("DISCARD ALL")),
            "cluster" => cluster(&mut phrase),
            "reindex" => reindex(&mut phrase),
            "create" => create(&mut phrase),
            "drop" => drop_object(&mut phrase),
            "alter" => alter(&mut phrase),
            _ => None,
        }
    }
}

const FIRST_WORDS: [&str; 14] = [
    "begin", "start", "commit", "end", "abort", "rollback", "prepare", "vacuum", "discard", "cluster",
    "reindex", "create", "drop", "alter",
];

fn rollback(phrase: &mut Phrase<'_>) -> Option<Command> {
    if phrase.word("prepared") {
        return Some(Command::Alone("ROLLBACK PREPARED"));
    }
    let _ = phrase.word("work") || phrase.word("transaction");
    // ROLLBACK TO SAVEPOINT stays inside of the transaction.
    (!phrase.word("to")).then_some(Command::Control(Control::Rollback))
}

fn cluster(phrase: &mut Phrase<'_>) -> Option<Command> {
    phrase.skip_parentheses();
    phrase.word("verbose");
    let names_a_table = matches!(phrase.peek(), Some((Token::Word | Token::QuotedName, _)));
    (!names_a_table).then_some(Command::Alone("CLUSTER without a table"))
}

fn reindex(phrase: &mut Phrase<'_>) -> Option<Command> {
    let mut concurrently = false;
    if phrase.is_at(Token::Open) {
        while let Some((token, text)) = phrase.take().filter(|(token, _)| *token != Token::Close) {
            if token == Token::Word && text.eq_ignore_ascii_case("concurrently") {
                concurrently = !phrase.is_at_false();
            }
        }
    }
    for (word, name) in
        [("schema", "REINDEX SCHEMA"), ("database", "REINDEX DATABASE"), ("system", "REINDEX SYSTEM")]
    {
        if phrase.word(word) {
            return Some(Command::Alone(name));
        }
    }
    phrase.skip();
    (concurrently || phrase.word("concurrently")).then_some(Command::Alone("REINDEX CONCURRENTLY"))
}

fn create(phrase: &mut Phrase<'_>) -> Option<Command> {
    phrase.word("unique");
    if phrase.word("index") {
        return phrase.word("concurrently").then_some(Command::Alone("CREATE INDEX CONCURRENTLY"));
    }
    if phrase.word("database") {
        return Some(Command::Alone("CREATE DATABASE"));
    }
    if phrase.word("tablespace") {
        return Some(Command::Alone("CREATE TABLESPACE"));
    }
    let slot = phrase.word("subscription") && !phrase.turns_off(&["create_slot", "connect"]);
    slot.then_some(Command::Alone("CREATE SUBSCRIPTION with a replication slot"))
}

fn drop_object(phrase: &mut Phrase<'_>) -> Option<Command> {
    if phrase.word("index") {
        return phrase.word("concurrently").then_some(Command::Alone("DROP INDEX CONCURRENTLY"));
    }
    if phrase.word("database") {
        return Some(Command::Alone("DROP DATABASE"));
    }
    phrase.word("tablespace").then_some(Command::Alone("DROP TABLESPACE"))
}

fn alter(phrase: &mut Phrase<'_>) -> Option<Command> {
    if phrase.word("system") {
        return Some(Command::Alone("ALTER SYSTEM"));
    }
    if phrase.word("database") {
        phrase.skip();
        let moves = phrase.word("set") && phrase.word("tablespace");
        return moves.then_some(Command::Alone("ALTER DATABASE … SET TABLESPACE"));
    }
    if phrase.word("subscription") {
        phrase.skip();
        if phrase.word("refresh") {
            return phrase
                .word("publication")
                .then_some(Command::Alone("ALTER SUBSCRIPTION … REFRESH PUBLICATION"));
        }
        let changes =
            (phrase.word("set") || phrase.word("add") || phrase.word("drop")) && phrase.word("publication");
        return (changes && !phrase.turns_off(&["refresh"]))
            .then_some(Command::Alone("ALTER SUBSCRIPTION … PUBLICATION with refresh"));
    }
    if !phrase.word("table") {
        return None;
    }
    let _ = phrase.word("if") && phrase.word("exists");
    phrase.word("only");
    phrase.skip_name();
    if phrase.word("detach") && phrase.word("partition") {
        phrase.skip_name();
        return phrase
            .word("concurrently")
            .then_some(Command::Alone("ALTER TABLE … DETACH PARTITION … CONCURRENTLY"));
    }
    None
}

/// The tokens of a statement without white space and comments, read one by one.
pub(crate) struct Phrase<'a> {
    code: &'a str,
    lexer: Lexer<'a>,
    next: Option<(Token, &'a str)>,
    /// Where the next token begins in the code.
    offset: usize,
}

impl<'a> Phrase<'a> {
    pub(crate) fn new(code: &'a str) -> Self {
        let mut phrase = Self { code, lexer: Lexer::new(code), next: None, offset: 0 };
        phrase.skip();
        phrase
    }

    /// The next token, which stays.
    pub(crate) fn peek(&self) -> Option<(Token, &'a str)> {
        self.next
    }

    /// Where the next token begins in the code.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The next token, which is gone then.
    pub(crate) fn take(&mut self) -> Option<(Token, &'a str)> {
        let taken = self.next;
        // The script was cut into statements before: it has no open quotes.
        while let Ok(next) = self.lexer.next() {
            let Some((token, range)) = next else { break };
            if token != Token::Trivia {
                self.offset = range.start;
                self.next = Some((token, &self.code[range]));
                return taken;
            }
        }
        self.next = None;
        taken
    }

    pub(crate) fn skip(&mut self) {
        self.take();
    }

    /// Whether the next token is this key word; it is gone then.
    pub(crate) fn word(&mut self, key: &str) -> bool {
        let found = matches!(self.next, Some((Token::Word, word)) if word.eq_ignore_ascii_case(key));
        if found {
            self.skip();
        }
        found
    }

    /// Takes a name with the schema before it, and gives its last part.
    pub(crate) fn skip_name(&mut self) -> Option<&'a str> {
        loop {
            let (Token::Word | Token::QuotedName, name) = self.take()? else { return None };
            if !matches!(self.next, Some((Token::Other, "."))) {
                return Some(name);
            }
            self.skip();
        }
    }

    fn is_at(&self, token: Token) -> bool {
        matches!(self.next, Some((next, _)) if next == token)
    }

    fn skip_parentheses(&mut self) {
        if self.is_at(Token::Open) {
            while self.take().is_some_and(|(token, _)| token != Token::Close) {}
        }
    }

    /// Whether the next token is a value that means no.
    fn is_at_false(&self) -> bool {
        let Some((_, value)) = self.next else { return false };
        let value = value.trim_matches('\'');
        ["false", "off", "0", "no", "f"].iter().any(|no| value.eq_ignore_ascii_case(no))
    }

    /// Whether one of these options is set to no in the rest of the statement.
    fn turns_off(&mut self, options: &[&str]) -> bool {
        while let Some((token, word)) = self.take() {
            let named =
                token == Token::Word && options.iter().any(|option| word.eq_ignore_ascii_case(option));
            if named && matches!(self.next, Some((Token::Other, "="))) {
                self.skip();
                if self.is_at_false() {
                    return true;
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r19_what_begins_or_ends_a_transaction_is_known() {
        for (code, control) in [
            ("BEGIN;", Control::Begin),
            ("begin isolation level serializable", Control::Begin),
            ("START /* a */ TRANSACTION", Control::Begin),
            ("COMMIT AND CHAIN", Control::Commit),
            ("end", Control::Commit),
            ("ROLLBACK", Control::Rollback),
            ("rollback work;", Control::Rollback),
            ("ABORT", Control::Rollback),
            ("PREPARE TRANSACTION 'x'", Control::Prepare),
        ] {
            assert_eq!(Command::of(code), Some(Command::Control(control)), "{code}");
        }
    }

    #[test]
    fn r18_what_cannot_run_in_a_transaction_is_known() {
        for code in [
            "VACUUM",
            "vacuum (analyze) t",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "create unique index concurrently if not exists i ON t (a)",
            "DROP INDEX CONCURRENTLY i",
            "REINDEX INDEX CONCURRENTLY i",
            "REINDEX (VERBOSE, CONCURRENTLY) TABLE t",
            "REINDEX (CONCURRENTLY true) TABLE t",
            "REINDEX SCHEMA s",
            "REINDEX (VERBOSE) DATABASE d",
            "REINDEX SYSTEM d",
            "CREATE DATABASE d",
            "DROP DATABASE IF EXISTS d",
            "CREATE TABLESPACE t LOCATION '/x'",
            "DROP TABLESPACE t",
            "ALTER SYSTEM SET a = 1",
            "ALTER DATABASE \"d\" SET TABLESPACE t",
            "CLUSTER",
            "CLUSTER VERBOSE;",
            "CLUSTER (VERBOSE)",
            "ALTER TABLE IF EXISTS ONLY s.t DETACH PARTITION s.\"p\" CONCURRENTLY",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (create_slot = true)",
            "ALTER SUBSCRIPTION s REFRESH PUBLICATION",
            "ALTER SUBSCRIPTION s ADD PUBLICATION p",
            "DISCARD ALL",
            "COMMIT PREPARED 'x'",
            "ROLLBACK PREPARED 'x'",
        ] {
            assert!(matches!(Command::of(code), Some(Command::Alone(_))), "{code}");
        }
    }

    #[test]
    fn what_goes_with_a_transaction_is_left_alone() {
        for code in [
            "SAVEPOINT a",
            "RELEASE SAVEPOINT a",
            "ROLLBACK TO a",
            "ROLLBACK WORK TO SAVEPOINT a",
            "PREPARE transaction AS SELECT 1",
            "PREPARE transaction (int) AS SELECT $1",
            "CREATE INDEX i ON t (a)",
            "CREATE UNIQUE INDEX i ON t (concurrently)",
            "DROP INDEX a, b",
            "REINDEX TABLE t",
            "REINDEX (CONCURRENTLY false) INDEX i",
            "CLUSTER t USING i",
            "CLUSTER (VERBOSE) t",
            "CLUSTER VERBOSE \"t\"",
            "ALTER TABLE t DETACH PARTITION p",
            "ALTER TABLE t DETACH PARTITION p FINALIZE",
            "ALTER DATABASE d SET search_path = a",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (enabled = false, create_slot = false)",
            "CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p WITH (connect=off)",
            "ALTER SUBSCRIPTION s SET PUBLICATION p WITH (refresh = false)",
            "ALTER SUBSCRIPTION s DISABLE",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v",
            "ALTER TYPE t ADD VALUE 'x'",
            "DISCARD TEMP",
            "ANALYZE",
            "SET TRANSACTION READ ONLY",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN COMMIT; END $$",
            "(SELECT 1)",
            "",
        ] {
            assert_eq!(Command::of(code), None, "{code}");
        }
    }
}
