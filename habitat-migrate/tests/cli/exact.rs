//! What is for a file or another program is written byte for byte, and what cannot be written is told.

use super::json::valid;
use super::programs::has_programs;
use super::support::Desk;

/// What the library's advice says too, and what a terminal would take for a colour.
const WORDS: &str = "run migrate again, by `Migrator::migrate`, in HABITAT_PG_BIN: \u{1b}[1mbold\u{1b}[0m";

fn desk() -> Desk {
    let desk = Desk::new();
    desk.write(
        "migrations/01_runs.sql",
        &format!(
            "CREATE TABLE runs (id int);\nCOMMENT ON TABLE runs IS '{WORDS}';\n\
             CREATE FUNCTION again() RETURNS text LANGUAGE sql AS $$ SELECT '{WORDS}' $$;\n"
        ),
    );
    desk
}

#[test]
fn sql_that_speaks_as_advice_does_is_not_rewritten() {
    let desk = desk();
    for arguments in [&["plan", "--sql"][..], &["plan", "--sql", "--offline"]] {
        let sql = desk.done(arguments);
        assert_eq!(sql.matches(WORDS).count(), 2, "{arguments:?}: {sql}");
        assert_eq!(valid(&desk, arguments, 0)["result"]["sql"], sql, "{arguments:?}");
    }
    if !has_programs(&desk) {
        return;
    }
    desk.done(&["up"]);
    let schema = desk.done(&["schema", "dump"]);
    assert_eq!(schema.matches(WORDS).count(), 2, "{schema}");
    assert_eq!(valid(&desk, &["schema", "dump"], 0)["result"]["schema"], schema);
    desk.done(&["schema", "dump", "--file", "schema.sql"]);
    assert_eq!(desk.read("schema.sql"), schema);
}

#[test]
fn a_picture_is_the_same_on_the_standard_output_and_in_a_file() {
    let desk = desk();
    desk.write("migrations/02_more.sql", &format!("-- habitat: description {WORDS}\nSELECT 1;\n"));
    for format in ["svg", "mermaid", "dot"] {
        let graph = desk.done(&["graph", "--format", format]);
        assert_eq!(desk.done(&["graph", "--format", format, "--file", "graph"]), "wrote graph\n");
        assert_eq!(desk.read("graph"), graph, "{format}");
    }
}

#[test]
fn an_error_shows_the_script_as_it_is_and_its_advice_in_the_words_of_the_command() {
    let desk = desk();
    desk.write("migrations/02_fails.sql", "SELECT 'run migrate again' FROM nowhere;\n");
    let up = desk.run(&["up"]);
    assert_eq!(up.code, 1, "{}", up.err);
    assert!(up.err.contains("1 | SELECT 'run migrate again' FROM nowhere;"), "{}", up.err);
    assert!(up.err.contains("next: correct the file and run `up` again"), "{}", up.err);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_success() {
    let desk = desk();
    for arguments in
        [&["plan", "--sql"][..], &["status"], &["status", "-o", "json"], &["chekc", "-o", "json"]]
    {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device");
        let output = desk.command(arguments).stdout(full).output().expect("a process");
        let err = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
        assert!(err.contains("the standard output does not take the result"), "{arguments:?}: {err}");
    }
}
