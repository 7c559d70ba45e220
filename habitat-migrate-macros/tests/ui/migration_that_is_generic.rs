use habitat_migrate::migration;

#[migration(version = "01_types")]
fn types<T: Default>(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "02_constants")]
async fn constants<const N: usize>(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "03_unsafe")]
unsafe fn dangerous(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "04_infallible")]
fn infallible(tx: &mut postgres::Transaction<'_>) {}

fn main() {
    let _ = [types, constants, dangerous, infallible];
}
