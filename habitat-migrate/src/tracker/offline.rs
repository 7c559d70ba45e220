//! What a script asks and does about the tracker by itself, where no engine looks: bodies of DO blocks.

use sha2::{Digest as _, Sha256};

use super::Tracker;
use super::format::FORMAT;
use crate::history::{History, Record, State};
use crate::sql::{Ident, Literal};

impl Tracker {
    /// Creates the tracker, or brings it to this format.
    pub(crate) fn ensure(&self) -> String {
        format!(
            "DECLARE habitat_format pg_catalog.int4;\n\
             BEGIN\n\
             IF pg_catalog.to_regnamespace({schema}) IS NULL THEN\n{create_schema}END IF;\n\
             IF pg_catalog.to_regclass({table}) IS NULL THEN\n{create}ELSE\n\
             SELECT {format} INTO habitat_format;\n\
             IF habitat_format OPERATOR(pg_catalog.>) {FORMAT} THEN\n\
             RAISE EXCEPTION USING MESSAGE = 'the tracker has a newer format: make this script with a newer version of habitat-migrate';\n\
             ELSIF habitat_format OPERATOR(pg_catalog.<) {FORMAT} THEN\n{upgrade}END IF;\n\
             END IF;\n\
             END",
            schema = Literal(&Ident(&self.schema).to_string()),
            create_schema = self.create_schema(),
            table = Literal(&self.table),
            create = self.create(),
            format = self.format(),
            upgrade = self.upgrade(1),
        )
    }

    /// Fails unless the database has this history.
    pub(crate) fn demand(&self, history: &History, contexts: &[&str]) -> String {
        let ours = |record: &&Record| contexts.contains(&record.id().context());
        let records: Vec<&Record> = history.records().iter().filter(ours).collect();
        let mut hasher = Sha256::new();
        for record in &records {
            let id = record.id();
            for part in [id.context(), id.version().as_str(), record.checksum(), word(record.state())] {
                hasher.update(part.as_bytes());
                hasher.update([b'\n']);
            }
        }
        let expected: String = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        let contexts: Vec<String> = contexts.iter().map(|context| Literal(context).to_string()).collect();
        let count = records.len();
        let message = format!(
            "this script is for a database that has {count} of these migrations, and this one has another history: make a new script"
        );
        format!(
            "DECLARE habitat_environment pg_catalog.text;\n\
             BEGIN\n\
             IF NOT (SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(COALESCE(pg_catalog.string_agg(\
             pg_catalog.concat(m.context, E'\\n', m.version, E'\\n', m.checksum, E'\\n', m.state, E'\\n'), '' ORDER BY m.run_order), ''), \
             'UTF8')), 'hex') OPERATOR(pg_catalog.=) '{expected}' FROM {table} AS m \
             WHERE m.context OPERATOR(pg_catalog.=) ANY (ARRAY[{contexts}]::pg_catalog.text[])) THEN\n\
             RAISE EXCEPTION USING MESSAGE = {message};\n\
             END IF;\n\
             IF pg_catalog.to_regclass({environments}) IS NOT NULL THEN\n\
             SELECT e.name INTO habitat_environment FROM {table_of_environments} AS e;\n\
             END IF;\n\
             IF COALESCE(habitat_environment, '') OPERATOR(pg_catalog.<>) {environment} THEN\n\
             RAISE EXCEPTION USING MESSAGE = pg_catalog.concat('this script is for a database whose environment is recorded as \"', \
             {environment}, '\", and here it is \"', habitat_environment, '\"');\n\
             END IF;\n\
             END",
            table = self.table,
            contexts = contexts.join(", "),
            message = Literal(&message),
            environments = Literal(&self.environments),
            table_of_environments = &self.environments,
            environment = Literal(history.environment().unwrap_or_default()),
        )
    }

    /// Records the environment, and creates the table that keeps it.
    pub(crate) fn ensure_environment(&self, name: &str) -> String {
        format!(
            "BEGIN\nIF pg_catalog.to_regclass({}) IS NULL THEN\n{}ELSE\n{}END IF;\nEND",
            Literal(&self.environments),
            self.record_environment(name, false),
            self.record_environment(name, true),
        )
    }
}

/// How the tracker writes a state.
fn word(state: State) -> &'static str {
    match state {
        State::Applied => "applied",
        State::Interrupted => "interrupted",
        State::Replaced => "replaced",
    }
}
