//! The README's walk-through, done as it says.

use super::support::{Desk, clean, outcome};

/// The lines of the shell between the marks in the README: those of each block that says ```` ```sh ````, in order.
fn walk_through() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(path).expect("the README");
    let (_, behind) = readme.split_once("<!-- walk-through -->").expect("the mark at its beginning");
    let (inside, _) = behind.split_once("<!-- end of walk-through -->").expect("the mark at its end");
    let mut code = false;
    let mut lines = Vec::new();
    for line in inside.lines() {
        if line.starts_with("```") {
            code = line == "```sh";
        } else if code && !line.trim().is_empty() {
            lines.push(line.to_owned());
        }
    }
    lines
}

#[test]
fn the_walk_through_does_what_it_says() {
    let desk = Desk::new();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_habitat-migrate"));
    let mut path = std::env::var("PATH").expect("a PATH");
    path.insert_str(0, &format!("{}:", program.parent().expect("a folder").display()));
    let lines = walk_through();
    // The one line that names somebody's own database.
    let (own, lines): (Vec<&String>, Vec<&String>) =
        lines.iter().partition(|line| line.starts_with("export DATABASE_URL="));
    assert_eq!(own.len(), 1, "{own:?}");
    let verbs = ["new", "check", "up", "status", "down"].map(|verb| format!("habitat-migrate {verb}"));
    for verb in &verbs {
        assert!(lines.iter().any(|line| line.starts_with(verb)), "{verb}: {lines:?}");
    }
    let script: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let mut command = clean("bash");
    command.args(["-euxc", &script]).current_dir(desk.path());
    command.env("PATH", path).env("DATABASE_URL", desk.url()).env("CI", "true");
    let walked = outcome(command);
    assert_eq!(walked.code, 0, "{}\n{}", walked.out, walked.err);
    for line in &lines {
        let begin = line.split(['\'', '"', '>']).next().unwrap_or_default().trim();
        assert!(walked.err.contains(&format!("+ {begin}")), "bash did not run {line}: {}", walked.err);
    }
    for words in [
        "created migrations/0001_create_users.sql",
        "1 migration applied",
        "applied  ",
        "1 migration taken back",
    ] {
        assert!(walked.out.contains(words), "{words}: {}", walked.out);
    }
}
