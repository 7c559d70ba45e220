//! Which context each file of a source belongs to: [`scripts`].

use std::collections::BTreeMap;

use crate::directory::is_script;
use crate::source::shown_path;
use crate::{Problem, Source, SourceFile};

/// A file of a source that is a script by its name.
pub(crate) struct Placed {
    pub(crate) context: String,
    /// Its name without folders.
    pub(crate) name: String,
    /// Its path as messages name it.
    pub(crate) path: String,
    pub(crate) file: SourceFile,
}

/// The scripts of a source with their contexts: one for scripts that lie directly in it, else one for each folder.
pub(crate) fn scripts(source: &dyn Source, problems: &mut Vec<Problem>) -> Vec<Placed> {
    let prefix = source.prefix().into_owned();
    let root = || match prefix.as_str() {
        "" => source.name().into_owned(),
        prefix => prefix.to_owned(),
    };
    let files = match source.files() {
        Ok(files) => files,
        Err(more) => {
            problems.extend(more);
            return Vec::new();
        }
    };
    let chosen = source.context();
    let direct = chosen.clone().unwrap_or_else(|| source.name()).into_owned();
    let mut placed = Vec::new();
    let mut deep: BTreeMap<String, String> = BTreeMap::new();
    for file in files {
        let parts: Vec<&str> = file.path().split('/').collect();
        let hidden = parts.iter().any(|part| part.starts_with('.'));
        let context = match parts.as_slice() {
            [.., name] if hidden || !is_script(name) => continue,
            [_] => direct.clone(),
            [folder, _] => (*folder).to_owned(),
            [folders @ .., name] => {
                deep.entry(folders.join("/")).or_insert_with(|| (*name).to_owned());
                continue;
            }
            [] => continue,
        };
        let name = parts.last().copied().unwrap_or_default().to_owned();
        placed.push(Placed { context, name, path: shown_path(&prefix, file.path()), file });
    }
    placed.sort_by(|a, b| a.path.cmp(&b.path));

    for (folder, name) in &deep {
        problems.push(
            Problem::new(
                shown_path(&prefix, folder),
                format!("the folder lies too deep for scripts like {name}"),
            )
            .with_help(
                "scripts lie directly in the folder that is loaded, or in one folder for each context",
            ),
        );
    }
    let is_direct = |script: &&Placed| !script.file.path().contains('/');
    let (flat, nested) = (placed.iter().find(is_direct), placed.iter().find(|script| !is_direct(script)));
    match (flat, nested) {
        (None, None) if deep.is_empty() => problems.push(
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
    placed
}

/// Whether a context may have this name: one that can be written into `requires`, and stored.
pub(crate) fn is_context(name: &str) -> bool {
    let may_stand = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    !name.is_empty() && name.len() <= 200 && name.chars().all(may_stand)
}
