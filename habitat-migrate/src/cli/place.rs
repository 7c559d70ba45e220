//! Which folder a new migration belongs in.

use std::fs;
use std::path::{Path, PathBuf};

use habitat_migrate_catalog::Catalog;

use super::config::{FolderOf, suggestion};
use super::failure::Failure;

/// The folder of a context's scripts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) context: String,
}

/// The folders that a program was built from, where it is run by somebody who has them.
pub(crate) fn of_program(catalog: &Catalog) -> Vec<FolderOf> {
    let folders = catalog.folders().iter().map(|folder| PathBuf::from(&*folder.path));
    folders.filter(|path| path.is_dir()).map(|path| FolderOf { path, context: None }).collect()
}

/// Finds the one that is meant.
pub(crate) fn choose(folders: &[FolderOf], context: Option<&str>) -> Result<Place, Failure> {
    let mut places = Vec::new();
    for folder in folders {
        places.extend(within(folder)?);
    }
    let names = || places.iter().map(|place| place.context.as_str());
    let Some(wanted) = context else {
        return match places.as_slice() {
            [_] => Ok(places.remove(0)),
            [] => Err(Failure::usage("there is no folder for migrations", "name it by --source")),
            _ => {
                let names: Vec<&str> = names().collect();
                let next = format!("name it by --context: {}", names.join(", "));
                Err(Failure::usage("there are several contexts", next))
            }
        };
    };
    let matching: Vec<usize> = (0..places.len()).filter(|n| places[*n].context == wanted).collect();
    match (matching.as_slice(), folders) {
        ([n], _) => Ok(places.remove(*n)),
        // A new context is a new folder beside the others.
        ([], [FolderOf { path, context: None }]) if is_of_contexts(path) && !is_near(wanted, names()) => {
            Ok(Place { folder: path.join(wanted), context: wanted.to_owned() })
        }
        ([], _) => {
            Err(Failure::usage(format!("there is no context `{wanted}`"), suggestion(wanted, names())))
        }
        _ => {
            Err(Failure::usage(format!("several folders are of context `{wanted}`"), "name one by --source"))
        }
    }
}

/// Whether a word is likely to be a slip of the pen.
fn is_near<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> bool {
    habitat_migrate_catalog::nearest(word, known).is_some()
}

/// The contexts of a folder: itself where scripts lie in it or nothing does, else one for each folder in it.
fn within(folder: &FolderOf) -> Result<Vec<Place>, Failure> {
    let path = &folder.path;
    let own = || {
        let name = path
            .canonicalize()
            .ok()
            .and_then(|path| path.file_name().map(|n| n.to_string_lossy().into_owned()));
        let name = name.or_else(|| path.file_name().map(|n| n.to_string_lossy().into_owned()));
        Place { folder: path.clone(), context: folder.context.clone().or(name).unwrap_or_default() }
    };
    if !path.exists() || !is_of_contexts(path) || folder.context.is_some() {
        return Ok(vec![own()]);
    }
    let mut places = Vec::new();
    for inner in folders_in(path).map_err(|error| Failure::unreadable(path, &error))? {
        let context = inner.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        places.push(Place { folder: inner, context });
    }
    Ok(if places.is_empty() { vec![own()] } else { places })
}

/// Whether what lies in a folder are folders of scripts, or nothing yet.
fn is_of_contexts(path: &Path) -> bool {
    let Ok(entries) = fs::read_dir(path) else { return true };
    let mut names = entries.flatten().map(|entry| entry.path());
    !names.any(|path| path.extension().is_some_and(|e| e == "sql") || path.join("up.sql").is_file())
}

fn folders_in(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut folders: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<std::io::Result<Vec<_>>>()?
        .into_iter()
        .filter(|path| path.is_dir() && !hidden(path))
        .collect();
    folders.sort();
    Ok(folders)
}
