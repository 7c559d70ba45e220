use habitat_migrate::{Catalog, Migrations, embed_migrations, migrate};

#[derive(Migrations)]
struct Usual;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound/people")]
#[migrations(dir = "tests/ui/fixtures/absent")]
struct Schema;

const EXPRESSION: Catalog = migrate!();

fn main() {
    let _ = (Usual::CATALOG, Schema::CATALOG, EXPRESSION);
    let _ = embed_migrations!("tests/ui/fixtures/absent", context = "absent");
}
