//! Migrations that stand for older ones, which are no files any more.

use habitat_migrate_catalog::{Catalog, Loader, Problem, Scripts, Version};

type Files<'a> = [(&'a str, &'a str)];

fn scripts(context: &str, files: &Files<'_>) -> Scripts {
    Scripts::new(context, files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())))
}

fn load(contexts: &[(&str, &Files<'_>)]) -> Result<Catalog, Vec<String>> {
    let mut loader = Loader::new();
    for (context, files) in contexts {
        loader = loader.source(scripts(context, files));
    }
    let shown = |problem: &Problem| {
        let place = problem.location().map_or(String::new(), |location| format!(":{location}"));
        format!("{}{place}: {}; {}", problem.path(), problem.message(), problem.help().unwrap_or_default())
    };
    loader.load().map_err(|problems| problems.iter().map(shown).collect())
}

/// The one problem of a context.
fn problem(files: &Files<'_>) -> String {
    let problems = load(&[("a", files)]).expect_err("the set is faulty");
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].clone()
}

fn ids(catalog: &Catalog) -> Vec<String> {
    catalog.migrations().iter().map(|migration| migration.id().to_string()).collect()
}

const BASE: (&str, &str) = ("0010_base.sql", "-- habitat: replaces 0001_a, 0002_b\nSELECT 1");

#[test]
fn what_required_a_replaced_migration_requires_the_one_that_replaces_it() {
    let needs = [("0003_c.sql", "-- habitat: requires a:0001_a, a:0002_b\nSELECT 1")];
    let views = [BASE, ("R__v.sql", "-- habitat: requires 0002_b\nSELECT 1")];
    let catalog = load(&[("a", &views), ("b", &needs)]).expect("sound");
    assert_eq!(ids(&catalog), ["a:0010_base", "b:0003_c", "a:R__v"], "the lower number waits");
    let base = &catalog.migrations()[0];
    assert_eq!(*base.settings().replaces, [Version::new("0001_a"), Version::new("0002_b")]);
    for needing in &catalog.migrations()[1..] {
        assert_eq!(needing.requires(), [base.id().clone()], "each once");
    }
}

#[test]
fn a_combined_catalog_finds_what_replaces_a_requirement() {
    let needs = scripts("b", &[("0003_c.sql", "-- habitat: requires a:0001_a\nSELECT 1")]);
    let needing = || Loader::new().source(needs.clone()).external("a").load().expect("declared");
    let base = load(&[("a", &[BASE])]).expect("sound");
    let combined = Catalog::combine([needing(), base.clone()]).expect("sound");
    assert_eq!(ids(&combined), ["a:0010_base", "b:0003_c"]);
    let twice = Catalog::combine([base, load(&[("a", &[("0011_c.sql", BASE.1)])]).expect("sound")]);
    let problems = twice.expect_err("two stand for one");
    assert!(problems.render().contains("a/0011_c.sql:1:22"), "{}", problems.render());
}

#[test]
fn a_replaced_migration_that_is_still_a_file_is_named() {
    assert_eq!(
        problem(&[BASE, ("0002_b.sql", "SELECT 1")]),
        "a/0010_base.sql:1:30: a:0010_base replaces a:0002_b, which is still there: a/0002_b.sql; \
         remove the file a/0002_b.sql, or take the version out of `replaces`"
    );
    let renamed = problem(&[BASE, ("2_bb.sql", "SELECT 1")]);
    assert!(renamed.contains("there is another migration of that number: a/2_bb.sql"), "{renamed}");
}

#[test]
fn a_migration_replaces_others_that_are_older() {
    let with = |version: &str| {
        let text = format!("-- habitat: replaces {version}\nSELECT 1");
        problem(&[("0010_base.sql", &text)])
    };
    assert!(with("0010_base").contains("a/0010_base.sql:1:22: a:0010_base replaces itself"));
    assert!(with("0011_c").contains("a:0011_c, which has a higher number; a migration replaces older ones"));
    assert!(with("0100_c").contains("give the file a number from 100 on"));
    assert!(with("0001_a, 0001_a").contains("1:30: `0001_a` is named twice"));
    load(&[("a", &[("0010_base.sql", "-- habitat: replaces 9_a, 10_z\nSELECT 1")])])
        .expect("it takes the last number");
}

#[test]
fn two_migrations_do_not_replace_the_same_one() {
    let other = ("0011_c.sql", "-- habitat: replaces 0002_b\nSELECT 1");
    let problem = problem(&[BASE, other]);
    assert!(
        problem.starts_with(
            "a/0011_c.sql:1:22: a:0002_b is replaced by a:0010_base already, in a/0010_base.sql"
        ),
        "{problem}"
    );
    let elsewhere = [("0011_c.sql", "-- habitat: replaces 0002_b\nSELECT 1")];
    load(&[("a", &[BASE]), ("b", &elsewhere)]).expect("each context has its own");
}

#[test]
fn a_repeatable_migration_replaces_nothing() {
    let problem = problem(&[("R__v.sql", "-- habitat: replaces 0001_a\nSELECT 1")]);
    assert!(problem.starts_with("a/R__v.sql:1:22: a:R__v is repeatable, and replaces a:0001_a"), "{problem}");
}

#[test]
fn what_is_required_and_replaced_goes_round_in_no_circle() {
    let own =
        problem(&[("0010_base.sql", "-- habitat: replaces 0001_a\n-- habitat: requires 0001_a\nSELECT 1")]);
    assert!(own.contains("2:22: a:0010_base requires a:0001_a, which it replaces"), "{own}");
    let before = problem(&[BASE, ("0005_x.sql", "-- habitat: requires 0001_a\nSELECT 1")]);
    assert!(
        before.contains(
            "a:0005_x requires a:0001_a, replaced by a:0010_base, which comes after it in its own context"
        ),
        "{before}"
    );
    let base = [("0010_base.sql", "-- habitat: replaces 0001_a\n-- habitat: requires b:0002_b\nSELECT 1")];
    let round = load(&[("a", &base), ("b", &[("0002_b.sql", "-- habitat: requires a:0001_a\nSELECT 1")])]);
    let round = round.expect_err("a cycle");
    assert!(round[0].contains("wait for each other: a:0010_base -> b:0002_b -> a:0010_base"), "{round:?}");
}
