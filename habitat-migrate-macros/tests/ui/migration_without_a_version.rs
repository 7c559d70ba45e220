use habitat_migrate::migration;

#[migration]
fn bare(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(requires = "01_accounts")]
fn other(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = [bare, other];
}
