use habitat_migrate::{Migrations, migrate};

#[derive(Migrations)]
#[migrations]
struct Bare;

#[derive(Migrations)]
#[migrations = "tests/ui/fixtures/sound"]
struct Equals;

#[derive(Migrations)]
#[migrations(dir = 7)]
struct Number;

#[derive(Migrations)]
#[migrations(dir = "")]
struct Empty;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound", dir = "tests/ui/fixtures/commit_inside")]
struct Twice;

fn main() {
    let _ = (Bare::migrator(), Equals::migrator(), Number::migrator(), Empty::migrator(), Twice::migrator());
    let _ = migrate!("tests/ui/fixtures/sound", "tests/ui/fixtures/commit_inside");
    let _ = migrate!(SOUND);
}
