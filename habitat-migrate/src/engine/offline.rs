//! A run as a script for psql, made without a server.

use std::fmt::Write as _;

use habitat_migrate_catalog::{Migration, Need, Settings as ScriptSettings, colons, statements};

use super::apply::SINCE;
use super::job::{Ended, Job, Worker};
use super::settings::Settings;
use super::{Goal, amend, needs, verify};
use crate::error::{Cause, Error, Result};
use crate::history::{History, Record, State};
use crate::lock::{BEGIN, Lock};
use crate::plan::{Change, Plan, Refusal, Refusals, Step, stand};
use crate::report::Report;
use crate::sql::{Ident, Literal};

/// What [`super::migrate`] would send to a database with this history.
///
/// # Errors
///
/// What refuses the plan.
pub(crate) fn to_sql(goal: &Goal<'_>, history: &History) -> Result<String> {
    let plan = |history: &History| {
        Plan::of(goal.catalog, history, goal.wish)
            .map_err(|refusals| Error::new(Cause::Refused(refusals), Report::default()))
    };
    let first = plan(history)?;
    let changes = stand(history, first.stands(), goal.wish);
    let steps = match changes.is_empty() {
        true => first.into_steps(),
        // Where the records stand then, is another question.
        false => plan(&after(history, &changes))?.into_steps(),
    };
    let environment = goal.wish.environment.filter(|_| history.environment().is_none());
    if steps.is_empty() && changes.is_empty() && environment.is_none() {
        return Ok("-- Nothing is pending.\n".to_owned());
    }
    let refusals: Vec<Refusal> = steps.iter().filter_map(unwritten).collect();
    if !refusals.is_empty() {
        return Err(Error::new(Cause::Refused(Refusals::new(refusals)), Report::default()));
    }
    let mut script = Script { goal, lock: Lock::of(&goal.tracker), sql: HEADER.to_owned() };
    script.begin(history, environment, &steps);
    if !changes.is_empty() {
        script.sql.push_str("\n-- What stands for applied migrations is recorded.\n");
        script.sql.push_str(&amend::transaction(&goal.tracker, &changes));
    }
    for step in steps {
        script.job(&Job::Apply(step, goal.wish.values));
    }
    let _ = write!(script.sql, "\n{}", script.lock.release());
    Ok(script.sql)
}

/// Why a migration cannot be part of the script.
fn unwritten(step: &Step<'_>) -> Option<Refusal> {
    let why = match Job::Apply(step.clone(), None).worker() {
        Worker::Batch => return None,
        Worker::Journal => "it runs without a transaction",
        Worker::Code => "it is written in Rust",
        Worker::Backfill => "it fills a table in batch by batch",
    };
    Some(Refusal::Unwritten { migration: step.migration.id().clone(), why })
}

/// A script under construction.
struct Script<'g> {
    goal: &'g Goal<'g>,
    lock: Lock,
    sql: String,
}

impl Script<'_> {
    /// Takes the lock, and sees to it that the database is what the plan is for.
    fn begin(&mut self, history: &History, environment: Option<&str>, steps: &[Step<'_>]) {
        let goal = self.goal;
        let lock = format!(
            "BEGIN\nIF NOT {} THEN\nRAISE EXCEPTION USING MESSAGE = 'another process is migrating: run this script again when it is done';\n\
             END IF;\nEND",
            self.lock.try_session()
        );
        let mut contexts: Vec<&str> = goal.catalog.contexts().iter().map(|context| context.name()).collect();
        contexts
            .extend(goal.catalog.migrations().iter().flat_map(Migration::requires).map(|id| id.context()));
        contexts.sort_unstable();
        contexts.dedup();
        let needs: String = steps.iter().flat_map(|step| needed(step.migration)).collect();
        let oldest = need(
            "pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) 140000",
            "the server is older than PostgreSQL 14, the oldest that is supported",
        );
        self.block(&lock);
        self.sql.push_str(BEGIN);
        self.sql.push_str(SESSION);
        self.block(&format!("BEGIN\n{oldest}{needs}END"));
        self.block(&goal.tracker.ensure());
        self.block(&goal.tracker.demand(history, &contexts));
        if let Some(name) = environment {
            self.block(&goal.tracker.ensure_environment(name));
        }
        self.sql.push_str("COMMIT;\n");
    }

    /// One migration's transaction.
    fn job(&mut self, job: &Job<'_>) {
        let Job::Apply(step, _) = job else { return };
        let goal = self.goal;
        let description = step.migration.description().replace(char::is_control, " ");
        let _ = write!(
            self.sql,
            "\n-- {}: {description}\n-- {}\n",
            job.id(),
            job.path().replace(char::is_control, " ")
        );
        self.sql.push_str(BEGIN);
        self.sql.push_str(SESSION);
        self.sql.push_str(&goal.limits.prepare(job.settings()));
        self.sql.push_str(&for_psql(&job.script()));
        self.sql.push_str("\n;\nSET CONSTRAINTS ALL IMMEDIATE;\n");
        self.sql.push_str(&Settings::restore_all());
        self.sql.push_str(SESSION);
        if let Some(text) = job.verify() {
            self.verify(&job.id().to_string(), &text);
        }
        self.sql.push_str(&job.record(&goal.tracker, Ended::May));
        self.sql.push_str(&goal.tracker.settle(SINCE));
        self.sql.push_str("COMMIT;\n");
    }

    /// A verify script, of which each statement that returns rows is judged by a DO block.
    fn verify(&mut self, id: &str, text: &str) {
        let settings = ScriptSettings::of_script(text);
        self.sql.push_str(verify::ENTER);
        self.sql.push_str(&self.goal.limits.timeouts(&settings));
        if let Some(role) = settings.verify_as.as_ref().or(settings.role.as_ref()) {
            let _ = writeln!(self.sql, "SET LOCAL ROLE {};", Ident(role));
        }
        for statement in statements(text).unwrap_or_default().iter().filter(|s| !s.is_empty()) {
            let code = text[statement.code()].trim_end_matches(';').trim_end();
            match returns_rows(code) {
                true => self.block(&judged(id, code)),
                false => {
                    let _ = writeln!(self.sql, "{}\n;", for_psql(code));
                }
            }
        }
        self.sql.push_str(verify::BACK);
    }

    /// A DO block, in quotes that its body does not hold.
    fn block(&mut self, body: &str) {
        let tag = (0..).map(|n| format!("$habitat{n}$")).find(|tag| !body.contains(tag.as_str()));
        let tag = tag.unwrap_or_default();
        let _ = writeln!(self.sql, "DO {tag}\n{body}\n{tag};");
    }
}

/// Fails where a statement of a verify script does not prove what it is there to prove.
fn judged(id: &str, code: &str) -> String {
    let failed = |how: &str| {
        let message =
            format!("migration {id} is not what its verify script says: the statement returned {how}");
        format!("MESSAGE = {}, HINT = {}", Literal(&message), Literal(code))
    };
    format!(
        "DECLARE\nhabitat_row pg_catalog.record;\nhabitat_first pg_catalog.text;\nhabitat_none pg_catalog.bool := true;\n\
         BEGIN\nFOR habitat_row IN EXECUTE {code} LOOP\nhabitat_none := false;\n\
         SELECT e.value INTO habitat_first FROM pg_catalog.json_each_text(pg_catalog.row_to_json(habitat_row)) AS e LIMIT 1;\n\
         IF FOUND AND COALESCE(habitat_first, 'f') OPERATOR(pg_catalog.=) ANY (ARRAY['f', 'false']) THEN\n\
         RAISE EXCEPTION USING {wrong}, DETAIL = habitat_row::pg_catalog.text;\nEND IF;\nEND LOOP;\n\
         IF habitat_none THEN\nRAISE EXCEPTION USING {none};\nEND IF;\nEND",
        code = Literal(code),
        wrong = failed("a row that begins with false or NULL"),
        none = failed("no row"),
    )
}

/// Whether a statement returns rows, by its first word.
fn returns_rows(code: &str) -> bool {
    let word: String = code.chars().take_while(char::is_ascii_alphabetic).collect();
    code.starts_with('(') || ROWS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// A script as psql has to read it: a colon directly before a name would be taken for a variable.
fn for_psql(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut start = 0;
    for colon in colons(text).unwrap_or_default() {
        out.push_str(&text[start..=colon]);
        out.push(' ');
        start = colon + 1;
    }
    out.push_str(&text[start..]);
    out
}

/// What fails where the server lacks what a migration declares that it needs.
fn needed(migration: &Migration) -> Vec<String> {
    let one = |declared: &Need| {
        let condition = match declared {
            Need::Postgres(oldest) => format!(
                "pg_catalog.current_setting('server_version_num')::pg_catalog.int4 OPERATOR(pg_catalog.>=) {oldest}0000"
            ),
            Need::Extension(name) => format!(
                "EXISTS (SELECT FROM pg_catalog.pg_available_extensions AS e WHERE e.name OPERATOR(pg_catalog.=) {})",
                Literal(name)
            ),
            _ => "false".to_owned(),
        };
        let what = needs::words(declared);
        need(&condition, &format!("{} needs {what}, and the server has it not", migration.id()))
    };
    migration.settings().needs.iter().map(one).collect()
}

fn need(condition: &str, message: &str) -> String {
    format!("IF NOT {condition} THEN\nRAISE EXCEPTION USING MESSAGE = {};\nEND IF;\n", Literal(message))
}

/// The history behind changes that let migrations stand for others.
fn after(history: &History, changes: &[Change<'_>]) -> History {
    let mut records = history.records().to_vec();
    for change in changes {
        match change {
            Change::Record { step, .. } => records.push(Record {
                id: step.migration.id().clone(),
                description: step.migration.description().to_owned(),
                checksum: step.migration.checksum().to_string(),
                ordinal: None,
                state: State::Applied,
                compatibility: step.migration.settings().compatibility,
                deployed_at: chrono::DateTime::default(),
                deployed_by: String::new(),
                execution_time: std::time::Duration::ZERO,
                down: None,
            }),
            Change::Replace { id, .. } => {
                records.iter_mut().filter(|record| record.id() == id).for_each(|r| r.state = State::Replaced);
            }
            Change::Order { context, from, links } => {
                for record in records.iter_mut().filter(|record| record.id().context() == context) {
                    record.ordinal = record.ordinal.filter(|ordinal| ordinal < from);
                    if let Some(link) = links.iter().find(|link| link.version == *record.id().version()) {
                        record.ordinal = Some(link.ordinal);
                    }
                }
            }
            Change::Complete { .. } | Change::Forget { .. } | Change::Accept { .. } => {}
        }
    }
    History::new(records).with_environment(history.environment().map(str::to_owned))
}

/// The words that a statement begins with that returns rows.
const ROWS: [&str; 6] = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN"];

/// How the text that follows is to be read.
const SESSION: &str = "SET LOCAL standard_conforming_strings = on;\nSET LOCAL client_encoding = 'UTF8';\n";

const HEADER: &str = "\
-- Made by habitat-migrate for one state of one database; on any other it fails before it changes anything.
-- Run it by psql -X -v ON_ERROR_STOP=1 -f, in a session of its own and past any transaction pooler.
-- Each migration commits together with its record. If one fails, those before it stay: make a new script for the rest.
\\set ON_ERROR_STOP on
\\set ON_ERROR_ROLLBACK off
\\set AUTOCOMMIT on
SET standard_conforming_strings = on;
SET client_encoding = 'UTF8';
";
