//! The house: modules of the library import downward only.

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom to the top; a module may import from those of a lower rank, and from its own parts.
const RANKS: [&[&str]; 16] = [
    &["sql", "policy", "report", "history", "stale", "build", "server", "finding", "code", "backfill"],
    &["event"],
    &["plan"],
    &["status"],
    &["client"],
    &["connect", "adopt"],
    &["tracker"],
    &["lock", "error"],
    &["engine"],
    &["takeover"],
    &["migrator"],
    &["provision"],
    &["backup"],
    &["checklist"],
    &["embed"],
    &["testing"],
];

#[test]
fn modules_import_downward_only() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("habitat-migrate/src");
    let mut seen = 0;
    for path in files(&source) {
        let module = module(path.strip_prefix(&source).expect("a file of the folder"));
        if module == "lib" {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a readable file");
        for (n, line) in text.lines().enumerate() {
            let Some((_, rest)) = line.split_once("crate::") else { continue };
            if line.trim_start().starts_with("//") {
                continue;
            }
            let imported: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if imported == module || imported.starts_with(char::is_uppercase) {
                continue;
            }
            let place = format!("{}:{}: {}", path.display(), n + 1, line.trim());
            assert!(rank(&imported, &place) < rank(&module, &place), "upward: {place}");
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} imports were found");
}

fn rank(module: &str, place: &str) -> usize {
    RANKS
        .iter()
        .position(|modules| modules.contains(&module))
        .unwrap_or_else(|| panic!("module {module} has no rank: {place}"))
}

/// The top-level module that a file belongs to.
fn module(path: &Path) -> String {
    let first = path.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}
