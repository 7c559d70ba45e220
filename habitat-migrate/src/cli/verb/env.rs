//! `env`: what kind of database this is.

use habitat_migrate_catalog::nearest;
use serde_json::json;

use super::{Run, down};
use crate::cli::answer::Answer;
use crate::cli::context::{Context, confirmation};
use crate::cli::failure::Failure;
use crate::provision::Kind as Known;

#[derive(clap::Args, Debug)]
pub(crate) struct Env {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// What is recorded
    Show,
    /// Records it, once and for all
    Set {
        /// production, staging, development, test, or a name of your own
        name: String,
    },
}

impl Run for Env {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let migrator = context.migrator()?;
        let mut client = context.client()?;
        if let Kind::Set { name } = &self.kind {
            let history = migrator.history(&mut client)?;
            if history.environment().is_none() {
                let database = down::database(&mut client)?;
                sure(context, name, &database)?;
            }
            let migrator = migrator.environment(name);
            migrator.record_environment(&mut client)?;
            return Ok(Answer::new(
                format!("this database is recorded as {name}"),
                json!({ "environment": name }),
            ));
        }
        let history = migrator.history(&mut client)?;
        let environment = history.environment();
        let text = environment.unwrap_or("no environment is recorded: `env set NAME` does").to_owned();
        Ok(Answer::new(text, json!({ "environment": environment })))
    }
}

/// Asks before something is recorded for good, and a second time where the name is not the one that safeguards know.
fn sure(context: &Context, name: &str, database: &str) -> Result<(), Failure> {
    let what = format!("record {name}, once and for all,");
    let Some(meant) = meant(name) else { return context.confirm(&what, database, None).map(drop) };
    let why = format!("`{name}` is not `{meant}`: what guards or serves {meant} passes such a database by");
    let about =
        format!("about to {what}\nalthough `{name}` is not `{meant}`: what guards {meant} passes it by");
    let next = format!("`env set {meant}`; or, if it is {name} all the same: {}", confirmation(database));
    context.named(&why, &about, database, &next).map(drop)
}

/// The environment that somebody may have had in mind who wrote another name.
fn meant(name: &str) -> Option<&'static str> {
    let word = name.trim().to_lowercase();
    let known = Known::ALL.iter().map(|kind| kind.as_str());
    if known.clone().any(|known| known == name) {
        return None;
    }
    if word.contains("prod") || ["live", "prd"].contains(&word.as_str()) {
        return Some(Known::Production.as_str());
    }
    if ["stage", "stg"].contains(&word.as_str()) {
        return Some(Known::Staging.as_str());
    }
    let short = |known: &&str| word.len() >= 3 && known.starts_with(&word);
    known.clone().find(short).or_else(|| nearest(&word, known))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_name_that_is_nearly_one_of_the_four_is_asked_back() {
        for (name, known) in [
            ("prod", "production"),
            ("Production", "production"),
            ("prodction", "production"),
            ("production-eu", "production"),
            ("live", "production"),
            ("prd", "production"),
            ("stage", "staging"),
            ("dev", "development"),
            ("Test", "test"),
            ("tst", "test"),
        ] {
            assert_eq!(meant(name), Some(known), "{name}");
        }
        for name in ["production", "staging", "development", "test", "demo", "training", "de", ""] {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
