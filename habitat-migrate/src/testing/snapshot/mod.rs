//! What a database consists of, as a value that can be printed and compared: [`SchemaSnapshot`].

mod diff;
mod query;

use std::collections::BTreeMap;
use std::fmt;

use postgres::{Client, IsolationLevel};

pub use diff::SchemaDiff;

/// A picture of everything in a database that migrations can make: tables with their columns, constraints and indexes,
/// views, routines, triggers, policies, types, grants, comments and all the rest.
///
/// ```no_run
/// use habitat_migrate::testing::{SchemaSnapshot, Server};
///
/// let database = Server::shared()?.database()?;
/// let mut client = database.connect()?;
/// client.batch_execute("CREATE TABLE members (email text)")?;
/// let before = SchemaSnapshot::of(&mut client)?;
/// client.batch_execute("ALTER TABLE members ALTER email TYPE varchar(200)")?;
/// let after = SchemaSnapshot::of(&mut client)?;
/// assert_eq!(
///     before.diff(&after).to_string(),
///     "table public.members: column email: type text -> character varying(200)"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is read from the catalogs in one transaction and needs no program beside the server. It shows no object's number, and names everything
/// with its schema, so that two databases with the same schema have equal pictures. What is not in it: rows, how far sequences came, roles and
/// tablespaces, which belong to the whole server, large objects and security labels.
/// What extensions bring along is told by the extension alone.
///
/// [`Display`](fmt::Display) prints a line for each property, in an order that does not depend on when anything was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaSnapshot {
    objects: BTreeMap<String, Object>,
}

/// The parts of an object by name, `column email`; the object's own properties have no name.
type Object = BTreeMap<String, Part>;

/// Properties by name.
type Part = BTreeMap<String, String>;

impl SchemaSnapshot {
    /// The picture of the database that a client is connected to.
    ///
    /// # Errors
    /// The connection is lost, or the login may not read a catalog.
    pub fn of(client: &mut Client) -> Result<Self, postgres::Error> {
        let mut transaction = client
            .build_transaction()
            .isolation_level(IsolationLevel::RepeatableRead)
            .read_only(true)
            .start()?;
        let rows = query::rows(&mut transaction)?;
        transaction.commit()?;
        let mut objects: BTreeMap<String, Object> = BTreeMap::new();
        for [object, part, property, value] in rows {
            let object = objects.entry(object).or_default();
            if !value.is_empty() {
                object.entry(part).or_default().insert(property, value);
            }
        }
        Ok(Self { objects })
    }

    /// The same without the tables in which this library keeps in `schema` what is applied.
    #[must_use]
    pub fn without_tracker(mut self, schema: &str) -> Self {
        let schema =
            if is_plain(schema) { schema.to_owned() } else { format!("\"{}\"", schema.replace('"', "\"\"")) };
        let tables =
            [format!("table {schema}.schema_migrations"), format!("sequence {schema}.schema_migrations")];
        self.objects.retain(|object, _| {
            let rest = tables.iter().find_map(|table| object.strip_prefix(table.as_str()));
            rest.is_none_or(|rest| !rest.is_empty() && !rest.starts_with('_'))
        });
        self
    }

    /// The same with another name for a role, which has one that nothing else contains.
    pub(super) fn with_role_named(self, role: &str, name: &str) -> Self {
        let named = |text: String| text.replace(role, name);
        let properties = |part: Part| part.into_iter().map(|(key, value)| (key, named(value))).collect();
        let parts =
            |object: Object| object.into_iter().map(|(key, part)| (named(key), properties(part))).collect();
        Self { objects: self.objects.into_iter().map(|(key, object)| (named(key), parts(object))).collect() }
    }

    /// Whether there is an object of this name: `table public.members`.
    pub fn has(&self, object: &str) -> bool {
        self.objects.contains_key(object)
    }

    /// What another picture lacks, has beyond this one, and has otherwise.
    pub fn diff(&self, other: &Self) -> SchemaDiff {
        SchemaDiff::between(&self.objects, &other.objects)
    }
}

/// Whether PostgreSQL writes a name without quotes; those that are key words aside.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    name.starts_with(plain) && name.chars().all(|c| plain(c) || c.is_ascii_digit())
}

impl fmt::Display for SchemaSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (object, parts) in &self.objects {
            writeln!(f, "{object}")?;
            for (name, properties) in parts {
                let indent = if name.is_empty() {
                    "  "
                } else {
                    writeln!(f, "  {name}")?;
                    "    "
                };
                for (property, value) in properties {
                    let value = value.replace('\n', &format!("\n{indent}  "));
                    writeln!(f, "{indent}{property}: {value}")?;
                }
            }
        }
        Ok(())
    }
}
