use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/cycle_of_two")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
