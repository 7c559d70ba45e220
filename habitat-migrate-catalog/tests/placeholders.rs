//! Scripts with placeholders as a loader sees them: what their migration declares, and the checks on what is around.

use habitat_migrate_catalog::{Catalog, Placeholders, Problem, Settings, Template};

type Files<'a> = [(&'a str, &'a str)];

fn load(files: &Files<'_>) -> Result<Catalog, Vec<String>> {
    let files = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let shown = |problem: &Problem| {
        let place = problem.location().map_or(String::new(), |location| format!(":{location}"));
        format!("{}{place}: {}; {}", problem.path(), problem.message(), problem.help().unwrap_or_default())
    };
    Catalog::from_scripts("a", files).map_err(|problems| problems.iter().map(shown).collect())
}

fn problems(files: &Files<'_>) -> Vec<String> {
    load(files).expect_err("the set is faulty")
}

/// The one problem of a migration without other scripts.
fn problem(text: &str) -> String {
    let problems = problems(&[("01_a.sql", text)]);
    assert_eq!(problems.len(), 1, "{text}: {problems:?}");
    problems[0].clone()
}

#[test]
fn a_migration_declares_the_placeholders_of_all_its_scripts() {
    let catalog = load(&[
        ("01_a.sql", "-- habitat: placeholders schema, title, count\nCREATE SCHEMA ${schema:identifier};"),
        ("01_a.down.sql", "DROP SCHEMA ${schema:identifier};"),
        ("01_a.verify.sql", "SELECT ${title:literal}::text = ${count}::text;"),
    ]);
    let catalog = catalog.expect("each is used somewhere");
    let migration = &catalog.migrations()[0];
    let names = &migration.settings().placeholders;
    assert_eq!(**names, ["schema", "title", "count"]);
    let values = Placeholders::new().set("schema", "x").set("title", "y").set("count", "1");
    let down = migration.down().expect("it has one");
    let rendered = Template::of(down, names).render(&values).expect("each has a value");
    assert_eq!(rendered.text(), "DROP SCHEMA \"x\";");
    assert!(Settings::of_script(down).placeholders.is_empty(), "the migration speaks for it");
}

#[test]
fn a_script_that_declares_nothing_may_hold_anything() {
    load(&[("01_a.sql", "SELECT '${a}', \"${b:c}\", $$ ${c:identifier} $$, $a$ ${ $a$; -- ${d:e}")])
        .expect("no template");
    assert_eq!(
        problem("SELECT 1;\nSELECT ${title:literal}, ${title:literal};"),
        "a/01_a.sql:2:8: the placeholder `title` is not declared, and the server does not know it; \
         declare it at the beginning of the migration: `-- habitat: placeholders title`"
    );
}

#[test]
fn an_undeclared_placeholder_is_found_in_each_script() {
    let problems = problems(&[
        ("01_a.sql", "-- habitat: placeholders title\nSELECT ${title:literal};"),
        ("01_a.down.sql", "SELECT\n${tilte:literal}"),
        ("01_a.verify.sql", "SELECT ${title:litral}"),
        ("02_b.sql", "SELECT 1"),
        ("02_b.down.sql", "SELECT ${title:literal}"),
    ]);
    assert_eq!(problems.len(), 3, "{problems:#?}");
    assert!(
        problems[0].starts_with(
            "a/01_a.down.sql:2:1: the placeholder `tilte` is not declared; did you mean `title`?"
        )
    );
    assert!(problems[1].starts_with("a/01_a.verify.sql:1:16: there is no kind `litral`"));
    assert!(problems[2].starts_with("a/02_b.down.sql:1:8: the placeholder `title` is not declared"));
}

#[test]
fn a_declared_placeholder_that_no_script_uses_is_a_problem() {
    let problem = problem(
        "-- habitat: placeholders schema, title\nSELECT ${schema:identifier}.f(); -- ${title:literal}",
    );
    assert!(
        problem.starts_with("a/01_a.sql:1:34: the placeholder `title` is declared and never used"),
        "{problem}"
    );
}

#[test]
fn a_placeholder_in_quotes_is_told_once_and_counts_as_used() {
    let problem = problem("-- habitat: placeholders title\nCOMMENT ON TABLE t IS 'The ${title}';");
    assert!(
        problem.starts_with("a/01_a.sql:2:28: a placeholder inside of a string is not replaced"),
        "{problem}"
    );
}

#[test]
fn r18_r19_placeholders_hide_no_statement_from_the_checks() {
    let template = |text: &str| format!("-- habitat: placeholders x\n{text}");
    for (text, place, message) in [
        ("SELECT ${x:literal};\nCOMMIT;", "3:1", "this would commit"),
        ("CREATE INDEX CONCURRENTLY ${x:identifier} ON t (a);", "2:1", "CREATE INDEX CONCURRENTLY cannot"),
        ("CREATE INDEX CONCURRENTLY i_${x} ON t (a);", "2:1", "CREATE INDEX CONCURRENTLY cannot"),
        ("PREPARE TRANSACTION ${x:literal};", "2:1", "this would take"),
        ("DROP DATABASE ${x:identifier};", "2:1", "DROP DATABASE cannot"),
        ("SELECT 1;\n  ${x} WORK;", "3:3", "a statement cannot begin with a placeholder"),
        ("SELECT ${x}, :'x';", "2:14", "`:x` is a variable of psql"),
    ] {
        let problem = problem(&template(text));
        assert!(problem.starts_with(&format!("a/01_a.sql:{place}: {message}")), "{problem}");
    }
    for text in
        ["ROLLBACK TO ${x}", "SELECT ${x:literal}; SAVEPOINT ${x:identifier}", "CREATE TABLE events_${x} ()"]
    {
        load(&[("01_a.sql", &template(text))]).unwrap_or_else(|problems| panic!("{text}: {problems:?}"));
    }
}

#[test]
fn r54_the_name_of_a_placeholder_is_no_key_word() {
    let problem = problem("-- habitat: placeholders stdin\nCOPY t FROM ${stdin:literal};\nCOMMIT;\n");
    assert!(problem.starts_with("a/01_a.sql:3:1: this would commit"), "{problem}");
    let text = "-- habitat: placeholders atomic\nCREATE FUNCTION f() RETURNS int BEGIN ${atomic}; COMMIT;";
    assert!(self::problem(text).contains("2:50: this would commit"));
}

#[test]
fn r54_what_only_psql_understands_is_refused_in_a_template_too() {
    let problem = problem("-- habitat: placeholders x\nSELECT ${x}\n\\gexec\n");
    assert!(problem.starts_with("a/01_a.sql:3:1: `\\gexec` is a command of psql"), "{problem}");
    let orphan = problems(&[("01_a.sql", "SELECT 1"), ("02_b.down.sql", "\\echo\nSELECT 1")]);
    assert_eq!(orphan.len(), 2, "{orphan:?}");
}

#[test]
fn r20_a_value_that_comes_by_a_placeholder_is_used_too_early_as_well() {
    let template = |then: &str| {
        format!(
            "-- habitat: placeholders mood, other\nALTER TYPE m ADD VALUE ${{mood:literal}};\n{then}, ${{other:literal}};"
        )
    };
    let problem = problem(&template("SELECT ${mood:literal}::m"));
    assert!(
        problem.starts_with("a/01_a.sql:3:8: ${mood:literal} is used in the transaction that adds it"),
        "{problem}"
    );
    load(&[("01_a.sql", &template("SELECT ${other:literal}"))]).expect("another value");
}

#[test]
fn the_checksum_is_that_of_the_template() {
    let text = "-- habitat: placeholders x\nSELECT ${x};";
    let catalog = load(&[("01_a.sql", text)]).expect("sound");
    assert_eq!(catalog.migrations()[0].script(), text);
    assert_eq!(catalog.migrations()[0].checksum(), habitat_migrate_catalog::Checksum::of(text));
}
