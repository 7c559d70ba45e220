use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound")]
struct Named {
    _pool: u8,
}

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound")]
struct Tuple(u8);

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound")]
struct Generic<const N: usize>;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound")]
enum Choice {
    _One,
}

fn main() {
    let _ = (Named::migrator(), Tuple::migrator(), Generic::<1>::migrator(), Choice::migrator());
}
