//! What the facts mean, and what to do about each. Pure.

use chrono::{DateTime, NaiveDate, Utc};

use super::facts::{Facts, span};
use super::sessions::Session;
use super::settings::settings;
use super::{Diagnosis, Examination, Level, Line, Topic};
use crate::provision::Repair;
use crate::sql::{Ident, Literal};
use crate::status::{LogAccess, Stage, word};
use crate::tracker::FORMAT;

pub(super) fn judge(examination: &Examination, facts: &Facts) -> Diagnosis {
    let at = facts.now.format("%Y-%m-%d %H:%M UTC");
    let head = format!("{} at PostgreSQL {} as {}, {at}", facts.database, facts.version, facts.login);
    let mut lines = vec![
        server(&facts.version, facts.major, facts.now.date_naive()),
        connection(facts.tls.as_deref(), facts.address.as_deref()),
        pooler(facts),
        standing(facts),
    ];
    lines.extend(rights(facts));
    lines.push(tracker(facts));
    lines.push(lock(facts));
    lines.extend(migrations(facts));
    lines.extend(audit(facts));
    lines.extend(transactions(facts));
    lines.extend(settings(examination, facts));
    lines.push(environment(examination, facts));
    lines.push(backup(examination, facts));
    lines.sort_by_key(|line| line.topic);
    Diagnosis { head, lines, checklist: None }
}

/// Until when the community mends each version. <https://www.postgresql.org/support/versioning/>
const SUPPORTED: [(u32, i32, u32, u32); 6] = [
    (13, 2025, 11, 13),
    (14, 2026, 11, 12),
    (15, 2027, 11, 11),
    (16, 2028, 11, 9),
    (17, 2029, 11, 8),
    (18, 2030, 11, 14),
];

fn server(version: &str, major: u32, today: NaiveDate) -> Line {
    let version = format!("PostgreSQL {version}");
    let until = SUPPORTED
        .iter()
        .find(|(known, ..)| *known == major)
        .and_then(|(_, year, month, day)| NaiveDate::from_ymd_opt(*year, *month, *day));
    match until {
        Some(until) if until >= today => {
            Line::new(Topic::Server, Level::Good, format!("{version}, which gets fixes until {until}"))
        }
        Some(until) => {
            Line::new(Topic::Server, Level::Warning, format!("{version} has had no fixes since {until}"))
                .next("upgrade it: https://www.postgresql.org/docs/current/upgrading.html")
        }
        None if major < SUPPORTED[0].0 => {
            Line::new(Topic::Server, Level::Problem, format!("{version} is older than this library knows"))
                .next("upgrade it: https://www.postgresql.org/docs/current/upgrading.html")
        }
        None => Line::new(Topic::Server, Level::Note, format!("{version} is newer than this library")),
    }
}

fn connection(tls: Option<&str>, address: Option<&str>) -> Line {
    let is_local = |address: &str| address.starts_with("127.") || address == "::1";
    match (tls, address) {
        (Some(version), Some(address)) => {
            Line::new(Topic::Connection, Level::Good, format!("{version} to {address}"))
        }
        (Some(version), None) => Line::new(Topic::Connection, Level::Good, version),
        (None, None) => Line::new(Topic::Connection, Level::Good, "by a socket of the server's machine"),
        (None, Some(address)) if is_local(address) => {
            Line::new(Topic::Connection, Level::Note, format!("{address}, without TLS, on one machine"))
        }
        (None, Some(address)) => {
            let text = format!("{address} without TLS: passwords and rows can be read on the way");
            Line::new(Topic::Connection, Level::Warning, text)
                .next("connect with sslmode=verify-full, and set ssl = on at the server")
        }
    }
}

fn pooler(facts: &Facts) -> Line {
    match facts.pooled {
        false => Line::new(Topic::Pooler, Level::Good, "none is noticed"),
        true => Line::new(Topic::Pooler, Level::Warning, "a connection pooler stands between").next(
            "migrate past it, with the server's own address: migrations without a transaction, and backfills, need a session of \
             their own",
        ),
    }
}

fn standing(facts: &Facts) -> Line {
    match (facts.recovering, facts.read_only) {
        (true, _) => Line::new(Topic::Standing, Level::Problem, "a standby, which takes no writes")
            .next("migrate on its primary: with several hosts, connect with target_session_attrs=read-write"),
        (false, true) => {
            let reset = format!("ALTER ROLE {} RESET default_transaction_read_only", Ident(&facts.login));
            Line::new(Topic::Standing, Level::Problem, "a primary, but this session is read only")
                .next(format!("run {reset}, or the same for the database"))
        }
        (false, false) => Line::new(Topic::Standing, Level::Good, "a primary that takes writes"),
    }
}

fn rights(facts: &Facts) -> Vec<Line> {
    let mut lines = Vec::new();
    if facts.superuser {
        let level = if is_production(facts) { Level::Warning } else { Level::Note };
        let text = format!("{} is a superuser: no right and no policy holds it", facts.login);
        lines.push(
            Line::new(Topic::Rights, level, text).next("migrate as the role that owns the schemas instead"),
        );
    } else if facts.grants.is_empty() {
        let text = format!("{} may do all that the tracker needs", facts.login);
        lines.push(Line::new(Topic::Rights, Level::Good, text));
    } else {
        let text = format!("{} may not do all that the tracker needs", facts.login);
        let next = format!("as the owner or an administrator, run\n{}", facts.grants.join("\n"));
        lines.push(Line::new(Topic::Rights, Level::Problem, text).next(next));
    }
    lines
}

/// What the database says that it is; both have to agree, so either counts.
fn is_production(facts: &Facts) -> bool {
    facts.recorded() == Some("production") || facts.comment.as_deref() == Some("production")
}

fn tracker(facts: &Facts) -> Line {
    let (shape, owner) = (&facts.tracker, &facts.owner);
    let line = |level, text: String| Line::new(Topic::Tracker, level, text);
    if !shape.is_there() {
        return line(Level::Note, "there is none yet: the first run creates it".to_owned());
    }
    if shape.format > FORMAT {
        let text = format!("its format {} is newer than {FORMAT}, which this program writes", shape.format);
        return line(Level::Problem, text).next("build the program with a newer habitat-migrate");
    }
    if !shape.is_ours() {
        let text = format!("schema_migrations has another tool's columns: {}", shape.columns.join(", "));
        return line(Level::Problem, text)
            .next("adopt that tool's history, or give the migrator a schema of its own: `Migrator::schema`");
    }
    let told = format!("format {}, owned by {}", shape.format, owner.name);
    if owner.is_superuser && !facts.superuser {
        let text = format!("{told}, a superuser: nobody else can bring it up to date");
        return line(Level::Warning, text)
            .next("as that superuser, run ALTER TABLE … OWNER TO the role that owns the schema, for each of its tables");
    }
    match (shape.format < FORMAT, owner.mine) {
        (true, true) => line(Level::Note, format!("{told}; the next run that writes brings it to {FORMAT}")),
        (true, false) => line(Level::Warning, format!("{told}; only its owner can bring it to {FORMAT}"))
            .next(format!("migrate once as {}", owner.name)),
        _ => line(Level::Good, told),
    }
}

fn lock(facts: &Facts) -> Line {
    let Some(holder) = &facts.sessions.holder else {
        return Line::new(Topic::Lock, Level::Good, "nobody holds the lock of a run");
    };
    let level = if holder.state.as_deref() == Some("active") { Level::Note } else { Level::Warning };
    let text = format!("{} holds the lock of a run", told(holder));
    let line = Line::new(Topic::Lock, level, text);
    match level {
        Level::Note => line.next("wait: it is at work"),
        _ => line.next(format!("if no run is under way there, run {}", end(holder))),
    }
}

/// `session 4711 (psql by alice, idle in transaction for 3 min)`
fn told(session: &Session) -> String {
    let state = session.state.as_deref().unwrap_or("unseen");
    let since = session.age.map(|age| format!(" for {}", span(age))).unwrap_or_default();
    format!("session {} ({}, {state}{since})", session.pid, session.who)
}

fn end(session: &Session) -> String {
    format!("SELECT pg_catalog.pg_terminate_backend({})", session.pid)
}

fn migrations(facts: &Facts) -> Vec<Line> {
    let line = |level, text: String| Line::new(Topic::Migrations, level, text);
    let status = match &facts.status {
        Ok(status) => status,
        // Whose it is is told there.
        Err(_) if facts.tracker.is_there() && !facts.tracker.is_ours() => {
            return vec![line(Level::Unseen, "the tracker is another tool's".to_owned())];
        }
        Err(why) => {
            return vec![
                line(Level::Problem, why.to_string()).next("mend that first; `status` tells more about it"),
            ];
        }
    };
    let mut lines = Vec::new();
    for entry in status.entries() {
        let next = match entry.stage() {
            Stage::Changed { .. } => {
                "give the file back its text, or accept the change: `Migrator::accept_changed`"
            }
            Stage::Missing => "deploy a program that has it, or forget it if it never should have been",
            Stage::Interrupted => "look at what it left, then mark it as applied or forget it",
            Stage::HalfDone => "migrate again: it goes on where it stopped",
            _ => continue,
        };
        let level = if *entry.stage() == Stage::HalfDone { Level::Warning } else { Level::Problem };
        lines.push(line(level, format!("{} is {}", entry.id(), word(entry.stage()))).next(next));
    }
    for drift in status.drift() {
        lines.push(line(Level::Problem, format!("drift: {drift}")).next(drift.advice()));
    }
    if status.log() == LogAccess::Denied {
        let text = "this login may not read the tracker's log: changes by hand stay unseen";
        lines.push(line(Level::Unseen, text.to_owned()));
    }
    let count =
        |wanted: &dyn Fn(&Stage) -> bool| status.entries().iter().filter(|e| wanted(e.stage())).count();
    let applied = count(&|stage| *stage == Stage::Applied);
    let pending = count(&Stage::is_pending);
    let level = if pending > 0 { Level::Note } else { Level::Good };
    lines.push(line(level, format!("{applied} applied, {pending} pending")));
    lines
}

/// The findings of the audit: indexes and constraints have topics of their own.
fn audit(facts: &Facts) -> Vec<Line> {
    let findings = match &facts.rules {
        Ok(findings) => findings,
        Err(why) => return vec![Line::new(Topic::Rules, Level::Unseen, why.clone())],
    };
    let mut lines: Vec<Line> = findings
        .iter()
        .map(|finding| {
            let topic = match finding.code() {
                "index-invalid" => Topic::Indexes,
                "constraint-not-valid" => Topic::Constraints,
                _ => Topic::Rules,
            };
            let text = format!("{} {}: {}", finding.object(), finding.what(), finding.why());
            let next = match finding.repair() {
                Repair::Statement(statement) => format!("run {statement}"),
                Repair::Choose(choice) => choice.clone(),
            };
            Line::new(topic, Level::Warning, text).next(next)
        })
        .collect();
    let good = [
        (Topic::Indexes, "all are valid"),
        (Topic::Constraints, "all are validated"),
        (Topic::Rules, "the audit found nothing else"),
    ];
    for (topic, text) in good {
        if lines.iter().all(|line| line.topic != topic) {
            lines.push(Line::new(topic, Level::Good, text));
        }
    }
    lines
}

fn transactions(facts: &Facts) -> Vec<Line> {
    let sessions = &facts.sessions;
    let line = |level, text: String| Line::new(Topic::Transactions, level, text);
    let mut lines = Vec::new();
    for (session, what) in &sessions.blocking {
        let text = format!("{} holds {what}", told(session));
        lines.push(line(Level::Warning, text).next(format!("let it end, or run {}", end(session))));
    }
    let is_told = |pid| sessions.blocking.iter().any(|(session, _)| session.pid == pid);
    for session in sessions.long.iter().filter(|session| !is_told(session.pid)) {
        let text = format!("{} keeps a transaction open", told(session));
        let next = format!(
            "let it end, or run {}: an index that is built CONCURRENTLY waits for it, and VACUUM keeps what it might see",
            end(session)
        );
        lines.push(line(Level::Warning, text).next(next));
    }
    for (name, age) in &sessions.prepared {
        let text = format!("transaction {name:?} is prepared for {} and holds its locks", span(*age));
        let name = Literal(name);
        lines.push(
            line(Level::Warning, text)
                .next(format!("run COMMIT PREPARED{0} or ROLLBACK PREPARED{0}", spaced(&name))),
        );
    }
    if sessions.unseen > 0 {
        let text = format!("{} sessions of other roles are not seen by this login", sessions.unseen);
        let next = format!("run GRANT pg_read_all_stats TO {}", Ident(&facts.login));
        lines.push(line(Level::Unseen, text).next(next));
    }
    if lines.is_empty() {
        lines.push(line(Level::Good, "none that a run would wait for".to_owned()));
    }
    lines
}

/// A literal behind a word; one with backslashes brings its space along.
fn spaced(literal: &Literal<'_>) -> String {
    format!(" {}", literal.to_string().trim_start())
}

fn environment(examination: &Examination, facts: &Facts) -> Line {
    let line = |level, text: String| Line::new(Topic::Environment, level, text);
    let (comment, said) = (facts.comment.as_deref(), examination.migrator.environment_name());
    match (facts.recorded(), comment, said) {
        (Some(recorded), Some(comment), _) if recorded != comment => {
            line(Level::Problem, format!("the tracker says {recorded}, and the database's comment {comment}"))
                .next("find out which it is, and correct the other")
        }
        (Some(recorded), _, Some(said)) | (None, Some(recorded), Some(said)) if recorded != said => {
            line(Level::Problem, format!("recorded as {recorded}, and this program says {said}"))
                .next("is it the right database? A run is refused")
        }
        (Some(recorded), ..) | (None, Some(recorded), _) => {
            line(Level::Good, format!("recorded as {recorded}"))
        }
        (None, None, Some(said)) => line(Level::Note, format!("not recorded; the next run records {said}")),
        (None, None, None) => {
            line(Level::Warning, "not recorded: nothing guards it as production".to_owned())
                .next("say what it is, once: `Migrator::environment`, or in the provision file")
        }
    }
}

fn backup(examination: &Examination, facts: &Facts) -> Line {
    let line = |level, text: String| Line::new(Topic::Backup, level, text);
    let next = "take one before you migrate, and see to it that one is taken regularly";
    match (&examination.backups, &facts.backup) {
        (Some((_, limit)), Some(Ok(Some(backup)))) => {
            let age = age(facts.now, backup.taken_at());
            let text = format!("{} is {} old", backup.path().display(), span(age));
            if age > *limit { line(Level::Warning, text).next(next) } else { line(Level::Good, text) }
        }
        (Some((backups, _)), Some(Ok(None))) => {
            let text = format!("there is none of {} in {}", facts.database, backups.folder().display());
            line(Level::Warning, text).next(next)
        }
        (_, Some(Err(why))) => line(Level::Unseen, why.clone()),
        _ => line(Level::Unseen, "no folder of backups was named".to_owned()),
    }
}

fn age(now: DateTime<Utc>, then: DateTime<Utc>) -> std::time::Duration {
    (now - then).to_std().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_without_fixes_is_told_by_the_servers_clock() {
        let level = |major, year, month| {
            let today = NaiveDate::from_ymd_opt(year, month, 20).expect("a date");
            server("x", major, today).level
        };
        assert_eq!(level(15, 2026, 11), Level::Good);
        assert_eq!(level(14, 2026, 11), Level::Warning);
        assert_eq!(level(14, 2026, 10), Level::Good);
        assert_eq!(level(12, 2026, 11), Level::Problem);
        assert_eq!(level(19, 2026, 11), Level::Note);
    }

    #[test]
    fn a_connection_that_can_be_read_on_the_way_is_told() {
        assert_eq!(connection(None, Some("10.0.0.5")).level, Level::Warning);
        assert_eq!(connection(None, Some("127.0.0.1")).level, Level::Note);
        assert_eq!(connection(None, None).level, Level::Good);
        assert_eq!(connection(Some("TLSv1.3"), Some("10.0.0.5")).text, "TLSv1.3 to 10.0.0.5");
    }
}
