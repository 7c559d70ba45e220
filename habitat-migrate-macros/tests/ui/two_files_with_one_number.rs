use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/two_files_with_one_number")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
