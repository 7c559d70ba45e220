use super::*;

type Files<'a> = [(&'a str, &'a str)];

/// A folder for each context, in memory.
struct Folders(Vec<(String, String)>);

impl Folders {
    fn new(files: &Files<'_>) -> Self {
        Self(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect())
    }
}

impl Source for Folders {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("habitat")
    }

    fn prefix(&self) -> Cow<'_, str> {
        Cow::Borrowed("migrations/habitat")
    }

    fn files(&self) -> Result<Vec<crate::SourceFile>, Problems> {
        Ok(self
            .0
            .iter()
            .map(|(path, text)| crate::SourceFile::new(path, text.clone().into_bytes()))
            .collect())
    }
}

fn load(files: &Files<'_>) -> Result<Catalog, Problems> {
    Catalog::load(Folders::new(files))
}

fn order(catalog: &Catalog) -> Vec<String> {
    catalog.migrations().iter().map(|migration| migration.id().to_string()).collect()
}

/// The problems of a faulty set: path, message and help of each.
fn problems(files: &Files<'_>) -> Vec<String> {
    shown(&load(files).expect_err("the set is faulty"))
}

fn shown(problems: &Problems) -> Vec<String> {
    let place =
        |problem: &Problem| problem.location().map_or(String::new(), |location| format!(":{location}"));
    problems
        .iter()
        .map(|p| format!("{}{}: {} ({})", p.path(), place(p), p.message(), p.help().unwrap_or_default()))
        .collect()
}

#[test]
fn a_migration_has_all_of_its_scripts() {
    let catalog = load(&[
        ("treasury/01_treasury_core.sql", "-- habitat: role owner\nSELECT 1;"),
        ("treasury/01_treasury_core.down.sql", "SELECT 2;"),
        ("treasury/01_treasury_core.verify.sql", "SELECT 3;"),
        ("treasury/R__balances.sql", "-- habitat: description The balances\nSELECT 4;"),
        ("README.md", "not SQL"),
        ("treasury/.01_draft.sql", "'"),
    ])
    .expect("a good set");
    assert_eq!(order(&catalog), ["treasury:01_treasury_core", "treasury:R__balances"]);
    let core = &catalog.migrations()[0];
    assert_eq!(core.path(), "migrations/habitat/treasury/01_treasury_core.sql");
    assert_eq!(core.description(), "treasury core");
    assert_eq!((core.down(), core.verify()), (Some("SELECT 2;"), Some("SELECT 3;")));
    assert_eq!(core.settings().role.as_deref(), Some("owner"));
    assert_eq!(catalog.migrations()[1].description(), "The balances");
    assert_eq!(catalog.contexts()[0].count(), 1);
}

#[test]
fn contexts_are_ordered_by_what_they_require() {
    let catalog = load(&[
        ("agreements/05_core.sql", "-- habitat: requires treasury:02_accounts\nSELECT 1"),
        ("people/04_core.sql", "SELECT 1"),
        ("treasury/01_core.sql", "SELECT 1"),
        ("treasury/02_accounts.sql", "-- habitat: requires people:04_core, 01_core\nSELECT 1"),
    ]);
    let order = order(&catalog.expect("a good set"));
    assert_eq!(order, ["treasury:01_core", "people:04_core", "treasury:02_accounts", "agreements:05_core"]);
}

#[test]
fn r36_two_files_with_one_number_are_both_named() {
    let problems =
        problems(&[("a/01_b.sql", "SELECT 1"), ("a/1_a.sql", "SELECT 1"), ("a/001_c.sql", "SELECT 1")]);
    assert_eq!(problems.len(), 2);
    assert!(
        problems[0].contains("migrations/habitat/a/001_c.sql and migrations/habitat/a/01_b.sql"),
        "{problems:?}"
    );
    assert!(problems[1].contains("migrations/habitat/a/1_a.sql"));
}

#[test]
fn r36_one_version_from_two_sources_is_told_with_both() {
    let one = Folders::new(&[("a/01_a.sql", "SELECT 1"), ("a/01_a.down.sql", "SELECT 1")]);
    let loaded = Loader::new()
        .source(&one)
        .source(Scripts::new("a", [("01_a.sql", "SELECT 1"), ("01_a.down.sql", "SELECT 1")]))
        .load();
    let problems = shown(&loaded.expect_err("twice"));
    assert!(problems[0].contains("a:01_a has two down scripts"), "{problems:?}");
    assert!(
        problems[1].contains("a:01_a is defined twice, in a/01_a.sql and in migrations/habitat/a/01_a.sql")
    );
}

#[test]
fn sources_may_contribute_to_one_context() {
    let loaded = Loader::new()
        .source(Scripts::new("a", [("01_a.sql", "SELECT 1")]))
        .source(Scripts::new("a", [("02_b.sql", "SELECT 1")]))
        .load();
    assert_eq!(order(&loaded.expect("a good set")), ["a:01_a", "a:02_b"]);
}

#[test]
fn every_problem_of_every_file_is_told() {
    let problems = problems(&[
        ("a/01_a.sql", "COMMIT;\n'"),
        ("a/02_b.sql", "BEGIN;\nVACUUM;\nCOMMIT;"),
        ("a/03.sql", "SELECT 1"),
        ("a/04_d.sql", "-- habitat: requires b:01_x\n-- nothing\n"),
    ]);
    let paths: Vec<_> =
        problems.iter().map(|problem| problem.split(": ").next().unwrap_or_default()).collect();
    let expected = [
        "01_a.sql:2:1",
        "02_b.sql:1:1",
        "02_b.sql:2:1",
        "02_b.sql:3:1",
        "03.sql",
        "04_d.sql",
        "04_d.sql:1:22",
    ];
    let expected: Vec<String> = expected.iter().map(|path| format!("migrations/habitat/a/{path}")).collect();
    assert_eq!(paths, expected);
}

#[test]
fn r19_commit_inside_a_wrapped_script_is_refused_and_outside_is_not() {
    assert!(problems(&[("a/01_a.sql", "SELECT 1;\nCOMMIT;")])[0].contains("01_a.sql:2:1: this would commit"));
    assert!(
        problems(&[("a/01_a.sql", "SELECT 1"), ("a/01_a.verify.sql", "ROLLBACK")])[0]
            .contains("verify script's own")
    );
    load(&[("a/01_a.sql", "-- habitat: transaction none\nBEGIN; COMMIT;")]).expect("declared");
    load(&[("a/01_a.sql", "SAVEPOINT a; ROLLBACK TO a; RELEASE a; DO $$ BEGIN END $$;")]).expect("all fine");
}

#[test]
fn r18_a_down_script_runs_as_it_declares_itself() {
    let concurrently = "-- habitat: transaction none\nCREATE INDEX CONCURRENTLY i ON t (a);";
    let declared = ("a/01_a.down.sql", "-- habitat: transaction none\nDROP INDEX CONCURRENTLY i;");
    load(&[("a/01_a.sql", concurrently), declared]).expect("each says so");
    load(&[("a/01_a.sql", "SELECT 1"), declared]).expect("only the way back has no transaction");
    for up in ["SELECT 1", concurrently] {
        let down = ("a/01_a.down.sql", "DROP INDEX CONCURRENTLY i;\nCOMMIT;");
        let problems = problems(&[("a/01_a.sql", up), down]);
        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(
            problems[0].contains("01_a.down.sql:1:1: DROP INDEX CONCURRENTLY cannot run in a transaction")
        );
        assert!(problems[0].contains("declare `-- habitat: transaction none` at the beginning of the file"));
        assert!(problems[1].contains("01_a.down.sql:2:1: this would commit the down script's own"));
    }
}

#[test]
fn r18_a_verify_script_always_runs_in_a_transaction() {
    let problems = problems(&[
        ("a/01_a.sql", "-- habitat: transaction none\nVACUUM"),
        ("a/01_a.verify.sql", "VACUUM;\nCOMMIT;"),
    ]);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("01_a.verify.sql:1:1: VACUUM cannot run in a transaction"));
    assert!(problems[1].contains("01_a.verify.sql:2:1: this would commit the verify script's own"));
}

#[test]
fn r20_a_value_is_not_used_by_the_verify_script_of_the_same_transaction() {
    let add = "ALTER TYPE mood ADD VALUE 'calm';";
    let verify = ("a/01_a.verify.sql", "SELECT count(*) = 0\nFROM t WHERE m = 'calm';");
    let problems = problems(&[("a/01_a.sql", add), verify]);
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("01_a.verify.sql:2:18: 'calm' is used in the transaction that adds it"));
    assert!(problems[0].contains("verified before it commits"));
    let alone = format!("-- habitat: transaction none\n{add}");
    load(&[("a/01_a.sql", &alone), verify]).expect("it is committed by then");
    load(&[("a/01_a.sql", add), ("a/01_a.down.sql", "DELETE FROM t WHERE m = 'calm'")]).expect("later");
    load(&[("a/01_a.sql", add), ("a/02_b.sql", "SELECT 'calm'::mood")]).expect("another transaction");
}

#[test]
fn r54_what_only_psql_understands_is_refused_with_what_to_do() {
    let problems = problems(&[(
        "a/01_a.sql",
        "\\set ON_ERROR_STOP 1\n\\restrict abc\n\\connect x\nSELECT :x, :x;\nCOPY t FROM stdin;\n1\n\\.\n\\i a.sql\n\\copy t from 'x'\n",
    )]);
    let expected = [
        ("1:1", "always stops"),
        ("2:1", "pg_dump writes it"),
        ("3:1", "connected to"),
        ("4:8", "variable of psql"),
        ("5:1", "INSERT statements"),
        ("8:1", "put the statements of that file here"),
        ("9:1", "INSERT statements"),
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, (place, help)) in problems.iter().zip(expected) {
        assert!(problem.contains(&format!("01_a.sql:{place}:")) && problem.contains(help), "{problem}");
    }
}

#[test]
fn r54_down_and_verify_scripts_are_no_scripts_of_psql_either() {
    let problems = problems(&[
        ("a/01_a.sql", "SELECT 1"),
        ("a/01_a.down.sql", "\\restrict abc\nSELECT 1;"),
        ("a/01_a.verify.sql", "SELECT 1;\nCOPY t FROM STDIN;\n1\n\\.\n"),
        ("a/R__b.sql", "SELECT 1\n\\gexec\n"),
    ]);
    let places: Vec<_> =
        problems.iter().map(|problem| problem.split(": ").next().unwrap_or_default()).collect();
    let expected = ["01_a.down.sql:1:1", "01_a.verify.sql:2:1", "R__b.sql:2:1"];
    assert_eq!(places, expected.map(|place| format!("migrations/habitat/a/{place}")));
}

#[test]
fn r55_files_that_are_no_text_do_not_hide_other_problems() {
    let loaded = Catalog::from_scripts("a", [("01_a.sql", "\0"), ("01_a.down.sql", "'"), ("02_b.sql", "/*")]);
    assert_eq!(loaded.expect_err("three faults").iter().count(), 3);
}

#[test]
fn an_empty_script_is_refused() {
    assert!(problems(&[("a/01_a.sql", " -- nothing\n;")])[0].contains("holds no statement"));
}

#[test]
fn a_script_without_its_migration_is_refused_with_a_suggestion() {
    let problems = problems(&[("a/01_core.sql", "SELECT 1"), ("a/01_cor.down.sql", "SELECT 1")]);
    assert!(problems[0].contains("did you mean `01_core.down.sql`?"), "{problems:?}");
}

#[test]
fn an_unknown_requirement_is_answered_with_what_was_meant() {
    let with = |requires: &str| {
        let script = format!("-- habitat: requires {requires}\nSELECT 1");
        problems(&[("people/04_core.sql", "SELECT 1"), ("treasury/05_x.sql", &script)]).remove(0)
    };
    assert!(
        with("people:04")
            .contains("treasury/05_x.sql:1:22: treasury:05_x requires people:04, which does not exist")
    );
    assert!(with("people:04").contains("did you mean `people:04_core`?"));
    assert!(with("people:4_croe").contains("did you mean `people:04_core`?"));
    assert!(with("peolpe:04_core").contains("did you mean the context `people`?"));
    assert!(with("ledger:01_core").contains("declare it as external"));
    assert!(with("05_x").contains("requires itself"));
}

#[test]
fn a_requirement_of_an_external_context_stays() {
    let scripts = Scripts::new("a", [("01_a.sql", "-- habitat: requires people:04_core\nSELECT 1")]);
    let catalog = Loader::new().source(scripts).external("people").load().expect("declared");
    assert_eq!(catalog.migrations()[0].requires()[0].to_string(), "people:04_core");
}

#[test]
fn cycles_are_spelled_out() {
    let of_two = problems(&[
        ("a/01_a.sql", "-- habitat: requires b:02_b\nSELECT 1"),
        ("b/02_b.sql", "-- habitat: requires a:01_a\nSELECT 1"),
    ]);
    assert!(
        of_two[0].contains("a/01_a.sql:1:22: migrations wait for each other: a:01_a -> b:02_b -> a:01_a")
    );
    let of_a_context = problems(&[
        ("a/01_a.sql", "-- habitat: requires b:01_b\nSELECT 1"),
        ("a/02_b.sql", "SELECT 1"),
        ("a/03_c.sql", "SELECT 1"),
        ("b/01_b.sql", "-- habitat: requires a:03_c\nSELECT 1"),
    ]);
    assert!(of_a_context[0].contains("a:01_a -> b:01_b -> a:03_c -> a:01_a"), "{of_a_context:?}");
    let of_one =
        problems(&[("a/01_a.sql", "-- habitat: requires 02_b\nSELECT 1"), ("a/02_b.sql", "SELECT 1")]);
    assert!(of_one[0].contains("which comes after it in its own context") && of_one[0].contains("cycle"));
}

#[test]
fn folders_hold_scripts_or_contexts_and_nothing_deeper() {
    let mixed = problems(&[("01_a.sql", "SELECT 1"), ("b/01_a.sql", "SELECT 1")]);
    assert!(mixed[0].contains("scripts both here and in folders: 01_a.sql and b/01_a.sql"));
    assert!(
        problems(&[("a/b/01_a.sql", "SELECT 1")])[0]
            .starts_with("migrations/habitat/a/b: the folder lies too deep")
    );
    assert!(problems(&[("README.md", "")])[0].contains("there is no script"));
    assert!(problems(&[("my people/01_a.sql", "SELECT 1")])[0].contains("cannot be the name of a context"));
    let named = Catalog::load(crate::Named::new("x", Folders::new(&[("a/01_a.sql", "SELECT 1")])));
    assert!(shown(&named.expect_err("two names"))[0].contains("cannot be given to a folder of folders"));
    let flat = load(&[("01_a.sql", "SELECT 1")]).expect("one context");
    assert_eq!(order(&flat), ["habitat:01_a"]);
}

#[test]
fn combined_catalogs_are_checked_against_each_other() {
    let needing = || {
        let scripts = Scripts::new("a", [("01_a.sql", "-- habitat: requires people:04_core\nSELECT 1")]);
        Loader::new().source(scripts).external("people").load().expect("declared")
    };
    let people =
        |name: &'static str| Catalog::from_scripts("people", [(name, "SELECT 1")]).expect("a good set");
    let combined = Catalog::combine([needing(), people("04_core.sql")]).expect("sound");
    assert_eq!(order(&combined), ["people:04_core", "a:01_a"]);
    Catalog::combine([needing()]).expect("people stays external");
    let missing = Catalog::combine([needing(), people("04_other.sql")]);
    assert!(shown(&missing.expect_err("missing"))[0].starts_with("a/01_a.sql:1:22"));
    assert!(Catalog::combine([people("04_a.sql"), people("4_b.sql")]).is_err());
}
