//! The judgement: each line of a checklist out of what was read. Pure.

use std::collections::HashMap;

use super::facts::Facts;
use super::{Checklist, Line, Topic, Verdict};
use crate::provision::{Declaration, FindingKind, Rules};

/// The rules that follow from a declaration.
pub(super) fn rules(declaration: &Declaration) -> Rules {
    let mut rules = Rules::new();
    let Some(database) = declaration.databases().first() else { return rules };
    let mut owners: Vec<&str> = database.declared_owner().into_iter().collect();
    for schema in database.schemas() {
        rules = rules.schema(schema.name());
        owners.extend(schema.declared_owner());
        owners.extend(schema.declared_objects_owner());
    }
    if let Some(owner) = owners.first() {
        rules = rules.owner(*owner);
    }
    for role in declaration.roles().iter().filter(|role| role.can_login() && !owners.contains(&role.name())) {
        rules = rules.application_role(role.name());
    }
    rules
}

pub(super) fn all(list: &Checklist, facts: &Facts) -> Vec<Line> {
    vec![
        version(facts),
        passwords(facts),
        declared(facts, Topic::Ownership, &OWNERSHIP, &["owner-superuser"], "as declared"),
        extensions(list, facts),
        order(list, facts),
        declared(facts, Topic::Roles, &ROLES, &ROLE_RULES, "as declared"),
        row_security(list, facts),
        materialized_views(facts),
        tracker(facts),
        rules_left(facts),
        backup(list, facts),
        files(facts),
        replica(list, facts),
        unseen(Topic::Monitoring),
        unseen(Topic::Firewall),
    ]
}

const OWNERSHIP: [FindingKind; 5] = [
    FindingKind::MissingDatabase,
    FindingKind::DatabaseAttribute,
    FindingKind::Environment,
    FindingKind::MissingSchema,
    FindingKind::WrongOwner,
];

const ROLES: [FindingKind; 8] = [
    FindingKind::MissingRole,
    FindingKind::RoleAttribute,
    FindingKind::Membership,
    FindingKind::SurplusMembership,
    FindingKind::Setting,
    FindingKind::MissingGrant,
    FindingKind::SurplusGrant,
    FindingKind::DefaultPrivilege,
];

const ROLE_RULES: [&str; 10] = [
    "role-missing",
    "role-superuser",
    "role-bypassrls",
    "role-createrole",
    "role-createdb",
    "role-replication",
    "role-member",
    "owner-application",
    "public-create",
    "public-connect",
];

const ROW_RULES: [&str; 3] = ["rls-off", "rls-not-forced", "policy-missing"];

/// Ticked with what was seen where nothing is wrong, else open with all that is.
fn line(topic: Topic, wrong: Vec<String>, seen: impl Into<String>) -> Line {
    match wrong.is_empty() {
        true => Line { topic, verdict: Verdict::Met, reasons: vec![seen.into()] },
        false => Line { topic, verdict: Verdict::Unmet, reasons: wrong },
    }
}

fn with(topic: Topic, verdict: Verdict, reason: impl Into<String>) -> Line {
    Line { topic, verdict, reasons: vec![reason.into()] }
}

fn unseen(topic: Topic) -> Line {
    with(topic, Verdict::Unseen, "not seen from here: look at it yourself")
}

fn version(facts: &Facts) -> Line {
    let old = facts.version_number < 140_000;
    let wrong = old.then(|| format!("it is {}: upgrade the server", facts.version)).into_iter().collect();
    line(Topic::Version, wrong, &facts.version)
}

fn passwords(facts: &Facts) -> Line {
    let Some(without) = &facts.without_verifier else {
        return with(Topic::Passwords, Verdict::Unseen, "this login may not see them: look as a superuser");
    };
    let told = |role: &String| {
        format!("{role} has none that is kept as a SCRAM verifier: set it with `set_passwords`")
    };
    line(Topic::Passwords, without.iter().map(told).collect(), "each a SCRAM verifier")
}

/// What the audits found of these kinds and codes.
fn found(facts: &Facts, kinds: &[FindingKind], codes: &[&str]) -> Vec<String> {
    let declared = facts.findings.iter().filter(|finding| kinds.contains(&finding.kind()));
    let mut wrong: Vec<String> = declared.map(ToString::to_string).collect();
    match &facts.rules {
        Ok(rules) => {
            let broken = rules.iter().filter(|finding| codes.contains(&finding.code()));
            wrong.extend(
                broken.map(|finding| format!("{}: {} {}", finding.code(), finding.object(), finding.what())),
            );
        }
        Err(why) if !codes.is_empty() => wrong.push(format!("the rules could not be held to it: {why}")),
        Err(_) => {}
    }
    wrong
}

fn declared(facts: &Facts, topic: Topic, kinds: &[FindingKind], codes: &[&str], seen: &str) -> Line {
    line(topic, found(facts, kinds, codes), seen)
}

fn extensions(list: &Checklist, facts: &Facts) -> Line {
    let database = list.provision.declaration().databases().first();
    let declared =
        database.map(|database| database.extensions()).unwrap_or_default().iter().map(|e| e.name());
    let wanted: Vec<&str> = declared.chain(list.extensions.iter().map(String::as_str)).collect();
    let missing = wanted.iter().filter(|name| !facts.extensions.iter().any(|there| there == *name));
    let wrong = missing.map(|name| format!("{name} is missing: CREATE EXTENSION \"{name}\"")).collect();
    match wanted.is_empty() {
        true => with(Topic::Extensions, Verdict::Unneeded, "none declared"),
        false => line(Topic::Extensions, wrong, wanted.join(", ")),
    }
}

fn order(list: &Checklist, facts: &Facts) -> Line {
    let status = match &facts.status {
        Ok(status) => status,
        Err(why) => return with(Topic::Order, Verdict::Unmet, why.clone()),
    };
    let applied = status.entries().iter().filter(|entry| entry.record().is_some());
    let places: HashMap<String, usize> =
        applied.enumerate().map(|(place, entry)| (entry.id().to_string(), place)).collect();
    let mut wrong = Vec::new();
    for migration in list.migrator.catalog().migrations() {
        let Some(place) = places.get(&migration.id().to_string()) else { continue };
        for required in migration.requires() {
            if places.get(&required.to_string()).is_none_or(|before| before > place) {
                wrong.push(format!("{} was applied before {required}, which it requires", migration.id()));
            }
        }
    }
    let seen = format!("{} migrations, each behind what it requires", places.len());
    if places.is_empty() {
        wrong.push("no migration is applied".to_owned())
    }
    line(Topic::Order, wrong, seen)
}

fn row_security(list: &Checklist, facts: &Facts) -> Line {
    let declared = list.provision.declaration().databases().first().map_or(0, |d| d.row_security().len());
    let mut wrong = found(facts, &[FindingKind::RowSecurity], &ROW_RULES);
    if declared == 0 && wrong.is_empty() {
        return with(Topic::RowSecurity, Verdict::Unneeded, "none declared");
    }
    let tried = match &list.probes {
        Some(probes) => {
            wrong.extend(probes.surprises().map(|result| {
                format!(
                    "not as expected: {} tries `{}`: {:?}",
                    result.role(),
                    result.attempt(),
                    result.outcome()
                )
            }));
            format!("{} attempts as expected", probes.results().len())
        }
        None => "not tried: give it the report of the probes".to_owned(),
    };
    line(Topic::RowSecurity, wrong, format!("declared {declared} times, on and forced as declared; {tried}"))
}

fn materialized_views(facts: &Facts) -> Line {
    match facts.materialized_views {
        0 => with(Topic::MaterializedViews, Verdict::Unneeded, "there are none"),
        count => declared(facts, Topic::MaterializedViews, &[], &["matview-empty"], &format!("all {count}")),
    }
}

fn tracker(facts: &Facts) -> Line {
    let status = match &facts.status {
        Ok(status) => status,
        Err(why) => return with(Topic::Tracker, Verdict::Unmet, why.clone()),
    };
    let mut wrong: Vec<String> = status.drift().iter().map(ToString::to_string).collect();
    let applied = status.entries().iter().filter(|entry| entry.record().is_some()).count();
    if applied == 0 {
        wrong.push("it is empty: migrate".to_owned());
    } else if !status.is_current() {
        wrong.push("it is not what the program has: look at the status, and migrate".to_owned());
    }
    let environment = status.environment().unwrap_or("not recorded");
    line(
        Topic::Tracker,
        wrong,
        format!("{applied} migrations, equal to the program's; environment {environment}"),
    )
}

fn rules_left(facts: &Facts) -> Line {
    let told: Vec<&str> =
        ROLE_RULES.iter().chain(&ROW_RULES).chain(&["owner-superuser", "matview-empty"]).copied().collect();
    match &facts.rules {
        Err(why) => with(Topic::Rules, Verdict::Unmet, why.clone()),
        Ok(rules) => {
            let left = rules.iter().filter(|finding| !told.contains(&finding.code()));
            let wrong = left.map(|f| format!("{}: {} {}", f.code(), f.object(), f.what())).collect();
            line(Topic::Rules, wrong, "nothing found")
        }
    }
}

fn backup(list: &Checklist, facts: &Facts) -> Line {
    let (Some((backups, age)), Some(newest)) = (&list.backups, &facts.newest_backup) else {
        return with(Topic::Backup, Verdict::Unseen, "nobody said where backups are");
    };
    let database = list.database().unwrap_or_default();
    match newest {
        Err(why) => with(Topic::Backup, Verdict::Unmet, why.clone()),
        Ok(None) => {
            let why = format!("there is none of {database} in {}", backups.folder().display());
            with(Topic::Backup, Verdict::Unmet, why)
        }
        Ok(Some(backup)) => {
            let old = (facts.now - backup.taken_at()).to_std().is_ok_and(|passed| passed > *age);
            let wrong = old.then(|| format!("the newest is too old: {backup}")).into_iter().collect();
            line(Topic::Backup, wrong, backup.to_string())
        }
    }
}

fn files(facts: &Facts) -> Line {
    if facts.files.is_empty() {
        return with(Topic::ConnectionFiles, Verdict::Unseen, "nobody said where they are");
    }
    let wrong = facts.files.iter().filter_map(|(path, wrong)| Some(format!("{path} {}", wrong.as_ref()?)));
    let count = facts.files.len();
    line(Topic::ConnectionFiles, wrong.collect(), format!("{count}, readable by nobody but their owner"))
}

fn replica(list: &Checklist, facts: &Facts) -> Line {
    match (list.replica, facts.replicas) {
        (false, _) => with(Topic::Replica, Verdict::Unneeded, "not declared"),
        (true, None) => {
            with(Topic::Replica, Verdict::Unseen, "this login may not see it: look as a superuser")
        }
        (true, Some(0)) => with(Topic::Replica, Verdict::Unmet, "none follows this server"),
        (true, Some(count)) => with(Topic::Replica, Verdict::Met, format!("{count} streaming")),
    }
}
