//! What the same takes without a library, in one round trip each.

use std::fmt::Write;

use crate::Result;
use crate::contender::{Contender, Loaded, Role, Session};
use crate::scenario::Goal;
use crate::scripts::Script;
use crate::server::Address;

pub(crate) const CONTENDERS: [Contender; 3] = [
    Contender {
        name: "one SELECT of one row",
        role: Role::Baseline(Goal::NothingToDo),
        load: |_| Ok(Box::new(ByHand("SELECT count FROM public.bench_count".to_owned()))),
    },
    Contender {
        name: "the same SQL in one message",
        role: Role::Baseline(Goal::FirstBoot),
        load: |scripts| Ok(Box::new(ByHand(scripts.iter().map(Script::sql).collect()))),
    },
    Contender {
        name: "a transaction and a record each, in one message",
        role: Role::Baseline(Goal::FirstBoot),
        load: |scripts| Ok(Box::new(ByHand(recorded(scripts)?))),
    },
];

/// A table of one row, for the baseline that reads one.
pub(crate) const ONE_ROW: &str = "CREATE TABLE public.bench_count AS SELECT 1 AS count";

/// Each script commits by itself, together with a row that says so.
fn recorded(scripts: &[Script]) -> Result<String> {
    let mut text =
        "CREATE TABLE bench_history (version text PRIMARY KEY, deployed_at timestamptz NOT NULL);".to_owned();
    for script in scripts {
        let (sql, stem) = (script.sql(), script.stem());
        write!(text, "BEGIN;{sql}INSERT INTO bench_history VALUES ('{stem}', now());COMMIT;")?;
    }
    Ok(text)
}

/// One simple-query message.
struct ByHand(String);

impl Loaded for ByHand {
    fn connect(&self, address: &Address) -> Result<Box<dyn Session + '_>> {
        Ok(Box::new(ByHandSession { text: &self.0, client: address.connect()? }))
    }
}

struct ByHandSession<'a> {
    text: &'a str,
    client: postgres::Client,
}

impl Session for ByHandSession<'_> {
    fn migrate(&mut self) -> Result<()> {
        self.client.simple_query(self.text)?;
        Ok(())
    }
}
