use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/missing_requirement")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
