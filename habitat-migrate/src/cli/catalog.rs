//! The migrations of folders, and the migration that a person means.

use std::path::{Path, PathBuf};

use habitat_migrate_catalog::{Catalog, Directory, Loader, MigrationId, Version};

use super::config::{FolderOf, Settings, suggestion};
use super::failure::Failure;

/// The folders that the settings name; `migrations` where they name none.
pub(crate) fn folders(settings: &Settings) -> Vec<FolderOf> {
    if !settings.folders.is_empty() {
        return settings.folders.clone();
    }
    let folder = settings.file.as_deref().and_then(Path::parent);
    let path =
        folder.map_or_else(|| PathBuf::from("migrations"), |f| super::config::relative(f, "migrations"));
    vec![FolderOf { path, context: None }]
}

/// Reads and checks the folders.
pub(crate) fn load(settings: &Settings) -> Result<Catalog, Failure> {
    let mut loader = Loader::new();
    if let Some(layout) = settings.layout() {
        loader = loader.layout(layout);
    }
    for folder in folders(settings) {
        if !folder.path.is_dir() {
            return Err(Failure::usage(
                format!("there is no folder {}", folder.path.display()),
                "make the first migration by `new`, or name the folder by --source or in habitat.toml",
            ));
        }
        let mut directory = Directory::new(&folder.path);
        if let Some(context) = &folder.context {
            directory = directory.in_context(context.clone());
        }
        loader = loader.source(directory);
    }
    Ok(loader.load()?)
}

/// The migration that a person means by `people:04_people_core`, by `04_people_core`, by `people:4` or by `4`.
pub(crate) fn find(catalog: &Catalog, text: &str) -> Result<MigrationId, Failure> {
    let (context, version) = match text.split_once(':') {
        Some((context, version)) => (Some(context), version),
        None => (None, text),
    };
    if let Some(context) = context {
        let known = catalog.contexts().iter().map(|context| context.name());
        if !known.clone().any(|name| name == context) {
            return Err(Failure::usage(
                format!("there is no context `{context}`"),
                suggestion(context, known),
            ));
        }
    }
    let all = || catalog.migrations().iter().map(|migration| migration.id());
    let mut candidates = all().filter(|id| context.is_none_or(|context| id.context() == context));
    let exact: Vec<&MigrationId> = candidates.clone().filter(|id| id.version().as_str() == version).collect();
    let number = Version::new(version.to_owned()).number().to_owned();
    let by_number = || {
        let digits = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
        candidates.clone().filter(|id| digits && id.version().number() == number).collect()
    };
    let found: Vec<&MigrationId> = if exact.is_empty() { by_number() } else { exact };
    match found.as_slice() {
        [id] => Ok((*id).clone()),
        [] => {
            let names: Vec<String> = candidates.by_ref().map(|id| id.version().to_string()).collect();
            let help = match habitat_migrate_catalog::nearest(version, names.iter().map(String::as_str)) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`check --list` lists them all".to_owned(),
            };
            Err(Failure::usage(format!("there is no migration `{text}`"), help))
        }
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            let help = format!("write one of {}", names.join(", "));
            Err(Failure::usage(format!("`{text}` may be several migrations"), help))
        }
    }
}
