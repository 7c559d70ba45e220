//! Where scripts come from: [`Source`], and the sources that everybody needs.

use std::borrow::Cow;

use crate::{Layout, Problem, Problems};

/// Somewhere that scripts come from: a folder, texts, an embedded directory, or what you write yourself.
///
/// A source holds scripts directly, or one folder for each context.
pub trait Source {
    /// What the source is called: the context of scripts that it holds directly, unless [`context`](Self::context) names one.
    fn name(&self) -> Cow<'_, str>;

    /// The context that the user chose for the scripts; a source with a folder for each context cannot have one.
    fn context(&self) -> Option<Cow<'_, str>> {
        None
    }

    /// What messages and [`Migration::path`](crate::Migration::path) put before the path of a file.
    fn prefix(&self) -> Cow<'_, str> {
        Cow::Borrowed("")
    }

    /// How its files are named and what is in them; `None` to have it recognised by the files.
    fn layout(&self) -> Option<Layout> {
        None
    }

    /// All files, in any order. Those that are neither scripts nor belong to them in a layout do not matter.
    ///
    /// # Errors
    /// If the source cannot be read at all. What is wrong with a single file is said by [`SourceFile::unreadable`].
    fn files(&self) -> Result<Vec<SourceFile>, Problems>;
}

impl<S: Source + ?Sized> Source for &S {
    fn name(&self) -> Cow<'_, str> {
        (**self).name()
    }

    fn context(&self) -> Option<Cow<'_, str>> {
        (**self).context()
    }

    fn prefix(&self) -> Cow<'_, str> {
        (**self).prefix()
    }

    fn layout(&self) -> Option<Layout> {
        (**self).layout()
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        (**self).files()
    }
}

/// One file of a source.
#[derive(Clone, Debug)]
pub struct SourceFile {
    path: String,
    content: Result<Cow<'static, [u8]>, String>,
}

impl SourceFile {
    /// A file with this path relative to its source, with `/` between folders, and these bytes.
    pub fn new(path: impl Into<String>, bytes: impl Into<Cow<'static, [u8]>>) -> Self {
        Self { path: path.into(), content: Ok(bytes.into()) }
    }

    /// A file that is there but cannot be read, with the reason.
    pub fn unreadable(path: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { path: path.into(), content: Err(reason.into()) }
    }

    /// The path relative to its source, with `/` between folders.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The bytes, or why they cannot be read.
    ///
    /// # Errors
    /// The reason that [`unreadable`](Self::unreadable) was given.
    pub fn bytes(&self) -> Result<&[u8], &str> {
        match &self.content {
            Ok(bytes) => Ok(bytes),
            Err(reason) => Err(reason),
        }
    }

    pub(crate) fn into_bytes(self) -> Result<Cow<'static, [u8]>, String> {
        self.content
    }
}

/// Scripts of one context, given as text: `[("01_table.sql", "CREATE TABLE …")]`.
#[derive(Clone, Debug)]
pub struct Scripts {
    context: String,
    files: Vec<SourceFile>,
    layout: Option<Layout>,
}

impl Scripts {
    /// Scripts with these file names and texts.
    pub fn new<N, T>(context: impl Into<String>, scripts: impl IntoIterator<Item = (N, T)>) -> Self
    where
        N: Into<String>,
        T: Into<Cow<'static, str>>,
    {
        let files = scripts.into_iter().map(|(name, text)| {
            let bytes = match text.into() {
                Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
            SourceFile::new(name, bytes)
        });
        Self { context: context.into(), files: files.collect(), layout: None }
    }

    /// Says how their files are named and what is in them, instead of having it recognised.
    #[must_use]
    pub fn in_layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }
}

impl Source for Scripts {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.context)
    }

    fn context(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.context))
    }

    fn prefix(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.context)
    }

    fn layout(&self) -> Option<Layout> {
        self.layout
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        Ok(self.files.clone())
    }
}

/// The directory that `include_dir!` embedded.
#[cfg(feature = "include_dir")]
impl Source for include_dir::Dir<'static> {
    fn name(&self) -> Cow<'_, str> {
        // The root of an embedded directory has no path, hence no name.
        Cow::Borrowed("default")
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        fn collect(dir: &include_dir::Dir<'static>, files: &mut Vec<SourceFile>) {
            for file in dir.files() {
                let path = file.path().to_string_lossy().replace('\\', "/");
                files.push(SourceFile::new(path, file.contents()));
            }
            dir.dirs().for_each(|dir| collect(dir, files));
        }
        let mut files = Vec::new();
        collect(self, &mut files);
        Ok(files)
    }
}

/// Gives scripts that lie directly in a source the context that the user chose.
#[derive(Clone, Debug)]
pub struct Named<S> {
    context: String,
    source: S,
}

impl<S: Source> Named<S> {
    /// The scripts of `source`, as those of this context.
    pub fn new(context: impl Into<String>, source: S) -> Self {
        Self { context: context.into(), source }
    }
}

impl<S: Source> Source for Named<S> {
    fn name(&self) -> Cow<'_, str> {
        self.source.name()
    }

    fn context(&self) -> Option<Cow<'_, str>> {
        Some(Cow::Borrowed(&self.context))
    }

    fn prefix(&self) -> Cow<'_, str> {
        self.source.prefix()
    }

    fn layout(&self) -> Option<Layout> {
        self.source.layout()
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        self.source.files()
    }
}

/// The path under which messages name a file of this source.
pub(crate) fn shown_path(prefix: &str, path: &str) -> String {
    match (prefix.trim_end_matches('/'), path) {
        ("", path) => path.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, path) => format!("{prefix}/{path}"),
    }
}

/// A source that cannot be read at all.
pub(crate) fn unreadable(path: &str, reason: &std::io::Error) -> Problems {
    let problem = match reason.kind() {
        std::io::ErrorKind::NotFound => Problem::new(path, "there is no such folder")
            .with_help("create it, or correct the path; a relative path begins at the working directory, in a macro at the crate's folder"),
        _ => Problem::new(path, format!("the folder cannot be read: {reason}")),
    };
    problem.into()
}
