//! For build scripts: have cargo notice new migrations.

use std::path::Path;

/// Compiles the crate anew when a file is added to a folder of migrations, or removed from it.
pub fn watch(folder: impl AsRef<Path>) {
    println!("cargo::rerun-if-changed={}", folder.as_ref().display());
}
