//! `doctor`: what would keep the database from being migrated, or from being well.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Run, provision};
use crate::checklist::{self, Checklist};
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, for_the_command};
use crate::cli::{backups, json, terminal};
use crate::doctor::{Diagnosis, Examination, examine};
use crate::provision::Cluster;

#[derive(clap::Args, Debug)]
pub(crate) struct Doctor {
    /// Go through the checklist for production, too: what the provision file declares, tried on the server
    #[arg(long)]
    checklist: bool,
}

impl Run for Doctor {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let mut diagnosis = examine(&mut context.client()?, &examination(context)?)?;
        if self.checklist {
            let connector = context.connector()?;
            diagnosis =
                diagnosis.with_checklist(checklist(context)?.run(&Cluster::connector_blocking(&connector))?);
        }
        let exit = if diagnosis.is_healthy() { Exit::Done } else { Exit::Pending };
        let text = for_the_command(&diagnosis.to_text(terminal::columns()));
        Ok(Answer::new(text, value(&diagnosis)).with_exit(exit))
    }
}

/// What the database is examined for.
pub(super) fn examination(context: &Context) -> Result<Examination, Failure> {
    let examination = Examination::new(context.migrator()?);
    Ok(match backups::said(context, None) {
        Some(backups) => examination.backups(backups, age(context)),
        None => examination,
    })
}

/// How old the newest backup may be.
fn age(context: &Context) -> Duration {
    let hours = context.settings.count("backup-hours").unwrap_or(24);
    Duration::from_secs(u64::from(hours) * 3600)
}

/// The checklist, by the settings.
fn checklist(context: &Context) -> Result<Checklist, Failure> {
    let settings = &context.settings;
    let mut list = Checklist::new(provision::declared(context)?, context.migrator()?);
    for name in settings.list("checklist-extensions") {
        list = list.extension(name);
    }
    for path in settings.paths("checklist-files") {
        list = list.connection_file(path);
    }
    for finding in settings.list("checklist-accept") {
        let Some((code, object)) = finding.split_once('=') else {
            let by = settings.by("checklist-accept").unwrap_or_default();
            let next = "write CODE=OBJECT, as in policy-missing=people.members";
            return Err(Failure::usage(format!("{by}: `{finding}` names no object"), next));
        };
        list = list.accept(code, object);
    }
    if settings.get("checklist-replica") == Some("required") {
        list = list.replica();
    }
    Ok(match backups::said(context, None) {
        Some(backups) => list.backups(backups, age(context)),
        None => list,
    })
}

fn value(diagnosis: &Diagnosis) -> Value {
    let line = |line: &crate::doctor::Line| {
        json!({
            "topic": line.topic().to_string(),
            "level": json::kebab(&format!("{:?}", line.level())),
            "seen": line.text(),
            "next": line.advice().map(json::advice),
        })
    };
    let ticked = |line: &checklist::Line| {
        json!({
            "topic": line.topic().to_string(),
            "verdict": json::kebab(&format!("{:?}", line.verdict())),
            "reasons": line.reasons(),
        })
    };
    json!({
        "healthy": diagnosis.is_healthy(),
        "lines": diagnosis.lines().iter().map(line).collect::<Value>(),
        "checklist": diagnosis.checklist().map(|list| list.lines().iter().map(ticked).collect::<Value>()),
    })
}
