use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/replaces_a_file_that_is_there")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
