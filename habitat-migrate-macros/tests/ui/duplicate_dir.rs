use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/sound/people")]
#[migrations(dir = "./tests/ui/fixtures/sound/people/", context = "members")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
