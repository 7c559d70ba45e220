//! What a template is made of, and the key that tells it from every other one.

use std::collections::BTreeMap;

use habitat_migrate_catalog::{Catalog, MigrationId};
use sha2::{Digest, Sha256};

use super::test_error::{Kind, TestError};
use crate::tracker::FORMAT;

/// Everything that decides what is in a test's database when the test begins.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    pub(super) catalog: Catalog,
    /// What of the catalog is applied; a part of it for a database that stops before a migration.
    pub(super) applied: Catalog,
    pub(super) target: Option<MigrationId>,
    pub(super) schema: Option<String>,
    pub(super) environment: Option<String>,
    pub(super) placeholders: BTreeMap<String, String>,
    pub(super) fixtures: Vec<(String, String)>,
    pub(super) role: Option<String>,
}

impl Recipe {
    pub(super) fn new(catalog: &Catalog) -> Self {
        Self {
            catalog: catalog.clone(),
            applied: catalog.clone(),
            target: None,
            schema: None,
            environment: None,
            placeholders: BTreeMap::new(),
            fixtures: Vec::new(),
            role: None,
        }
    }

    /// Stops behind a migration.
    pub(super) fn stop_behind(&mut self, migration: &str) -> Result<(), TestError> {
        self.target = Some(self.catalog.migrations()[find(&self.catalog, migration)?].id().clone());
        Ok(())
    }

    /// Leaves a migration and everything that comes after it out.
    pub(super) fn stop_before(&mut self, migration: &str) -> Result<(), TestError> {
        let at = find(&self.catalog, migration)?;
        let before = self.catalog.migrations()[..at].to_vec();
        self.applied = Catalog::from_checked(before, self.catalog.folders().to_vec());
        Ok(())
    }

    /// Sixteen hexadecimal digits. `server` is its version and the login, whose databases nobody else may copy.
    pub(super) fn key(&self, server: &str) -> String {
        let mut hash = Hash(Sha256::new());
        hash.text(env!("CARGO_PKG_VERSION")).text(&FORMAT.to_string()).text(server);
        let mut has_code = false;
        for migration in self.applied.migrations() {
            has_code |= migration.code().is_some();
            hash.text(&migration.id().to_string()).text(&migration.checksum().to_string());
            hash.option(migration.down()).option(migration.verify()).option(migration.function());
            hash.text(&format!("{:?} {:?}", migration.requires(), migration.settings()));
        }
        hash.text("target").option(self.target.as_ref().map(ToString::to_string).as_deref());
        hash.option(self.schema.as_deref()).option(self.environment.as_deref()).option(self.role.as_deref());
        for (name, value) in &self.placeholders {
            hash.text("placeholder").text(name).text(value);
        }
        for (file, text) in &self.fixtures {
            hash.text("fixture").text(file).text(text);
        }
        if has_code || !IS_RELEASED {
            hash.text(program());
        }
        hash.0.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Each text with its length in front, so that no two lists of texts are the same bytes.
struct Hash(Sha256);

impl Hash {
    fn text(&mut self, text: &str) -> &mut Self {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
        self
    }

    fn option(&mut self, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text("some").text(text),
            None => self.text("none"),
        }
    }
}

/// Which build of the program this is: nothing else tells that a function, or this library while somebody works on it,
/// does something else now.
fn program() -> &'static str {
    use std::os::unix::fs::MetadataExt;
    use std::sync::OnceLock;
    static PROGRAM: OnceLock<String> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let path = std::env::current_exe().unwrap_or_default();
        match std::fs::metadata(&path) {
            Ok(file) => format!("{} {} {}.{}", path.display(), file.len(), file.mtime(), file.mtime_nsec()),
            Err(_) => path.display().to_string(),
        }
    })
}

/// Whether this is an unpacked release, whose text never changes, and no folder that somebody works in.
const IS_RELEASED: bool = {
    let folder = env!("CARGO_MANIFEST_DIR").as_bytes();
    let mark = b"/registry/src/";
    let mut at = 0;
    let mut found = false;
    while at + mark.len() <= folder.len() && !found {
        let mut n = 0;
        while n < mark.len() && folder[at + n] == mark[n] {
            n += 1;
        }
        found = n == mark.len();
        at += 1;
    }
    found
};

/// The place of `context:version`, or of a version that one context has.
fn find(catalog: &Catalog, wanted: &str) -> Result<usize, TestError> {
    let all = catalog.migrations();
    let fits = |n: &usize| all[*n].id().to_string() == wanted || all[*n].version().as_str() == wanted;
    let found: Vec<usize> = (0..all.len()).filter(fits).collect();
    let names = |list: &[usize]| {
        let names: Vec<String> = list.iter().take(8).map(|&n| all[n].id().to_string()).collect();
        names.join(", ")
    };
    let advice = match found[..] {
        [only] => return Ok(only),
        [] => {
            let number = wanted.split(['_', ':']).next_back().unwrap_or(wanted);
            let near: Vec<usize> = (0..all.len())
                .filter(|&n| {
                    let version = all[n].version().as_str();
                    version.contains(wanted) || version.split('_').next_back() == Some(number)
                })
                .collect();
            let last: Vec<usize> = (all.len().saturating_sub(8)..all.len()).collect();
            match near.is_empty() {
                true => format!("its last ones are {}", names(&last)),
                false => format!("did you mean {}", names(&near)),
            }
        }
        _ => format!("there are {}, say which one", names(&found)),
    };
    Err(Kind::Unknown { migration: wanted.to_owned(), advice }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(scripts: &[(&'static str, &'static str)]) -> Catalog {
        Catalog::from_scripts("shop", scripts.iter().copied()).unwrap()
    }

    fn recipe() -> Recipe {
        Recipe::new(&catalog(&[("01_a.sql", "SELECT 1;"), ("02_b.sql", "SELECT 2;")]))
    }

    #[test]
    fn everything_that_can_change_the_database_changes_the_key() {
        let mut keys = vec![recipe().key("15")];
        keys.push(recipe().key("16"));
        let more = [("01_a.sql", "SELECT 1;"), ("02_b.sql", "SELECT 3;")];
        keys.push(Recipe::new(&catalog(&more)).key("15"));
        let verified =
            [("01_a.sql", "SELECT 1;"), ("02_b.sql", "SELECT 2;"), ("02_b.verify.sql", "SELECT true;")];
        keys.push(Recipe::new(&catalog(&verified)).key("15"));
        let timed = [("01_a.sql", "-- habitat: statement-timeout 1s\nSELECT 1;"), ("02_b.sql", "SELECT 2;")];
        keys.push(Recipe::new(&catalog(&timed)).key("15"));
        let mut behind = recipe();
        behind.stop_behind("01_a").unwrap();
        keys.push(behind.key("15"));
        let mut before = recipe();
        before.stop_before("shop:02_b").unwrap();
        keys.push(before.key("15"));
        keys.push(Recipe { environment: Some("a".into()), ..recipe() }.key("15"));
        keys.push(Recipe { schema: Some("a".into()), ..recipe() }.key("15"));
        keys.push(Recipe { role: Some("a".into()), ..recipe() }.key("15"));
        keys.push(Recipe { placeholders: [("a".into(), "b".into())].into(), ..recipe() }.key("15"));
        keys.push(Recipe { fixtures: vec![("a".into(), "b".into())], ..recipe() }.key("15"));
        keys.push(Recipe { fixtures: vec![("a".into(), "c".into())], ..recipe() }.key("15"));
        let count = keys.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), count);
        assert!(keys.iter().all(|key| key.len() == 16));
        assert_eq!(recipe().key("15"), recipe().key("15"));
    }

    #[test]
    fn a_migration_is_found_by_either_name_and_a_slip_is_told() {
        let shop = catalog(&[("01_a.sql", "SELECT 1;"), ("02_b.sql", "SELECT 2;")]);
        assert_eq!(find(&shop, "02_b").unwrap(), 1);
        assert_eq!(find(&shop, "shop:01_a").unwrap(), 0);
        assert_eq!(
            find(&shop, "02").unwrap_err().to_string(),
            "the catalog has no migration `02`: did you mean shop:02_b"
        );
        assert_eq!(
            find(&shop, "x").unwrap_err().to_string(),
            "the catalog has no migration `x`: its last ones are shop:01_a, shop:02_b"
        );
    }
}
