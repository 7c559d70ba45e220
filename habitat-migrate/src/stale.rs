//! Whether the migrations that a program embeds are those of the folder that it was built from.

use std::collections::BTreeSet;

use habitat_migrate_catalog::{Catalog, Directory};

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

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::fs;
    use std::path::PathBuf;

    use habitat_migrate_catalog::Folder;

    use super::*;

    #[test]
    fn a_folder_as_it_was_embedded_is_not_stale() {
        let folder = Scratch::new("as_embedded", &["treasury/01_a.sql", "treasury/notes.txt"]);
        assert_eq!(folder.stale(&["treasury/01_a.sql"]), None);
    }

    #[test]
    fn a_new_file_is_named() {
        let folder = Scratch::new("new_file", &["01_a.sql", "0007_x.sql"]);
        let said = folder.stale(&["01_a.sql"]);
        assert_eq!(said.as_deref(), Some("0007_x.sql is in the folder but not in this binary: rebuild"));
    }

    #[test]
    fn a_renamed_file_is_new_under_one_name_and_gone_under_the_other() {
        let folder = Scratch::new("renamed", &["02_a.sql"]);
        let said = folder.stale(&["01_a.sql"]).expect("the names differ");
        assert_eq!(
            said,
            "02_a.sql is in the folder but not in this binary: rebuild; \
             01_a.sql is in this binary but no longer in the folder: rebuild"
        );
    }

    #[test]
    fn many_new_files_are_counted() {
        let names: Vec<String> = (1..=9).map(|number| format!("0{number}_a.sql")).collect();
        let folder = Scratch::new("many", &names.iter().map(String::as_str).collect::<Vec<_>>());
        let said = folder.stale(&["01_a.sql"]).expect("eight are new");
        let some = "02_a.sql, 03_a.sql, 04_a.sql, 05_a.sql, 06_a.sql";
        assert_eq!(said, format!("{some} and 3 more are in the folder but not in this binary: rebuild"));
        let two = folder.stale(&names[..7].iter().map(String::as_str).collect::<Vec<_>>());
        let two = two.expect("two are new");
        assert_eq!(two, "08_a.sql and 09_a.sql are in the folder but not in this binary: rebuild");
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_compared() {
        let folder = Scratch::new("absent", &[]);
        fs::remove_dir_all(&folder.0).expect("it was made");
        assert_eq!(folder.stale(&["01_a.sql"]), None);
    }

    /// A folder of empty files that is removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str, files: &[&str]) -> Self {
            let root = std::env::temp_dir().join(format!("habitat-stale-{}-{name}", std::process::id()));
            fs::create_dir_all(&root).expect("the temporary folder can be written");
            for file in files {
                let path = root.join(file);
                fs::create_dir_all(path.parent().expect("it is in the folder")).expect("as above");
                fs::write(path, "").expect("as above");
            }
            Self(root)
        }

        /// What is said of a catalog into which these files were embedded.
        fn stale(&self, embedded: &[&str]) -> Option<String> {
            let path = self.0.to_string_lossy().into_owned();
            let files = embedded.iter().map(|name| Cow::Owned((*name).to_owned())).collect();
            let folder = Folder { path: path.into(), files: Cow::Owned(files) };
            stale(&Catalog::from_checked(Vec::new(), vec![folder]))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}
