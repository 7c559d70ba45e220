//! Loads what a [`Request`] names: [`Loaded`], or errors at what the user typed.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use habitat_migrate_catalog::{
    Catalog, Directory, Layout, Loader, Migration, Problem, Problems, Source, SourceFile,
};
use proc_macro2::Span;

use crate::attr::{FolderRequest, Request};

/// A catalog and the files that it was read from.
pub(crate) struct Loaded {
    pub(crate) catalog: Catalog,
    pub(crate) folders: Vec<LoadedFolder>,
    /// The file with exactly the text of a migration's script, by the migration's path.
    files: BTreeMap<String, ScriptFile>,
}

/// A folder that was read, for the check whether what was embedded is stale.
pub(crate) struct LoadedFolder {
    pub(crate) path: String,
    pub(crate) files: Vec<String>,
}

/// A file's absolute path and text.
pub(crate) struct ScriptFile {
    pub(crate) path: String,
    text: String,
}

impl Loaded {
    /// The file whose whole text is this migration's script.
    ///
    /// There is none where a file holds several sections: then the text itself has to be embedded.
    pub(crate) fn file_of(&self, migration: &Migration) -> Option<&ScriptFile> {
        self.files.get(migration.path()).filter(|file| file.text == migration.script())
    }

    /// All files but those of `included`: the compiler has to be told of them as well.
    pub(crate) fn files_except(&self, included: &BTreeSet<&str>) -> impl Iterator<Item = &ScriptFile> {
        self.files.values().filter(|file| !included.contains(file.path.as_str()))
    }
}

/// Reads and checks every folder of a request; all its problems are in the error.
pub(crate) fn load(request: &Request) -> syn::Result<Loaded> {
    let root = manifest_dir()?;
    let folders = distinct_folders(request, &root)?;
    let mut loader = Loader::new();
    for folder in &folders {
        loader = loader.source(folder);
    }
    for context in &request.external {
        loader = loader.external(context.value());
    }
    let catalog = loader.load();
    let names = folders.iter().filter_map(Folder::misnamed);
    match (catalog, Problems::new(names)) {
        (Ok(catalog), None) => Ok(Loaded::new(catalog, folders)),
        (Ok(_), Some(problems)) | (Err(problems), None) => Err(at_folders(problems, &folders)),
        (Err(problems), Some(names)) => {
            let all = Problems::new(problems.into_iter().chain(names));
            Err(at_folders(all.expect("both have problems"), &folders))
        }
    }
}

impl Loaded {
    fn new(catalog: Catalog, folders: Vec<Folder>) -> Self {
        let mut files = BTreeMap::new();
        let mut loaded = Vec::new();
        for folder in folders {
            let mut names: Vec<String> = Vec::new();
            for file in folder.scripts.iter().flatten() {
                names.push(file.path().to_owned());
                let Ok(bytes) = file.bytes() else { continue };
                // What is no text is no script, and watched all the same.
                let text = std::str::from_utf8(bytes).unwrap_or_default().to_owned();
                let path = folder.absolute(file.path());
                files.insert(folder.shown(file.path()), ScriptFile { path, text });
            }
            names.sort();
            loaded.push(LoadedFolder { path: folder.path, files: names });
        }
        Self { catalog, folders: loaded, files }
    }
}

/// The folder of the crate that uses the macro.
pub(crate) fn manifest_dir() -> syn::Result<PathBuf> {
    std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).ok_or_else(|| {
        let message = "CARGO_MANIFEST_DIR is not set, so it is not known where migrations are; build with cargo, \
                       or have the build system set it to the crate's folder";
        syn::Error::new(Span::call_site(), message)
    })
}

/// The requested folders, if no two of them are the same one.
fn distinct_folders(request: &Request, root: &Path) -> syn::Result<Vec<Folder>> {
    let mut seen = BTreeSet::new();
    let mut folders = Vec::new();
    for wanted in &request.folders {
        let path = root.join(wanted.dir.value());
        if !seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())) {
            return Err(syn::Error::new(
                wanted.dir.span(),
                "this folder is embedded already; remove one of the two",
            ));
        }
        folders.push(Folder::read(wanted, path)?);
    }
    Ok(folders)
}

/// A requested folder as a source that is read once.
struct Folder {
    directory: Directory,
    scripts: Result<Vec<SourceFile>, Problems>,
    path: String,
    shown: String,
    span: Span,
}

impl Folder {
    fn read(wanted: &FolderRequest, path: PathBuf) -> syn::Result<Self> {
        let span = wanted.dir.span();
        let Some(text) = path.to_str() else {
            let message = format!("the path of this folder is not UTF-8: {}", path.display());
            return Err(syn::Error::new(span, message));
        };
        let text = text.to_owned();
        // Messages name files as the user named the folder: they must not differ from machine to machine.
        let shown = wanted.dir.value().trim_end_matches('/').to_owned();
        let mut directory = Directory::new(path).shown_as(shown.clone());
        if let Some(context) = &wanted.context {
            directory = directory.in_context(context.value());
        }
        if let Some(layout) = wanted.layout {
            directory = directory.in_layout(layout);
        }
        let scripts = directory.files();
        Ok(Self { directory, scripts, path: text, shown, span })
    }

    /// A script whose name is not UTF-8: the compiler could not be told of it.
    fn misnamed(&self) -> Option<Problem> {
        let files = self.scripts.as_ref().ok()?;
        let file = files.iter().find(|file| {
            file.path().contains(char::REPLACEMENT_CHARACTER)
                && !Path::new(&self.absolute(file.path())).exists()
        })?;
        Some(
            Problem::new(self.shown(file.path()), "the name of this file is not UTF-8")
                .with_help("rename it"),
        )
    }

    fn absolute(&self, file: &str) -> String {
        format!("{}/{file}", self.path.trim_end_matches('/'))
    }

    fn shown(&self, file: &str) -> String {
        if self.shown.is_empty() { file.to_owned() } else { format!("{}/{file}", self.shown) }
    }
}

impl Source for Folder {
    fn name(&self) -> Cow<'_, str> {
        self.directory.name()
    }

    fn context(&self) -> Option<Cow<'_, str>> {
        Source::context(&self.directory)
    }

    fn prefix(&self) -> Cow<'_, str> {
        self.directory.prefix()
    }

    fn layout(&self) -> Option<Layout> {
        Source::layout(&self.directory)
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        self.scripts.clone()
    }
}

/// Each problem as a compile error at the folder that holds its file.
fn at_folders(problems: Problems, folders: &[Folder]) -> syn::Error {
    let errors = problems.iter().map(|problem| {
        let holder = folders.iter().filter(|folder| Path::new(problem.path()).starts_with(&folder.shown));
        let span =
            holder.max_by_key(|folder| folder.shown.len()).or(folders.first()).map(|folder| folder.span);
        let text = problem.to_string();
        // rustc writes its own `error: ` before it.
        let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
        syn::Error::new(span.unwrap_or_else(Span::call_site), text)
    });
    let all = errors.reduce(|mut all, error| {
        all.combine(error);
        all
    });
    all.expect("problems are never empty")
}
