use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/mixed_layouts")]
struct Faulty;

fn main() {
    Faulty::migrator();
}
