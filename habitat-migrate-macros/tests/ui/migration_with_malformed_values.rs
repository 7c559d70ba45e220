use habitat_migrate::migration;

#[migration(version = "backfill slugs")]
fn version(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "R__balances")]
fn repeatable(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "07_a.sql")]
fn ending(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "07_a", requires = ["06_b", "a:b:c"])]
fn requires(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "07_a", verify = "SELECT true; COMMIT;")]
fn verify(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "07_a", version = "08_b")]
fn twice(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = 7)]
fn number(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = [version, repeatable, ending, requires, verify, twice, number];
}
