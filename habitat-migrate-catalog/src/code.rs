//! Migrations that are functions of the program: [`CodeMigration`], and how they come into a [`Catalog`].

use std::any::Any;
use std::borrow::Cow;

use crate::folder::is_context;
use crate::graph::{External, Graph, Node};
use crate::load::{node_of, words_of};
use crate::name::{FileName, Role};
use crate::script::{self, Script};
use crate::value::requirements;
use crate::{
    Catalog, Checksum, Compatibility, Kind, Migration, MigrationId, Parts, Problem, Problems, Settings,
    Version,
};

/// A function, of a type that only the library knows which calls it.
#[doc(hidden)]
pub type Opaque = &'static (dyn Any + Send + Sync);

/// The functions of a migration that is written in Rust.
#[derive(Clone, Copy, Debug)]
#[doc(hidden)]
pub struct Code {
    /// The function's name.
    pub name: &'static str,
    /// What applies it.
    pub function: Opaque,
    /// What takes it back.
    pub down: Option<Opaque>,
}

/// A migration that is written in Rust: what the attribute `migration` makes of a function.
///
/// [`Catalog::with_code`] takes it into a catalog.
#[derive(Clone, Copy, Debug)]
pub struct CodeMigration {
    code: Code,
    file: &'static str,
    line: u32,
    version: &'static str,
    context: Option<&'static str>,
    requires: &'static [&'static str],
    description: Option<&'static str>,
    compatibility: Compatibility,
    revision: &'static str,
    verify: Option<&'static str>,
}

impl CodeMigration {
    /// What a macro writes, followed by what else was said of the function.
    #[doc(hidden)]
    pub const fn embedded(
        version: &'static str,
        name: &'static str,
        function: Opaque,
        file: &'static str,
        line: u32,
    ) -> Self {
        Self {
            code: Code { name, function, down: None },
            file,
            line,
            version,
            context: None,
            requires: &[],
            description: None,
            compatibility: Compatibility::Compatible,
            revision: "",
            verify: None,
        }
    }

    #[doc(hidden)]
    pub const fn context(self, context: &'static str) -> Self {
        Self { context: Some(context), ..self }
    }

    #[doc(hidden)]
    pub const fn requires(self, requires: &'static [&'static str]) -> Self {
        Self { requires, ..self }
    }

    #[doc(hidden)]
    pub const fn description(self, description: &'static str) -> Self {
        Self { description: Some(description), ..self }
    }

    #[doc(hidden)]
    pub const fn breaking(self) -> Self {
        Self { compatibility: Compatibility::Breaking, ..self }
    }

    #[doc(hidden)]
    pub const fn revision(self, revision: &'static str) -> Self {
        Self { revision, ..self }
    }

    #[doc(hidden)]
    pub const fn verify(self, verify: &'static str) -> Self {
        Self { verify: Some(verify), ..self }
    }

    #[doc(hidden)]
    pub const fn down(self, down: Opaque) -> Self {
        Self { code: Code { down: Some(down), ..self.code }, ..self }
    }

    /// Where the function is, as messages name it: `src/migrations.rs:12`.
    fn path(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The migration in the context that it names, or in `usual`; what is wrong with it goes to `problems`.
    fn into_node(self, usual: Result<&str, &str>, problems: &mut Vec<Problem>) -> Option<Node> {
        let path = self.path();
        let before = problems.len();
        let mut fail = |(message, help): Fault| {
            let message = format!("`{}`: {message}", self.code.name);
            problems.push(Problem::new(path.as_str(), message).with_help(help));
        };
        let version = check_version(self.version).map_err(&mut fail).map(|()| Version::new(self.version));
        let unknown = |help: &str| ("it is not said which context it belongs to".to_owned(), help.to_owned());
        let context = self.context.map_or(usual, Ok).map_err(|help| fail(unknown(help)));
        let odd = context.ok().filter(|context| !is_context(context));
        if let Some(odd) = odd {
            let help = "use letters, digits, `_`, `-` and `.`, 200 bytes at most".to_owned();
            fail((format!("{odd:?} cannot be the name of a context"), help));
        }
        let (Ok(version), Ok(context)) = (version, context) else { return None };
        if odd.is_some() {
            return None;
        }
        let id = MigrationId::new(context.to_owned(), version);
        let mut requires: Vec<MigrationId> = Vec::new();
        for text in self.requires {
            match requirements(text, 0) {
                Ok(found) => requires.extend(found.into_iter().map(|required| {
                    let context = required.context.unwrap_or_else(|| context.to_owned());
                    MigrationId::new(context, Version::new(required.version))
                })),
                Err(fault) => fail((format!("`{text}`: {}", fault.message), fault.help)),
            }
        }
        problems.extend(self.verify.iter().flat_map(|text| verify_problems(&path, text)));
        if problems.len() > before {
            // Others may require it: it is there, only not sound.
            return Some(Node::unread(id, Kind::Versioned, path));
        }
        let description = match self.description {
            Some(description) => Cow::Borrowed(description),
            None => Cow::Owned(words_of(id.version())),
        };
        let checksum = self.checksum(&id);
        let migration = Migration::from_parts(Parts {
            id,
            kind: Kind::Versioned,
            path: path.into(),
            description,
            script: Cow::Borrowed(""),
            checksum,
            down: None,
            verify: self.verify.map(Cow::Borrowed),
            requires: requires.into(),
            settings: Settings { compatibility: self.compatibility, ..Settings::DEFAULT },
        });
        Some(node_of(&migration.with_code(self.code)))
    }

    /// Of the name and the revision, not of the code.
    ///
    /// A function calls others, and these change with every refactoring and every dependency: if that were another
    /// migration, databases that have it would refuse the program. Whoever changes what it does says so by `revision`.
    fn checksum(&self, id: &MigrationId) -> Checksum {
        Checksum::of(&format!("rust\n{}\n{}\n{}\n", id.context(), id.version(), self.revision))
    }
}

/// What is wrong, and what to do about it.
pub(crate) type Fault = (String, String);

/// Checks the version of a migration that has no file.
#[doc(hidden)]
pub fn check_version(version: &str) -> Result<(), Fault> {
    match FileName::parse(&format!("{version}.sql")) {
        Ok(FileName { kind: Kind::Versioned, role: Role::Up, .. }) => Ok(()),
        parsed => {
            let shown: String = version.chars().flat_map(char::escape_default).take(60).collect();
            let help = match parsed {
                Ok(FileName { kind: Kind::Repeatable, .. }) => {
                    "a migration in Rust is not repeatable: `0007_name`"
                }
                _ => {
                    "write a number, and a name of letters, digits, `_` and `-`, 200 bytes at most: `0007_name`"
                }
            };
            Err((format!("`{shown}` is no version"), help.to_owned()))
        }
    }
}

/// Checks what a migration that has no file requires.
#[doc(hidden)]
pub fn check_requirement(text: &str) -> Result<(), Fault> {
    requirements(text, 0).map(drop).map_err(|fault| (fault.message, fault.help))
}

/// What is wrong with a verify script that has no file.
#[doc(hidden)]
pub fn verify_problems(path: &str, text: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let path = format!("{path} (verify)");
    if let Some(script) = Script::read(&path, text.to_owned(), Role::Verify, &mut problems) {
        script::check(&script, None, None, &mut problems);
    }
    problems
}

impl Catalog {
    /// Adds migrations that are written in Rust; they stand in one order with those in SQL.
    ///
    /// A function that does not say which context it belongs to belongs to the catalog's, if there is only one. A required
    /// context of which nothing is here is external.
    ///
    /// # Errors
    /// Whatever a file would be refused for, at the function's place in its source file: a number that is taken, a required
    /// migration that is not there, a cycle, a version that is none.
    pub fn with_code(self, functions: impl IntoIterator<Item = CodeMigration>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let mut nodes: Vec<Node> = self.migrations().iter().map(node_of).collect();
        let usual = match self.contexts() {
            [only] => Ok(only.name()),
            [] => Err("the catalog has none; name it: `context = \"…\"`"),
            _ => Err("the catalog has several; name one: `context = \"…\"`"),
        };
        nodes.extend(functions.into_iter().filter_map(|function| function.into_node(usual, &mut problems)));
        let graph = Graph::new(nodes, &mut problems);
        let migrations = graph.into_ordered(&External::Absent, &mut problems);
        match Problems::new(problems) {
            Some(problems) => Err(problems),
            None => Ok(Self::from_checked(migrations, self.folders().to_vec())),
        }
    }
}

#[cfg(test)]
#[path = "code_tests.rs"]
mod tests;
