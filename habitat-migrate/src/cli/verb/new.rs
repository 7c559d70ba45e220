//! `new`: the files of a new migration.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::Run;
use crate::cli::answer::Answer;
use crate::cli::context::Context;
use crate::cli::failure::Failure;
use crate::cli::numbering::{Names, Style, next_number};
use crate::cli::{catalog, paint, place};
use habitat_migrate_catalog::{Layout, Loader, Scripts};

#[derive(clap::Args, Debug)]
pub(crate) struct New {
    /// What it does, in a word or two: create_users
    #[arg(required = true, num_args = 1..)]
    name: Vec<String>,
    /// The context that it belongs to, where there are several
    #[arg(long, short)]
    context: Option<String>,
    /// Number it by the time, whatever the others are numbered by
    #[arg(long, short, visible_alias = "format-timestamp")]
    timestamp: bool,
    /// With a script that takes it back, as sqlx has it: it is there without saying so
    #[arg(long, short, conflicts_with = "no_down")]
    reversible: bool,
    /// Without a script that takes it back
    #[arg(long)]
    no_down: bool,
    /// Without a script that verifies it
    #[arg(long)]
    no_verify: bool,
}

impl Run for New {
    fn run(&self, context: &mut Context) -> Result<Answer, Failure> {
        let name = slug(&self.name.join("_"))?;
        let folders = if context.is_embedded() && context.settings.folders.is_empty() {
            place::of_program(&context.catalog()?)
        } else {
            catalog::folders(&context.settings)
        };
        let place = place::choose(&folders, self.context.as_deref())?;
        let names = Names::read(&place.folder)?;
        let layout = context.settings.layout().unwrap_or_else(|| names.layout());
        let style = match (self.timestamp, layout) {
            (true, _) | (_, Layout::Diesel) => Style::Time,
            _ => names.style(),
        };
        let number = next_number(&names, style, DateTime::<Utc>::from(SystemTime::now()));
        let files = self.files(layout, &number, &name);
        refuse_what_cannot_be_loaded(layout, &files)?;

        let paths: Vec<PathBuf> = files.iter().map(|file| place.folder.join(&file.name)).collect();
        if let Some(there) = paths.iter().find(|path| path.exists()) {
            return Err(Failure::usage(format!("{} is there already", there.display()), "take another name"));
        }
        for (path, file) in paths.iter().zip(&files) {
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).map_err(|error| Failure::unwritten("create", folder, &error))?;
            }
            fs::write(path, &file.text).map_err(|error| Failure::unwritten("write", path, &error))?;
        }
        let shown: Vec<String> = paths.iter().map(|path| path.to_string_lossy().into_owned()).collect();
        let lines: String =
            shown.iter().map(|path| format!("{} {path}\n", paint::paint(paint::GOOD, "created"))).collect();
        let what = if files.len() > 1 { "fill them in, or delete what is not needed" } else { "fill it in" };
        let text = format!("{lines}next: {what}; then `check`, and `up`");
        Ok(Answer::new(
            text,
            json!({ "context": place.context, "files": shown.iter().map(|s| json!(s)).collect::<Value>() }),
        ))
    }
}

/// A file to be written.
struct File {
    name: String,
    text: String,
    /// A statement that would stand where the comment says.
    stand_in: &'static str,
}

impl New {
    fn has_down(&self) -> bool {
        self.reversible || !self.no_down
    }

    fn files(&self, layout: Layout, number: &str, name: &str) -> Vec<File> {
        let up = "-- What it changes, for example:\n-- CREATE TABLE …\n";
        let down = "-- What takes it back, for example:\n-- DROP TABLE …\n";
        let verify = "-- What proves that it did what it is for: each statement must return rows, the first column true.\n-- SELECT …\n";
        let file = |name: String, text: &str, stand_in| File { name, text: text.to_owned(), stand_in };
        let stem = match layout {
            Layout::Refinery | Layout::Flyway => format!("V{number}__{name}"),
            _ => format!("{number}_{name}"),
        };
        let sections = |up_mark: &str, down_mark: &str| {
            let down = if self.has_down() { format!("\n{down_mark}\n{down}") } else { String::new() };
            format!("{up_mark}\n{up}{down}")
        };
        let mut files = match layout {
            Layout::Dbmate => {
                vec![file(format!("{stem}.sql"), &sections("-- migrate:up", "-- migrate:down"), SECTIONS[0])]
            }
            Layout::Goose => {
                vec![file(format!("{stem}.sql"), &sections("-- +goose Up", "-- +goose Down"), SECTIONS[1])]
            }
            Layout::Diesel => {
                // Diesel writes its numbers with dashes.
                let (day, time) = number.split_at(8);
                let stem = format!("{}-{}-{}-{time}_{name}", &day[..4], &day[4..6], &day[6..]);
                let mut files = vec![file(format!("{stem}/up.sql"), up, "SELECT 1;")];
                if self.has_down() {
                    files.push(file(format!("{stem}/down.sql"), down, "SELECT 1;"));
                }
                if !self.no_verify {
                    files.push(file(format!("{stem}/verify.sql"), verify, "SELECT true;"));
                }
                return files;
            }
            Layout::Sqlx | Layout::GolangMigrate => vec![file(format!("{stem}.up.sql"), up, "SELECT 1;")],
            _ => {
                let head = format!("-- habitat: description {}\n", name.replace('_', " "));
                vec![file(format!("{stem}.sql"), &format!("{head}\n{up}"), "SELECT 1;")]
            }
        };
        if self.has_down() && !matches!(layout, Layout::Dbmate | Layout::Goose) {
            let name = if layout == Layout::Flyway {
                format!("U{}.sql", &stem[1..])
            } else {
                format!("{stem}.down.sql")
            };
            files.push(file(name, down, "SELECT 1;"));
        }
        if !self.no_verify {
            files.push(file(format!("{stem}.verify.sql"), verify, "SELECT true;"));
        }
        files
    }
}

const SECTIONS: [&str; 2] = [
    "-- migrate:up\nSELECT 1;\n-- migrate:down\nSELECT 1;\n",
    "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n",
];

/// A name as it stands in a file's name: `Create users` is `create_users`.
fn slug(name: &str) -> Result<String, Failure> {
    let name = name.trim().to_lowercase().replace([' ', '-'], "_");
    let name = name.trim_end_matches(".sql");
    let odd = name.chars().find(|c| !c.is_alphanumeric() && *c != '_');
    match odd {
        None if !name.trim_matches('_').is_empty() => Ok(name.trim_matches('_').to_owned()),
        None => Err(Failure::usage("the migration has no name", "say what it does: new create_users")),
        Some(c) => Err(Failure::usage(
            format!("a migration's name has letters, digits and `_`: {name:?} has {c:?}"),
            "leave it out; the folder is named by --source, the context by --context",
        )),
    }
}

/// Lets the loader judge the names, with a statement where the user's will stand.
fn refuse_what_cannot_be_loaded(layout: Layout, files: &[File]) -> Result<(), Failure> {
    let scripts = files.iter().map(|file| (file.name.clone(), file.stand_in));
    let source = Scripts::new("new", scripts).in_layout(layout);
    Ok(Loader::new().source(source).load().map(drop)?)
}
