use habitat_migrate::{Migrations, migrate};

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound", layout = "sqlxx")]
struct Slip;

#[derive(Migrations)]
#[migrations(layout = "alembic")]
struct OtherTool;

fn main() {
    let _ = (Slip::migrator(), OtherTool::migrator());
    let _ = migrate!("tests/ui/fixtures/sound", layout = "Goose");
}
