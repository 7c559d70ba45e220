//! Compares a declaration with a server: [`diff`]. Pure.

use std::collections::BTreeSet;

use super::database::Database;
use super::declaration::Declaration;
use super::finding::{Finding, FindingKind};
use super::grant::Grantee;
use super::live::{Live, LiveDatabase};
use super::step::{Place, Plan, Step};
use crate::sql::Ident;

mod borrow;
mod databases;
mod grants;
mod roles;
mod surplus;
#[cfg(test)]
mod tests;
mod within;

/// The steps, and the reasons why some of them cannot be.
pub(crate) struct Difference {
    pub(crate) plan: Plan,
    pub(crate) refusals: Vec<String>,
    pub(crate) surplus: Vec<Finding>,
}

/// What is collected while a declaration is compared.
pub(super) struct Work<'d> {
    pub(super) live: &'d Live,
    pub(super) recreate: &'d BTreeSet<String>,
    pub(super) steps: Vec<Step>,
    pub(super) remains: Vec<Finding>,
    pub(super) refusals: Vec<String>,
    pub(super) surplus: Vec<Finding>,
}

/// What makes the server what is declared; `recreate` names databases that are dropped first.
pub(crate) fn diff(declaration: &Declaration, live: &Live, recreate: &BTreeSet<String>) -> Difference {
    let mut work = Work {
        live,
        recreate,
        steps: Vec::new(),
        remains: Vec::new(),
        refusals: Vec::new(),
        surplus: Vec::new(),
    };
    roles::compare(&mut work, declaration);
    for database in &declaration.databases {
        let fresh = databases::create(&mut work, database, recreate.contains(&database.name));
        let found = match &fresh {
            Some(fresh) => fresh,
            None => &live.databases[&database.name],
        };
        databases::compare(&mut work, declaration, database, found);
        within::compare(&mut work, declaration, database, found);
        if fresh.is_none() {
            surplus::look(&mut work, database, found);
        }
    }
    work.steps.sort_by(|a, b| a.place.cmp(&b.place));
    let steps = borrow::around(std::mem::take(&mut work.steps), live, &mut work.refusals);
    let plan = Plan { environment: declaration.environment.kind, steps, remains: work.remains };
    Difference { plan, refusals: work.refusals, surplus: work.surplus }
}

impl Work<'_> {
    pub(super) fn step(
        &mut self,
        place: Place,
        kind: FindingKind,
        subject: String,
        sql: String,
        why: String,
        needs: Vec<String>,
    ) {
        self.steps.push(Step { place, sql, why, kind, subject, needs });
    }

    /// What is declared and cannot be had here: nothing is done then, and an audit tells of it.
    pub(super) fn cannot(&mut self, kind: FindingKind, database: Option<&str>, subject: String, why: String) {
        self.refusals.push(why.clone());
        let database = database.map(str::to_owned);
        self.remains.push(Finding { kind, database, subject, message: why, suggestion: None });
    }
}

/// The role that owns a schema: `pg_database_owner` is the owner of the database.
pub(super) fn real_owner(owner: &str, database: &Database, found: &LiveDatabase) -> String {
    match owner {
        super::live::OWNER => database.owner.clone().unwrap_or_else(|| found.owner.clone()),
        owner => owner.to_owned(),
    }
}

/// A grantee in SQL.
pub(super) fn quoted(grantee: &Grantee) -> String {
    match grantee {
        Grantee::Public => "PUBLIC".to_owned(),
        Grantee::Role(name) => Ident(name).to_string(),
    }
}
