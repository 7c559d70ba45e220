use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/section_with_a_slip")]
struct Faulty;

fn main() {
    Faulty::migrator();
}
