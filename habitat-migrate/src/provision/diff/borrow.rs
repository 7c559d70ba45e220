//! The rights of other roles, for as long as a transaction lasts.
//!
//! A superuser has every right. Anybody else makes itself a member of the owners whose things it changes, within the
//! transaction that changes them, and leaves again before the commit: so whoever provisions, the memberships are the same afterwards.

use std::collections::BTreeSet;

use crate::provision::finding::FindingKind;
use crate::provision::live::Live;
use crate::provision::step::{Place, Step};
use crate::sql::Ident;

/// Puts the grants in front of the steps of each transaction, and the revokes behind them.
pub(super) fn around(steps: Vec<Step>, live: &Live, refusals: &mut Vec<String>) -> Vec<Step> {
    let administrator = &live.administrator;
    if administrator.superuser {
        return steps;
    }
    let mut done = Vec::new();
    let mut steps = steps.into_iter().peekable();
    while let Some(first) = steps.next() {
        let place = first.place.clone();
        let mut together = vec![first];
        while let Some(step) = steps.next_if(|step| step.place == place) {
            together.push(step);
        }
        let mut needs = BTreeSet::new();
        for step in &together {
            for role in &step.needs {
                if *role == administrator.name || administrator.acts_as.contains(role) {
                    continue;
                }
                if live.roles.get(role).is_some_and(|role| role.superuser) {
                    refusals.push(format!(
                        "{}: {role} is a superuser, whose rights {} cannot have: provision as a superuser, or let one run `{}`",
                        step.why, administrator.name, step.sql
                    ));
                    continue;
                }
                needs.insert(role.clone());
            }
        }
        if place == Place::Alone {
            needs.clear();
        }
        let name = Ident(&administrator.name);
        let borrow = |role: &String| match live.major {
            16.. => (
                format!("GRANT {} TO {name} WITH INHERIT TRUE, SET TRUE", Ident(role)),
                format!("REVOKE {} FROM {name} GRANTED BY {name}", Ident(role)),
            ),
            _ => (format!("GRANT {} TO {name}", Ident(role)), format!("REVOKE {} FROM {name}", Ident(role))),
        };
        let step = |sql: String, role: &String, why: &str| Step {
            place: place.clone(),
            sql,
            why: format!("{} {why} {role}", administrator.name),
            kind: FindingKind::Borrowing,
            subject: format!("role {}", administrator.name),
            needs: Vec::new(),
        };
        done.extend(needs.iter().map(|role| step(borrow(role).0, role, "takes the rights of")));
        done.append(&mut together);
        done.extend(needs.iter().rev().map(|role| step(borrow(role).1, role, "gives back the rights of")));
    }
    done
}
