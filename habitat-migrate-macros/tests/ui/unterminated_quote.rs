use habitat_migrate::Migrations;

#[derive(Migrations)]
#[migrations(dir = "tests/ui/fixtures/unterminated_quote")]
struct Schema;

fn main() {
    let _ = Schema::migrator();
}
