//! One versioned script: [`Migration`], and what its directives say: [`Settings`].

use std::borrow::Cow;
use std::time::Duration;

use crate::{Backfill, Checksum, Code, MigrationId, Version};

/// One versioned script with its checksum and its directives.
#[derive(Clone, Debug)]
pub struct Migration {
    id: MigrationId,
    kind: Kind,
    path: Cow<'static, str>,
    description: Cow<'static, str>,
    script: Cow<'static, str>,
    checksum: Checksum,
    down: Option<Cow<'static, str>>,
    verify: Option<Cow<'static, str>>,
    requires: Cow<'static, [MigrationId]>,
    settings: Settings,
    code: Option<Code>,
}

impl Migration {
    /// Which migration it is: its context and its version.
    pub fn id(&self) -> &MigrationId {
        &self.id
    }

    /// The same while a program is compiled.
    pub(crate) const fn embedded_id(&self) -> &MigrationId {
        &self.id
    }

    /// The bounded context or module that it belongs to.
    pub fn context(&self) -> &str {
        self.id.context()
    }

    /// Its version: the stem of its file.
    pub fn version(&self) -> &Version {
        self.id.version()
    }

    /// Whether it runs once or whenever it changed.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether it stands in its context's order: every database that has later ones has it.
    ///
    /// A repeatable migration does not, and neither does one that only certain environments get.
    pub fn is_ordered(&self) -> bool {
        self.kind == Kind::Versioned && self.settings.environments.is_empty()
    }

    /// Whether a database of this environment gets it; where that is not known, only what every one gets.
    pub fn is_for(&self, environment: Option<&str>) -> bool {
        let environments = &self.settings.environments;
        environments.is_empty() || environments.iter().any(|name| Some(name.as_ref()) == environment)
    }

    /// Its file, as it is named in messages: relative to the crate or to the folder that was loaded.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// One line on what it does: the `description` directive, else words made of its name.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The name of the function that it is, if it is written in Rust.
    pub fn function(&self) -> Option<&'static str> {
        self.code.map(|code| code.name)
    }

    /// The script's text, as it stands in its file; empty for a migration that is written in Rust.
    pub fn script(&self) -> &str {
        &self.script
    }

    /// The checksum of the script; of a migration that is written in Rust, that of its name and its revision.
    pub fn checksum(&self) -> Checksum {
        self.checksum
    }

    /// The text of the script that undoes it.
    pub fn down(&self) -> Option<&str> {
        self.down.as_deref()
    }

    /// The text of the script that verifies it.
    pub fn verify(&self) -> Option<&str> {
        self.verify.as_deref()
    }

    /// The migrations that must be applied before it, besides those before it in its own context.
    pub fn requires(&self) -> &[MigrationId] {
        &self.requires
    }

    /// What its directives say about the way in which it runs.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// Everything a migration is, in public fields: what a loader fills in and a macro writes down.
#[derive(Clone, Debug)]
#[doc(hidden)]
#[allow(missing_docs, reason = "each is documented at Migration's method of the same name")]
pub struct Parts {
    pub id: MigrationId,
    pub kind: Kind,
    pub path: Cow<'static, str>,
    pub description: Cow<'static, str>,
    pub script: Cow<'static, str>,
    pub checksum: Checksum,
    pub down: Option<Cow<'static, str>>,
    pub verify: Option<Cow<'static, str>>,
    pub requires: Cow<'static, [MigrationId]>,
    pub settings: Settings,
}

impl Migration {
    /// Builds a migration from parts that were checked.
    #[doc(hidden)]
    pub fn from_parts(parts: Parts) -> Self {
        let Parts { id, kind, path, description, script, checksum, down, verify, requires, settings } = parts;
        Self { id, kind, path, description, script, checksum, down, verify, requires, settings, code: None }
    }

    /// The same migration with functions in the place of scripts.
    #[doc(hidden)]
    pub fn with_code(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The functions that it is, if it is written in Rust.
    #[doc(hidden)]
    pub fn code(&self) -> Option<Code> {
        self.code
    }

    /// The same migration with other requirements.
    pub(crate) fn requiring(mut self, requires: Vec<MigrationId>) -> Self {
        self.requires = requires.into();
        self
    }

    /// What a macro writes for each file; `down` and `verify` are empty where there is none.
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, reason = "only generated code calls it")]
    pub const fn embedded(
        context: &'static str,
        version: &'static str,
        kind: Kind,
        path: &'static str,
        description: &'static str,
        script: &'static str,
        checksum: &'static [u8; 32],
        down: Option<&'static str>,
        verify: Option<&'static str>,
        requires: &'static [MigrationId],
        settings: Settings,
    ) -> Self {
        Self {
            id: MigrationId::embedded(context, version),
            kind,
            path: Cow::Borrowed(path),
            description: Cow::Borrowed(description),
            script: Cow::Borrowed(script),
            checksum: Checksum::from_bytes(*checksum),
            down: match down {
                Some(text) => Some(Cow::Borrowed(text)),
                None => None,
            },
            verify: match verify {
                Some(text) => Some(Cow::Borrowed(text)),
                None => None,
            },
            requires: Cow::Borrowed(requires),
            settings,
            code: None,
        }
    }
}

/// Whether a migration runs once or whenever it changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Applied once, in the order of versions: `01_name.sql`.
    Versioned,
    /// Runs again whenever its checksum changes, after the versioned ones: `R__name.sql`.
    Repeatable,
}

/// Whether the engine wraps a script in a transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransactionMode {
    /// The script, its verification and its record commit together.
    #[default]
    Wrapped,
    /// `-- habitat: transaction none`: each statement commits on its own.
    None,
}

/// Whether an older binary may run on the schema that a migration leaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compatibility {
    /// Older binaries go on working.
    #[default]
    Compatible,
    /// `-- habitat: breaking`: older binaries must not boot on it.
    Breaking,
}

/// What a migration's directives say about the way in which it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// `-- habitat: transaction none`.
    pub transaction: TransactionMode,
    /// `-- habitat: breaking`.
    pub compatibility: Compatibility,
    /// `-- habitat: role app_owner`: the script runs as this role.
    pub role: Option<Cow<'static, str>>,
    /// `-- habitat: lock-timeout 2s`.
    pub lock_timeout: Option<Duration>,
    /// `-- habitat: statement-timeout 10min`.
    pub statement_timeout: Option<Duration>,
    /// `-- habitat: environments development, test`; empty means every environment.
    pub environments: Cow<'static, [Cow<'static, str>]>,
    /// `-- habitat: accepts sha256:…`: earlier texts of the file that are still good.
    pub accepts: Cow<'static, [Checksum]>,
    /// `-- habitat: needs postgres>=15, extension pgcrypto`.
    pub needs: Cow<'static, [Need]>,
    /// `-- habitat: replaces 0001_a, 0002_b`: versions of the same context that the script stands for. They are no
    /// files any more; a database that has them counts as having this one, and what required them requires it.
    pub replaces: Cow<'static, [Version]>,
    /// `-- habitat: placeholders schema, title`: what values are given for at run time, in this script and in its
    /// down and verify scripts; see [`Template`](crate::Template).
    pub placeholders: Cow<'static, [Cow<'static, str>]>,
    /// `-- habitat: verify-as app_user`: the role of a verify script, in its own [settings](Self::of_script).
    pub verify_as: Option<Cow<'static, str>>,
    /// `-- habitat: backfill users by id, batch 5000`: the script runs once for each batch of a table.
    pub backfill: Option<Backfill>,
}

impl Settings {
    /// What a migration without directives has.
    pub const DEFAULT: Self = Self {
        transaction: TransactionMode::Wrapped,
        compatibility: Compatibility::Compatible,
        role: None,
        lock_timeout: None,
        statement_timeout: None,
        environments: Cow::Borrowed(&[]),
        accepts: Cow::Borrowed(&[]),
        needs: Cow::Borrowed(&[]),
        replaces: Cow::Borrowed(&[]),
        placeholders: Cow::Borrowed(&[]),
        verify_as: None,
        backfill: None,
    };

    /// What a macro writes for a file with directives.
    #[doc(hidden)]
    #[allow(clippy::too_many_arguments, reason = "only generated code calls it")]
    pub const fn embedded(
        transaction: TransactionMode,
        compatibility: Compatibility,
        role: Option<&'static str>,
        lock_timeout: Option<Duration>,
        statement_timeout: Option<Duration>,
        environments: &'static [Cow<'static, str>],
        accepts: &'static [Checksum],
        needs: &'static [Need],
        replaces: &'static [Version],
        placeholders: &'static [Cow<'static, str>],
        backfill: Option<Backfill>,
    ) -> Self {
        Self {
            transaction,
            compatibility,
            role: match role {
                Some(name) => Some(Cow::Borrowed(name)),
                None => None,
            },
            lock_timeout,
            statement_timeout,
            environments: Cow::Borrowed(environments),
            accepts: Cow::Borrowed(accepts),
            needs: Cow::Borrowed(needs),
            replaces: Cow::Borrowed(replaces),
            placeholders: Cow::Borrowed(placeholders),
            // Only verify scripts have one, and theirs is read from their text.
            verify_as: None,
            backfill,
        }
    }
}

/// Something that the server must have before a migration can run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Need {
    /// `postgres>=15`: at least this major version.
    Postgres(u32),
    /// `extension pgcrypto`: an extension that the server can create.
    Extension(Cow<'static, str>),
}
