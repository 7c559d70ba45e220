use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/commit_inside")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
