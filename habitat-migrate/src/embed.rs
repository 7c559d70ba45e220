//! Migrations that were embedded when the program was compiled: [`Migrations`].

use std::collections::BTreeSet;

use habitat_migrate_catalog::{Catalog, Directory};

use crate::Migrator;

/// A set of migrations that is part of the program; derive it.
pub trait Migrations {
    /// The checked migrations. Nothing is parsed, hashed or allocated to have them.
    const CATALOG: Catalog;

    /// A migrator for them, with the default policies.
    fn migrator() -> Migrator {
        Migrator::new(Self::CATALOG)
    }
}

/// Says how the folders that a catalog was embedded from differ from it, if they are there and do.
///
/// Cargo compiles a crate anew when an embedded file changes, but it does not notice a new one.
pub(crate) fn stale(catalog: &Catalog) -> Option<String> {
    let mut sentences = Vec::new();
    for folder in catalog.folders() {
        // A program that runs on another machine than it was built on has no folder to compare with.
        let Ok(names) = Directory::new(&*folder.path).file_names() else { continue };
        let there: BTreeSet<&str> = names.iter().map(String::as_str).collect();
        let embedded: BTreeSet<&str> = folder.files.iter().map(|name| &**name).collect();
        sentences.extend(say(there.difference(&embedded), "in the folder but not in this binary: rebuild"));
        sentences
            .extend(say(embedded.difference(&there), "in this binary but no longer in the folder: rebuild"));
    }
    (!sentences.is_empty()).then(|| sentences.join("; "))
}

/// `0007_x.sql and 0008_y.sql are …`, if there are any.
fn say<'a>(names: impl Iterator<Item = &'a &'a str>, what: &str) -> Option<String> {
    let names: Vec<&str> = names.copied().collect();
    let (last, before) = names.split_last()?;
    Some(match before {
        [] => format!("{last} is {what}"),
        _ if before.len() < SHOWN => format!("{} and {last} are {what}", before.join(", ")),
        _ => format!("{} and {} more are {what}", names[..SHOWN].join(", "), names.len() - SHOWN),
    })
}

/// How many names a message lists.
const SHOWN: usize = 5;
