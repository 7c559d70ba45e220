//! `provision`: what has to exist before migrations run.

use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::{Context, confirmation, typed};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::{json, paint, terminal};
use crate::provision::{self, Cluster, Finding, Plan};

#[derive(clap::Args, Debug)]
pub(crate) struct Provision {
    #[command(subcommand)]
    kind: Kind,
    /// The database from which others are created
    #[arg(long, global = true, default_value = "postgres", value_name = "DATABASE")]
    maintenance: String,
}

#[derive(clap::Subcommand, Debug)]
enum Kind {
    /// What would be done, as a script for psql
    Plan,
    /// Makes the server what is declared
    Apply,
    /// What is not as declared; exit code 3 if anything is
    Audit,
}

impl Run for Provision {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let mut wanted = declared(context)?;
        if let Some(time) = context.settings.duration("lock-wait") {
            wanted = wanted.lock_wait(time);
        }
        if let Some(time) = context.settings.duration("lock-timeout") {
            wanted = wanted.lock_timeout(time);
        }
        for name in context.confirmed() {
            wanted = wanted.confirm(name);
        }
        let connector = context.connector()?;
        let cluster = Cluster::connector_blocking(&connector).maintenance(&self.maintenance);
        match self.kind {
            Kind::Plan => {
                let plan = wanted.plan(&cluster)?;
                Ok(match plan.is_empty() {
                    true => Answer::new("nothing to do", steps(&plan)),
                    false => Answer::exact(plan.to_string(), steps(&plan)),
                })
            }
            Kind::Apply => {
                meant(context, &wanted)?;
                let plan = match wanted.apply(&cluster) {
                    Err(error) if error.kind() == provision::ErrorKind::Unconfirmed => {
                        let wanted = asked(context, wanted, error.unconfirmed())?;
                        wanted.apply(&cluster)?
                    }
                    outcome => outcome?,
                };
                let done = plan.steps().len();
                let mark = paint::paint(paint::GOOD, "✓");
                let text = match done {
                    0 => format!("{mark} nothing to do"),
                    1 => format!("{mark} 1 step done"),
                    _ => format!("{mark} {done} steps done"),
                };
                Ok(Answer::new(text, steps(&plan)))
            }
            Kind::Audit => Ok(audit(&wanted.audit(&cluster)?)),
        }
    }
}

/// What the provision file declares for the environment.
pub(super) fn declared(context: &Context) -> Result<provision::Provision, Failure> {
    let path = context.settings.path("provision").unwrap_or_else(|| "provision.toml".into());
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::unreadable(&path, &error)
            .and_next("declare there what has to exist, or name the file: --provision FILE")
    })?;
    let Some(environment) = context.settings.get("environment") else {
        let next = "name it: --environment test, HABITAT_ENVIRONMENT, or `environment` in habitat.toml";
        return Err(Failure::usage("nobody says which environment is declared", next));
    };
    Ok(provision::Provision::from_toml(path.to_string_lossy(), text, environment)?)
}

/// Refuses names in confirmation that are none of a declared database: another server was meant, or another file.
fn meant(context: &Context, wanted: &provision::Provision) -> Result<(), Failure> {
    let names: Vec<&str> = wanted.declaration().databases().iter().map(|database| database.name()).collect();
    match context.confirmed().iter().find(|name| !names.contains(&name.as_str())) {
        None => Ok(()),
        Some(other) => Err(Failure::refused(
            format!("--confirm names {other:?}, which is none of the declared databases; nothing was done"),
            format!("the databases that are declared are: {}", names.join(", ")),
        )),
    }
}

/// Lets a person type the names of the databases that the plan changes and nobody has confirmed.
fn asked(
    context: &Context,
    mut wanted: provision::Provision,
    names: &[String],
) -> Result<provision::Provision, Failure> {
    let kind = wanted.declaration().environment().kind();
    let flags: Vec<String> = names.iter().map(|name| confirmation(name)).collect();
    let next = format!("look at what `provision plan` says, and confirm it by the name: {}", flags.join(" "));
    if context.says_yes() || !terminal::is_interactive() {
        let enough = if context.says_yes() { "; --yes is not enough there" } else { "" };
        let changed = names.join(" and ");
        return Err(Failure::refused(
            format!("this changes {changed}, in {kind}{enough}; nothing was done"),
            next,
        ));
    }
    for name in names {
        typed(&format!("about to change {name}, in {}", kind.as_str().to_uppercase()), name, &next)?;
        wanted = wanted.confirm(name);
    }
    Ok(wanted)
}

fn steps(plan: &Plan) -> Value {
    json!({
        "steps": plan.steps().iter().map(json::provision_step).collect::<Value>(),
        "remains": plan.remains().iter().map(finding).collect::<Value>(),
    })
}

fn audit(findings: &[Finding]) -> Answer {
    let mut text = String::new();
    for finding in findings {
        text.push_str(&format!("{} {finding}\n", paint::paint(paint::TO_DO, "finding:")));
        if let Some(sql) = finding.suggestion() {
            text.push_str(&paint::paint(paint::FAINT, &format!("  {}", sql.replace('\n', "\n  "))));
            text.push('\n');
        }
    }
    text.push_str(&match findings.len() {
        0 => format!("{} the server is what is declared", paint::paint(paint::GOOD, "✓")),
        count => format!("{count} found"),
    });
    let exit = if findings.is_empty() { Exit::Done } else { Exit::Pending };
    Answer::new(text, json!({ "findings": findings.iter().map(finding).collect::<Value>() })).with_exit(exit)
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": json::kebab(&format!("{:?}", finding.kind())),
        "database": finding.database(),
        "subject": finding.subject(),
        "message": finding.message(),
        "suggestion": finding.suggestion(),
    })
}
