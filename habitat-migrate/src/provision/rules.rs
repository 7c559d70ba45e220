//! What is unsafe in a database, whatever was declared for it: [`audit_rules`].

use std::fmt;

use super::access::AccessError;
use crate::client::{Client, Reply};
use crate::sql::Literal;

mod path;
mod query;
mod reason;

/// What a database is held to.
///
/// ```no_run
/// # #[cfg(feature = "postgres")]
/// # fn example(client: &mut postgres::Client) -> Result<(), Box<dyn std::error::Error>> {
/// use habitat_migrate::provision::{Rules, audit_rules};
///
/// let rules = Rules::new().application_role("habitat_write").protected_schema("public").owner("habitat_admin");
/// for finding in audit_rules(client, &rules)? {
///     println!("{finding}");
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Rules {
    schemas: Vec<String>,
    protected: Vec<String>,
    unprotected: Vec<(String, String)>,
    roles: Vec<String>,
    owner: Option<String>,
    isolated: bool,
    primary_keys: bool,
    accepted: Vec<(String, String)>,
}

impl Rules {
    /// The rules that hold for every database, in all of its schemas.
    pub fn new() -> Self {
        Self::default()
    }

    /// A schema of the application: where any is named, others are not looked at.
    #[must_use]
    pub fn schema(mut self, name: impl Into<String>) -> Self {
        self.schemas.push(name.into());
        self
    }

    /// A schema whose tables have row-level security, on and forced.
    #[must_use]
    pub fn protected_schema(mut self, name: impl Into<String>) -> Self {
        self.protected.push(name.into());
        self
    }

    /// A table of a protected schema that needs no row-level security: the tracker, or a list of countries.
    #[must_use]
    pub fn unprotected_table(mut self, schema: impl Into<String>, table: impl Into<String>) -> Self {
        self.unprotected.push((schema.into(), table.into()));
        self
    }

    /// A role that a running program logs in as: it owns nothing, and nothing makes it powerful.
    #[must_use]
    pub fn application_role(mut self, name: impl Into<String>) -> Self {
        self.roles.push(name.into());
        self
    }

    /// The role that objects should belong to, for the statements that are suggested.
    #[must_use]
    pub fn owner(mut self, name: impl Into<String>) -> Self {
        self.owner = Some(name.into());
        self
    }

    /// Holds the database to letting in nobody but who was granted CONNECT.
    #[must_use]
    pub fn isolated(mut self) -> Self {
        self.isolated = true;
        self
    }

    /// Holds every table to having a primary key.
    #[must_use]
    pub fn primary_keys(mut self) -> Self {
        self.primary_keys = true;
        self
    }

    /// Leaves a finding out: somebody has looked at this object and decided. Both as the finding gives them.
    #[must_use]
    pub fn accept(mut self, code: impl Into<String>, object: impl Into<String>) -> Self {
        self.accepted.push((code.into(), object.into()));
        self
    }
}

/// Something in a database that is not as the rules say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleFinding {
    code: String,
    object: String,
    what: String,
    why: &'static str,
    repair: Repair,
}

/// What to do about a [`RuleFinding`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A statement that makes the finding vanish.
    Statement(String),
    /// There is more than one way, and a person must choose: what to choose from.
    Choose(String),
}

impl RuleFinding {
    pub(super) fn new(
        code: &str,
        object: &str,
        what: impl Into<String>,
        why: &'static str,
        repair: Repair,
    ) -> Self {
        Self { code: code.to_owned(), object: object.to_owned(), what: what.into(), why, repair }
    }

    /// Which rule it is: `rls-off`, `definer-public`; the guide lists them.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// What it is about, quoted as in SQL.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// What was found.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Why that is not good.
    pub fn why(&self) -> &'static str {
        self.why
    }

    /// What to do about it.
    pub fn repair(&self) -> &Repair {
        &self.repair
    }
}

/// Several lines: the finding, why it is one, and what to do.
impl fmt::Display for RuleFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {} {}", self.code, self.object, self.what)?;
        writeln!(f, "  = why: {}", self.why())?;
        match &self.repair {
            Repair::Statement(statement) => write!(f, "  = run: {statement}"),
            Repair::Choose(choice) => write!(f, "  = choose: {choice}"),
        }
    }
}

/// Reads a database and tells what is not as the rules say; changes nothing. One round trip.
///
/// Run it as a role that may read the catalog, which is any; on the database itself, since a catalog is of one database.
///
/// # Errors
///
/// [`Server`](super::AccessErrorKind::Server) and [`Lost`](super::AccessErrorKind::Lost). What it finds is no error.
///
/// # Cancellation
///
/// Nothing is left behind.
pub fn audit_rules<'a, C: Client>(
    client: &'a mut C,
    rules: &'a Rules,
) -> C::Outcome<'a, Result<Vec<RuleFinding>, AccessError>> {
    C::complete(Box::pin(audit_rules_of(client, rules)))
}

/// [`audit_rules`], to be awaited.
pub(crate) async fn audit_rules_of<C: Client>(
    client: &mut C,
    rules: &Rules,
) -> Result<Vec<RuleFinding>, AccessError> {
    let failed = |failure| AccessError::database("the database could not be audited", failure);
    let reply = client.run(&rules.message()).await.map_err(failed)?;
    let mut findings = simple(&reply);
    findings.extend(path::findings(&reply));
    findings.retain(|finding| {
        !rules.accepted.iter().any(|(code, object)| *code == finding.code && *object == finding.object)
    });
    Ok(findings)
}

fn simple(reply: &Reply) -> Vec<RuleFinding> {
    let finding = |row: &crate::client::Row| {
        let repair = match row.value(4) {
            Some(statement) => Repair::Statement(statement.to_owned()),
            None => Repair::Choose(row.text(5).to_owned()),
        };
        RuleFinding::new(row.text(1), row.text(2), row.text(3), reason::of(row.text(1)), repair)
    };
    reply.rows("finding").map(finding).collect()
}

impl Rules {
    /// One message that asks for everything; each statement of it can be pasted into psql.
    fn message(&self) -> String {
        let array = |names: &mut dyn Iterator<Item = &String>| {
            let names: Vec<String> = names.map(|name| Literal(name).to_string()).collect();
            format!("ARRAY[{}]::text[]", names.join(", "))
        };
        let wanted = format!(
            "WITH RECURSIVE wanted AS (SELECT {schemas} AS schemas, {protected} AS protected, {spaces} AS free_schemas, \
             {tables} AS free_tables, {roles} AS roles, {owner} AS owner, {isolated} AS isolated, {keys} AS primary_keys)",
            schemas = array(&mut self.schemas.iter()),
            protected = array(&mut self.protected.iter()),
            spaces = array(&mut self.unprotected.iter().map(|(schema, _)| schema)),
            tables = array(&mut self.unprotected.iter().map(|(_, table)| table)),
            roles = array(&mut self.roles.iter()),
            owner = self
                .owner
                .as_ref()
                .map_or_else(|| "NULL::text".to_owned(), |owner| format!("{}::text", Literal(owner))),
            isolated = self.isolated,
            keys = self.primary_keys,
        );
        query::ALL.iter().map(|query| format!("{wanted}{}\n{query};\n", query::COMMON)).collect()
    }
}
