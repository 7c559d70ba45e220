use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/placeholder_inside_of_a_string")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
