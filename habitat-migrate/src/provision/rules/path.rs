//! The `search_path` of functions that run with their owner's rights.

use super::{Repair, Reply, RuleFinding, reason};
use crate::sql::Ident;

pub(super) fn findings(reply: &Reply) -> Vec<RuleFinding> {
    let writable: Vec<(&str, &str)> = reply.rows("writable").map(|row| (row.text(1), row.text(2))).collect();
    let mut findings = Vec::new();
    for row in reply.rows("definer") {
        let (routine, schema) = (row.text(1), row.text(2));
        let mut find = |code: &str, what: String, repair| {
            findings.push(RuleFinding::new(code, routine, what, reason::of(code), repair));
        };
        let set = |path: &[String]| {
            let names: Vec<String> = path.iter().map(|name| Ident(name).to_string()).collect();
            Repair::Statement(format!("ALTER ROUTINE {routine} SET search_path = {}", names.join(", ")))
        };
        let Some(path) = row.value(3) else {
            let path = ["pg_catalog", schema, "pg_temp"].map(str::to_owned);
            find(
                "definer-search-path",
                "runs with its owner's rights and its caller's search_path".to_owned(),
                set(&path),
            );
            continue;
        };
        // An empty path is the safest: every name in it must say its schema.
        let path: Vec<String> = names(path).into_iter().filter(|name| !name.is_empty()).collect();
        let lasting: Vec<String> = path.iter().filter(|name| *name != "pg_temp").cloned().collect();
        if !path.is_empty()
            && (path.len() != lasting.len() + 1 || path.last().is_none_or(|last| last != "pg_temp"))
        {
            let safe: Vec<String> = lasting.iter().cloned().chain(["pg_temp".to_owned()]).collect();
            find(
                "definer-temporary",
                "has pg_temp first in its search_path, where it is if not named last".to_owned(),
                set(&safe),
            );
        }
        if lasting.iter().any(|name| name == "$user") {
            let safe: Vec<String> = lasting
                .iter()
                .filter(|name| *name != "$user")
                .cloned()
                .chain(["pg_temp".to_owned()])
                .collect();
            find(
                "definer-writable-path",
                "has a schema of its caller's name in its search_path".to_owned(),
                set(&safe),
            );
        }
        for (schema, who) in writable.iter().filter(|(schema, _)| lasting.iter().any(|name| name == schema)) {
            let revoke = format!("REVOKE CREATE ON SCHEMA {} FROM {who}", Ident(schema));
            find(
                "definer-writable-path",
                format!("has schema {} in its search_path, where {who} may create", Ident(schema)),
                Repair::Statement(revoke),
            );
        }
    }
    findings
}

/// The names in a search_path, as the server keeps it: separated by commas, quoted where that is needed.
fn names(path: &str) -> Vec<String> {
    let (mut names, mut name, mut quoted) = (Vec::new(), String::new(), false);
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => name.extend(chars.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => names.push(std::mem::take(&mut name)),
            c if !quoted && c.is_ascii_whitespace() => {}
            c if !quoted => name.extend(c.to_lowercase()),
            c => name.push(c),
        }
    }
    names.push(name);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_path_is_read_as_the_server_reads_it() {
        assert_eq!(names("pg_catalog, App, pg_temp"), ["pg_catalog", "app", "pg_temp"]);
        assert_eq!(names(r#""$user", "a,b", "say ""hi""""#), ["$user", "a,b", "say \"hi\""]);
        assert_eq!(names(r#""""#), [""]);
    }
}
