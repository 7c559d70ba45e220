use habitat_migrate::migration;

#[migration(version = "01_none")]
fn none() -> Result<(), String> {
    Ok(())
}

#[migration(version = "02_two")]
fn two(tx: &mut postgres::Transaction<'_>, again: bool) -> Result<(), String> {
    Ok(())
}

#[migration(version = "03_value")]
fn value(tx: postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "04_client")]
async fn client(client: &mut tokio_postgres::Client) -> Result<(), String> {
    Ok(())
}

#[migration(version = "05_not_async")]
fn not_async(tx: &mut tokio_postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "06_is_async")]
async fn is_async(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "07_method")]
fn method(&self) -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = [none, two, value, client, not_async, is_async, method];
}
