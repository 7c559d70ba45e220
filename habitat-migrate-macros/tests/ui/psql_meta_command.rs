use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/psql_meta_command")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
