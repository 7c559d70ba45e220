//! Which context each file of a source belongs to: [`scripts`].

use std::collections::BTreeMap;

use crate::directory::is_script;
use crate::layout::{Companion, Recognised, is_companion, recognise};
use crate::source::shown_path;
use crate::{Layout, Problem, Source, SourceFile, TransactionMode};

/// A file of a source that is a script by its name.
pub(crate) struct Placed {
    pub(crate) context: String,
    /// Its name without folders.
    pub(crate) name: String,
    /// The folder that names its migration, in a layout that has one for each.
    pub(crate) folder: Option<String>,
    /// Its path as messages name it.
    pub(crate) path: String,
    pub(crate) file: SourceFile,
    pub(crate) layout: Layout,
    /// What a file beside it says.
    pub(crate) transaction: TransactionMode,
    /// Whether its context is that of a folder within the source.
    nested: bool,
}

/// The scripts of a source with their contexts: one for scripts that lie directly in it, else one for each folder.
///
/// `layout` is that of a source which names none; without either it is recognised.
pub(crate) fn scripts(
    source: &dyn Source,
    layout: Option<Layout>,
    problems: &mut Vec<Problem>,
) -> Vec<Placed> {
    let prefix = source.prefix().into_owned();
    let shown = |path: &str| shown_path(&prefix, path);
    let root = || match prefix.as_str() {
        "" => source.name().into_owned(),
        prefix => prefix.to_owned(),
    };
    let mut files = match source.files() {
        Ok(files) => files,
        Err(more) => {
            problems.extend(more);
            return Vec::new();
        }
    };
    files.retain(|file| !file.path().split('/').any(|part| part.starts_with('.')));
    files.sort_by(|a, b| a.path().cmp(b.path()));
    let (files, others): (Vec<SourceFile>, Vec<SourceFile>) =
        files.into_iter().partition(|file| is_script(file.path()));
    let recognised = match source.layout().or(layout) {
        Some(layout) => Recognised::One(layout),
        None => match recognise(&files, &shown, problems) {
            Some(recognised) => recognised,
            None => return Vec::new(),
        },
    };
    let mut companions = companions(recognised, &others, &shown, problems);

    let chosen = source.context();
    let direct = chosen.clone().unwrap_or_else(|| source.name()).into_owned();
    let mut placed = Vec::new();
    let mut deep: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let layout = recognised.of(&file);
        let parts: Vec<&str> = file.path().split('/').collect();
        let Some((name, folders)) = parts.split_last() else { continue };
        // In diesel's layout the last folder is a migration's.
        let (folder, folders) = match (layout, folders) {
            (Layout::Diesel, [contexts @ .., last]) => (Some((*last).to_owned()), contexts),
            (layout, _) if layout.is_recursive() => (None, [].as_slice()),
            _ => (None, folders),
        };
        let (context, nested) = match folders {
            [] => (direct.clone(), false),
            [context] => ((*context).to_owned(), true),
            deeper => {
                deep.entry(deeper.join("/")).or_insert_with(|| (*name).to_owned());
                continue;
            }
        };
        let (name, path) = ((*name).to_owned(), shown(file.path()));
        let transaction =
            companions.remove(file.path()).map_or(TransactionMode::Wrapped, |said| said.transaction);
        placed.push(Placed { context, name, folder, path, file, layout, transaction, nested });
    }
    for (script, companion) in companions {
        problems.push(
            Problem::new(companion.path, "this file belongs to no migration")
                .with_help(format!("its migration would be `{script}`; remove it if that is gone")),
        );
    }
    for (folder, name) in &deep {
        problems.push(
            Problem::new(shown(folder), format!("the folder lies too deep for scripts like {name}"))
                .with_help(
                    "scripts lie directly in the folder that is loaded, or in one folder for each context",
                ),
        );
    }
    check(&placed, deep.is_empty(), chosen.as_deref(), &root, problems);
    placed
}

/// What the files beside the scripts say, by the path of the script.
fn companions(
    recognised: Recognised,
    others: &[SourceFile],
    shown: &dyn Fn(&str) -> String,
    problems: &mut Vec<Problem>,
) -> BTreeMap<String, Companion> {
    let mut companions = BTreeMap::new();
    if let Recognised::One(layout) = recognised {
        for file in others.iter().filter(|file| is_companion(file.path())) {
            let companion = Companion::read(layout, file, &shown(file.path()), problems);
            companions.extend(companion.map(|companion| (companion.script.clone(), companion)));
        }
    }
    companions
}

/// Checks that a source holds scripts of one context, or one folder for each.
fn check(
    placed: &[Placed],
    complete: bool,
    chosen: Option<&str>,
    root: &dyn Fn() -> String,
    problems: &mut Vec<Problem>,
) {
    let (flat, nested) = (placed.iter().find(|each| !each.nested), placed.iter().find(|each| each.nested));
    match (flat, nested) {
        (None, None) if complete => problems.push(
            Problem::new(root(), "there is no script")
                .with_help("a migration is a file like `01_create_accounts.sql`; is this the right folder?"),
        ),
        (Some(flat), Some(nested)) => problems.push(
            Problem::new(
                root(),
                format!(
                    "there are scripts both here and in folders: {} and {}",
                    flat.file.path(),
                    nested.file.path()
                ),
            )
            .with_help("a folder holds scripts of one context, or one folder for each context"),
        ),
        (None, Some(nested)) => {
            if let Some(context) = chosen {
                let message = format!("the context {context:?} cannot be given to a folder of folders");
                let help = format!(
                    "each folder is a context, as {:?} is; load the one that you mean",
                    nested.context
                );
                problems.push(Problem::new(root(), message).with_help(help));
            }
        }
        _ => {}
    }
    let mut contexts: Vec<&str> = placed.iter().map(|script| script.context.as_str()).collect();
    contexts.dedup();
    for context in contexts.into_iter().filter(|context| !is_context(context)) {
        problems
            .push(Problem::new(root(), format!("{context:?} cannot be the name of a context")).with_help(
            "use letters, digits, `_`, `-` and `.`, 200 bytes at most; rename the folder or name its context",
        ));
    }
}

/// Whether a context may have this name: one that can be written into `requires`, and stored.
pub(crate) fn is_context(name: &str) -> bool {
    let may_stand = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    !name.is_empty() && name.len() <= 200 && name.chars().all(may_stand)
}
