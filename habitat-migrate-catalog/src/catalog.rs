//! A checked, ordered set of migrations: [`Catalog`].

use std::borrow::Cow;

use crate::{Digest, Migration, MigrationId, Version};

/// A checked, ordered set of migrations of one or more contexts.
///
/// It exists only if it is sound: every file has a place, no two migrations share a number, everything
/// that is required is there or declared external, no script ends its own transaction. Nothing behind it checks again.
#[derive(Clone, Debug)]
pub struct Catalog {
    migrations: Cow<'static, [Migration]>,
    contexts: Cow<'static, [Context]>,
    folders: Cow<'static, [Folder]>,
}

impl Catalog {
    /// The migrations in the order in which a new database gets them: within a context by version, and
    /// each after what it requires.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// The contexts, by name.
    pub fn contexts(&self) -> &[Context] {
        &self.contexts
    }

    /// The migration of this version in this context.
    pub fn get(&self, context: &str, version: &Version) -> Option<&Migration> {
        self.migrations.iter().find(|m| m.version() == version && m.context() == context)
    }

    /// How many migrations are meant by `01_name` or `context:01_name`, while a program is compiled that embeds them.
    ///
    /// One, where the answer is not to be had: of an empty catalog, and of one that was made at run time.
    #[doc(hidden)]
    pub const fn count_named(&self, name: &str) -> usize {
        let migrations = match &self.migrations {
            Cow::Borrowed(migrations) if !migrations.is_empty() => *migrations,
            _ => return 1,
        };
        let (mut at, mut count) = (0, 0);
        while at < migrations.len() {
            if migrations[at].embedded_id().is_written(name.as_bytes()) {
                count += 1;
            }
            at += 1;
        }
        count
    }

    /// The folders that the migrations were embedded from; only in builds with debug assertions.
    #[doc(hidden)]
    pub fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// Builds a catalog from migrations that were checked and ordered.
    #[doc(hidden)]
    pub fn from_checked(migrations: Vec<Migration>, folders: Vec<Folder>) -> Self {
        let contexts = summarise(&migrations);
        Self { migrations: migrations.into(), contexts: contexts.into(), folders: folders.into() }
    }

    /// What a macro writes.
    #[doc(hidden)]
    pub const fn embedded(
        migrations: &'static [Migration],
        contexts: &'static [Context],
        folders: &'static [Folder],
    ) -> Self {
        Self {
            migrations: Cow::Borrowed(migrations),
            contexts: Cow::Borrowed(contexts),
            folders: Cow::Borrowed(folders),
        }
    }
}

/// One context of a catalog: how many migrations every database gets of it, in order, and which set they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    name: Cow<'static, str>,
    count: usize,
    digest: Digest,
}

impl Context {
    /// The context's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How many versioned migrations it has, besides those for certain environments.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Which these are, with their checksums.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What a macro writes.
    #[doc(hidden)]
    pub const fn embedded(name: &'static str, count: usize, digest: &'static [u8; 16]) -> Self {
        Self { name: Cow::Borrowed(name), count, digest: Digest::from_bytes(*digest) }
    }
}

/// A folder that migrations were embedded from, to find out whether the embedded set is stale.
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct Folder {
    /// The folder at the time of compilation, absolute.
    pub path: Cow<'static, str>,
    /// The scripts that were embedded, relative to it, sorted.
    pub files: Cow<'static, [Cow<'static, str>]>,
}

impl Folder {
    /// What a macro writes.
    pub const fn embedded(path: &'static str, files: &'static [Cow<'static, str>]) -> Self {
        Self { path: Cow::Borrowed(path), files: Cow::Borrowed(files) }
    }
}

/// The contexts of these migrations, by name, with their counts and digests.
fn summarise(migrations: &[Migration]) -> Vec<Context> {
    let mut contexts: Vec<Context> = Vec::new();
    for migration in migrations {
        let id: &MigrationId = migration.id();
        let at = match contexts.binary_search_by(|c| c.name().cmp(id.context())) {
            Ok(at) => at,
            Err(at) => {
                let name = Cow::Owned(id.context().to_owned());
                contexts.insert(at, Context { name, count: 0, digest: Digest::EMPTY });
                at
            }
        };
        if migration.is_ordered() {
            let context = &mut contexts[at];
            context.count += 1;
            context.digest =
                context.digest.with(id.context(), id.version().as_str(), &migration.checksum().to_string());
        }
    }
    contexts
}
