//! For build scripts: have cargo notice new migrations, with [`watch`].

use std::path::Path;

/// Has cargo compile a crate anew when a file is added to its migrations or removed from them.
///
/// This is the whole of `build.rs`:
/// ```
/// fn main() {
///     habitat_migrate::build::watch("migrations");
/// }
/// ```
/// and this stands in `Cargo.toml`, without features, so that it costs little to compile:
/// ```toml
/// [build-dependencies]
/// habitat-migrate = { version = "0.1", default-features = false }
/// ```
///
/// Why it is needed: the macros have cargo watch every file that they embed, but a macro cannot ask for a
/// *folder* to be watched. Without it, a crate whose newest migration is the only change is not compiled, and
/// the program lacks the migration. (With debug assertions the program finds that out and says so; a release build does not.)
///
/// The folder is relative to the crate's `Cargo.toml`, as in the macros. Cargo watches it with all folders
/// within, also for changed files. Call it once for each folder; a build script that does other things as
/// well has to say with `cargo::rerun-if-changed` what those depend on, since cargo then no longer watches the whole crate.
#[allow(clippy::needless_doctest_main, reason = "the example is a whole build script")]
pub fn watch(folder: impl AsRef<Path>) {
    println!("{}", instruction(folder.as_ref()));
}

/// What cargo reads on a build script's standard output.
fn instruction(folder: &Path) -> String {
    // Cargo scans a folder that it is told of, to any depth: folders of contexts need no line of their own.
    format!("cargo::rerun-if-changed={}", folder.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_is_told_the_folder_as_it_was_named() {
        assert_eq!(
            instruction(Path::new("migrations/habitat")),
            "cargo::rerun-if-changed=migrations/habitat"
        );
    }
}
