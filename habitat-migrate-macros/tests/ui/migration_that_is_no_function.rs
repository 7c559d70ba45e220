use habitat_migrate::migration;

#[migration(version = "0007_backfill_slugs")]
struct Backfill;

#[migration(version = "0008_prices")]
const PRICES: u8 = 8;

fn main() {
    let _ = (Backfill, PRICES);
}
