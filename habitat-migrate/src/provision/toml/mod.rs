//! A declaration as a TOML file: [`Template`]. It stands for every environment of a system, with variables and loops.

use std::fmt;

use habitat_migrate_catalog::{Problem, Problems, nearest};
use toml::de::{DeTable, DeValue};

use self::reader::{Reader, Scope, get};
use super::declaration::{Declaration, Environment, Kind};

mod connections;
mod database;
mod grant;
pub(crate) mod reader;
mod role;
mod scope;
mod secret;
mod section;
#[cfg(test)]
mod tests;

/// A TOML file that declares what a system needs, for all of its environments.
///
/// ```
/// use habitat_migrate::provision::Template;
///
/// let template = Template::from_toml("provision.toml", r#"
///     [environments.tst]
///     kind = "test"
///
///     [[each.service]]
///     name = "billing"
///
///     [roles."{service}_app_{env}_user"]
///     each = "service"
///     login = true
///
///     [databases."go-labs-{env}"]
/// "#)?;
/// let declaration = template.declare("tst")?;
/// assert_eq!(declaration.roles()[0].name(), "billing_app_tst_user");
/// assert_eq!(declaration.databases()[0].name(), "go-labs-tst");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Template {
    file: String,
    text: String,
    environments: Vec<Environment>,
}

impl Template {
    /// Reads a file's text, and checks it for each environment; `file` is the name that messages give it.
    ///
    /// # Errors
    ///
    /// Every problem, each with line and column and what to do about it.
    pub fn from_toml(file: impl Into<String>, text: impl Into<String>) -> Result<Self, DeclarationError> {
        let (file, text) = (file.into(), text.into());
        let (mut reader, document) = Reader::parse(&file, &text);
        DeclarationError::from(std::mem::take(&mut reader.problems))?;
        let environments = environments(&mut reader, &document);
        for environment in &environments {
            declare(&mut reader, &document, environment);
        }
        DeclarationError::from(reader.problems)?;
        Ok(Self { environments, file, text })
    }

    /// The environments that it names; where it names none, the four kinds by their own words.
    pub fn environments(&self) -> &[Environment] {
        &self.environments
    }

    /// What one environment is to have.
    ///
    /// # Errors
    ///
    /// The file names no such environment.
    pub fn declare(&self, environment: &str) -> Result<Declaration, DeclarationError> {
        let known = || self.environments.iter().map(Environment::name);
        let Some(environment) = self.environments.iter().find(|known| known.name == environment) else {
            let help = match nearest(environment, known()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are: {}", known().collect::<Vec<_>>().join(", ")),
            };
            let message = format!("there is no environment `{environment}`");
            return Err(DeclarationError(Problem::new(&self.file, message).with_help(help).into()));
        };
        let (mut reader, document) = Reader::parse(&self.file, &self.text);
        let declaration = declare(&mut reader, &document, environment);
        DeclarationError::from(reader.problems)?;
        Ok(declaration)
    }
}

/// Everything that is wrong with a declaration.
///
/// `{}` is one line with the first problem, `{:#}` and `{:?}` show every problem with its place.
#[derive(Clone, PartialEq, Eq)]
pub struct DeclarationError(Problems);

impl DeclarationError {
    fn from(problems: Vec<Problem>) -> Result<(), Self> {
        Problems::new(problems).map_or(Ok(()), |problems| Err(Self(problems)))
    }

    /// Each problem with its place, sorted by it.
    pub fn problems(&self) -> &Problems {
        &self.0
    }
}

impl fmt::Display for DeclarationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if f.alternate() {
            return f.write_str(&self.0.render());
        }
        let Some(first) = self.0.iter().next() else { return Ok(()) };
        match self.0.iter().len() {
            1 => f.write_str("the declaration has a problem: ")?,
            count => write!(f, "the declaration has {count} problems, the first: ")?,
        }
        match first.location() {
            Some(location) => write!(f, "{}:{location}: {}", first.path(), first.message()),
            None => write!(f, "{}: {}", first.path(), first.message()),
        }
    }
}

impl fmt::Debug for DeclarationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}\n\n{}", self.0.render())
    }
}

impl std::error::Error for DeclarationError {}

const SECTIONS: [&str; 12] = [
    "variables",
    "environments",
    "each",
    "roles",
    "databases",
    "schemas",
    "extensions",
    "grants",
    "revokes",
    "row_security",
    "connections",
    // Of `Probes::from_toml`.
    "probe",
];

fn environments(reader: &mut Reader<'_>, document: &DeTable<'_>) -> Vec<Environment> {
    let Some(node) = get(document, "environments") else {
        return Kind::ALL.map(|kind| Environment::new(kind.as_str(), kind)).to_vec();
    };
    let DeValue::Table(table) = node.get_ref() else { return Vec::new() };
    let mut environments = Vec::new();
    for (name, node) in table {
        let DeValue::Table(table) = node.get_ref() else { continue };
        let word = name.get_ref().as_ref();
        let kind = match get(table, "kind") {
            Some(node) => match node.get_ref() {
                DeValue::String(word) => (word.as_ref(), node.span()),
                _ => ("", node.span()),
            },
            None => (word, name.span()),
        };
        let Some(known) = Kind::from_word(kind.0) else {
            let words = Kind::ALL.map(Kind::as_str);
            let help = match nearest(kind.0, words).filter(|_| get(table, "kind").is_some()) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("write `kind = \"…\"` with one of {}", words.join(", ")),
            };
            reader.problem(kind.1, format!("environment `{word}` is of no kind"), help);
            continue;
        };
        if Kind::from_word(word).is_some_and(|meant| meant != known) {
            let message = format!("environment `{word}` is said to be {known}");
            reader.problem(kind.1, message, "give it another name, or the kind that it is named for");
            continue;
        }
        environments.push(Environment::new(word, known));
    }
    environments
}

fn declare<'t>(reader: &mut Reader<'t>, document: &DeTable<'t>, environment: &Environment) -> Declaration {
    reader.keys(document, "a declaration", &SECTIONS);
    let context = scope::Context::read(reader, document, environment);
    let mut declaration = Declaration::new(environment.clone());
    let mut mentions = scope::Mentions::default();
    role::read(reader, document, &context, &mut declaration, &mut mentions);
    database::read(reader, document, &context, &mut declaration, &mut mentions);
    connections::read(reader, document, &context, &mut declaration, &mut mentions);
    mentions.check(reader, &declaration);
    declaration
}
