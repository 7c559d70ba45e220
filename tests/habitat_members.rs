//! Tests of a service's own tables, as its authors would write them: copy this file and change the names.
//!
//! Nothing has to be set up: each test gets a database with the service's migrations applied, and nobody else's rows.

use habitat_migrate::Migrations;
use postgres::error::SqlState;
use postgres::{Client, Error};

#[derive(Migrations)]
#[migrations(dir = "migrations/habitat")]
struct Habitat;

const JOIN: &str = "INSERT INTO people.members (display_name, email, status) VALUES ($1, $2, 'active')";

#[habitat_migrate::test(migrations = Habitat)]
fn a_member_joins(mut client: Client) -> Result<(), Error> {
    client.execute(JOIN, &[&"Ada", &"ada@example.org"])?;
    let members: i64 = client.query_one("SELECT count(*) FROM people.members", &[])?.get(0);
    assert_eq!(members, 1);
    Ok(())
}

#[habitat_migrate::test(migrations = Habitat, fixtures("habitat_members"))]
fn an_address_belongs_to_one_member_however_it_is_written(mut client: Client) {
    let error = client.execute(JOIN, &[&"Somebody else", &"ADA@example.org"]).unwrap_err();
    assert_eq!(error.code(), Some(&SqlState::UNIQUE_VIOLATION));
}

#[habitat_migrate::test(migrations = Habitat, fixtures("habitat_members"))]
async fn a_suspended_member_keeps_the_membership(client: tokio_postgres::Client) -> Result<(), Error> {
    client.execute("UPDATE people.members SET status = 'suspended'", &[]).await?;
    let current = "SELECT count(*) FROM people.memberships WHERE ends_on IS NULL";
    assert_eq!(client.query_one(current, &[]).await?.get::<_, i64>(0), 1);
    Ok(())
}

#[habitat_migrate::test(migrations = Habitat, environment = "development")]
fn developers_get_ten_members_to_play_with(client: &mut Client) -> Result<(), Error> {
    let members: i64 = client.query_one("SELECT count(*) FROM people.members", &[])?.get(0);
    assert_eq!(members, 10);
    Ok(())
}

#[habitat_migrate::test(migrations = Habitat, before = "05_agreements_core", fixtures("habitat_members"))]
fn the_agreements_can_be_added_where_members_are(mut client: Client) {
    let report = Habitat::migrator().migrate(&mut client).expect("a migration");
    assert_eq!(report.applied()[0].id().to_string(), "agreements:05_agreements_core");
}

#[habitat_migrate::test(migrations = Habitat)]
#[should_panic(expected = "members_email_form")]
fn an_address_has_an_at_sign(mut client: Client) {
    client.execute(JOIN, &[&"Ada", &"ada"]).map_err(|error| error.as_db_error().cloned()).unwrap();
}
