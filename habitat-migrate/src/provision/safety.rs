//! What an environment allows. Pure.

use std::collections::BTreeSet;

use super::declaration::{Declaration, Kind};
use super::live::{Live, Recorded};
use super::step::{Place, Plan};
use crate::sql::Ident;

/// Why a database is not treated as what the declaration says that it is; none where nothing stands against it.
///
/// What the database itself says counts, whatever the caller says.
pub(crate) fn contradictions(
    declaration: &Declaration,
    live: &Live,
    recreate: &BTreeSet<String>,
) -> Vec<String> {
    let kind = declaration.environment.kind;
    let mut reasons = Vec::new();
    for database in &declaration.databases {
        let name = &database.name;
        let Some(found) = live.databases.get(name) else { continue };
        let mut unreadable = Vec::new();
        let mut records: Vec<(&str, String)> = Vec::new();
        records.extend(found.recorded().map(|word| (word, "its comment".to_owned())));
        for (schema, recorded) in found.contents.iter().flat_map(|contents| &contents.environments) {
            match recorded {
                Recorded::As(word) => records.push((word, format!("the tracker in schema {schema}"))),
                Recorded::Unreadable => unreadable.push(schema),
                Recorded::Nothing => {}
            }
        }
        // A name of one's own may have been recorded by migrations; a kind's word means that kind.
        let own = |word: &str| Kind::from_word(word).is_none() && word == declaration.environment.name;
        for (word, by) in records.iter().filter(|(word, _)| *word != kind.as_str() && !own(word)) {
            reasons.push(format!(
                "database {name} is recorded as {word} by {by}, and is not treated as {kind}: name the right environment"
            ));
        }
        if !recreate.contains(name) {
            continue;
        }
        if kind != Kind::Test {
            reasons.push(format!("database {name} is {kind}: only a test database is dropped"));
        }
        if records.is_empty() || records.iter().any(|(word, _)| own(word)) {
            reasons.push(format!(
                "database {name} is not recorded as test, so it is not dropped: provision it as test first, without dropping it"
            ));
        }
        reasons.extend(unreadable.iter().map(|schema| {
            let who = Ident(&live.administrator.name);
            format!(
                "the tracker in schema {schema} of database {name} cannot be read, so the database is not dropped: let its owner run `GRANT USAGE ON SCHEMA {} TO {who}`",
                Ident(schema)
            )
        }));
    }
    let known = |name: &String| declaration.databases.iter().any(|database| database.name == *name);
    for name in recreate.iter().filter(|name| !known(name)) {
        reasons.push(format!("database {name} is not declared, so it is not dropped"));
    }
    reasons
}

/// The databases whose names are still to be given before a plan is carried out.
pub(crate) fn unconfirmed(
    declaration: &Declaration,
    plan: &Plan,
    confirmed: &BTreeSet<String>,
) -> Vec<String> {
    if !declaration.environment.kind.wants_confirmation() || plan.is_empty() {
        return Vec::new();
    }
    // What is about the server is about all of its databases.
    let server = plan.steps.iter().any(|step| !matches!(step.place, Place::Within(_)));
    let touched = |name: &String| plan.steps.iter().any(|step| step.place == Place::Within(name.clone()));
    let names = declaration.databases.iter().map(|database| &database.name);
    names.filter(|name| (server || touched(name)) && !confirmed.contains(*name)).cloned().collect()
}
