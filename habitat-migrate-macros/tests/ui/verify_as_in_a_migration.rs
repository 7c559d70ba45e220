use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/verify_as_in_a_migration")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
