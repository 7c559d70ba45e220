use habitat_migrate::migration;

#[migration(version = "01_a", reqiures = "00_b")]
fn slip(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "01_a", undo = back)]
fn synonym(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration(version = "01_a", banana = "yellow")]
fn unlike(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

#[migration("01_a")]
fn positional(tx: &mut postgres::Transaction<'_>) -> Result<(), String> {
    Ok(())
}

fn main() {
    let _ = [slip, synonym, unlike, positional];
}
