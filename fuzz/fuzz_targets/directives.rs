//! Any bytes make a catalog or problems that can be shown; what loads, loads again from its own text.

#![no_main]

use std::borrow::Cow;

use habitat_migrate_catalog::{Layout, Loader, Problems, Source, SourceFile};
use libfuzzer_sys::fuzz_target;

/// One migration with all of its scripts.
struct Files<'a>(&'a [u8]);

impl Source for Files<'_> {
    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed("fuzz")
    }

    fn files(&self) -> Result<Vec<SourceFile>, Problems> {
        let file = |name: &str| SourceFile::new(name, self.0.to_vec());
        Ok(vec![file("01_a.sql"), file("01_a.down.sql"), file("01_a.verify.sql"), file("R__a.sql")])
    }
}

fuzz_target!(|bytes: &[u8]| {
    // Sections of other tools' files are recognised, or not.
    if let Err(problems) = Loader::new().source(Files(bytes)).load() {
        assert!(!problems.render().is_empty());
    }
    match Loader::new().source(Files(bytes)).layout(Layout::Habitat).load() {
        Ok(catalog) => {
            let script = catalog.migrations()[0].script();
            assert_eq!(script.as_bytes(), bytes);
        }
        Err(problems) => assert!(!problems.render().is_empty()),
    }
});
