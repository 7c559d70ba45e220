//! Settings of a role, a database or a server that bite a run.

use super::facts::{Facts, Setting};
use super::{Examination, Level, Line, Topic};
use crate::sql::Ident;

pub(super) fn settings(examination: &Examination, facts: &Facts) -> Vec<Line> {
    let mut lines: Vec<Line> =
        facts.settings.iter().filter_map(|setting| bite(examination, facts, setting)).collect();
    if lines.is_empty() {
        lines.push(Line::new(Topic::Settings, Level::Good, "none that bites a run"));
    }
    lines
}

/// What a setting does to a run; none where it does no harm.
fn bite(examination: &Examination, facts: &Facts, setting: &Setting) -> Option<Line> {
    let name = setting.name.as_str();
    let is_set = !matches!(setting.value.as_str(), "0" | "-1" | "");
    let (level, harm, next) = match name {
        "statement_timeout" if is_set && !examination.migrator.has_statement_timeout() => (
            Level::Warning,
            "a migration with a longer statement is cancelled",
            "declare statement-timeout in the migration, or give the migrator one".to_owned(),
        ),
        "transaction_timeout" if is_set => {
            (Level::Warning, "a longer migration loses its connection", reset(facts, setting))
        }
        "idle_in_transaction_session_timeout" | "idle_session_timeout" if is_set => (
            Level::Note,
            "a migration in Rust that works elsewhere for longer loses its connection",
            reset(facts, setting),
        ),
        "lock_timeout" if is_set => (
            Level::Note,
            "the migrator's own counts instead",
            "set `Migrator::lock_timeout` if it is meant for migrations".to_owned(),
        ),
        "search_path"
            if matches!(setting.source.as_str(), "user" | "database" | "database user" | "client") =>
        {
            (
                Level::Note,
                "a script that names no schema creates in its first one",
                "name schemas in scripts".to_owned(),
            )
        }
        "role" if setting.value != "none" => (
            Level::Note,
            "what migrations create belongs to that role",
            "declare it instead: `-- habitat: role …`".to_owned(),
        ),
        "synchronous_commit" if setting.value == "off" => {
            (Level::Warning, "a crash of the server loses what was committed last", reset(facts, setting))
        }
        "fsync" | "full_page_writes" if setting.value == "off" => (
            Level::Problem,
            "a crash of the server's machine ruins the database",
            format!("set {name} = on, unless the data may be lost"),
        ),
        "session_replication_role" if setting.value != "origin" => {
            (Level::Problem, "triggers and foreign keys do not work in this session", reset(facts, setting))
        }
        _ => return None,
    };
    // A test's server is lost on purpose.
    let is_disposable = matches!(facts.recorded(), Some("test" | "development"));
    let level = if is_disposable { level.min(Level::Note) } else { level };
    let text = format!("{name} is {} (from {}): {harm}", setting.shown, source(&setting.source));
    Some(Line::new(Topic::Settings, level, text).next(next))
}

/// Where a setting comes from, in words.
fn source(source: &str) -> &str {
    match source {
        "user" => "the role",
        "database" => "the database",
        "database user" => "the role in this database",
        "client" => "the connection",
        "configuration file" => "postgresql.conf",
        "command line" => "the server's command line",
        "session" => "this session",
        other => other,
    }
}

fn reset(facts: &Facts, setting: &Setting) -> String {
    let (login, database) = (Ident(&facts.login), Ident(&facts.database));
    match setting.source.as_str() {
        "user" => format!("run ALTER ROLE {login} RESET {}", setting.name),
        "database" => format!("run ALTER DATABASE {database} RESET {}", setting.name),
        "database user" => format!("run ALTER ROLE {login} IN DATABASE {database} RESET {}", setting.name),
        "client" => format!("leave {} out of the connection's options", setting.name),
        _ => format!(
            "run ALTER ROLE {login} SET {} = DEFAULT, or mend the server's configuration",
            setting.name
        ),
    }
}
