use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/down_script_without_its_migration")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
