//! The macros are expressions, also where only constants may stand.

use habitat_migrate::{Catalog, embed_migrations, migrate};

const CONSTANT: Catalog = migrate!("tests/ui/fixtures/sound");
static STATIC: Catalog = migrate!("tests/ui/fixtures/sound/people", context = "staff");

const fn from_a_function() -> Catalog {
    embed_migrations!("tests/ui/fixtures/sound/treasury", external = "people",)
}

fn main() {
    assert_eq!(CONSTANT.migrations().len(), 4);
    assert_eq!(STATIC.contexts()[0].name(), "staff");
    assert_eq!(from_a_function().contexts()[0].name(), "treasury");
    let value = migrate!(dir = "tests/ui/fixtures/sound");
    assert_eq!(value.contexts(), CONSTANT.contexts());
}
