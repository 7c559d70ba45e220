//! What the macros accept, and what a person sees whose migrations have a mistake.
//!
//! Each mistake is a file in `tests/ui`, named for it, with the compiler's words beside it. After a change of a message,
//! `TRYBUILD=overwrite cargo test -p habitat-migrate-macros --test macros` writes them anew; read the
//! difference. The cases live here and not in the root package since trybuild compiles all dependencies of
//! the package that it runs in once more, and this one has few.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;

use trybuild::TestCases;

#[test]
fn sound_migrations_are_embedded_and_every_mistake_is_shown_at_its_line() {
    let cases = cases();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/*.rs");
}

#[test]
fn r36_two_files_with_one_number_do_not_compile() {
    let cases = cases();
    // With a case that passes, trybuild builds as above instead of checking, which would compile everything again.
    cases.pass("tests/ui/pass/expression.rs");
    cases.compile_fail("tests/ui/two_files_with_one_number.rs");
}

/// A runner of cases that find `tests/ui/fixtures` where they name it.
fn cases() -> TestCases {
    static FIXTURES: Once = Once::new();
    FIXTURES.call_once(|| {
        let project = compiled_project();
        mirror(Path::new("tests/ui/fixtures"), &project.join("tests/ui/fixtures"), &project)
            .expect("the fixtures can be copied into the target directory");
    });
    TestCases::new()
}

/// The package that trybuild compiles the cases in: the macros read folders relative to it.
fn compiled_project() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it lies in the target directory");
    target.join("tests/trybuild").join(env!("CARGO_PKG_NAME"))
}

/// Makes one folder equal to another. A file appears whole or not at all, since other processes may be compiling.
fn mirror(from: &Path, to: &Path, scratch: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let there = entry?.path();
        let name = there.file_name().expect("an entry has a name");
        if !from.join(name).exists() {
            if there.is_dir() { fs::remove_dir_all(&there)? } else { fs::remove_file(&there)? }
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let copy = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            mirror(&entry.path(), &copy, scratch)?;
            continue;
        }
        let content = fs::read(entry.path())?;
        if fs::read(&copy).ok().as_ref() != Some(&content) {
            let partial = scratch.join(format!("partial-{}", std::process::id()));
            fs::write(&partial, content)?;
            fs::rename(&partial, &copy)?;
        }
    }
    Ok(())
}
