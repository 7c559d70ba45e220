use habitat_migrate::{Migrations, migrate};

#[derive(Migrations)]
#[migrations(dri = "tests/ui/fixtures/sound")]
struct Slip;

#[derive(Migrations)]
#[migrations(path = "tests/ui/fixtures/sound")]
struct OtherWord;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound", transaction = "none")]
#[migrations(dir = "tests/ui/fixtures/sound", contexts = "people")]
struct Both;

fn main() {
    let _ = (Slip::migrator(), OtherWord::migrator(), Both::migrator());
    let _ = migrate!("tests/ui/fixtures/sound", extern = "people");
}
