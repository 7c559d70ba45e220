//! Scripts that are read from a folder: [`Directory`].

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use crate::layout::is_companion;
use crate::source::{shown_path, unreadable};
use crate::{Layout, Problem, Problems, Source, SourceFile};

/// A folder of scripts, or of one folder for each context, read from disk when it is loaded.
///
/// ```no_run
/// use habitat_migrate_catalog::{Catalog, Directory};
///
/// let catalog = Catalog::load(Directory::new("migrations/habitat"))?;
/// # Ok::<(), habitat_migrate_catalog::Problems>(())
/// ```
#[derive(Clone, Debug)]
pub struct Directory {
    path: PathBuf,
    shown: String,
    context: Option<String>,
    layout: Option<Layout>,
}

impl Directory {
    /// The folder with this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let shown = slashes(&path);
        Self { path, shown, context: None, layout: None }
    }

    /// Names the folder otherwise in messages and in [`Migration::path`](crate::Migration::path): relative to the crate, say.
    #[must_use]
    pub fn shown_as(mut self, prefix: impl Into<String>) -> Self {
        self.shown = prefix.into();
        self
    }

    /// Gives the scripts that it holds directly another context than the folder's name.
    #[must_use]
    pub fn in_context(mut self, context: impl Into<String>) -> Self {
        self.context = Some(context.into());
        self
    }

    /// Says how its files are named and what is in them, instead of having it recognised.
    #[must_use]
    pub fn in_layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// The folder's path, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The paths of all files that can matter to a catalog, relative to the folder and sorted; nothing is read.
    ///
    /// Those are the files whose name ends in `.sql`, and those that a layout has beside them, as diesel's `metadata.toml`.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub fn file_names(&self) -> Result<Vec<String>, Problems> {
        let mut names = Vec::new();
        self.walk(&mut |name, _| names.push(name))?;
        names.sort();
        Ok(names)
    }

    /// Calls `found` with each file that can matter.
    fn walk(&self, found: &mut dyn FnMut(String, &Path)) -> Result<(), Problems> {
        let mut pending = vec![(String::new(), self.path.clone(), 0)];
        let mut problems = Vec::new();
        while let Some((name, path, depth)) = pending.pop() {
            let shown = shown_path(&self.shown, &name);
            // A link may lead back to a folder above it; deeper than this nothing is a script anyway.
            if depth > MAX_DEPTH {
                problems.push(Problem::new(shown, "the folder is nested too deep, or linked to itself"));
                continue;
            }
            let entries = match fs::read_dir(&path).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
                Ok(entries) => entries,
                Err(reason) => {
                    problems.extend(unreadable(&shown, &reason));
                    continue;
                }
            };
            for entry in entries {
                let file = entry.file_name().to_string_lossy().into_owned();
                if file.starts_with('.') {
                    continue;
                }
                let name = if name.is_empty() { file } else { format!("{name}/{file}") };
                let path = entry.path();
                if path.is_dir() {
                    pending.push((name, path, depth + 1));
                } else if is_script(&name) || is_companion(&name) {
                    found(name, &path);
                }
            }
        }
        Problems::new(problems).map_or(Ok(()), Err)
    }
}

impl Source for Directory {
    fn name(&self) -> Cow<'_, str> {
        let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
        // `.` and `..` have no name of their own.
        let name = name(&self.path).or_else(|| fs::canonicalize(&self.path).ok().as_deref().and_then(name));
        Cow::Owned(name.unwrap_or_else(|| "default".to_owned()))
    }

    fn context(&self) -> Option<Cow<'_, str>> {
        self.context.as_deref().map(Cow::Borrowed)
    }

    fn prefix(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.shown)
    }

    fn layout(&self) -> Option<Layout> {
        self.layout
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        let mut files = Vec::new();
        self.walk(&mut |name, path| {
            files.push(match fs::read(path) {
                Ok(bytes) => SourceFile::new(name, bytes),
                Err(reason) => SourceFile::unreadable(name, reason.to_string()),
            });
        })?;
        Ok(files)
    }
}

/// More than any layout needs; the loader refuses scripts that lie too deep for theirs.
const MAX_DEPTH: usize = 8;

/// Whether a file's name ends in `.sql`, in any case.
pub(crate) fn is_script(name: &str) -> bool {
    name.len() >= 4 && name.as_bytes()[name.len() - 4..].eq_ignore_ascii_case(b".sql")
}

/// The path with `/` between its parts.
fn slashes(path: &Path) -> String {
    let text = path.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { text.into_owned() } else { text.replace('\\', "/") }
}
