use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/undeclared_placeholder")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
