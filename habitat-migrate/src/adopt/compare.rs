//! Compares another tool's history with a catalog. Nothing here asks a server.

use std::collections::HashMap;

use habitat_migrate_catalog::{Catalog, Kind, Migration, MigrationId};

use super::Adopt;
use super::checksum::Verdict;
use super::entry::{Entry, Standing};
use super::error::AdoptError;
use super::number::{Number, is_same_name};
use super::report::{Adoption, AdoptionState, Difference, Matched, Mismatch, Proof};
use super::table::Table;
use crate::history::History;

#[cfg(test)]
mod tests;

/// Says what of a history is in a catalog, what does not match, and what is left to apply; `history` is what this
/// library has recorded before.
///
/// # Errors
///
/// The catalog does not have the context that `adopt` names.
pub(crate) fn compare(
    table: &Table,
    entries: &[Entry],
    catalog: &Catalog,
    history: &History,
    adopt: &Adopt,
) -> Result<Adoption, AdoptError> {
    let candidates = candidates(table, catalog, adopt)?;
    let mut comparison = Comparison { table, adopt, candidates, matched: HashMap::new(), seen: Vec::new() };
    let mut differences = Vec::new();
    for entry in entries {
        if let Err((migration, difference)) = comparison.take(entry) {
            differences.push(Mismatch {
                version: entry.version.clone(),
                accepted: adopt.accepts(&entry.version, migration.as_ref(), &difference),
                migration,
                difference,
            });
        }
    }
    comparison.take_what_is_accepted(entries, &differences);
    let is_recorded = |id: &MigrationId| history.get(id).is_some();
    let is_there = |id: &MigrationId| comparison.matched.contains_key(id) || comparison.seen.contains(id);
    let pending: Vec<&Candidate<'_>> = (comparison.candidates.iter())
        .filter(|candidate| !is_there(candidate.migration.id()) && !is_recorded(candidate.migration.id()))
        .collect();
    for candidate in &pending {
        let migration = candidate.migration;
        let after = comparison.candidates.iter().find(|other| {
            let is_same_context = other.migration.context() == migration.context();
            let numbers = other.number.as_ref().zip(candidate.number.as_ref());
            let is_later = is_same_context && numbers.is_some_and(|(theirs, mine)| theirs > mine);
            is_there(other.migration.id())
                && (is_later || other.migration.requires().contains(migration.id()))
        });
        if let Some(after) = after {
            let difference = Difference::Gap { after: after.migration.id().clone() };
            let version = migration.version().to_string();
            let accepted = adopt.accepts(&version, Some(migration.id()), &difference);
            differences.push(Mismatch {
                version,
                migration: Some(migration.id().clone()),
                difference,
                accepted,
            });
        }
    }
    let pending = pending.iter().map(|candidate| candidate.migration.id().clone()).collect();
    let mut matched = comparison.matched;
    Ok(Adoption {
        tool: table.tool,
        table: table.to_string(),
        matched: catalog.migrations().iter().filter_map(|m| matched.remove(m.id())).collect(),
        differences,
        pending,
        state: AdoptionState::Compared,
    })
}

/// A migration of the catalog that the history may have.
struct Candidate<'c> {
    migration: &'c Migration,
    /// None where its version does not begin with a number in the tool's notation: the tool does not have it.
    number: Option<Number>,
    name: &'c str,
}

/// The versioned migrations: a repeatable one runs again anyway.
fn candidates<'c>(
    table: &Table,
    catalog: &'c Catalog,
    adopt: &Adopt,
) -> Result<Vec<Candidate<'c>>, AdoptError> {
    if let Some(name) =
        adopt.context.as_ref().filter(|name| catalog.contexts().iter().all(|c| c.name() != *name))
    {
        let contexts = catalog.contexts().iter().map(|context| context.name().to_owned()).collect();
        return Err(AdoptError::no_context(name.clone(), contexts));
    }
    let is_asked_for = |m: &&Migration| {
        m.kind() == Kind::Versioned && adopt.context.as_ref().is_none_or(|name| name == m.context())
    };
    let candidate = |migration: &'c Migration| {
        let version = migration.version().as_str();
        match table.tool.notation().read(version) {
            Some((number, name)) => Candidate { migration, number: Some(number), name },
            None => Candidate { migration, number: None, name: version },
        }
    };
    Ok(catalog.migrations().iter().filter(is_asked_for).map(candidate).collect())
}

/// What a mismatch is about, and what it is.
type Refused = (Option<MigrationId>, Difference);

struct Comparison<'a, 'c> {
    table: &'a Table,
    adopt: &'a Adopt,
    candidates: Vec<Candidate<'c>>,
    matched: HashMap<MigrationId, Matched>,
    /// What is applied there and does not match.
    seen: Vec<MigrationId>,
}

impl Comparison<'_, '_> {
    /// Takes one entry of the history.
    fn take(&mut self, entry: &Entry) -> Result<(), Refused> {
        match entry.standing {
            Standing::Applied => self.take_one(entry),
            Standing::Baseline => {
                self.take_up_to(entry, Proof::Baseline);
                Ok(())
            }
            Standing::UpTo => {
                let found = self.find(entry);
                let accepts =
                    |(id, difference): &Refused| self.adopt.accepts(&entry.version, id.as_ref(), difference);
                if found.as_ref().err().is_none_or(accepts) {
                    self.take_up_to(entry, Proof::NoChecksum(self.table.tool));
                }
                found.map(drop)
            }
            Standing::Failed => {
                let id = self.find(entry).ok().map(|n| self.candidates[n].migration.id().clone());
                self.seen.extend(id.clone());
                Err((id, Difference::Failed))
            }
        }
    }

    fn take_one(&mut self, entry: &Entry) -> Result<(), Refused> {
        let candidate = &self.candidates[self.find(entry)?];
        let id = candidate.migration.id().clone();
        if self.seen.contains(&id) || self.matched.get(&id).is_some_and(|m| m.proof != Proof::Baseline) {
            return Err((Some(id.clone()), Difference::Ambiguous { migrations: vec![id] }));
        }
        match proof(self.table, entry, candidate) {
            Ok(proof) => {
                let matched = matched(candidate.migration, entry, proof);
                self.matched.insert(id, matched);
                Ok(())
            }
            Err(difference) => {
                self.seen.push(id.clone());
                Err((Some(id), difference))
            }
        }
    }

    /// Takes everything up to an entry's number that has no entry of its own.
    fn take_up_to(&mut self, entry: &Entry, proof: Proof) {
        let Some(limit) = self.table.tool.notation().number(&entry.version) else { return };
        let is_below = |c: &&Candidate<'_>| c.number.as_ref().is_some_and(|number| *number <= limit);
        for candidate in self.candidates.iter().filter(is_below) {
            let id = candidate.migration.id();
            if !self.seen.contains(id) && !self.matched.contains_key(id) {
                self.matched.insert(id.clone(), matched(candidate.migration, entry, proof));
            }
        }
    }

    /// The one candidate that an entry is about.
    fn find(&self, entry: &Entry) -> Result<usize, Refused> {
        let number = self.table.tool.notation().number(&entry.version);
        let is_it = |n: &usize| number.is_some() && self.candidates[*n].number == number;
        let mut found: Vec<usize> = (0..self.candidates.len()).filter(is_it).collect();
        if found.len() > 1 {
            let name = entry.name.as_deref().unwrap_or_default();
            let named: Vec<usize> =
                found.iter().copied().filter(|n| is_same_name(self.candidates[*n].name, name)).collect();
            if named.len() == 1 {
                found = named;
            }
        }
        match found.as_slice() {
            [] => Err((None, Difference::Unknown)),
            [one] => Ok(*one),
            several => {
                let id = |n: &usize| self.candidates[*n].migration.id().clone();
                Err((None, Difference::Ambiguous { migrations: several.iter().map(id).collect() }))
            }
        }
    }

    /// Records what has another script or name, where the caller accepts it.
    fn take_what_is_accepted(&mut self, entries: &[Entry], differences: &[Mismatch]) {
        for mismatch in differences.iter().filter(|mismatch| mismatch.accepted) {
            let candidate =
                self.candidates.iter().find(|c| Some(c.migration.id()) == mismatch.migration.as_ref());
            let entry = entries.iter().find(|entry| entry.version == mismatch.version);
            if let (Some(candidate), Some(entry)) = (candidate, entry) {
                let matched = matched(candidate.migration, entry, Proof::Accepted);
                self.matched.insert(matched.id.clone(), matched);
            }
        }
    }
}

/// What says that an entry and a candidate are the same, or how they differ.
fn proof(table: &Table, entry: &Entry, candidate: &Candidate<'_>) -> Result<Proof, Difference> {
    let proof = match &entry.checksum {
        None => Proof::NoChecksum(table.tool),
        Some(stored) => {
            let name = entry.name.as_deref();
            match stored.verify(candidate.migration.script(), &entry.version, name) {
                Verdict::Same => return Ok(Proof::Checksum(stored.algorithm)),
                Verdict::SameButForm => return Ok(Proof::ChecksumOfForm(stored.algorithm)),
                Verdict::Unknown(reason) => Proof::NotComputed(reason),
                Verdict::Different(ours) => {
                    return Err(Difference::Checksum {
                        algorithm: stored.algorithm,
                        theirs: stored.value.clone(),
                        ours,
                    });
                }
            }
        }
    };
    match &entry.name {
        Some(theirs) if !theirs.is_empty() && !is_same_name(theirs, candidate.name) => {
            Err(Difference::Name { theirs: theirs.clone(), ours: candidate.name.to_owned() })
        }
        _ => Ok(proof),
    }
}

fn matched(migration: &Migration, entry: &Entry, proof: Proof) -> Matched {
    // A row that stands for several says nothing of when each of them was applied.
    let is_own = entry.standing == Standing::Applied;
    Matched {
        id: migration.id().clone(),
        version: entry.version.clone(),
        proof,
        applied_at: entry.applied_at.filter(|_| is_own),
        applied_by: entry.applied_by.clone().filter(|_| is_own),
        took: entry.took.filter(|_| is_own),
    }
}

impl Adopt {
    /// Whether the caller accepts what does not match about a version.
    fn accepts(&self, version: &str, migration: Option<&MigrationId>, difference: &Difference) -> bool {
        let is_named = |name: &str| self.accepted.contains(name);
        let can_be = !matches!(difference, Difference::Failed | Difference::Ambiguous { .. });
        let by_id = |id: &MigrationId| is_named(id.version().as_str()) || is_named(&id.to_string());
        can_be && (is_named(version) || migration.is_some_and(by_id))
    }
}
