//! The list of what is in a backup, without what is in the database already.

use super::question::Target;

/// Comments out what the target has by itself: the record of its environment, its schemas, what is said of its extensions.
///
/// The lines are those of `pg_restore --list`: `215; 1259 16385 TABLE public schema_migrations_environment habitat_admin`.
pub(super) fn without(list: &str, target: &Target) -> String {
    let mut kept = String::new();
    for line in list.lines() {
        if is_there(line, target) {
            kept.push(';');
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

fn is_there(line: &str, target: &Target) -> bool {
    // Behind the numbers of the entry and of its catalog.
    let Some((_, rest)) = line.split_once("; ") else { return false };
    let what = rest.splitn(3, ' ').nth(2).unwrap_or_default();
    let record = |schema: &String| {
        let words = [
            format!(" {schema} schema_migrations_environment "),
            format!(" {schema} TABLE schema_migrations_environment "),
        ];
        words.iter().any(|words| what.contains(words))
    };
    let is = |start: &str, names: &[String]| {
        what.strip_prefix(start).is_some_and(|rest| names.iter().any(|name| follows(rest, name)))
    };
    target.environments.iter().any(record)
        || is("SCHEMA - ", &target.schemas)
        || is("COMMENT - EXTENSION ", &target.extensions)
}

/// Whether a line goes on with this name; behind it stands the owner.
fn follows(rest: &str, name: &str) -> bool {
    rest.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ') || rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_target_has_by_itself_is_left_out_and_nothing_else() {
        let target = Target {
            environments: vec!["public".to_owned()],
            schemas: vec!["public".to_owned(), "order".to_owned()],
            extensions: vec!["pgcrypto".to_owned()],
            ..Target::default()
        };
        let list = "\
;\n; Archive created at 2026-11-21\n\
6; 2615 16387 SCHEMA - order shop\n\
7; 2615 16388 SCHEMA - orders shop\n\
2; 3079 16390 EXTENSION - pgcrypto \n\
9; 0 0 COMMENT - EXTENSION pgcrypto \n\
215; 1259 16385 TABLE public schema_migrations_environment habitat_admin\n\
30; 0 0 COMMENT public TABLE schema_migrations_environment habitat_admin\n\
31; 0 16385 TABLE DATA public schema_migrations_environment habitat_admin\n\
32; 2606 16400 CONSTRAINT public schema_migrations_environment schema_migrations_environment_pkey habitat_admin\n\
33; 1259 16500 TABLE order schema_migrations_environment shop\n\
34; 0 0 ACL - SCHEMA order shop\n";
        let kept = without(list, &target);
        let out: Vec<&str> = kept
            .lines()
            .filter_map(|line| line.strip_prefix(';'))
            .filter_map(|l| l.split(';').next())
            .collect();
        assert_eq!(out, ["", " Archive created at 2026-11-21", "6", "9", "215", "30", "31", "32"]);
    }
}
