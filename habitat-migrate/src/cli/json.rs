//! The library's values as JSON.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use habitat_migrate_catalog::{Migration, MigrationId, Problem};
use serde_json::{Map, Value, json};

use super::failure::for_the_command;
use crate::backfill::{Backfill, BackfillState};
use crate::backup::Backup;
use crate::error::Error;
use crate::finding::Finding;
use crate::history::Record;
use crate::provision::{Place, Step};
use crate::report::{Applied, Report};

/// `LockTimeout` as `lock-timeout`.
pub(crate) fn kebab(name: &str) -> String {
    let mut out = String::new();
    for (n, c) in name.chars().enumerate() {
        if c.is_uppercase() && n > 0 {
            out.push('-');
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// Adds the members of one object to another.
pub(crate) fn merge(object: &mut Value, more: Value) {
    if let (Value::Object(object), Value::Object(more)) = (object, more) {
        object.extend(more);
    }
}

/// Advice, which names the verbs and flags that there are here.
pub(crate) fn advice(text: &str) -> Value {
    json!(for_the_command(text))
}

pub(crate) fn ids<'a>(ids: impl IntoIterator<Item = &'a MigrationId>) -> Value {
    ids.into_iter().map(|id| json!(id.to_string())).collect()
}

pub(crate) fn time(time: DateTime<Utc>) -> Value {
    json!(time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

pub(crate) fn milliseconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1e6).round() / 1e3)
}

pub(crate) fn migration(migration: &Migration) -> Value {
    json!({
        "migration": migration.id().to_string(),
        "description": migration.description(),
        "path": migration.path(),
        "checksum": migration.checksum().to_string(),
    })
}

pub(crate) fn record(record: &Record) -> Value {
    json!({
        "migration": record.id().to_string(),
        "description": record.description(),
        "checksum": record.checksum(),
        "state": kebab(&format!("{:?}", record.state())),
        "deployed_at": time(record.deployed_at()),
        "deployed_by": record.deployed_by(),
        "execution_ms": milliseconds(record.execution_time()),
    })
}

pub(crate) fn report(report: &Report) -> Value {
    let applied = |applied: &Applied| json!({ "migration": applied.id().to_string(), "execution_ms": milliseconds(applied.duration()) });
    json!({
        "applied": report.applied().iter().map(applied).collect::<Value>(),
        "undone": report.undone().iter().map(applied).collect::<Value>(),
        "repaired": ids(report.repaired()),
        "paused": report.paused().map(ToString::to_string),
        "already_applied": report.already_applied(),
        "newer": report.newer(),
        "waited_ms": milliseconds(report.waited()),
        "elapsed_ms": milliseconds(report.elapsed()),
    })
}

pub(crate) fn finding(finding: &Finding) -> Value {
    let (path, line, column) = finding.location();
    json!({
        "migration": finding.migration().to_string(),
        "location": location(path, line, column),
        "statement": finding.statement(),
        "returned": finding.returned(),
    })
}

pub(crate) fn problem(problem: &Problem) -> Value {
    let mut value = json!({ "path": problem.path(), "message": problem.message() });
    let more: [(&str, Option<Value>); 3] = [
        ("line", problem.line().map(Value::from)),
        ("column", problem.column().map(Value::from)),
        ("help", problem.help().map(Value::from)),
    ];
    let more: Map<String, Value> =
        more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    merge(&mut value, Value::Object(more));
    value
}

pub(crate) fn backfill(backfill: &Backfill) -> Value {
    json!({
        "migration": backfill.migration().to_string(),
        "state": match backfill.state() {
            BackfillState::Running => "running",
            BackfillState::Paused => "paused",
            BackfillState::Done => "done",
        },
        "table": backfill.table(),
        "rows": backfill.rows(),
        "batches": backfill.batches(),
        "cursor": backfill.cursor(),
        "started_at": time(backfill.started_at()),
        "updated_at": time(backfill.updated_at()),
    })
}

pub(crate) fn backup(backup: &Backup) -> Value {
    json!({
        "file": backup.path().display().to_string(),
        "database": backup.database(),
        "taken_at": time(backup.taken_at()),
        "bytes": backup.size(),
    })
}

pub(crate) fn provision_step(step: &Step) -> Value {
    let database = match step.place() {
        Place::Within(name) => Some(name.as_str()),
        _ => None,
    };
    json!({ "database": database, "sql": step.sql(), "why": step.why() })
}

/// What a program wants to know of an error beside its kind and its words.
pub(crate) fn error(error: &Error) -> Value {
    let blocker = |blocker: &crate::event::Blocker| {
        json!({
            "pid": blocker.session.pid,
            "application": blocker.session.application,
            "state": blocker.state,
            "relation": blocker.relation,
            "mode": blocker.mode,
        })
    };
    json!({
        "migration": error.migration().map(ToString::to_string),
        "location": error.location().map(|(path, line, column)| location(path, line, column)),
        "server": error.server_error().map(|server| json!({
            "sqlstate": server.code, "message": server.message, "detail": server.detail, "hint": server.hint,
        })),
        "refusals": error.refusals().map(|refusals| refusals.iter().map(|refusal| json!({
            "message": refusal.to_string(), "advice": advice(&refusal.advice()),
        })).collect::<Value>()),
        "findings": error.findings().iter().map(finding).collect::<Value>(),
        "blockers": error.blockers().iter().map(blocker).collect::<Value>(),
        "report": report(error.report()),
    })
}

fn location(path: &str, line: usize, column: usize) -> Value {
    json!({ "path": path, "line": line, "column": column })
}
