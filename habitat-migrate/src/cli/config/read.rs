//! `habitat.toml`, read with the place of every mistake.

use std::path::Path;

use habitat_migrate_catalog::{Problem, Problems};
use toml::de::{DeTable, DeValue};

use super::key::{KEYS, Key, Kind, SECTIONS};
use super::{FolderOf, Said, Settings, relative};
use crate::cli::failure::Failure;
use crate::provision::reader::{Node, Reader, get};

/// Reads the file; `environment` says which environment counts, given what the file says.
pub(super) fn file(
    path: &Path,
    environment: impl FnOnce(Option<String>) -> Option<String>,
) -> Result<Settings, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::unreadable(path, &error))?;
    let name = shown(path);
    let folder = path.parent().unwrap_or(Path::new(""));
    let settings = settings(&name, &text, folder, environment)?;
    Ok(settings)
}

/// The path as messages name it: from the working folder, where it is below.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).to_string_lossy().into_owned()
}

fn settings(
    name: &str,
    text: &str,
    folder: &Path,
    environment: impl FnOnce(Option<String>) -> Option<String>,
) -> Result<Settings, Problems> {
    let (mut reader, document) = Reader::parse(name, text);
    if let Some(problems) = Problems::new(std::mem::take(&mut reader.problems)) {
        return Err(problems);
    }
    let document = &document;
    let mut settings = Settings::default();
    let own = ["folders", "contexts", "environments"];
    section(&mut reader, document, "the configuration", &own, &mut settings);
    folders(&mut reader, document, folder, &mut settings);
    let chosen = environment(settings.get("environment").map(str::to_owned));
    environments(&mut reader, document, chosen.as_deref(), &mut settings);
    match Problems::new(reader.problems) {
        Some(problems) => Err(problems),
        None => Ok(settings),
    }
}

/// The settings of the file itself, or of an environment, which may have all of them but `own`.
fn section<'t>(
    reader: &mut Reader<'t>,
    table: &DeTable<'t>,
    what: &str,
    own: &[&str],
    settings: &mut Settings,
) {
    let names = |section: &str| {
        let section = section.to_owned();
        KEYS.iter().filter(move |key| key.section == section).map(|key| key.name)
    };
    let known: Vec<&str> =
        names("").chain(own.iter().copied()).chain(SECTIONS).chain(["placeholders"]).collect();
    reader.keys(table, what, &known);
    values(reader, table, "", settings);
    for section in SECTIONS {
        if let Some(node) = get(table, section) {
            let known: Vec<&str> = names(section).collect();
            if let Some(table) = reader.table(node, section, &known) {
                values(reader, table, section, settings);
            }
        }
    }
    if let Some(node) = get(table, "placeholders") {
        let help = || "write `placeholders = { name = \"…\" }`";
        let Some(values) = reader.items(node, "`placeholders`", help) else { return };
        for (name, node) in values {
            let name = name.get_ref().as_ref();
            if let Some(value) = reader.text(node, name) {
                settings.placeholders.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

fn values<'t>(reader: &mut Reader<'t>, table: &DeTable<'t>, section: &str, settings: &mut Settings) {
    for key in KEYS.iter().filter(|key: &&Key| key.section == section) {
        let Some(node) = get(table, key.name) else { continue };
        let Some(value) = value(reader, key, node) else { continue };
        match key.check(&value) {
            Ok(()) => {
                let by = Problem::at(reader.file, reader.text, node.span().start, "");
                let place = by.location().map(|place| place.to_string()).unwrap_or_default();
                let by = format!("{}:{place}", reader.file);
                settings.values.insert(key.flag, Said { value, by });
            }
            Err((message, help)) => reader.problem(node.span(), message, help),
        }
    }
}

/// A value as a flag would have it.
fn value<'t>(reader: &mut Reader<'t>, key: &Key, node: &Node<'t>) -> Option<String> {
    match (&key.kind, node.get_ref()) {
        (Kind::Count, DeValue::Integer(number)) if number.radix() == 10 => Some(number.as_str().to_owned()),
        (Kind::Count, _) => {
            let help = format!("write `{} = 30`", key.name);
            reader.problem(node.span(), format!("`{}` is a whole number", key.name), help);
            None
        }
        (Kind::List, _) => {
            let texts: Vec<&str> = reader.texts(node, key.name).into_iter().map(|(text, _)| text).collect();
            Some(texts.join(","))
        }
        _ => reader.text(node, key.name).map(str::to_owned),
    }
}

fn folders<'t>(reader: &mut Reader<'t>, document: &DeTable<'t>, folder: &Path, settings: &mut Settings) {
    if let Some(node) = get(document, "folders") {
        let listed = reader.texts(node, "folders");
        let folders =
            listed.into_iter().map(|(path, _)| FolderOf { path: relative(folder, path), context: None });
        settings.folders.extend(folders);
    }
    let Some(node) = get(document, "contexts") else { return };
    let help = || "write `[contexts]`, and `name = \"folder\"` below it";
    let Some(contexts) = reader.items(node, "`contexts`", help) else { return };
    for (name, node) in contexts {
        let name = name.get_ref().as_ref();
        if let Some(path) = reader.text(node, name) {
            settings.folders.push(FolderOf { path: relative(folder, path), context: Some(name.to_owned()) });
        }
    }
}

/// Checks every environment, and takes the settings of the one that counts.
fn environments<'t>(
    reader: &mut Reader<'t>,
    document: &DeTable<'t>,
    chosen: Option<&str>,
    settings: &mut Settings,
) {
    let Some(node) = get(document, "environments") else { return };
    let help = || "write `[environments.production]`";
    let Some(environments) = reader.items(node, "`environments`", help) else { return };
    for (name, node) in environments {
        let name = name.get_ref().as_ref();
        let what = format!("environment `{name}`");
        let help = || format!("write `[environments.{name}]`");
        let Some(table) = reader.items(node, &what, help) else { continue };
        if let Some(node) = get(table, "environment") {
            reader.problem(node.span(), "an environment has no other one in it", "leave this key out");
        }
        let mut other = Settings::default();
        section(reader, table, &what, &[], &mut other);
        if chosen == Some(name) {
            settings.values.extend(other.values);
            settings.placeholders.extend(other.placeholders);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Settings, settings};

    fn read(text: &str, chosen: Option<&str>) -> Result<Settings, String> {
        let chosen = chosen.map(str::to_owned);
        settings("habitat.toml", text, Path::new("/srv"), |file| chosen.or(file)).map_err(|p| p.render())
    }

    #[test]
    fn an_environment_s_settings_come_before_those_of_the_file() {
        let text = "[timeouts]\nlock = \"2s\"\nconnect = \"5s\"\n[environments.production.timeouts]\nlock = \"1s\"\n";
        let settings = read(text, Some("production")).unwrap_or_default();
        assert_eq!(settings.get("lock-timeout"), Some("1s"));
        assert_eq!(settings.by("lock-timeout"), Some("habitat.toml:5:8"));
        assert_eq!(settings.get("connect-timeout"), Some("5s"));
        assert_eq!(read(text, None).unwrap_or_default().get("lock-timeout"), Some("2s"));
    }

    #[test]
    fn every_mistake_is_named_with_its_place_and_a_suggestion() {
        let text = "fodlers = [\"a\"]\nlayout = \"sqlxx\"\n[policies]\nchangd = \"ignore\"\n[timeouts]\nlock = \"2\"\n";
        let problems = read(text, None).expect_err("four problems");
        for words in [
            "habitat.toml:1:1",
            "did you mean `folders`?",
            "habitat.toml:2:10",
            "did you mean `sqlx`?",
            "habitat.toml:4:1",
            "did you mean `changed`?",
            "`2` is no length of time",
        ] {
            assert!(problems.contains(words), "{words}: {problems}");
        }
    }

    #[test]
    fn r47_a_line_that_may_hold_a_password_is_named_and_not_shown() {
        for (text, place) in [
            ("database_url = \"postgres://app:hunter2@db/shop\"\n", "habitat.toml:1:1"),
            ("layout = \"sqlx\"\ndatabase-url = \"postgres://app:hunter2@db/shop\n", "habitat.toml:2:"),
            ("database-url = postgres://app:hunter2@db/shop\n", "habitat.toml:1:"),
            ("database-url = \"\"\"host=db\nhunter2 \\x\n\"\"\"\n", "habitat.toml:2:"),
            ("layout = \"postgres://app:hunter2@db/shop\"\n", "habitat.toml:1:10"),
            ("pasword = 'host=db password=hunter2'\n", "habitat.toml:1:1"),
            ("[placeholders]\ntoken = \"hunter2\n", "habitat.toml:2:"),
            ("[placeholders]\ntoken = 'a'\nother = [\"hunter2\"]\n", "habitat.toml:3:9"),
            ("[environments.production]\nplaceholder = { token = \"hunter2\" }\n", "habitat.toml:2:1"),
        ] {
            let problems = read(text, None).expect_err("a mistake");
            assert!(!problems.contains("hunter2"), "{text}: {problems}");
            assert!(problems.contains(place), "{text}: {problems}");
        }
        let url = read("database_url = \"postgres://app:hunter2@db/shop\"\n", None).expect_err("no such key");
        assert!(url.contains("= help: did you mean `database-url`?"), "{url}");
        let other = read("layuot = \"sqlx\"\n", None).expect_err("no such key");
        assert!(other.contains("1 | layuot = \"sqlx\""), "other lines are shown: {other}");
    }

    #[test]
    fn an_environment_that_does_not_count_is_checked_too() {
        let problems = read("[environments.test]\nfolders = [\"a\"]\n", None).expect_err("no such key");
        assert!(problems.contains("environment `test` has no key `folders`"), "{problems}");
    }
}
