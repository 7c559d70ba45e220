//! Backups and dumps of the schema, as several verbs take them.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::context::Context;
use super::failure::Failure;
use super::{file, paint};
use crate::backup::{Backup, Backups, Error, dump_schema_by};
use crate::migrator::Migrator;

/// The backups of the folder that is named, here or in the settings; none where nobody names one.
pub(crate) fn said(context: &Context, folder: Option<&Path>) -> Option<Backups> {
    let settings = &context.settings;
    let folder = folder.map(Path::to_owned).or_else(|| settings.path("backups"))?;
    let mut backups = Backups::new(folder);
    if let Some(days) = settings.count("keep-days") {
        backups = backups.keep_days(days);
    }
    if let Some(count) = settings.count("keep-newest") {
        backups = backups.keep_newest(usize::try_from(count).unwrap_or(usize::MAX));
    }
    if let Some(time) = settings.duration("lock-timeout") {
        backups = backups.lock_timeout(time);
    }
    if let Some(programs) = programs(context) {
        backups = backups.programs(programs);
    }
    Some(backups)
}

/// The folder of `pg_dump` and `pg_restore`, where one is named.
pub(crate) fn programs(context: &Context) -> Option<PathBuf> {
    let folder = context.settings.path("pg-bin")?;
    // The variable also names the server of tests, which may come without them.
    let by_variable = context.settings.by("pg-bin") == Some("HABITAT_PG_BIN");
    let has_them = || folder.join(format!("pg_dump{}", std::env::consts::EXE_SUFFIX)).exists();
    (!by_variable || has_them()).then_some(folder)
}

/// [`said`], for a verb that cannot do without.
pub(crate) fn needed(context: &Context, folder: Option<&Path>) -> Result<Backups, Failure> {
    said(context, folder).ok_or_else(|| {
        let next = "name it: --backups FOLDER, HABITAT_BACKUPS, or `folder` of [backup] in habitat.toml";
        Failure::usage("nobody says which folder backups are in", next)
    })
}

/// Takes a backup; also gives those that were removed behind it. It tells of files that should have gone, too.
pub(crate) fn take(context: &Context, backups: &Backups) -> Result<(Backup, Vec<Backup>), Failure> {
    let (mut client, connection) = context.login()?;
    let what = format!("taking a backup of {}", connection.database());
    let taken = context.during(&what, || backups.create_and_prune(&mut client, &connection))?;
    for error in &taken.left {
        warn("the backup is taken; an old file stays", error, "remove it, or let its owner do so");
    }
    Ok((taken.backup, taken.removed))
}

/// Says what is not as it should be although the verb comes to its end, also to whoever wants to be told of errors only.
pub(crate) fn warn(what: &str, error: &Error, next: &str) {
    let head = paint::paint(paint::TO_DO, "warning:");
    let _ = writeln!(anstream::stderr(), "{head} {what}: {error}\n = next: {next}");
}

/// Takes one before a run, unless that has nothing to do.
pub(crate) fn before(context: &Context, migrator: &Migrator) -> Result<Option<Backup>, Failure> {
    let backups = needed(context, None)?;
    if migrator.plan(&mut context.client()?)?.pending().len() == 0 {
        return Ok(None);
    }
    let taken = take(context, &backups);
    let (backup, _) =
        taken.map_err(|failure| failure.about("there is no backup, and nothing was applied"))?;
    context.tell(&format!("backed up {backup}: {}", backup.path().display()));
    Ok(Some(backup))
}

/// The schema as SQL.
pub(crate) fn schema(context: &Context) -> Result<String, Failure> {
    let (mut client, connection) = context.login()?;
    let what = format!("dumping the schema of {}", connection.database());
    let (programs, patience) = (programs(context), context.settings.duration("lock-timeout"));
    Ok(context.during(&what, || dump_schema_by(&mut client, &connection, programs, patience))?)
}

/// Writes the schema to a file, and tells whether that was another one before.
pub(crate) fn write_schema(context: &Context, path: &Path) -> Result<(String, Value), Failure> {
    let schema = schema(context)?;
    let changed = std::fs::read_to_string(path).ok().is_none_or(|before| before != schema);
    // A file that is not touched is no reason to build anything again.
    if changed {
        file::write(path, &schema)?;
    }
    let shown = path.display().to_string();
    let text = if changed { format!("wrote {shown}") } else { format!("{shown} is the schema already") };
    Ok((text, json!({ "file": shown, "changed": changed })))
}
