use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/a_file_that_fits_nothing")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
