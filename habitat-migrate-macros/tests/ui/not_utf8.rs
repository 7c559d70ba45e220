use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/not_utf8")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
